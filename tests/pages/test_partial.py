"""Every page of a study that brings only part of what there could be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from data.importing.publish import import_folder

ROOT = Path(__file__).parents[2]
PAGES = (
    "app.py",
    *(f"pages/{n}.py" for n in ("survival", "mrd", "transplant", "evidence", "patients")),
)
IDS = [f"p{n}" for n in range(8)]
SAMPLES = "patient_id,day,assay,material,lod_fraction,mrd_fraction\n" + "".join(
    f"{name},30,NGS,BM,0.000001,{0 if n % 2 else 0.001}\n" for n, name in enumerate(IDS)
)
OUTCOMES = "patient_id,cr_day,relapse_day,death_day,last_follow_up_day\n" + "".join(
    f"{name},28,{100 + n if n < 3 else ''},,{400 + n}\n" for n, name in enumerate(IDS)
)
STUDIES: Mapping[str, Mapping[str, str]] = {
    "identifiers alone": {},
    "samples alone": {"mrd_assessments": SAMPLES},
    "outcomes alone": {"outcomes": OUTCOMES},
}
EMPTY = {
    "patients": "patient_id\n" + "\n".join(IDS),
    "mrd_assessments": "patient_id,day\n",
    "treatments": "patient_id,kind\n",
    "outcomes": "patient_id,cr_day,last_follow_up_day\n",
}


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    source = tmp_path / "source"
    source.mkdir()
    described = {"study_id": "part", "title": "Part", "day_zero_label": "start of treatment",
                 "default_endpoint": "RFS", "small_cell_minimum": 0}  # fmt: skip
    (source / "study.json").write_text(json.dumps(described), "utf-8")
    for name, text in (EMPTY | dict(STUDIES[request.param])).items():
        (source / f"{name}.csv").write_text(text, "utf-8")
    import_folder(source, "part", tmp_path / "store")
    monkeypatch.setenv("COHORT_STORE", str(tmp_path / "store"))
    return "part"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_it_cannot_show(study: str, page: str) -> None:
    shown = AppTest.from_file(str(ROOT / page), default_timeout=60)
    shown.query_params["study"] = study
    shown.run()
    assert not shown.exception
    assert not [e.value for e in shown.error]
    assert any("Part" in text.value for text in shown.markdown)
