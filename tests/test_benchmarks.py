"""The benchmarks run, compare like with like, and their document says what their results say."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from playwright.sync_api import Browser
from scipy.special import chdtrc

from analytics.events import event_table
from benchmarks import registry, repaint, simulations, speed
from benchmarks.report import (
    DOCUMENT,
    memory_tables,
    repaint_tables,
    simulation_tables,
    speed_tables,
    written,
)
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot, find

HERE = ("ours", "lifelines")


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return speed.measure(sizes=(100,), programs=HERE, repeats=2)


def test_the_document_holds_the_results() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert written(document) == document


def test_a_marker_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="speed"):
        written("no marker")


def test_every_program_is_measured(measured: dict[str, Any]) -> None:
    assert [row["program"] for row in measured["rows"]] == list(HERE)
    assert set(measured["versions"]) == set(HERE)
    assert all(row["seconds"] > 0 and row["runs"] == 2 for row in measured["rows"])
    assert all(set(row["parts"]) >= {"survival", "log_rank"} for row in measured["rows"])
    table = speed_tables(measured)
    assert all(f"| {name} (" in table for name in HERE)
    assert "(×1)" in table


def test_a_program_above_the_cap_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "LONG", 0.0)
    monkeypatch.setattr(speed, "CAP", 0.0)
    programs = ("ours", "ours, one table")
    results = speed.measure(sizes=(100, 200), programs=programs, repeats=2)
    assert [row.get("runs") for row in results["rows"]] == [1, 1, None, 1]
    assert results["rows"][2] == {"program": "ours, one table", "rows": 200, "seconds": None}
    assert "left out, above 0 s" in speed_tables(results)


class Answered(speed.Worker):
    """A worker that has run already."""

    def __init__(self, name: str, *, survival: float, statistic: float) -> None:
        self.name = name
        limits = [np.nan, np.nan]
        self.runs = [{"survival": [[survival, *limits]], "statistic": statistic}]


@pytest.mark.parametrize(("survival", "statistic"), [(0.5 + 2e-8, 3.0), (0.5, 3.0 + 1e-7)])
def test_programs_that_differ_stop_the_benchmark(survival: float, statistic: float) -> None:
    ours = Answered("ours", survival=0.5, statistic=3.0)
    speed.check_equal([ours, Answered("same", survival=0.5 + 5e-9, statistic=3.0)])
    with pytest.raises(ArithmeticError, match="other"):
        speed.check_equal([ours, Answered("other", survival=survival, statistic=statistic)])


def test_the_simulations_run() -> None:
    covered = simulations.coverage(replicates=20, patients=(5,), survival=(0.8,))
    tested = simulations.type_1_error((5, 5), 20)
    assert [row["program"] for row in covered] == ["ours", "lifelines", "R"]
    assert [row["test"] for row in tested] == ["log-rank", "permutation log-rank", "R survdiff"]
    shares = [row["coverage"] for row in covered] + [row["rejected"] for row in tested]
    assert all(0 <= share <= 1 for share in shares)
    table = simulation_tables({"coverage": covered, "type_1_error": tested})
    assert "| 0.8 | 5 |" in table
    assert "| 5 and 5 |" in table


@pytest.mark.parametrize("survival", [0.95, 0.5])
def test_the_share_that_is_meant_is_censored_before_the_milestone(survival: float) -> None:
    time, event = simulations._followed(np.random.default_rng(1), (1, 100_000), survival)
    assert np.mean(~event & (time <= 1)) == pytest.approx(simulations.CENSORED, abs=0.005)


def test_ranks_give_the_limits_of_the_times_and_lifelines_is_what_it_does() -> None:
    time, event = simulations._followed(np.random.default_rng(2), (60, 5), 0.5)
    events, milestone = simulations._ranked(time, event)
    limits = simulations._limits(events, milestone)
    past = (time <= 1).all(axis=1)
    assert past.any()
    for replicate in range(len(time)):
        peer = KaplanMeierFitter().fit(time[replicate], event[replicate]).confidence_interval_
        seen = [side[replicate] for side in limits["lifelines"]]
        assert seen == pytest.approx(peer.loc[:1].iloc[-1].to_numpy(), abs=1e-8)
    for program in ("ours", "R"):
        assert np.isnan(np.stack(limits[program])[:, past]).all()


def test_the_limits_of_r() -> None:
    # summary(survfit(Surv(c(5, 6, 7), c(0, 1, 1)) ~ 1), times = c(1, 5.5, 6.5, 7)) of R 4.2.2.
    rows = pd.DataFrame({"day": [5, 6, 7], "event": [0, 1, 1], "replicate": 0})
    events = event_table(rows, time="day", event="event", by="replicate")
    limits = [np.ravel(simulations._limits(events, day)["R"]) for day in (1, 5, 6, 7)]
    expected = [[1, 1], [1, 1], [0.12504882662995317, 1], [np.nan, np.nan]]
    assert np.stack(limits) == pytest.approx(np.array(expected), abs=1e-8, nan_ok=True)


def test_the_tests_that_are_compared_are_the_programs_own() -> None:
    random = np.random.default_rng(3)
    time, event = random.exponential(1, (20, 10)), random.random((20, 10)) < 0.7
    rank = simulations._rank(time)
    first = np.broadcast_to(np.arange(10) < 4, time.shape)
    ours = simulations._our_tests(rank, event, first)["log-rank"]
    by_hand = simulations._survdiff(rank, event, first)
    peers = [
        logrank_test(t[:4], t[4:], e[:4], e[4:]).test_statistic
        for t, e in zip(time, event, strict=True)
    ]
    assert ours == pytest.approx(by_hand, abs=1e-8)
    assert ours == pytest.approx(chdtrc(1, peers), abs=1e-8)


def test_a_registry_of_copies_is_the_registry_several_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "IMPORTED", 200)
    registry.make_store(tmp_path / "one", 200)
    registry.make_store(tmp_path / "three", 600)
    one, three = (find(registry.STUDY, folder=tmp_path / name) for name in ("one", "three"))
    assert three.rows["patients"] == 600
    chosen = CohortFilter(ph_status=("negative",))
    for endpoint, by in (("RFS", ("mrd_3_months",)), ("CIR_censored_at_allosct", ("allosct",))):
        a, b = (
            queries.counted(s, chosen, queries.dictionary(s), endpoint=endpoint, by=by)
            for s in (one, three)
        )
        counts = ["n_event", "n_competing", "n_censored", queries.N]
        a[counts] *= 3
        pd.testing.assert_frame_equal(a, b)
    rows = queries.subjects(three, chosen, queries.dictionary(three))
    assert rows["patient_id"].is_unique
    samples = queries.mrd_by_timepoint(three, chosen, queries.dictionary(three))
    assert len(samples) == 3 * len(rows)
    with pytest.raises(ValueError, match="whole millions"):
        registry.make_store(tmp_path / "odd", 250)


def test_every_click_of_the_walk_leaves_patients_and_another_number_of_them(
    short2025: Snapshot,
) -> None:
    variables, chosen = queries.dictionary(short2025), frozenset[repaint.Level]()
    sizes = [queries.size(short2025, CohortFilter(), variables)]
    seen = set()
    for level in repaint.walk(short2025, 30):
        chosen ^= {level}
        seen.add(chosen)
        sizes.append(queries.size(short2025, repaint._cohort(chosen), variables))
    assert min(sizes) >= repaint.FEWEST
    assert all(a != b for a, b in pairwise(sizes))
    assert len(seen) > 15


_PAGE = """
<body><div id="figure"><svg><path d="M0 0"/></svg></div><button>Go</button><p></p><script>
document.querySelector('button').addEventListener('click', () => {
  document.querySelector('p').textContent = 'at once';
  setTimeout(() => document.querySelector('path').setAttribute('d', 'M1 1'), 150);
});
</script></body>
"""


def test_a_click_lasts_until_the_figure_has_changed_and_no_other_part(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(_PAGE)
    page.evaluate(repaint.WATCH, ["#figure svg", 5_000])
    page.get_by_role("button").click()
    # The text changes at once; the figure never before its 150 ms have passed.
    assert 150 <= page.evaluate("window.repainted") < 5_000
    # Now nothing changes: the same path is drawn again.
    page.evaluate(repaint.WATCH, ["#figure svg", 400])
    page.get_by_role("button").click()
    assert page.evaluate("window.repainted") is None
    page.close()


def _row(program: str, page: str, ms: float | None) -> dict[str, Any]:
    return {"program": program, "page": page, "patients": 161, "clicks": 3, "repainted": 3,
            "median_ms": ms, "p95_ms": ms}  # fmt: skip


_WHEN = {"date": "2026-01-01", "machine": "2 cores", "waiting": 0.1}


def test_the_table_of_clicks_gives_ratios_to_ours_and_to_an_empty_rerun() -> None:
    rows = [_row("Streamlit", "empty rerun", 50), _row("ours", "Survival", 200),
            _row("Shiny", "Survival", 900), _row("ours", "Overview", None)]  # fmt: skip
    table = repaint_tables({"rows": rows, "first_ms": {"ours": 1500.0}, **_WHEN})
    assert "| Shiny | Survival | 161 | 3 of 3 | 900 ms | 900 ms | ×18 | ×4.5 |" in table
    assert "| ours | Overview | 161 | 3 of 3 | – | – | – | – |" in table
    assert "| ours | 1.5 s |" in table


def test_the_table_of_memory_is_by_number_of_patients() -> None:
    fields = ("rest_mb", "one_mb", "session_mb", "peak_mb", "first_ms")
    rows = [
        {"patients": n, "click_ms": ms, **dict.fromkeys(fields, 100.0)}
        for n, ms in ((161, 200.0), (1_000_000, 400.0))
    ]
    table = memory_tables({"rows": rows, **_WHEN})
    assert "| a server | 161 patients | 1,000,000 patients |" in table
    assert "| ×1 | ×2 |" in table
