"""One Spark beside the tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import beside


@pytest.fixture(scope="session")
def _spark() -> Iterator[None]:
    yield from beside.spark("Nothing was compared with Apache Spark.")
