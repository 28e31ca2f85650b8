"""The MRD page as Streamlit runs it: rates, moves, response, and two assays compared."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analytics.paired import paired_change
from analytics.proportion import proportion_difference
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot, find
from pages.elements import wording
from pages.elements.answers.negativity import negativity
from pages.elements.answers.survival import survival
from pages.elements.charts.flows import FLOW, NODE, alluvial_chart
from pages.elements.response_view import _narrowed

ROOT = Path(__file__).parents[2]
AGREEMENT = "agreement_mfc_ngs_at_the_start"
NAMES = ["mrd_after_cycle_1", "mrd_3_months", "mrd_6_months"]


@pytest.fixture(autouse=True)
def nguyen2026(store: Path) -> Snapshot:
    return find("nguyen2026", folder=store)


def run(**query: str | list[str]) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in query.items():
        test.query_params[name] = value
    test = test.switch_page("pages/mrd.py").run()
    assert not test.exception
    assert not test.error
    return test


def said(test: AppTest) -> str:
    return "\n".join(str(e.value) for kind in ("title", "subheader", "markdown", "info")
                     for e in test.get(kind))  # fmt: skip


def asked(test: AppTest, name: str) -> list[str]:
    value = test.query_params[name]
    return [value] if isinstance(value, str) else list(value)


def table(test: AppTest, head: str) -> pd.DataFrame:
    """Return the one table with this head among its columns."""
    (found,) = [t.value for t in test.table if head in map(str, t.value.columns)]
    return found


def alts(test: AppTest) -> list[str]:
    return [chart.proto.alt for chart in test.get("vega_lite_chart")]


def choose(test: AppTest, section: str | None) -> AppTest:
    (control,) = [g for g in test.get("button_group") if g.label == "Further"]
    control.set_value(section).run()
    assert not test.exception
    return test


def test_difference_and_p_between_ph_positive_and_negative() -> None:
    rows = table(run(study="short2025"), "3 mo")
    assert rows.iloc[1]["3 mo"].startswith("**63%** 51/81")
    assert rows.iloc[2]["3 mo"].startswith("**72%** 23/32")
    apart = proportion_difference(51, 81, 23, 32)
    limits = wording.points_interval(apart.low, apart.high)
    assert rows.iloc[3]["3 mo"] == f":small[:gray[−9 ({limits})]]  \n:gray[0.51]"
    assert rows.iloc[3].iloc[0] == ":gray[Difference]  \n:gray[P, Fisher]"


def test_no_difference_of_three_groups() -> None:
    rows = table(run(study="short2025", by="frontline_therapy"), "3 mo")
    assert rows.iloc[-1].iloc[0] == ":gray[P, Fisher]"


def test_the_change_of_those_evaluable_at_both(short2025: Snapshot) -> None:
    samples = queries.mrd_by_timepoint(short2025, CohortFilter(), queries.dictionary(short2025))
    wide = samples.pivot(index="patient_id", columns="timepoint", values="status")
    row = paired_change(wide, first="after cycle 1", second="3 months").iloc[0]
    text = said(run(study="short2025"))
    assert (
        f"**After cycle 1 to 3 months:** of {row['n']:.0f} evaluable at both, "
        f"{row['became_negative']:.0f} became negative and {row['became_not_negative']:.0f} no "
        f"longer were (change {wording.points(row['change'])} points, 95% CI "
        f"{wording.points_interval(row['low'], row['high'])}, exact McNemar "
        f"{wording.p_value(row['p_value'])}); :gray[{row['n_excluded']:.0f} not evaluable at both.]"
    ) in text
    assert row["n"] == 53


def test_a_flow_from_the_list_becomes_the_cohort_and_undo_takes_it_back() -> None:
    test = run(study="short2025")
    (flows,) = [box for box in test.selectbox if box.label == "Make a flow the cohort"]
    option = next(o for o in flows.options if o.startswith("After cycle 1 positive → 3 months neg"))
    n = int(option.rsplit(", ", 1)[1])
    flows.select(option).run()
    assert not test.exception
    assert f"**{n} of 161 patients**" in said(test)
    assert (asked(test, NAMES[0]), asked(test, NAMES[1])) == (["positive"], ["negative"])
    assert any(f"of {n} patients; negative: 0 after cycle 1, {n} 3 months" in a for a in alts(test))
    next(b for b in test.button if b.label == "Undo").click().run()
    assert "**161 of 161 patients**" in said(test)
    assert NAMES[0] not in test.query_params


@pytest.mark.parametrize(
    ("hit", "expected"),
    [
        ({FLOW: [{"step": 1, "start": "positive", "end": "below LOD"}]},
         {NAMES[1]: ("positive",), NAMES[2]: ("below LOD",)}),
        ({FLOW: [], NODE: [{"step": 2, "start": "not assessed"}]}, {NAMES[2]: ("not assessed",)}),
        # As the browser sends them: the layers share their clicks.
        ({FLOW: [{"step": 2, "start": "positive", "end": None}],
          NODE: [{"step": 2, "start": "positive"}]}, {NAMES[2]: ("positive",)}),
        ({FLOW: [{"step": 0, "start": "negative", "end": "positive"}],
          NODE: [{"step": 0, "start": "negative"}]},
         {NAMES[0]: ("negative",), NAMES[1]: ("positive",)}),
        ({FLOW: [{"step": None, "start": None, "end": None}], NODE: [{}]}, {}),
        ({FLOW: [], NODE: []}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_a_click_narrows_the_cohort(
    hit: dict[str, list[dict[str, object]]], expected: dict[str, tuple[str]]
) -> None:
    cohort = CohortFilter(ph_status=("negative",))
    assert _narrowed(cohort, NAMES, hit) == CohortFilter(ph_status=("negative",), **expected)


def test_the_alluvial_can_be_clicked_and_holds_what_a_click_needs(short2025: Snapshot) -> None:
    result = negativity(
        short2025, CohortFilter(), queries.dictionary(short2025), by=None, denominator="evaluable"
    )
    totals = result.samples.groupby(["timepoint", "status"]).size().rename("n").reset_index()
    spec = alluvial_chart(
        result.flows, totals, timepoints=["after cycle 1", "3 months", "6 months"]
    )
    fields = {p["name"]: p["select"]["fields"] for p in spec["params"]}
    assert fields == {FLOW: ["step", "start", "end"], NODE: ["step", "start"]}
    views = {view for p in spec["params"] for view in p["views"]}
    assert views <= {layer.get("name") for layer in spec["layer"]}
    bands = pd.DataFrame(spec["datasets"]["flows"])
    sizes = bands.groupby(["step", "start", "end"])["n"].first()
    expected = result.flows.assign(
        step=result.flows["from_timepoint"].map({"after cycle 1": 0, "3 months": 1})
    ).set_index(["step", "from_status", "to_status"])["n"]
    assert sizes.to_dict() == expected.to_dict()


def test_no_section_is_computed_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.elements import concordance_view, response_view

    def never(*_: object) -> None:
        raise AssertionError("computed without being asked for")

    monkeypatch.setattr(response_view, "responders", never)
    monkeypatch.setattr(concordance_view, "shown", never)
    run(study="short2025")
    run(study="nguyen2026", mrd_section="none")


def test_curves_by_response_start_at_the_last_timepoint(short2025: Snapshot) -> None:
    test = choose(run(study="short2025"), "curves")
    assert asked(test, "mrd_section") == ["curves"]
    result = survival(
        short2025, CohortFilter(), queries.dictionary(short2025), endpoint="RFS",
        by="mrd_dynamics", landmark_days=183, horizon_days=1461,
    )  # fmt: skip
    assert result.landmark is not None
    text = said(test)
    assert f"**Relapse-free survival by MRD dynamics** · {result.n} patients" in text
    assert "Landmark at 6 months from first complete remission" in text
    assert f"{len(result.landmark.excluded)} patients left out" in text
    assert "Dynamics unknown (69)" in text
    shown = table(test, "2-year RFS").set_index("")
    rates = result.km.at([730]).set_index("mrd_dynamics")
    for level, name in (("early responder", "Early"), ("late responder", "Late")):
        (row,) = [row for head, row in shown.iterrows() if str(head).endswith(name)]
        found = rates.loc[level]
        limits = wording.percent_interval(found["low"], found["high"])
        assert row["2-year RFS"] == f"**{wording.percent(found['survival'])}** {limits}"
    assert any("Early responder 94% at 2 years" in alt for alt in alts(test))
    test = choose(test, None)
    assert "mrd_section" not in test.query_params
    assert "Landmark at" not in said(test)


def test_a_filter_known_later_moves_the_landmark_on() -> None:
    test = run(study="nguyen2026", mrd_later="negative")
    assert "Landmark at 6.6 months from start of blinatumomab" in said(test)
    assert "Immortal time" not in said(test)


def test_discordant_patients_and_their_outcome_without_a_further_click(
    nguyen2026: Snapshot,
) -> None:
    test = run(study="nguyen2026")
    counts = table(test, "MFC ↓ NGS →")
    assert counts.iloc[0].tolist() == [":blue[●] Negative", "0", "8", "7", "**15**"]
    assert counts.iloc[-1, -1] == "**38**"
    numbers = table(test, "MFC against NGS").set_index("")["MFC against NGS"]
    assert numbers["Agree"] == "**61%** 23/38"
    assert numbers["McNemar P, exact"] == f"**<{wording.NARROW_SPACE}0.001**"
    assert "kappa says nothing here" in said(test)
    result = survival(
        nguyen2026, CohortFilter(), queries.dictionary(nguyen2026), endpoint="RFS", by=AGREEMENT,
        landmark_days=None, horizon_days=1461,
    )  # fmt: skip
    rate = result.km.at([730]).set_index(AGREEMENT).loc["MFC-/NGS+"]
    shown = table(test, "2-year RFS").set_index("").loc[":violet[▲] MFC−/NGS+"]
    limits = wording.percent_interval(rate["low"], rate["high"])
    assert shown["2-year RFS"] == f"**{wording.percent(rate['survival'])}** {limits}"
    assert shown["Events"] == "5/15"


def test_a_class_becomes_the_cohort_and_the_table_stays_whole() -> None:
    test = run(study="nguyen2026")
    by_key = {b.key: b for b in test.button if b.key}
    assert by_key["class_both negative"].disabled
    by_key["class_MFC-/NGS+"].click().run()
    assert not test.exception
    assert "MFC−/NGS+ at the start · **15 of 38 patients**" in said(test)
    assert asked(test, AGREEMENT) == ["MFC-/NGS+"]
    assert table(test, "MFC ↓ NGS →").iloc[-1, -1] == "**38**"
    assert "also those that the filter leaves out" in said(test)
    assert {b.key: b for b in test.button if b.key}["class_MFC-/NGS+"].disabled


@pytest.mark.parametrize("page", ["app.py", "pages/survival.py", "pages/patients.py"])
def test_agreement_groups_and_filters_on_every_page(page: str) -> None:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    query = {"study": "nguyen2026", "by": AGREEMENT, AGREEMENT: ["MFC-/NGS+", "both positive"]}
    for name, value in query.items():
        test.query_params[name] = value
    test = (test if page == "app.py" else test.switch_page(page)).run()
    assert not test.exception
    assert not test.error
    assert "**38 of 38 patients**" in said(test)


def test_a_study_with_one_assay_says_so() -> None:
    test = choose(run(study="allmrd"), "assays")
    assert "no patients evaluable by two MRD assays" in said(test)


def test_another_rule_does_not_take_an_assay_out_of_the_comparison() -> None:
    test = run(study="nguyen2026", mrd_assay="MFC")
    assert table(test, "MFC ↓ NGS →").iloc[-1, -1] == "**38**"
    assert "Statuses by the study’s own rule" in said(test)


def test_too_few_for_a_curve_is_a_sentence() -> None:
    test = run(study="nguyen2026", sex="female", risk_group="high", age_years="60..80")
    assert "No group is large enough for a curve" in said(test)
    assert "too few for a curve (2)" in said(test)
    assert table(test, "MFC ↓ NGS →").iloc[-1, -1] == "**2**"


def test_a_competing_endpoint_is_left_to_survival() -> None:
    test = run(study="short2025", endpoint="CIR", mrd_section="curves")
    assert "is on the Survival page" in said(test)


@pytest.mark.parametrize(
    "query", [{"mrd_section": "more"}, {"assays": "mfc_qpcr"}, {"assays_at": "noon"}]
)
def test_an_unknown_choice_of_a_link_is_refused(query: dict[str, str]) -> None:
    test = run(study="nguyen2026", **query)
    assert "is not a choice for" in said(test)


@pytest.mark.parametrize(
    "query",
    [
        {"study": "short2025", "mrd_after_cycle_1": "not assessed", "mrd_3_months": "not assessed"},
        {"study": "short2025", "age_years": "18..18", "mrd_section": "curves"},
        {"study": "short2025", "mrd_section": "curves", "endpoint": "OS", "allosct": "yes"},
        {"study": "short2025", "mrd_section": "curves", "mrd_dynamics": "unknown"},
        {"study": "allmrd", "mrd_section": "curves"},
        {"study": "chiaretti2004", "mrd_section": "curves"},
        {"study": "nguyen2026", "mrd_section": "curves", "disposition": "relapsed"},
    ],
)
def test_small_and_odd_cohorts_are_no_error(query: dict[str, str]) -> None:
    assert "patient" in said(run(**query))


def test_alternatives_say_the_result() -> None:
    rates, moves, levels = alts(run(study="short2025", by="ph_status"))
    assert "3 months: Ph-negative 63% of 81, Ph-positive 72% of 32" in rates
    assert moves.endswith("negative: 26 after cycle 1, 74 3 months, 69 6 months")
    assert levels.startswith("MRD level over time of 161 patients (26 early responder, 34 late")


def test_no_patient_is_named_to_the_browser() -> None:
    test = run(study="short2025", mrd_section="curves")
    for chart in test.get("vega_lite_chart"):
        for dataset in chart.proto.datasets:
            assert b"S001" not in dataset.data.data
        assert "S001" not in chart.proto.spec
