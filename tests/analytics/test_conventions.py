"""docs/statistics.md says what is true: its names, its numbers and how other programs differ."""

from __future__ import annotations

import ast
import json
import re
import warnings
from functools import cache
from importlib import import_module
from inspect import isclass, isfunction
from pathlib import Path
from typing import Any

import lifelines
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from lifelines import AalenJohansenFitter, CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import survival_difference_at_fixed_point_in_time_test
from lifelines.utils import restricted_mean_survival_time

from analytics import _exact, _partial
from analytics.balance import match, propensity
from analytics.competing import cumulative_incidence
from analytics.events import event_table
from analytics.fine_gray import fine_gray
from analytics.hazard import COLLINEAR, INFINITE, NO_EVENT, cox, hazard_ratios
from analytics.landmark import landmark
from analytics.log_rank import permutation_log_rank
from analytics.paired import kappa
from analytics.proportion import fisher_exact, proportion
from analytics.survival import follow_up, kaplan_meier, restricted_mean
from analytics.switching import counting_process, simon_makuch
from tests.analytics.reference import FOLDER

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "statistics.md").read_text("utf-8")
MODULES = sorted((ROOT / "analytics").glob("[!_]*.py"))


def section(heading: str) -> str:
    """The text below a heading of the second or third level, up to the next one."""
    found = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", DOCUMENT, re.M | re.S)
    assert found, heading
    return found[1]


def row(heading: str, *words: str) -> list[str]:
    """The cells of the one row of a table that holds all the words."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    found = [line for line in lines if all(word in line for word in words)]
    assert len(found) == 1, (words, found)
    return [cell.strip() for cell in found[0].strip("|").split("|")]


def differs(*words: str) -> tuple[str, str]:
    """What another program does, and what we do."""
    _, theirs, ours = row("Where others differ", *words)
    return theirs, ours


@cache
def read(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / "datasets" / f"{name}.csv")


@cache
def values(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def events(time: list[int], event: list[int], group: str | None = None) -> pd.DataFrame:
    frame = pd.DataFrame({"t": time, "e": event, "g": list(group or "a" * len(time))})
    return event_table(frame, time="t", event="e", by="g" if group else ())


# Names.


def public(path: Path) -> set[str]:
    """Functions and classes of a module without underscore, and those it passes on as they are."""
    body = ast.parse(path.read_text("utf-8")).body
    names = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    names += [
        alias.name
        for node in body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    ]
    module = import_module(f"analytics.{path.stem}")
    found = {name: getattr(module, name) for name in names if not name.startswith("_")}
    return {name for name, each in found.items() if isfunction(each) or isclass(each)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_public_name_is_documented(path: Path) -> None:
    cells = row("Names", f"`analytics/{path.name}`")
    assert set(re.findall(r"`(\w+)`", " ".join(cells[1:]))) == public(path)


def test_every_reason_is_quoted() -> None:
    for reason in (INFINITE, COLLINEAR, NO_EVENT):
        assert f"'{reason}'" in section("Cox")


# Numbers in the text.


def test_bounds_of_the_enumeration() -> None:
    text = section("Fisher's exact test")
    assert f"more than {_exact._MOST_ARCS // 10**6} million" in text
    assert f"more than {_exact._MOST_EXTENSIONS // 10**6} million paths" in text
    assert (
        f"{_exact._TOLERANCE:.0e}".replace("e-0", "e-")
        in row("Rates and tables", "Mehta and Patel")[1]
    )


def test_thresholds_of_newtons_steps() -> None:
    assert "1e-9" in row("Cox", "own Newton steps")[1]
    assert _partial._CONVERGED == 1e-9
    assert "1e-8" in row("Cox", "keeps less than")[1]
    assert _partial._NO_INFORMATION == 1e-8


def test_draws_of_the_permutation_test() -> None:
    random = np.random.default_rng(2)
    time = random.permutation(120).tolist()
    found = permutation_log_rank(events(time, [1] * 120, "ab" * 60), by="g")
    assert f"{found.draws:,} draws" in row("Log-rank tests", "permutation, simulated")[1]
    assert np.sqrt(0.25 / 20_000) < 0.004


def test_limits_at_one_are_clopper_and_pearson() -> None:
    for n in (1, 4, 37):
        shown = kaplan_meier(events([5] * n, [0] * n)).curve.iloc[0]
        exact = proportion(n, n)
        assert [shown["low"], shown["high"]] == pytest.approx([exact.low, exact.high])


def test_limits_at_zero_are_the_smaller_ones() -> None:
    text = section("Limits at survival 1 and 0")
    alone = [kaplan_meier(events([5] * n, [1] * n)).curve["high"].item() for n in (4, 5, 20)]
    assert f"({', '.join(f'{100 * high:.0f}%' for high in alone)})" in text
    assert alone == pytest.approx([proportion(0, n).high for n in (4, 5, 20)])
    many = kaplan_meier(events(list(range(1, 21)), [1] * 20)).curve["high"]
    assert f"{100 * (1 - 0.025):.1f}%" in text
    assert many.iloc[-1] == many.iloc[-2] < 0.975


def test_one_less_kaplan_meier_overstates() -> None:
    rows = read("myeloid")
    rows = rows[(rows["arm"] == "A") & rows["complete_response"].notna()]
    end = rows["relapse"].fillna(rows["death_time"])
    frame = pd.DataFrame(
        {
            "t": end - rows["complete_response"],
            "e": np.where(rows["relapse"].notna(), 1, 2 * rows["death"]),
        }
    )
    right = cumulative_incidence(event_table(frame, time="t", event="e")).at(1095)
    censored = event_table(frame.assign(e=frame["e"] == 1), time="t", event="e")
    wrong = 1 - kaplan_meier(censored).at(1095)["survival"].item()
    text = section("Competing risks")
    assert f"it says {100 * wrong:.1f}% relapsed" in text
    assert f"incidence is {100 * right['incidence'].iloc[0]:.1f}%" in text


def transplants() -> pd.DataFrame:
    rows = read("myeloid")
    columns = {"time": rows["death_time"], "event": rows["death"], "switch": rows["transplant"]}
    return pd.DataFrame(columns)


COLUMNS = {"time": "time", "event": "event", "switch": "switch"}


def test_three_answers_to_one_question() -> None:
    frame = transplants()
    ever = event_table(
        frame.assign(switched=frame["switch"].notna()), time="time", event="event", by="switched"
    )
    late = landmark(frame, **COLUMNS, at=180).frame
    rows = counting_process(frame, **COLUMNS)
    found = [
        hazard_ratios(table, by="switched").groups.iloc[1]
        for table in (
            ever,
            event_table(late, time="time", event="event", by="switched"),
            event_table(rows, time="stop", event="event", entry="start", by="switched"),
        )
    ]
    said = section("Groups formed after baseline").split("|")[0].replace("\n", " ")
    naive, landmarked, dependent = (f"{each['ratio']:.2f}" for each in found)
    assert f"{naive} (P = {found[0]['p_value']:.3f})" in said
    assert f"{landmarked} (P = {found[1]['p_value']:.2f})" in said
    assert f"{dependent} (P < 0.001)" in said
    assert found[2]["p_value"] < 0.001


# Where others differ: what they do, and what we do.


def test_the_version_of_lifelines() -> None:
    version = ".".join(lifelines.__version__.split(".")[:2])
    named = set(re.findall(r"\| (lifelines [\d.]+) \|", section("Where others differ")))
    assert named == {f"lifelines {version}"}


def test_median_on_a_step() -> None:
    theirs, ours = differs("median is the first time")
    peer = KaplanMeierFitter().fit([1, 2, 6, 9], [1] * 4).median_survival_time_
    found = kaplan_meier(events([1, 2, 6, 9], [1] * 4)).median()["median"].item()
    assert f"{peer:g} of the events 1, 2, 6, 9" in theirs
    assert ours.endswith(f": {found:g}")


def test_limits_without_width() -> None:
    time, event = [2, 4, 4, 6], [0, 1, 1, 1]
    peer = KaplanMeierFitter().fit(time, event).confidence_interval_
    assert peer.loc[2].tolist() == [1, 1]
    assert peer.loc[6].tolist() == [0, 0]
    ours = kaplan_meier(events(time, event)).curve
    assert (ours["high"] > ours["low"]).all()


def test_error_of_the_restricted_mean() -> None:
    theirs, ours = differs("`return_variance`")
    rows = read("rotterdam")
    curve = KaplanMeierFitter().fit(rows["dtime"], rows["death"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean, variance = restricted_mean_survival_time(curve, t=3652, return_variance=True)
    table = event_table(rows, time="dtime", event="death")
    found = restricted_mean(table, tau=3652).groups.iloc[0]
    assert mean == pytest.approx(found["mean"])
    assert f"its root is {np.sqrt(variance):.0f} days" in theirs
    assert f"{found['standard_error']:.1f} days" in ours


def test_a_test_past_the_follow_up() -> None:
    first, second = (KaplanMeierFitter().fit(time, [1, 0]) for time in ([1, 2], [3, 4]))
    assert survival_difference_at_fixed_point_in_time_test(50, first, second).p_value == 1
    ours = kaplan_meier(events([1, 2, 3, 4], [1, 0, 1, 0], "aabb"), by="g").differences(50)
    assert ours["p_value"].isna().all()


def test_a_group_without_events() -> None:
    theirs, ours = differs("a group without events")
    frame = pd.DataFrame(
        {
            "time": [3, 5, 6, 8, 9, 11, 12, 14, 4, 7, 10],
            "event": [1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0],
            "g": list("aabbabbaccc"),
        }
    )
    wide = frame.assign(b=frame["g"] == "b", c=frame["g"] == "c").drop(columns="g").astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = CoxPHFitter().fit(wide, "time", "event").summary.loc["c"]
    assert f"{peer['coef']:.0f} with an error of {peer['se(coef)']:.0f}".replace("-", "−") in theirs
    assert f"({len(frame)} patients)" in theirs
    fit = cox(frame, time="time", event="event", covariates=["g"]).terms
    assert fit["reason"].tolist() == ["", INFINITE]
    assert ours.startswith(f"'{INFINITE}'")
    without = cox(frame[frame["g"] != "c"], time="time", event="event", covariates=["g"]).terms
    assert fit["hazard_ratio"].iloc[0] == pytest.approx(without["hazard_ratio"].item())


def test_ties_moved_at_random() -> None:
    rows = read("mgus2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ends = {
            AalenJohansenFitter(calculate_variance=False, seed=seed)
            .fit(rows["time"], rows["event"], event_of_interest=1)
            .cumulative_density_.iloc[-1, 0]
            for seed in (1, 2)
        }
    assert len(ends) == 2


def test_a_table_simulated_or_enumerated() -> None:
    table = np.array([[20, 15, 18], [10, 25, 20], [17, 18, 20]])
    assert len({scipy.stats.fisher_exact(table).pvalue for _ in range(4)}) > 1
    assert len({fisher_exact(table).p_value for _ in range(4)}) == 1


def test_a_table_past_the_bounds() -> None:
    theirs, _ = differs("`fisher.test`")
    table = pd.crosstab(read("colon")["arm"], read("colon")["differ"])
    assert f"({table.to_numpy().sum()} patients)" in theirs
    assert fisher_exact(table).p_value is None


def test_at_risk_with_late_entries() -> None:
    theirs, ours = differs("`summary.survfit`")
    curves = simon_makuch(transplants(), **COLUMNS).kaplan_meier
    at = curves.at(90)
    curve = curves.curve[curves.curve["switched"]]
    exit_after = curve.loc[curve["time"] >= 90, "n_risk"].iloc[0]
    assert f"next exit: {exit_after} on day 90" in theirs
    assert ours.endswith(f": {at.loc[at['switched'], 'n_risk'].item()}")


def test_who_leaves_first_in_follow_up() -> None:
    theirs, ours = differs("prodlim")
    rows = read("mgus2")
    found = follow_up(event_table(rows, time="death_time", event="death"))["median"].item()
    # Half a month earlier, so that the dead of a month have left when its censored do.
    earlier = rows.assign(t=2 * rows["death_time"] - rows["death"])
    other = follow_up(event_table(earlier, time="t", event="death"))["median"].item() / 2
    assert f": {other:g} months" in theirs
    assert ours.endswith(f": {found:g}")


def test_pairs_within_the_caliper() -> None:
    theirs, ours = differs("MatchIt")
    clinical = ["age", "meno", "size", "grade", "nodes", "pgr", "er"]
    found = match(propensity(read("rotterdam"), treated="chemo", covariates=clinical))
    assert f"{values('balance')['cases']['rotterdam_chemo']['unscaled']} pairs" in theirs
    assert ours.endswith(f": {found.pairs['pair'].nunique()}")


def test_agreement_without_an_error() -> None:
    theirs, _ = differs("`vcd::Kappa`")
    (only,) = (each for each in values("rates")["kappa"] if each["standard_error"] < 1e-7)
    assert f"({', '.join(str(cell) for line in only['table'] for cell in line)})" in theirs
    assert only["limits"] == pytest.approx([0, 0], abs=1e-7)
    for table in (only["table"], [[4, 0], [0, 5]]):
        assert kappa(table).kappa is not None
        assert kappa(table).low is None


def test_an_event_on_day_0_counts_with_the_censoring_before_it() -> None:
    rows = read("transplant")
    assert (rows["time"] == 0).any()
    first, later = (
        fine_gray(frame, time="time", event="event", covariates=["blood"]).terms["coefficient"]
        for frame in (rows, rows.assign(time=rows["time"] + 1))
    )
    assert first.to_numpy() == pytest.approx(later.to_numpy(), abs=1e-12)


# What is tested.


def test_the_extent_of_the_tests() -> None:
    rates, further = values("rates"), values("further")
    fits = [each for each in values("fine_gray").values() if isinstance(each, dict)]
    for words, said in (
        ("Clopper", f"{len(further['proportions']) + len(rates['proportions'])} pairs"),
        ("difference of rates", f"{len(rates['differences'])} pairs"),
        ("trend of rates", f"{len(rates['trends'])} sets"),
        ("McNemar", f"{len(rates['mcnemar'])} tables"),
        ("McNemar", f"{len(rates['kappa'])} tables"),
        ("Fisher's P", f"{len(further['fisher']) + len(rates['fisher'])} tables"),
        ("Fine-Gray", f"{len(fits)} fits"),
        ("`cox`: coefficients", f"{len(values('cox')['models'])} models"),
        ("Gray's test", f"{len(values('competing')['small'])} small"),
        ("differences at milestones", f"the same {len(values('survival')['sets'])}"),
    ):
        assert said in row("What is tested against R", f"| {words}")[1]
