"""Every published figure beside the same figure of the cohort, computed as the pages compute it.

No Streamlit in here. What is read off a view (`read` in data/published/views.csv):

count
    Patients of the selection with `level`, out of the selection.
median_range
    Median and range of the variable that `level` names.
months
    The same for months from first remission to the day that `level` names.
samples
    The same for the number of MRD samples in a timepoint.
negative
    MRD negativity at the timepoint of the link, in `level` of its grouping.
best response
    Patients whose best MRD response is negative.
survival
    The curve of `level`. 'survival against A | B' takes the P value against level B of population A.
blinatumomab
    Patients who had blinatumomab by their sample of the timepoint that `level` names.
level at start
    Patients whose highest MRD fraction up to day 0 lies in a range.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from analytics.events import event_table
from analytics.landmark import landmark
from analytics.proportion import proportion
from analytics.suppression import Hidden, is_small
from analytics.survival import log_rank
from data import published, queries
from data.cohort import CohortFilter, Condition
from data.store import Snapshot, query, sql_text
from data.variables import Dictionary
from pages.elements import wording
from pages.elements.answers.negativity import negativity
from pages.elements.answers.small_cells import minimum_of
from pages.elements.answers.survival import Survival, survival
from pages.elements.answers.who import characteristics

if TYPE_CHECKING:
    from pages.elements.link import View

REPRODUCED = "reproduced"
DIFFERS = "differs"
CANNOT_HOLD = "cannot hold as printed"
NOT_IN_COHORT = "not in the cohort tables"
QUANTITIES = ("count", "summary", "percent", "interval", "n", "median", "p_value")
NOT_SHOWN = "not shown"
"""It, or what it leaves out, is under the study's small-cell minimum."""
VERDICTS = (REPRODUCED, DIFFERS, CANNOT_HOLD, NOT_IN_COHORT, NOT_SHOWN)

LIMIT_TOLERANCE = 2.0
"""Points by which a limit may differ: it hangs on numbers at risk, which papers rarely print."""

_DAYS_PER_YEAR = 365.25
_HORIZON_DAYS = int(48 * wording.DAYS_PER_MONTH)
_ASSESSED = ("negative", "positive", "below LOD")
_NOT_REACHED = "not reached"
_NAN = float("nan")

_IDENTIFYING = {
    "baseline": ("characteristic", "level"),
    "disposition": ("population", "state"),
    "mrd_negativity": ("subgroup", "level", "timepoint"),
    "survival_rates": (
        "figure", "population", "mrd_timepoint", "stratum", "level", "endpoint", "landmark",
    ),
}  # fmt: skip
"""The columns whose cells the key of a view may name."""

_STRATA = {
    "allosct": "alloSCT",
    "disease_status": "disease status",
    "hsct": "HSCT",
    "mrd_at_start": "MRD at start",
    "ph_status": "Ph status",
    "prior_inotuzumab": "prior inotuzumab",
    "risk_group": "risk group",
    "trial": "trial",
}
_CODES = {"LFS": "RFS"}
"""Endpoints that a paper calls otherwise: leukemia-free survival counts what RFS counts."""


@dataclass(frozen=True)
class Figure:
    """One printed figure.

    Attributes
    ----------
    study, cohort : str
        The publication, and the study of the store that is compared with it.
    place : str
        Where it is printed: 'Fig. 2B', 'Table 1'.
    population, measure : str
        Of whom, and what: 'Ph-negative, high risk'; 'RFS at 2 years, MRD negative after cycle 1'.
    printed : str
        As it reads in print.
    quantity : str
        One of `QUANTITIES`.
    page : str
        The page that shows it: Overview, Survival, MRD negativity; empty for none.
    selection : CohortFilter
        The patients.
    options : tuple of (str, str)
        The choices of the page: grouping, endpoint, landmark.
    read : str
        What is read off; empty where the cohort does not hold it.
    level : str
        Of which level, as written in the mapping.
    reason : str
        Why it cannot hold as printed, or is not in the cohort; empty for neither.
    table : str
        The table of data/published it is a row of.
    cells : mapping of str to str
        That row.
    """

    study: str
    cohort: str
    place: str
    population: str
    measure: str
    printed: str
    quantity: str
    page: str
    selection: CohortFilter
    options: tuple[tuple[str, str], ...]
    read: str
    level: str
    reason: str
    table: str
    cells: Mapping[str, str] = field(repr=False, hash=False)

    @property
    def view(self) -> View | None:
        """The view of `page` that shows the figure; None where no page does."""
        # The link lives in the session of a page; reading figures needs no session.
        from pages.elements.link import View

        return View(self.cohort, None, self.selection, self.options) if self.page else None

    def option(self, name: str) -> str | None:
        """Return one choice of the page."""
        return dict(self.options).get(name)


@dataclass(frozen=True)
class Comparison:
    """A printed figure and the cohort's.

    Attributes
    ----------
    figure : Figure
    computed : str
        The cohort's figure as it reads beside the printed one.
    value, low, high : float
        The cohort's rate and its 95% limits, percent; NaN for what is no rate.
    difference : float or None
        Cohort minus print, in the unit of the print; None where either is no number.
    verdict : {'reproduced', 'differs', 'cannot hold as printed', 'not in the cohort tables'}
    reason : str
        With the last two verdicts.
    """

    figure: Figure
    computed: str
    value: float
    low: float
    high: float
    difference: float | None
    verdict: str
    reason: str


@dataclass(frozen=True)
class _Found:
    """What the cohort says, and whether that is what was printed."""

    text: str
    holds: bool
    difference: float | None = None
    value: float = _NAN
    low: float = _NAN
    high: float = _NAN


# From the tables to figures


def studies() -> tuple[str, ...]:
    """Return the publications that a cohort can be compared with."""
    return tuple(dict.fromkeys(published.tables()["views"]["study"]))


def figures(study: str) -> tuple[Figure, ...]:
    """Return the printed figures of a publication, table by table in the order of the paper.

    Raises
    ------
    LookupError
        If a row has no view, or two that fit equally well.
    """
    found, tested = list[Figure](), set[tuple[str, ...]]()
    populations = _populations()
    for table in published.COMPARED:
        views = _records("views", table=table, study=study)
        for row in _records(table, study=study):
            view = _view_of(table, row, views)
            name = view["population"] or row.get("population") or "all"
            group = populations[view["cohort"], name]
            for figure in _figures_of(table, row, view, group):
                if figure.quantity == "p_value":
                    # A P value stands in every row that it compares, and is one figure.
                    comparison = (figure.place, figure.population, figure.measure, figure.printed)
                    if comparison in tested:
                        continue
                    tested.add(comparison)
                found.append(figure)
    return tuple(found)


def _figures_of(
    table: str, row: Mapping[str, str], view: Mapping[str, str], group: Mapping[str, str]
) -> Iterator[Figure]:
    options, conditions = _split(_parsed("&".join(filter(None, (group["query"], view["query"])))))
    if table == "survival_rates":
        options = {"endpoint": _CODES.get(row["endpoint"], row["endpoint"]), **options}
    base = Figure(
        study=row["study"], cohort=view["cohort"], place=_place(row), population=group["words"],
        measure="", printed="", quantity="", page=view["page"], selection=_selection(conditions),
        options=tuple(options.items()), read=view["read"], level=view["level"],
        reason="", table=table, cells=row,
    )  # fmt: skip
    kinds = {"survival_rates": _of_survival, "mrd_negativity": _of_negativity}
    for figure in kinds.get(table, _of_patients)(base, view["words"]):
        yield replace(figure, reason=_reason(view, figure.quantity))


def _records(source: str, /, **cells: str) -> list[dict[str, str]]:
    """Return the rows of a table that have these cells."""
    frame = published.tables()[source]
    for column, cell in cells.items():
        frame = frame[frame[column] == cell]
    return [{str(k): str(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _view_of(
    table: str, row: Mapping[str, str], views: Iterable[Mapping[str, str]]
) -> Mapping[str, str]:
    """Return the one view whose key names most cells of the row, and no others."""
    cells = {row[column] for column in _IDENTIFYING[table]}
    fitting: dict[int, list[Mapping[str, str]]] = {}
    for view in views:
        parts = set(view["key"].split(" | "))
        if parts <= cells:
            fitting.setdefault(len(parts), []).append(view)
    best = fitting.get(max(fitting, default=0), [])
    if len(best) != 1:
        raise LookupError(f"{len(best)} views for {row} in {table}.csv; it needs one.")
    return best[0]


def _populations() -> dict[tuple[str, str], Mapping[str, str]]:
    """Return the populations by cohort and name."""
    return {(row["cohort"], row["population"]): row for row in _records("populations")}


def _parsed(text: str) -> dict[str, list[str]]:
    """Read 'a=1&b=2&b=3'. Levels stand as they are, so a plus sign is a plus sign."""
    found: dict[str, list[str]] = {}
    for part in filter(None, text.split("&")):
        name, _, value = part.partition("=")
        found.setdefault(name, []).append(value)
    return found


def _split(query: Mapping[str, list[str]]) -> tuple[dict[str, str], dict[str, list[str]]]:
    choices = ("endpoint", "by", "landmark_days", "timepoint")
    options = {name: query[name][-1] for name in choices if name in query}
    return options, {name: values for name, values in query.items() if name not in options}


def _selection(conditions: Mapping[str, list[str]]) -> CohortFilter:
    return CohortFilter(**{name: _condition(values) for name, values in conditions.items()})


def _condition(values: list[str]) -> Condition:
    low, dots, high = values[0].partition("..")
    return (float(low), float(high)) if dots else tuple(values)


def _reason(view: Mapping[str, str], quantity: str) -> str:
    """Return why a quantity of a row cannot hold; 'median: text' speaks of the median alone."""
    text = view["discrepancy"]
    if not text or not view["read"]:
        return text
    scope, _, start = text.partition(": ")
    if scope not in QUANTITIES:
        start = text
    elif scope != quantity:
        return ""
    rows = published.discrepancies()
    rows = rows[(rows["study"] == view["study"]) & rows["printed"].str.startswith(start)]
    ((why, take),) = rows[["why", "take"]].itertuples(index=False, name=None)
    return f"{why[:1].upper()}{why[1:]}. Taken: {take}."


def _place(row: Mapping[str, str]) -> str:
    source = row["source"].partition(";")[0].partition(" (")[0]
    return row.get("figure") or source


def _of_patients(base: Figure, words: str) -> Iterator[Figure]:
    row = base.cells
    measure = words or row.get("state") or f"{row['characteristic']}: {row['level']}"
    if row.get("statistic", "count") == "count":
        printed, quantity = _counted(row["n"], row["denominator"], row["percent"]), "count"
    else:
        printed, quantity = _summed_up(row["value"], row["low"], row["high"]), "summary"
    yield replace(base, measure=measure, printed=printed, quantity=quantity)


def _of_negativity(base: Figure, words: str) -> Iterator[Figure]:
    row = base.cells
    when = _when(row["timepoint"])
    printed = _counted(row["n_negative"], row["n_evaluable"], row["percent"])
    yield replace(
        base, population=words or base.population, measure=f"MRD negative {when}",
        printed=printed, quantity="count",
    )  # fmt: skip
    if row["p_value"]:
        grouping = _STRATA["trial" if row["subgroup"] == "all" else row["subgroup"]]
        compared = row["p_compares"].removeprefix(f"{row['subgroup']} ")
        compared = compared.replace("allmrd", "ALL/MRD").replace(">=", "≥")
        measure = f"P of MRD negativity {when} by {grouping}: {compared}"
        yield replace(base, measure=measure, printed=row["p_value"], quantity="p_value")


def _of_survival(base: Figure, words: str) -> Iterator[Figure]:
    row = base.cells
    rate = f"{row['endpoint']} at {row['horizon_years']} years"

    def figure(quantity: str, measure: str, printed: str) -> Figure:
        return replace(base, quantity=quantity, measure=measure, printed=printed)

    yield figure("percent", f"{rate}, {words}", f"{row['percent']}%")
    if row["ci_low"] or row["ci_high"]:
        limits = f"{row['ci_low'] or '…'}–{row['ci_high'] or '…'}"
        yield figure("interval", f"95% CI of {rate}, {words}", limits)
    if row["n"]:
        yield figure("n", f"n, {words}", row["n"])
    if row["median_months"]:
        yield figure("median", f"median {row['endpoint']}, months, {words}", row["median_months"])
    if row["p_value"]:
        other = _against(base.read)
        if other:
            comparison = f"against {other[0]} with {_STRATA[row['stratum']]}"
        elif row["stratum"] == "mrd":
            comparison = f"by MRD {_when(row['mrd_timepoint'])}"
        else:
            comparison = f"by {_STRATA[row['stratum']]}"
        yield figure("p_value", f"log-rank P of {row['endpoint']} {comparison}", row["p_value"])


def _when(timepoint: str) -> str:
    if timepoint == "best response":
        return "as best response"
    return timepoint if timepoint.startswith("after") else f"at {timepoint}"


def _counted(n: str, total: str, percent: str) -> str:
    text = f"{n}/{total}" if total else n
    return f"{text} ({percent}%)" if percent else text


def _summed_up(value: str, low: str, high: str) -> str:
    return f"{value} ({low}–{high})" if low else value


# From figures to comparisons


def compare(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> Comparison:
    """Return a printed figure beside that of a snapshot.

    Parameters
    ----------
    snapshot : Snapshot
        Of the study `figure.cohort`.
    variables : Dictionary
        Of that snapshot.
    """
    names = {name for name, _ in figure.selection} | {figure.option("by") or "none"}
    absent = sorted(names - {"none", *variables})
    if not figure.read or absent:
        reason = figure.reason if not figure.read else f"No variable {wording.listed(absent)}."
        return Comparison(figure, "–", _NAN, _NAN, _NAN, None, NOT_IN_COHORT, reason)
    reader = _READERS[figure.read.partition(" against ")[0]]
    try:
        found = reader(snapshot, variables, figure)
    except _Withheld:
        reason = f"It rests on fewer than {minimum_of(snapshot)} patients, or leaves out fewer."
        return Comparison(figure, "–", _NAN, _NAN, _NAN, None, NOT_SHOWN, reason)
    verdict, reason = REPRODUCED, ""
    if not found.holds:
        verdict, reason = (CANNOT_HOLD, figure.reason) if figure.reason else (DIFFERS, "")
    return Comparison(
        figure, found.text, found.value, found.low, found.high, found.difference, verdict, reason
    )


class _Withheld(ValueError):
    """The figure may not be shown: agreement with a printed one would tell it."""


def _refuse_small(snapshot: Snapshot, *counts: int) -> None:
    if any(is_small(n, minimum_of(snapshot)) for n in counts):
        raise _Withheld


def _refuse_unknown(snapshot: Snapshot, *numbers: float | None) -> None:
    """Refuse what a small-cell minimum took away."""
    if minimum_of(snapshot) and any(n is None or math.isnan(n) for n in numbers):
        raise _Withheld


def _read_count(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> _Found:
    with_level = _with(figure.selection, _selection(_parsed(figure.level)))
    n = queries.size(snapshot, with_level, variables)
    return _share(snapshot, figure, n, queries.size(snapshot, figure.selection, variables))


def _with(selection: CohortFilter, more: CohortFilter) -> CohortFilter:
    return CohortFilter(**{**dict(selection.conditions), **dict(more.conditions)})


def _share(snapshot: Snapshot, figure: Figure, n: int, total: int) -> _Found:
    """Compare a count out of a total with the printed one."""
    _refuse_small(snapshot, n, total - n, total)
    row = figure.cells
    printed_n, printed_total = (
        (row["n_negative"], row["n_evaluable"])
        if figure.table == "mrd_negativity"
        else (row["n"], row["denominator"])
    )
    found = proportion(n, total)
    percents = [_NAN if v is None else 100 * v for v in (found.rate, found.low, found.high)]
    percent = _rounded(percents[0], row["percent"]) if row["percent"] else ""
    text = _counted(str(n), str(total) if printed_total else "", percent)
    return _Found(text, text == figure.printed, float(n - int(printed_n)), *percents)


def _read_median_range(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> _Found:
    name = figure.level
    table = characteristics(snapshot, figure.selection, variables, rows={name: "number"}, by=None)
    line = table.rows.iloc[0]
    return _summary(snapshot, figure, [line["median"], line["minimum"], line["maximum"]])


def _read_months(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> _Found:
    frame = queries.subjects(snapshot, figure.selection, variables)
    days = (frame[figure.level] - frame["cr_day"]).astype("float64").dropna()
    return _quantiles(snapshot, figure, days / wording.DAYS_PER_MONTH)


def _read_samples(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> _Found:
    samples = queries.mrd_by_timepoint(snapshot, figure.selection, variables)
    taken = samples["sample_day"].notna().groupby(samples["patient_id"]).sum()
    return _quantiles(snapshot, figure, taken.astype("float64"))


def _quantiles(snapshot: Snapshot, figure: Figure, values: pd.Series) -> _Found:
    _refuse_small(snapshot, len(values))
    return _summary(snapshot, figure, [float(values.quantile(q)) for q in (0.5, 0.0, 1.0)])


def _summary(snapshot: Snapshot, figure: Figure, values: list[float]) -> _Found:
    """Compare a median, and its range if that is printed, with the printed ones."""
    printed = [figure.cells[column] for column in ("value", "low", "high")]
    if minimum_of(snapshot) and any(printed[1:]):
        # The ends of a range are single patients.
        raise _Withheld
    _refuse_unknown(snapshot, values[0])
    shown = [
        _rounded(value, text) if text else "" for value, text in zip(values, printed, strict=True)
    ]
    text = _summed_up(*shown)
    return _Found(text, text == figure.printed, values[0] - float(printed[0]))


def _read_negative(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> _Found:
    by = figure.option("by")
    labels = {t.variable: t.label for t in queries.study(snapshot).timepoints}
    label = labels[str(figure.option("timepoint"))]
    result = negativity(
        snapshot, figure.selection, variables, by=None if by == "none" else by,
        denominator="evaluable",
    )  # fmt: skip
    block = result.figure
    if figure.quantity == "p_value":
        return _p_value(snapshot, figure, block.p_values.get(label) if block else None)
    rates = result.everybody
    if block:
        _, value = _one_level(figure)
        rates = block.rates[block.rates[str(by)] == value]
    lines = rates[rates["timepoint"] == label]
    counts = [lines[column].sum() for column in ("negative", "evaluable")]
    if lines.empty or any(isinstance(count, Hidden) for count in counts):
        _refuse_unknown(snapshot, None)
    return _share(snapshot, figure, *(int(count) for count in counts))


def _one_level(figure: Figure) -> tuple[str, str]:
    name, _, value = figure.level.partition("=")
    return name, value


def _read_best_response(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> _Found:
    assessed = figure.selection.with_("mrd_best", _ASSESSED)
    if figure.quantity == "p_value":
        name, _ = _one_level(figure)
        table = characteristics(
            snapshot, assessed, variables, rows={name: variables[name].kind}, by="mrd_best"
        )
        tests = table.tests["p_value"]
        return _p_value(snapshot, figure, float(tests.iloc[0]) if len(tests) else None)
    assessed = _with(assessed, _selection(_parsed(figure.level)))
    n = queries.size(snapshot, assessed.with_("mrd_best", ("negative",)), variables)
    return _share(snapshot, figure, n, queries.size(snapshot, assessed, variables))


def _read_blinatumomab(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> _Found:
    frame = queries.subjects(snapshot, figure.selection, variables).set_index("patient_id")
    sampled = frame[f"{figure.level}_day"].dropna().astype("int64")
    text = sql_text("query_first_course")
    first = query(snapshot, text, {"kind": "blinatumomab"}).set_index("patient_id")["start_day"]
    treated = first.reindex(sampled.index).astype("float64") <= sampled
    return _share(snapshot, figure, int(treated.sum()), len(sampled))


def _read_level_at_start(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> _Found:
    asked = _parsed(figure.level)
    (assay,), (bounds,) = asked.pop("assay"), asked.pop("mrd_fraction")
    low, high = (float(bound) for bound in bounds.split(".."))
    chosen = queries.subjects(snapshot, _with(figure.selection, _selection(asked)), variables)
    levels = query(snapshot, sql_text("query_level_at_start"))
    levels = levels[(levels["assay"] == assay) & levels["patient_id"].isin(chosen["patient_id"])]
    inside = (levels["mrd_fraction"] >= low) & (levels["mrd_fraction"] < high)
    total = queries.size(snapshot, figure.selection, variables)
    return _share(snapshot, figure, int(inside.sum()), total)


def _read_survival(snapshot: Snapshot, variables: Dictionary, figure: Figure) -> _Found:
    other = _against(figure.read)
    if figure.quantity == "p_value" and other:
        return _p_value(snapshot, figure, _p_against(snapshot, variables, figure, *other))
    days = figure.option("landmark_days")
    result = survival(
        snapshot, figure.selection, variables, endpoint=str(figure.option("endpoint")),
        by=figure.option("by"), landmark_days=int(days) if days else None,
        horizon_days=_HORIZON_DAYS,
    )  # fmt: skip
    if figure.quantity == "p_value":
        return _p_value(snapshot, figure, result.test.p_value if result.test else None)
    _, value = _one_level(figure)
    level = next((level for level in result.levels if level.value == value), None)
    if level is None:
        _refuse_unknown(snapshot, None)
        return _Found("no curve", holds=False)
    return _off_the_curve(snapshot, figure, result, result.row(level, result.km.groups).index[0])


def _off_the_curve(snapshot: Snapshot, figure: Figure, result: Survival, group: int) -> _Found:
    row = figure.cells
    if figure.quantity == "n":
        shown = result.km.groups["n"].iloc[group]
        _refuse_unknown(snapshot, float(shown))
        n = int(shown)
        return _Found(str(n), str(n) == row["n"], float(n - int(row["n"])))
    if figure.quantity == "median":
        days = float(result.km.median()["median"].iloc[group])
        if row["median_months"] != _NOT_REACHED:
            _refuse_unknown(snapshot, days)
        return _median(row["median_months"], days)
    day = math.floor(_DAYS_PER_YEAR * float(row["horizon_years"]))
    line = result.km.at([day]).iloc[group]
    value, low, high = (100 * float(line[name]) for name in ("survival", "low", "high"))
    _refuse_unknown(snapshot, value)
    if figure.quantity == "interval":
        given = [
            (each, float(row[name]))
            for each, name in ((low, "ci_low"), (high, "ci_high"))
            if row[name]
        ]
        apart = [each - printed for each, printed in given]
        text = "–".join(_rounded(each, row["percent"]) for each in (low, high))
        # One limit alone: the other was printed where no estimate can have it.
        holds = len(apart) == 2 and all(abs(each) <= LIMIT_TOLERANCE for each in apart)
        return _Found(text, holds, max(apart, key=abs), value, low, high)
    text = f"{_rounded(value, row['percent'])}%"
    return _Found(text, text == figure.printed, value - float(row["percent"]), value, low, high)


def _median(printed: str, days: float) -> _Found:
    months = days / wording.DAYS_PER_MONTH
    if math.isnan(months):
        return _Found(_NOT_REACHED, printed == _NOT_REACHED)
    if printed == _NOT_REACHED:
        return _Found(_rounded(months, "0.0"), holds=False)
    text = _rounded(months, printed)
    return _Found(text, text == printed, months - float(printed))


def _against(read: str) -> tuple[str, str] | None:
    """Return population and level of the other side, where a read names one."""
    _, found, rest = read.partition(" against ")
    population, _, level = rest.partition(" | ")
    return (population, level) if found else None


def _p_against(
    snapshot: Snapshot, variables: Dictionary, figure: Figure, population: str, level: str
) -> float | None:
    """Compare two levels that belong to different populations, after a landmark."""
    by, day = str(figure.option("by")), int(str(figure.option("landmark_days")))
    conditions = _parsed(_populations()[figure.cohort, population]["query"])
    sides = ((figure.selection, _one_level(figure)[1]), (_selection(conditions), level))
    parts = []
    for side, (selection, value) in enumerate(sides):
        rows = queries.event_rows(
            snapshot, selection, variables, endpoint=str(figure.option("endpoint")), by=(by,),
            landmark_days=day,
        )  # fmt: skip
        parts.append(rows[rows[by] == value].assign(side=side))
    rows = pd.concat(parts, ignore_index=True)
    kept = landmark(rows, at=day, time="time", event="event", known_day="known_day").frame
    _refuse_small(snapshot, *kept["side"].value_counts())
    return log_rank(event_table(kept, time="time", event="event", by="side"), by="side").p_value


def _p_value(snapshot: Snapshot, figure: Figure, found: float | None) -> _Found:
    """Compare a P value with the printed one: '0.03', '<0.001', '>0.99'."""
    _refuse_unknown(snapshot, found)
    printed = figure.printed
    if found is None or math.isnan(found):
        return _Found("not estimable", holds=False)
    if printed[0] in "<>":
        bound = float(printed[1:])
        holds = found < bound if printed[0] == "<" else found > bound
        return _Found(wording.p_number(found), holds)
    holds = _rounded(found, printed) == printed
    text = printed if holds else wording.p_number(found)
    return _Found(text, holds, found - float(printed))


def _rounded(value: float, like: str) -> str:
    """Return a number with as many decimals as a printed one, a half rounded up."""
    if math.isnan(value):
        return wording.NOT_ESTIMABLE
    decimals = len(like.partition(".")[2])
    # Seven decimals take off what binary fractions leave: 28.5 that is stored as 28.499999999999996.
    return f"{math.floor(round(value * 10**decimals, 7) + 0.5) / 10**decimals:.{decimals}f}"


_READERS: Mapping[str, Callable[[Snapshot, Dictionary, Figure], _Found]] = {
    "count": _read_count,
    "median_range": _read_median_range,
    "months": _read_months,
    "samples": _read_samples,
    "negative": _read_negative,
    "best response": _read_best_response,
    "survival": _read_survival,
    "blinatumomab": _read_blinatumomab,
    "level at start": _read_level_at_start,
}
