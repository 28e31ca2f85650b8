"""What the image, the compose file, the unit and the proxy promise; no Docker engine is asked for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from data.store import snapshots
from tests.deploy.conftest import TEMPLATE, needed
from tools.serving import ROOT, free_port, wait_for

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
UNIT = ROOT / "deploy" / "cohort-explorer@.service"
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))


def said(instruction: str) -> list[str]:
    """Return what the Dockerfile says after an instruction, one entry each."""
    return re.findall(rf"^{instruction} +(.+)$", DOCKERFILE, re.MULTILINE)


def copied() -> dict[str, str]:
    """Return what the Dockerfile copies from the repository, by source."""
    found = {}
    for line in said("COPY")[1:]:
        *sources, target = line.split()
        if not line.startswith("--from"):
            found |= {source: target for source in sources}
    return found


def test_the_image_is_pinned_and_nobody_is_root() -> None:
    assert all(
        re.fullmatch(r"python:3\.11\.\d+-slim-\w+( AS build)?", base) for base in said("FROM")
    )
    assert len({base.split()[0] for base in said("FROM")}) == 1
    assert said("USER") == ["cohort"]
    (install,) = (line for line in said("RUN") if "pip install" in line)
    assert install.endswith("-r requirements.txt")
    pins = [line for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines() if line]
    assert [pin for pin in pins if not re.match(r"#|[\w\[\],-]+==[\w.]+( ?;.+)?$", pin)] == []
    assert len(said("HEALTHCHECK")) == 1


def test_the_build_is_sent_what_it_copies_and_no_data() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied())
    assert {"data/store", "**/__pycache__"} <= set(lines)
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def staged(folder: Path) -> Path:
    """Lay out what the Dockerfile copies."""
    for source, target in copied().items():
        path = folder / (target if target != "./" else source)
        path.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, path, ignore=shutil.ignore_patterns("store", "*cache*"))
        else:
            shutil.copy2(ROOT / source, path)
    return folder


def test_what_the_image_holds_serves_the_embedded_cohorts_and_writes_only_to_the_store(
    tmp_path: Path,
) -> None:
    app, store, port = staged(tmp_path / "app"), tmp_path / "store", free_port()
    store.mkdir()
    before = sorted(app.rglob("*"))
    environment = dict(re.findall(r"(\w+)=(\S+)", said("ENV")[0])) | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COHORT_STORE": str(store),
        "STREAMLIT_SERVER_PORT": str(port),
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
    }
    (command,) = (line for line in said("CMD") if "start.sh" in line)
    server = subprocess.Popen(
        re.findall(r'"([^"]+)"', command), cwd=app, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/survival") as answer:
            assert answer.status == 200
    finally:
        server.terminate()
        server.wait()
    assert sorted(app.rglob("*")) == before
    served = {snapshot.study_id for snapshot in snapshots(store) if snapshot.current}
    assert served == {path.parent.name for path in app.glob("data/demo/*/study.json")}


def compose() -> dict[str, Any]:
    try:
        import yaml
    except ModuleNotFoundError:
        reason = "PyYAML is not installed: compose.yaml was not read."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return read


def test_compose_runs_two_hardened_replicas_and_the_template_that_is_tested() -> None:
    services = compose()["services"]
    proxy, replicas = services["proxy"], [services["replica-a"], services["replica-b"]]
    for each in (proxy, *replicas):
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert "ports" not in each or each is proxy
        assert re.fullmatch(r"[\w/.-]+:\d+\.\d+\.\d+[\w.-]*", each["image"])
    assert all(volume.endswith(":ro") for volume in proxy["volumes"])
    assert (ROOT / proxy["volumes"][0].partition(":")[0]).samefile(TEMPLATE)
    given = set(re.findall(r"\$\{(COHORT_\w+)\}", TEMPLATE.read_text("utf-8")))
    assert {name for name in proxy["environment"] if name.startswith("COHORT_")} == given
    addresses = [each["networks"]["inside"]["ipv4_address"] for each in replicas]
    assert [proxy["environment"][f"COHORT_{name}"] for name in "AB"] == [
        f"{address}:8501" for address in addresses
    ]
    trusted = proxy["networks"]["inside"]["ipv4_address"]
    assert all(each["environment"]["FORWARDED_ALLOW_IPS"] == trusted for each in replicas)


def test_the_proxy_takes_files_as_large_as_the_page_does() -> None:
    (limit,) = re.findall(r"client_max_body_size (\d+)m;", TEMPLATE.read_text("utf-8"))
    assert int(limit) == CONFIG["server"]["maxUploadSize"] + 1


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as an instance, where the program of this checkout is its program."""
    text = UNIT.read_text("utf-8")
    here = str(Path(sys.executable).parent)
    text = text.replace("/opt/cohort-explorer/.venv/bin", here)
    path = tmp_path / "cohort-explorer@8501.service"
    path.write_text(text.replace("=/opt/cohort-explorer\n", f"={ROOT}\n"), "utf-8")
    return path


def test_the_unit_is_understood(unit: Path) -> None:
    done = subprocess.run(
        [needed("systemd-analyze"), "verify", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_leaves_a_broken_into_server_little(unit: Path) -> None:
    asked = [needed("systemd-analyze"), "security", "--offline=true", unit]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    (exposure,) = re.findall(r"exposure level .*: (\d+\.\d)", done.stdout)
    assert float(exposure) <= 2.0
