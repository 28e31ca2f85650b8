"""The repository holds no secret, and its dependencies are pinned and audited."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tools.audit_dependencies import report

ROOT = Path(__file__).parents[2]
SECRETS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "key of a cloud": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}\b"),
    "token of a forge": re.compile(r"\b(?:gh[pousr]_\w{36,}|github_pat_\w{22,}|glpat-[\w-]{20})"),
    "token of a chat": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "key of a service": re.compile(r"\bsk-[A-Za-z0-9_-]{32,}"),
    "signed token": re.compile(r"\beyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{16,}"),
    "secret of a provider": re.compile(
        r"""(?:client_secret|cookie_secret|password|cookieSecret)["']?\s*[=:]\s*["'][0-9a-zA-Z+/_-]{24,}["']"""
    ),
}


def _kept() -> list[Path]:
    """Every file that git knows or would add."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("This is no git repository: its files were not searched for secrets.")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _found(text: str) -> set[str]:
    return {name for name, pattern in SECRETS.items() if pattern.search(text)}


def test_no_file_of_the_repository_holds_a_secret() -> None:
    files = _kept()
    assert len(files) > 100
    assert not [path for path in files if path.name in ("secrets.toml", ".env")]
    found = {str(path.relative_to(ROOT)): _found(path.read_text("utf-8", errors="ignore"))
             for path in files if path.stat().st_size < 2_000_000}  # fmt: skip
    assert {name: kinds for name, kinds in found.items() if kinds} == {}


def test_a_secret_would_be_found() -> None:
    key = "-----BEGIN RSA PRIVATE " + "KEY-----"
    secret = 'client_secret = "' + "a1" * 16 + '"'
    assert _found(f"x\n{key}\n") == {"private key"}
    assert _found("AKIA" + "A1B2C3D4E5F6G7H8") == {"key of a cloud"}
    assert _found(secret) == {"secret of a provider"}
    assert _found("client_secret = from the provider") == set()


def test_secrets_stay_out_of_git() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert ".streamlit/secrets.toml" in ignored


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_dependency_is_pinned(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text("utf-8").splitlines()
             if line and line[0] not in "#-"]  # fmt: skip
    assert [line for line in lines if not re.match(r"[\w.-]+==[\w.]+(?:; .+)?$", line)] == []


def test_a_known_fault_of_a_dependency_is_said() -> None:
    fault = {"id": "PYSEC-1", "fix_versions": ["2"]}
    packages = [
        {"name": "a", "version": "1", "vulns": [fault]}, {"name": "b", "version": "1", "vulns": []},
        {"name": "c", "skip_reason": "not found"},
    ]  # fmt: skip
    assert report(packages) == [
        "VULNERABLE a 1: PYSEC-1, mended in 2", "Not audited: c.", "2 packages audited."
    ]  # fmt: skip
    assert report(packages[2:])[0].startswith("NOT AUDITED")
