"""The Present page: the talk as a list, its slides in a room, and the example talk."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from lxml import html
from pptx import Presentation
from streamlit.testing.v1 import AppTest

from data import talks
from data.cohort import CohortFilter
from data.importing import history
from data.importing.publish import import_folder
from data.store import Snapshot, find
from data.variables import Dictionary
from pages.elements import exhibits, frame, present_view
from pages.elements.add_to_talk import carrying, figure_pages, saved_slide, seen, talk_of
from pages.elements.exports.exhibit import Exhibit
from pages.elements.link import TALK, View
from pages.elements.slides import showing
from pages.elements.talk import Talk, TalkSlide, from_json, parsed
from tools import example_talk

ROOT = Path(__file__).parents[2]
EXAMPLE = parsed(present_view.EXAMPLE.read_bytes(), figure_pages())
BY_RISK = {"study": ("short2025",), "by": ("risk_group",)}


@pytest.fixture(autouse=True)
def _store(short2025: Snapshot) -> None:
    """Have the embedded cohorts in the store that the pages open."""


def slide(query: dict[str, tuple[str, ...]], figure: str = "survival_curves") -> TalkSlide:
    cohort = frame.cohort_of_query(query)
    exhibit = exhibits.exhibit(figure, cohort)
    assert exhibit is not None
    return saved_slide(exhibit, cohort)


def opened(talk: Talk, **query: str) -> AppTest:
    name = carrying(View("short2025"), talk).option(TALK)
    return run(**{"study": "short2025", TALK: name or ""}, **query)


def run(**query: str) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in query.items():
        if value:
            test.query_params[name] = value
    test = test.switch_page("pages/present.py").run()
    assert not test.exception
    return test


def kept(test: AppTest) -> Talk:
    view: View = test.session_state["view"]
    return talk_of(view)


def titles(test: AppTest) -> list[str]:
    return [each.title for each in kept(test).slides]


def said(test: AppTest) -> str:
    pages = [str(each.value) for kind in ("markdown", "info", "error") for each in test.get(kind)]
    return "\n".join([*pages, *(each.proto.body for each in test.get("html"))])


def press(test: AppTest, key: str) -> AppTest:
    return test.button(key=key).click().run()


# The list


def test_an_empty_talk_says_how_to_begin_and_the_example_is_one_click_away() -> None:
    test = run(study="short2025")
    assert "Add to talk" in said(test)
    (button,) = [each for each in test.button if each.label == "Example talk"]
    test = button.click().run()
    assert kept(test) == EXAMPLE
    assert test.query_params[TALK] == carrying(View("short2025"), EXAMPLE).option(TALK)


def test_slides_are_moved_doubled_removed_and_reworded() -> None:
    first, second = (replace(EXAMPLE.slides[i], title=f"slide {i}") for i in (0, 1))
    test = opened(Talk("Meeting", (first, second)))
    assert titles(press(test, "arrow_downward_0")) == ["slide 1", "slide 0"]
    assert titles(press(test, "content_copy_0")) == ["slide 1", "slide 1", "slide 0"]
    assert titles(press(test, "delete_0")) == ["slide 1", "slide 0"]
    test.text_input(key="slide_0_title").set_value("<b>Mine</b>").run()
    test.text_input(key="slide_1_message").set_value("Less _falls_").run()
    test.text_input(key="talk_title").set_value("Ward").run()
    talk = kept(test)
    assert (talk.title, talk.slides[0].title) == ("Ward", "<b>Mine</b>")
    assert talk.slides[1].message == "Less _falls_"


def test_a_talk_that_is_gone_or_damaged_is_said_and_another_can_begin(store: Path) -> None:
    test = run(study="short2025", talk="0" * 16)
    assert "not in this store" in said(test)
    (button,) = [each for each in test.button if each.label == "Begin another talk"]
    test = button.click().run()
    assert kept(test) == Talk()
    name = talks.keep({"format": 1, "title": "x", "slides": [{}]}, store)
    assert "it needs exactly figure" in said(run(study="short2025", talk=name))


def test_the_file_of_a_talk_is_its_powerpoint_too() -> None:
    talk = Talk("Two", EXAMPLE.slides[4:6])
    assert parsed(present_view._as_json(talk), figure_pages()) == talk
    deck = Presentation(io.BytesIO(present_view._as_pptx(talk)))
    assert [each.shapes.title.text for each in deck.slides] == [s.title for s in talk.slides]


def test_the_html_of_a_talk_is_one_file_that_asks_for_nothing_and_runs_nothing() -> None:
    hostile = replace(slide(BY_RISK, "survival_table"), message="<script>alert(1)</script>")
    talk = Talk("<b>Two</b>", (EXAMPLE.slides[4], hostile))
    made = present_view._as_html(talk)
    assert made == present_view._as_html(talk)
    page = html.fromstring(made)
    assert [each.text_content() for each in page.iter("h2")] == [s.message for s in talk.slides]
    assert not list(page.iter("script", "link", "img", "iframe"))
    assert page.findtext(".//title") == "<b>Two</b>"
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none'")
    told = page.text_content()
    for saved in talk.slides:
        exhibit = showing(saved).exhibit
        assert exhibit is not None
        assert numbers(exhibit.provenance.counts) <= numbers(told)
    first, second = page.iter("section")
    assert len(list(first.iter("svg"))) == 1
    exhibit = showing(hostile).exhibit
    assert exhibit is not None
    assert len(list(second.iter("table"))) == len(exhibit.shown)


# A slide


def test_a_slide_has_the_message_the_figure_and_where_it_is_from() -> None:
    test = opened(EXAMPLE, present="5")
    text = said(test)
    assert "no event in 9 MRD-negative patients, 7 in 16 MRD-positive" in text
    assert "<b>59 of 161 patients · in the curves 25 patients, 7 events</b>" in text
    assert "Short 2025 (synthetic)" in text
    assert len(test.get("vega_lite_chart")) == 1
    assert not test.sidebar.children
    assert not test.title


def test_the_foot_of_a_slide_warns_of_what_its_page_warns_of() -> None:
    late = "Immortal time: MRD at 3 months is known only in patients still event-free then"
    assert f"<b>{late}</b>" in said(opened(EXAMPLE, present="2"))
    text = said(opened(EXAMPLE, present="7"))
    assert "<b>Few events: fewer than 5 in AlloSCT in CR1</b>" in text
    assert "Immortal time" not in text


def test_the_files_of_a_talk_warn_too() -> None:
    talk = Talk("One", EXAMPLE.slides[1:2])
    (slide,) = Presentation(io.BytesIO(present_view._as_pptx(talk))).slides
    (warned,) = [each.text_frame.text for each in slide.shapes if each.name == "Caveats"]
    assert warned.startswith("Immortal time: MRD at 3 months is known only")
    assert "Immortal time:" in html.fromstring(present_view._as_html(talk)).text_content()


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        (["Right"], "3"),
        (["PageDown", "Space", "Right"], "5"),
        (["Left"], "1"),
        (["PageUp", "Left"], "1"),
        (["End", "PageDown"], "8"),
        (["End", "Home"], "1"),
    ],
)
def test_keys_and_clickers_go_through_the_talk(keys: list[str], at: str) -> None:
    test = opened(EXAMPLE, present="2")
    for key in keys:
        test = press(test, f"key_{key}")
    assert test.query_params["present"] == at
    assert f"{at} / 8" in said(test)


def test_escape_leaves_to_the_list() -> None:
    test = press(opened(EXAMPLE, present="2"), "key_escape")
    assert "present" not in test.query_params
    assert test.title[0].value == "Present"


def test_a_filter_is_live_and_only_for_now() -> None:
    test = press(opened(EXAMPLE, present="1"), "key_filters")
    (risk,) = [each for each in test.get("button_group") if each.key == "live_risk_group"]
    test = risk.set_value(["high"]).run()
    text = said(test)
    assert EXAMPLE.slides[0].message not in text
    assert "high risk" in text
    n = showing(EXAMPLE.slides[0], CohortFilter(risk_group=("high",))).exhibit
    assert n is not None
    assert n.provenance.counts in text
    assert kept(test) == EXAMPLE
    back = press(test, "stage_saved")
    assert EXAMPLE.slides[0].message in said(back)
    test = press(press(test, "key_Right"), "key_Left")
    assert EXAMPLE.slides[0].message in said(test)


def test_nobody_left_is_said_not_drawn() -> None:
    test = press(opened(EXAMPLE, present="5"), "key_filters")
    (ph,) = [each for each in test.get("button_group") if each.key == "live_ph_status"]
    test = ph.set_value(["positive"]).run()
    assert "Nobody is left with these filters" in said(test)
    assert not test.get("vega_lite_chart")


def test_what_is_written_on_a_slide_is_text() -> None:
    hostile = replace(
        EXAMPLE.slides[0], title="<script>alert(1)</script>", message="<img src=x onerror=alert(1)>"
    )
    text = said(opened(Talk("x", (hostile,)), present="1"))
    assert "<script>" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    "query",
    [
        {"study": ("nowhere",)},
        {"study": ("../../etc",)},
        {"study": ()},
        {"study": ("short2025",), "risk_group": ("purple",)},
        {"study": ("short2025",), "by": ("nonsense",)},
        {"study": ("short2025",), "landmark_days": ("-3",)},
        {"study": ("short2025",), "snapshot": ("000000000000",)},
    ],
)
def test_a_view_that_cannot_be_opened_is_a_sentence(query: dict[str, tuple[str, ...]]) -> None:
    bad = replace(EXAMPLE.slides[0], query=query)
    now = showing(bad)
    assert now.exhibit is None
    assert now.problem
    test = opened(Talk("x", (bad, EXAMPLE.slides[0])), present="1")
    assert EXAMPLE.slides[0].message in said(press(test, "key_Right"))
    assert len(kept(press(test, "key_escape")).slides) == 2


# A newer snapshot


@pytest.fixture
def newer(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serve short2025 without its last patient, with the snapshot of before still there."""
    folder, study = tmp_path / "store", tmp_path / "short2025"
    shutil.copytree(store, folder, ignore=shutil.ignore_patterns(".jobs"))
    shutil.copytree(ROOT / "data" / "demo" / "short2025", study)
    gone = pd.read_csv(study / "patients.csv", dtype=str)["patient_id"].iloc[-1]
    for path in study.glob("*.csv"):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        rows[rows["patient_id"] != gone].to_csv(path, index=False)
    monkeypatch.setenv("COHORT_STORE", str(folder))
    import_folder(study, "short2025", folder)
    return folder


def test_a_slide_says_what_changed_and_can_stay_with_the_old_snapshot(
    newer: Path, short2025: Snapshot
) -> None:
    saved = next(s for s in EXAMPLE.slides if "161 of 161" in s.seen)
    saved = replace(saved, snapshot=short2025.hash)
    test = opened(Talk("x", (saved,)))
    assert f"Saved with {saved.seen.partition(chr(10))[0]}; now 160 of 160 patients" in said(test)
    pinned = press(test, "pin_0")
    assert kept(pinned).slides[0].query["snapshot"] == (short2025.hash,)
    assert "Saved with" not in said(pinned)
    now = showing(kept(pinned).slides[0])
    assert now.exhibit is not None
    assert seen(now.exhibit) == saved.seen
    test = press(opened(Talk("x", (saved,)), present="1"), "take_0")
    (taken,) = kept(test).slides
    assert taken.snapshot == find("short2025", folder=newer).hash
    assert taken.title == saved.title
    assert "160 of 160" in taken.seen
    assert "Saved with" not in said(test)


def test_under_a_small_cell_minimum_nothing_is_said_of_the_counts_before_it(newer: Path) -> None:
    saved = replace(EXAMPLE.slides[0], seen="3 of 161 patients, 3 events\n3")
    history.set_minimum("short2025", 5, "a test", newer)
    test = opened(Talk("x", (saved,)))
    assert "not those with which it was saved" in said(test)
    assert "3 of 161" not in said(test)
    assert "3 of 161" not in said(opened(Talk("x", (saved,)), present="1"))


def test_the_same_numbers_on_another_snapshot_are_no_change() -> None:
    assert showing(replace(EXAMPLE.slides[0], snapshot="0" * 12)).changed == ""


# What a talk holds


def test_a_slide_of_every_kind_of_view_comes_back_with_the_same_numbers() -> None:
    for query in (
        BY_RISK | {"landmark_days": ("91",)},
        BY_RISK | {"mrd_cutoff": ("1e-5",)},
        {"study": ("short2025",), "age_years": ("18..60",), "endpoint": ("OS",)},
        {"study": ("short2025",), "by": ("cohorts",), "cohort_a": ("risk_group=high",),
         "cohort_b": ("risk_group=standard",)},
    ):  # fmt: skip
        made = slide(query)
        again = from_json(json.loads(json.dumps(Talk("x", (made,)).to_json())), figure_pages())
        now = showing(again.slides[0])
        assert now.exhibit is not None
        assert seen(now.exhibit) == made.seen
        assert "talk" not in made.query
        assert "snapshot" not in made.query


def test_no_variable_that_a_talk_can_be_filtered_by_names_a_patient(variables: Dictionary) -> None:
    assert "patient_id" not in variables
    ids = set(pd.read_csv(ROOT / "data/demo/short2025/patients.csv", dtype=str)["patient_id"])
    written = present_view.EXAMPLE.read_text("utf-8")
    assert not [each for each in ids if re.search(rf"\b{re.escape(each)}\b", written)]


# The example


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?", text))


def everything(exhibit: Exhibit) -> str:
    shown = [table.to_csv() for table in exhibit.shown.values()]
    return "\n".join([exhibit.provenance.footnote, exhibit.title, *exhibit.notes, *shown])


def test_the_example_is_as_the_embedded_cohort_gives_it(store: Path) -> None:
    remedy = "Run: python -m data demo && python -m tools.example_talk"
    made = parsed(example_talk.made().encode(), figure_pages())
    # Another derivation gives the snapshot another hash, and the example nothing else to say.
    as_made = zip(EXAMPLE.slides, made.slides, strict=True)
    assert [replace(kept, snapshot=new.snapshot) for kept, new in as_made] == [*made.slides], remedy
    assert made.title == EXAMPLE.title


@pytest.mark.parametrize("number", range(8))
def test_every_number_of_a_message_stands_in_its_figure(number: int) -> None:
    saved = EXAMPLE.slides[number]
    exhibit = showing(saved).exhibit
    assert exhibit is not None
    assert numbers(saved.message) <= numbers(everything(exhibit))
    assert "synthetic" in exhibit.provenance.study
    assert len(saved.message) <= 80


def test_events_and_patients_of_the_messages_are_those_of_the_groups() -> None:
    for saved in EXAMPLE.slides[3:]:
        exhibit = showing(saved).exhibit
        assert exhibit is not None
        told = {
            (int(a), int(b)) for a, b in re.findall(r"(\d+)(?: event)? in (\d+)", saved.message)
        }
        told |= {(0, int(b)) for b in re.findall(r"no event in (\d+)", saved.message)}
        steps = exhibit.tables["Curves"].groupby("Group")
        counted = {(int(g["Events"].sum()), int(g["At risk"].max())) for _, g in steps}
        whole = {tuple(map(sum, zip(*counted, strict=True)))}
        assert told <= counted | whole
        assert told
