"""A snapshot that is damaged is not shown, and the one before is offered."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.kill import STUDY, two_contents
from data.importing.publish import import_folder

ROOT = Path(__file__).parents[2]


def test_the_snapshot_before_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_STORE", str(tmp_path / "store"))
    first, second = (
        import_folder(source, STUDY, tmp_path / "store")[0] for source in two_contents(tmp_path)
    )
    second.path.chmod(0o644)
    second.path.write_bytes(second.path.read_bytes()[:-1])
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    assert "damaged" in page.error[0].value
    (offer,) = [button for button in page.button if first.hash in button.label]
    page = offer.click().run()
    assert not page.error
    assert not page.exception
    assert first.hash in page.query_params["snapshot"]
