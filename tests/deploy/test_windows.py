"""Exploring needs nothing that only Unix has; what Windows refuses is refused here, under its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools.serving import ROOT

PROGRAM = """
import os, sys
# Everything but this program, under the name of the system that it really is.
import altair, duckdb, openpyxl, pandas, pyarrow, pyreadstat, python_calamine, scipy.stats, xlsxwriter
from streamlit.testing.v1 import AppTest

sys.platform = "win32"
sys.modules["fcntl"] = sys.modules["resource"] = None
opened = os.open
def open_(path, *rest, **more):
    if "dir_fd" not in more and os.path.isdir(path):  # else it is the cleaning up of this test
        raise PermissionError(13, "Permission denied", path)
    return opened(path, *rest, **more)
os.open = open_

for page in ("app", *(f"pages/{name}" for name in sys.argv[1:])):
    test = AppTest.from_file(f"{page}.py", default_timeout=120)
    test.query_params["study"] = "short2025"
    test.run()
    assert not test.exception, (page, test.exception)
    assert not test.error, (page, [error.value for error in test.error])
    print(page)

from data import audit
audit.record("local", "download", file="figure.svg")
"""


def test_every_page_opens_without_what_only_unix_has(store: Path, tmp_path: Path) -> None:
    pages = [path.stem for path in sorted((ROOT / "pages").glob("*.py"))]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *pages], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"COHORT_STORE": str(store), "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.split()) == len(pages) + 1
