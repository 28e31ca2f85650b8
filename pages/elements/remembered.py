"""What is made of equal things again and again is made once, also where a room asks at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from typing import Any, TypeVar, cast

from cachetools import LRUCache, cached

F = TypeVar("F", bound=Callable[..., Any])


def remembered(most: int) -> Callable[[F], F]:
    """Keep the latest results of a function by its arguments.

    `functools.lru_cache` lets everybody who asks before the first answer is there make it themselves:
    twenty-five people who follow a presenter waited seconds for a drawing that takes a tenth of one.

    Parameters
    ----------
    most : int
        Results kept; the one used longest ago goes first.
    """
    return cast(Callable[[F], F], cached(LRUCache(most), condition=Condition()))
