"""What many ask for at the same moment is made once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock

import pytest

from pages.elements.remembered import remembered


def test_those_who_ask_before_it_is_made_wait_for_it() -> None:
    made, guard, together = list[int](), Lock(), Barrier(8)
    go_on = Barrier(2)

    @remembered(4)
    def slow(n: int) -> object:
        with guard:
            made.append(n)
        if len(made) == 1:
            go_on.wait(10)
        return object()

    def ask() -> object:
        together.wait(10)
        return slow(3)

    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        pool.submit(go_on.wait, 10)
        results = {each.result(10) for each in asked}
    assert made == [3]
    assert len(results) == 1


def test_the_one_used_longest_ago_goes_first() -> None:
    made = list[int]()

    @remembered(2)
    def noted(n: int) -> int:
        made.append(n)
        return n

    for n in (1, 2, 1, 3, 1, 2):
        assert noted(n) == n
    assert made == [1, 2, 3, 2]


def test_a_failure_is_not_kept_and_nobody_waits_for_ever() -> None:
    tries = list[int]()

    @remembered(2)
    def fails_once() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not this time")
        return "made"

    with pytest.raises(ValueError, match="not this time"):
        fails_once()
    assert fails_once() == "made"
