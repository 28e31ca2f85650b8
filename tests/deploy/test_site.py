"""The site of the documents builds without a warning and asks nothing of any other machine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tools.serving import ROOT

MKDOCS = ROOT / ".venv" / "docs" / "bin" / "mkdocs"
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//"""
    r"""|<link\b(?![^>]*rel=["']?(?:canonical|next|prev))[^>]*\bhref=["']?(?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//|@import""",
)


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    if not MKDOCS.exists():
        reason = "The environment of `make docs` is not here: the site was not built."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    built = subprocess.run(
        # Not --quiet: then warnings do not count.
        [MKDOCS, "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT, check=False, capture_output=True, text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    written = [p for p in tmp_path.rglob("*") if p.suffix in (".html", ".css")]
    assert {p.stem for p in (ROOT / "docs").glob("*.md")} <= {p.stem for p in written}
    called = {p.name: LOADED.findall(p.read_text("utf-8")) for p in written}
    assert {name: found for name, found in called.items() if found} == {}
