"""Published figures beside those of the embedded cohorts."""

from __future__ import annotations

from pathlib import Path

import pytest

from data import published
from data.cohort import CohortFilter
from data.importing.publish import import_folder
from data.queries import dictionary
from data.store import Snapshot, find
from data.variables import Dictionary
from pages.elements import evidence
from pages.elements.evidence import CANNOT_HOLD, DIFFERS, NOT_IN_COHORT, REPRODUCED, Comparison
from tests.pages.test_pages import run, said
from tools.evidence import compared, main

DEMO = Path(__file__).parents[2] / "data" / "demo"
COHORTS = tuple(dict.fromkeys(published.tables()["views"]["cohort"]))


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohorts")
    for cohort in COHORTS:
        import_folder(DEMO / cohort, cohort, folder)
    return folder


@pytest.fixture(autouse=True)
def _served(cohorts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHORT_STORE", str(cohorts))


@pytest.fixture(scope="module")
def everything(cohorts: Path) -> dict[str, list[Comparison]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COHORT_STORE", str(cohorts))
        return {study: compared(study) for study in evidence.studies()}


@pytest.mark.parametrize("table", published.COMPARED)
def test_every_row_is_a_figure(table: str) -> None:
    frame = published.tables()[table]
    for study in frame["study"].unique():
        shown = [dict(f.cells) for f in evidence.figures(study) if f.table == table]
        for row in frame[frame["study"] == study].to_dict("records"):
            assert row in shown


def test_every_printed_cell_of_a_rate_is_a_figure() -> None:
    columns = {"percent": "percent", "n": "n", "median_months": "median", "ci_low": "interval"}
    frame = published.tables()["survival_rates"]
    for study in frame["study"].unique():
        rates = [f for f in evidence.figures(study) if f.table == "survival_rates"]
        rows = frame[frame["study"] == study]
        for column, quantity in columns.items():
            expected = int((rows[column] != "").sum())
            assert sum(f.quantity == quantity for f in rates) == expected
        printed = {f.printed for f in rates if f.quantity == "p_value"}
        assert printed == set(rows["p_value"]) - {""}


def test_every_view_is_used() -> None:
    used = {
        (
            table,
            study,
            evidence._view_of(table, row, evidence._records("views", table=table, study=study))[
                "key"
            ],
        )
        for table in published.COMPARED
        for study in evidence.studies()
        for row in evidence._records(table, study=study)
    }
    views = published.tables()["views"]
    assert used == set(views[["table", "study", "key"]].itertuples(index=False, name=None))


def test_a_row_without_a_view_is_an_error() -> None:
    row = {"study": "short2025", "characteristic": "shoe_size", "level": ""}
    with pytest.raises(LookupError, match="shoe_size"):
        evidence._view_of("baseline", row, evidence._records("views", table="baseline"))


@pytest.mark.parametrize("study", evidence.studies())
def test_what_can_hold_is_reproduced(study: str, everything: dict[str, list[Comparison]]) -> None:
    for found in everything[study]:
        assert found.verdict in (REPRODUCED, CANNOT_HOLD), found
        # An explanation for a figure that holds would hide the day on which it no longer does.
        assert found.reason == found.figure.reason, found


def test_what_cannot_hold_in_short2025(everything: dict[str, list[Comparison]]) -> None:
    found = [c.figure.printed for c in everything["short2025"] if c.verdict == CANNOT_HOLD]
    assert found == ["20/110 (19%)", "47/84 (56%)", "53/55 (96%)", "21/59 (35%)"]


@pytest.mark.parametrize("cohort", COHORTS)
def test_every_link_can_be_read(cohort: str, cohorts: Path) -> None:
    variables = dictionary(find(cohort, folder=cohorts))
    for study in evidence.studies():
        for figure in evidence.figures(study):
            view = figure.view
            if figure.cohort != cohort or view is None:
                continue
            link = view.to_query()
            assert link.pop("study") == [cohort]
            conditions = {name: link[name] for name, _ in figure.selection}
            assert CohortFilter.from_query(conditions, variables) == figure.selection
            assert set(link) - set(conditions) == {name for name, _ in figure.options}
            assert figure.option("by") in {None, "none", *variables}


def one(study: str, place: str, measure: str) -> evidence.Figure:
    (found,) = [
        f for f in evidence.figures(study) if (f.place, f.measure) == (place, measure)
    ]  # fmt: skip
    return found


def corrupted(figure: evidence.Figure, printed: str, **cells: str) -> evidence.Figure:
    return evidence.replace(figure, printed=printed, cells={**figure.cells, **cells})


def test_a_rate_with_its_limits(short2025: Snapshot, variables: Dictionary) -> None:
    figure = one("short2025", "Fig. 1C", "RFS at 2 years, MRD negative at 6 months")
    found = evidence.compare(short2025, variables, figure)
    assert (found.computed, found.verdict) == ("82%", REPRODUCED)
    assert found.low < found.value < found.high
    assert found.difference == pytest.approx(found.value - 82)
    assert figure.population == "all patients"
    assert figure.view is not None
    assert figure.view.to_query() == {
        "study": ["short2025"], "endpoint": ["RFS"], "by": ["mrd_6_months"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("place", "measure", "printed", "cells"),
    [
        ("Fig. 1C", "RFS at 2 years, MRD negative at 6 months", "83%", {"percent": "83"}),
        ("Fig. 1C", "n, MRD negative at 6 months", "70", {"n": "70"}),
        ("Fig. 1C", "log-rank P of RFS by MRD at 6 months", "<0.001", {}),
        ("Fig. 1C", "log-rank P of RFS by MRD at 6 months", "0.02", {}),
        ("Fig. 1C", "log-rank P of RFS by MRD at 6 months", ">0.99", {}),
        ("Table 1", "Ph-positive", "51/160 (32%)", {"denominator": "160"}),
        ("Table 1", "age, years", "46 (19–87)", {"low": "19"}),
    ],
)
def test_a_figure_that_differs(
    short2025: Snapshot,
    variables: Dictionary,
    place: str,
    measure: str,
    printed: str,
    cells: dict[str, str],
) -> None:
    figure = corrupted(one("short2025", place, measure), printed, **cells)
    found = evidence.compare(short2025, variables, figure)
    assert (found.verdict, found.reason) == (DIFFERS, "")


@pytest.mark.parametrize(
    ("printed", "verdict"), [("60.0–92.0", DIFFERS), ("69.0–91.0", REPRODUCED), ("69.0–…", DIFFERS)]
)
def test_limits_hold_within_two_points(
    short2025: Snapshot, variables: Dictionary, printed: str, verdict: str
) -> None:
    figure = one("short2025", "Fig. 1C", "RFS at 2 years, MRD negative at 6 months")
    low, _, high = printed.replace("…", "").partition("–")
    interval = evidence.replace(
        corrupted(figure, printed, ci_low=low, ci_high=high), quantity="interval"
    )
    assert evidence.compare(short2025, variables, interval).verdict == verdict


@pytest.mark.parametrize(
    ("printed", "days", "holds"),
    [
        ("not reached", float("nan"), True),
        ("not reached", 400.0, False),
        ("12.3", 374.0, True),
        ("12.3", float("nan"), False),
        ("25", 761.0, True),
        ("25", 730.0, False),
    ],
)
def test_medians(printed: str, days: float, holds: bool) -> None:
    assert evidence._median(printed, days).holds is holds


def test_what_the_cohort_does_not_hold(short2025: Snapshot, variables: Dictionary) -> None:
    figure = one("short2025", "Table 1", "Ph-positive")
    absent = evidence.replace(figure, read="", reason="It was not recorded.")
    found = evidence.compare(short2025, variables, absent)
    assert (found.computed, found.verdict, found.reason) == (
        "–", NOT_IN_COHORT, "It was not recorded.",
    )  # fmt: skip
    unknown = evidence.replace(figure, selection=CohortFilter(trial=("A",)))
    found = evidence.compare(short2025, variables, unknown)
    assert (found.verdict, found.reason) == (NOT_IN_COHORT, "No variable trial.")


def test_the_command_prints_a_line_for_each_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--study", "allmrd2023"]) == 0
    head, *lines, summary, _ = capsys.readouterr().out.split("\n")[:-1]
    assert head == "allmrd2023, cohort allmrd"
    assert len(lines) == len(evidence.figures("allmrd2023"))
    assert len({line.index("  all patients ") for line in lines if "  all patients " in line}) == 1
    assert summary.startswith(f"allmrd2023: {len(lines)} printed figures: ")


def test_a_figure_that_differs_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = published.tables()["survival_rates"].copy()
    frame.loc[frame["study"].eq("allmrd2023").idxmax(), "percent"] = "95.0"
    spoiled = {**published.tables(), "survival_rates": frame}
    monkeypatch.setattr(published, "tables", lambda: spoiled)
    assert main(["--study", "allmrd2023"]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith(" differs")]
    assert line.split()[-3:] == ["95.0%", "98.9%", "differs"]


def test_a_cohort_that_is_not_in_the_store_fails_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COHORT_STORE", str(tmp_path))
    assert main(["--study", "short2025"]) == 2
    assert "not in this store" in capsys.readouterr().err


def test_regimens_say_a_dash_for_what_is_not_printed_and_nothing_of_methods() -> None:
    test = run("pages/evidence.py", {"study": "short2025", "part": "regimens"})
    (table,) = test.dataframe
    assert table.value["cr_percent"].isna().any()
    assert table.proto.placeholder == "–"
    words = said(test)
    assert "nothing computed from the cohort" in words
    assert "Kaplan" not in words
    assert "reproduced" not in words


@pytest.mark.parametrize("part", ["survival", "beside"])
def test_the_other_parts_say_how_they_were_computed(part: str) -> None:
    words = said(run("pages/evidence.py", {"study": "short2025", "part": part}))
    assert "Kaplan–Meier" in words
    assert ("reproduced: equal at the printed precision" in words) is (part == "survival")
