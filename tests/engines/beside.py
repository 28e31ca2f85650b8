"""What all tests of Apache Spark share: whether it is here, how it starts soon, and how it is lost."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.engines import local

_QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Every question is asked once: what Java's second compiler gains by the hundredth time costs more here."""


def spark(untested: str) -> Iterator[None]:
    """Have every Spark start soon that is started meanwhile, and end that of this process.

    Parameters
    ----------
    untested : str
        What remains so where Java or requirements-spark.txt is missing.
    """
    missing = [
        what
        for what, here in (
            ("Java", shutil.which("java")),
            ("requirements-spark.txt", importlib.util.find_spec("pyspark")),
        )
        if not here
    ]
    if missing:
        reason = f"Not installed: {' and '.join(missing)}. {untested}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", _QUICK)
        yield
        local.stop()


def kill() -> None:
    """Kill the Java of this process's Spark, as a machine that fails would."""
    assert local._running is not None
    parent = local._running.process.pid
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
