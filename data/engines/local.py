"""A Spark of its own beside the program, on this machine alone: for trying, and for tests."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from data.engines import base
from data.engines.base import EngineError

_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
_CONFIGURATION = {
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
}
_MEMORY = "2g"
_START_SECONDS = 120.0
_POLL_SECONDS = 0.1
# However the program ends, its end of the pipe closes, and Spark ends too.
_BOUND = """
"$@" </dev/null & pid=$!
{ read -r _; kill $pid; } <&0 2>/dev/null & reader=$!
wait $pid; kill $reader 2>/dev/null
"""


@dataclass
class _Local:
    process: subprocess.Popen[bytes]
    port: int
    token: str


_starting = threading.Lock()
_running: _Local | None = None


def running() -> str:
    """Return the address of the Spark of this program, which is started if it does not run.

    It listens on 127.0.0.1 to whoever has its token. SPARK_DRIVER_MEMORY is its memory, 2 GB by default.

    Raises
    ------
    EngineError
        If there is no Java, or it does not start.
    """
    global _running
    with _starting:
        if _running is None or _running.process.poll() is not None:
            _end()
            _running = _started()
        # Whoever gave up waiting left it to the next one.
        _wait_for(_running)
        return f"sc://localhost:{_running.port}/;token={_running.token}"


def stop() -> None:
    """End the Spark of this program, if there is one."""
    with _starting:
        _end()


def _end() -> None:
    global _running
    if _running is not None:
        # Which closes the pipe.
        _running.process.communicate()
        _running = None


def _started() -> _Local:
    import pyspark

    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        raise EngineError(
            "Apache Spark needs Java 17 or later, and there is none on this machine. Install a JRE, on "
            "Debian: apt-get install openjdk-17-jre-headless"
        )
    port, token = _free_port(), secrets.token_urlsafe(24)
    scratch = tempfile.mkdtemp(prefix="cohort-spark-")
    configuration = {
        **_CONFIGURATION,
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.warehouse.dir": scratch,
        "spark.local.dir": scratch,
    }
    told = [part for pair in configuration.items() for part in ("--conf", "=".join(pair))]
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    process = subprocess.Popen(
        ["bash", "-c", f"{_BOUND}rm -rf {scratch}", "spark", str(submit), "--master", "local[*]",
         *told, "--class", _SERVER, "spark-internal"],
        cwd=scratch,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        # Its log repeats the values of queries.
        stderr=subprocess.DEVNULL,
        env={
            "SPARK_DRIVER_MEMORY": _MEMORY,
            **os.environ,
            "SPARK_CONNECT_AUTHENTICATE_TOKEN": token,
            "SPARK_LOCAL_IP": "127.0.0.1",
        },
    )  # fmt: skip
    return _Local(process, port, token)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(local: _Local) -> None:
    process = local.process
    started = time.monotonic()
    while time.monotonic() - started < _START_SECONDS and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", local.port)) == 0:
                return
        base.waiting("Apache Spark is starting", time.monotonic() - started)
        time.sleep(_POLL_SECONDS)
    process.communicate()
    raise EngineError(
        "Apache Spark did not start on this machine: it needs Java 17 or later and some 3 GB of memory."
    )
