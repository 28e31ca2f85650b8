"""Cox models of a cohort, and the patients that every model of its hazard takes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analytics.hazard import COLLINEAR, INFINITE, Cox, cox
from analytics.landmark import landmark
from analytics.suppression import Count, Hidden, concealed, levels, part_of
from analytics.switching import counting_process
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import MISSING, Dictionary, Level, Variable
from pages.elements.answers.small_cells import minimum_of
from pages.elements.answers.survival import FEWEST_FOR_A_CURVE

EVENTS_PER_COEFFICIENT = 10
"""Fewer events for each coefficient make a model unstable (Peduzzi and others 1995)."""

REFERENCE = "reference"
NOBODY = "nobody with it in this model"

# No variable begins with an underscore, so that these clash with none.
TIME, EVENT, GROUP = "_time", "_event", "_group"
_KNOWN, _SWITCH = "_known", "_switch"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two levels of a variable among the patients who can be compared.

    Attributes
    ----------
    reference, compared : Level
    offered : tuple of Level
        What can be compared with the reference.
    """

    reference: Level
    compared: Level
    offered: tuple[Level, ...]


@dataclass(frozen=True, eq=False)
class CovariateRows:
    """One covariate of a Cox model.

    Attributes
    ----------
    variable : Variable
    unit : str
        What a ratio of 1 step means, of a number: 'per 10 years'.
    time_dependent : bool
        Whether patients change level on the day of the change.
    rows : pandas.DataFrame
        ``level`` (None for a number), ``n``, ``n_event``, and for each of ``one`` (alone),
        ``all`` (together) and ``firth`` (together, penalised) the columns ``_ratio``, ``_low``,
        ``_high``, ``_p`` and ``_reason``: why there is no ratio, or `REFERENCE`.
    n_missing : int
    proportional_p : float
        Of the joint model; NaN where there is none.
    withheld : tuple of Level
        Levels that a small-cell minimum keeps out; their patients count as missing.
    """

    variable: Variable
    unit: str
    time_dependent: bool
    rows: pd.DataFrame
    n_missing: Count
    proportional_p: float
    withheld: tuple[Level, ...] = ()


@dataclass(frozen=True, eq=False)
class CoxModels:
    """Cox models with each covariate alone, and with all together.

    Attributes
    ----------
    covariates : tuple of CovariateRows
    constant : tuple of Variable
        Left out: all patients have one level, or nobody a known one.
    n, n_event, n_coefficients : int
        Of the joint model: patients, events, coefficients.
    n_left, n_event_left : int
        Patients and events left out of it for a missing covariate.
    few_events : bool
        Whether there are fewer than `EVENTS_PER_COEFFICIENT` events for each coefficient.
    n_undated : int
        Left out: changed on a day that nobody knows.
    concordance, proportional_p, p_value : float or None
        Of the joint model; the last is the likelihood ratio test of no effect at all.
    infinite : bool
        Whether a ratio of the joint model has no finite estimate.
    """

    covariates: tuple[CovariateRows, ...]
    constant: tuple[Variable, ...]
    n: Count
    n_event: Count
    n_coefficients: int
    n_left: Count
    n_event_left: Count
    few_events: bool
    n_undated: Count
    concordance: float | None
    proportional_p: float | None
    p_value: float | None
    infinite: bool


def changes(variable: Variable) -> bool:
    """Tell whether everybody starts as 'no' and may change to 'yes', as for a transplant."""
    return variable.known == "from a day on"


def known_later(variable: Variable) -> bool:
    """Tell whether a variable, or what decides it, is known only after time starts."""
    return variable.known != "at baseline" or bool(variable.depends_on)


def patients(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str | None,
    landmark_days: int | None,
) -> pd.DataFrame:
    """Return one row per patient of the figure: time, event, and every variable as it was known.

    A level that the field does not compare (MRD below LOD) is missing. With a landmark a status known
    only later is missing too, and a variable that changes has the level of that day.
    """
    rows = queries.model_rows(snapshot, cohort, variables, endpoint=endpoint)
    named = [*([by] if by else []), *(name for name, _ in cohort)]
    rows[_KNOWN] = known_day(rows, variables.deciding(named))
    if landmark_days is not None:
        rows = landmark(rows, at=landmark_days, time=TIME, event=EVENT, known_day=_KNOWN).frame
    levels = {
        v.name: _levels(rows, v, variables, landmark_days)
        for v in variables.values()
        if v.kind != "number"
    }
    return rows.assign(**levels)


def since(rows: pd.DataFrame, variable: Variable) -> pd.Series:
    """Return the day from the endpoint's origin on which a variable is known, or changes."""
    return rows[f"_since_{variable.name}"].astype("float64")


def known_day(rows: pd.DataFrame, deciding: Iterable[Variable]) -> pd.Series:
    """Return the day from the endpoint's origin on which all of some variables are known."""
    known = pd.Series(np.nan, rows.index)
    for variable in deciding:
        if variable.known == "at a day":
            known = np.fmax(known, since(rows, variable))
    return known


def _levels(
    rows: pd.DataFrame, variable: Variable, variables: Dictionary, landmark_days: int | None
) -> pd.Series:
    values = rows[variable.name]
    if landmark_days is not None and changes(variable):
        day = since(rows, variable)
        undated = (values == "yes") & day.isna()
        values = pd.Series(np.where(day <= landmark_days, "yes", "no"), rows.index).mask(undated)
    elif landmark_days is not None:
        values = values.mask(known_day(rows, variables.deciding([variable.name])) > landmark_days)
    order = list(variable.compared) or [level.value for level in variable.levels]
    levels = [level for level in order if level != MISSING]
    return pd.Series(pd.Categorical(values, levels), rows.index)


def comparison(
    rows: pd.DataFrame, variable: Variable, against: str | None, minimum: int = 0
) -> tuple[pd.DataFrame, Comparison] | None:
    """Return the patients of two levels that the figure draws; None where there are no two."""
    sizes = rows[variable.name].value_counts()
    withheld = _withheld(rows[variable.name], minimum)
    drawn = [
        level
        for level in variable.levels
        if sizes.get(level.value, 0) >= FEWEST_FOR_A_CURVE and level.value not in withheld
    ]
    if len(drawn) < 2:
        return None
    reference, *offered = drawn
    compared = next((level for level in offered if level.value == against), offered[0])
    pair = [reference.value, compared.value]
    rows = rows[rows[variable.name].isin(pair)].copy()
    rows[GROUP] = pd.Categorical(rows[variable.name], pair)
    return rows, Comparison(reference, compared, tuple(offered))


def _withheld(column: pd.Series, minimum: int) -> set[str]:
    """Return the levels that are small, or would tell a small one."""
    if not minimum:
        return set()
    sizes = {str(level): int(n) for level, n in column.value_counts().items()}
    shown = levels({**sizes, MISSING: int(column.isna().sum())}, minimum)
    return {level for level in sizes if isinstance(shown[level], Hidden)}


def without_telling_levels(
    rows: pd.DataFrame, chosen: Sequence[Variable], minimum: int
) -> tuple[pd.DataFrame, dict[str, tuple[Level, ...]]]:
    """Return the patients with levels that may not be told as missing, and these levels by variable."""
    found = dict[str, tuple[Level, ...]]()
    for variable in chosen if minimum else ():
        if variable.kind != "number" and (withheld := _withheld(rows[variable.name], minimum)):
            found[variable.name] = tuple(v for v in variable.levels if v.value in withheld)
            column = rows[variable.name].mask(rows[variable.name].isin(withheld))
            rows = rows.assign(**{variable.name: column.cat.remove_categories(list(withheld))})
    return rows, found


def cox_models(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    covariates: Sequence[str],
    landmark_days: int | None,
    firth: bool,
) -> CoxModels:
    """Return Cox models with each covariate alone, and with all of them together.

    Raises
    ------
    ValueError
        Where two covariates change from a day on and no landmark is set.
    """
    fits = model_fits(
        snapshot, cohort, variables,
        endpoint=endpoint, covariates=covariates, landmark_days=landmark_days,
    )  # fmt: skip
    joint = fits.fit(list(fits.names))
    penalised = fits.fit(list(fits.names), firth=True) if firth else None
    found = _models(fits, joint, penalised)
    minimum = minimum_of(snapshot)
    return _shown(found, fits, minimum) if minimum else found


def model_fits(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    covariates: Sequence[str],
    landmark_days: int | None,
) -> Fits:
    """Return the patients of `cox_models` with the covariates as they enter; raises as it does."""
    rows = patients(
        snapshot, cohort, variables, endpoint=endpoint, by=None, landmark_days=landmark_days
    )
    chosen = [variables[name] for name in covariates]
    moving = [v for v in chosen if changes(v) and landmark_days is None]
    if len(moving) > 1:
        raise ValueError(
            f"{' and '.join(v.label for v in moving)} both change while patients are followed. "
            "Choose one of them, or start at a landmark."
        )
    undated = pd.Series(False, rows.index)
    if moving:
        undated = (rows[moving[0].name] == "yes") & since(rows, moving[0]).isna()
    rows = rows[~undated]
    rows, withheld = without_telling_levels(rows, chosen, minimum_of(snapshot))
    columns = {v.name: _column(rows, v) for v in chosen}
    constant = tuple(v for v in chosen if columns[v.name].nunique() < 2)
    kept = [v for v in chosen if v not in constant]
    names = {v.name: f"x{i}" for i, v in enumerate(kept)}
    frame = rows[[TIME, EVENT]].assign(**{names[v.name]: columns[v.name] for v in kept})
    moved = [v for v in moving if v in kept]
    if moved:
        frame[_SWITCH] = since(rows, moved[0])
    moving_name = moved[0].name if moved else None
    return Fits(frame, names, moving_name, tuple(kept), constant, int(undated.sum()), withheld)


def _column(rows: pd.DataFrame, variable: Variable) -> pd.Series:
    """Return a covariate on the scale on which it enters."""
    if variable.kind != "number":
        column = rows[variable.name].cat.remove_unused_categories()
        # The dictionary prints yes before no; a ratio is that of yes.
        return (
            column.cat.reorder_categories(sorted(column.cat.categories))
            if variable.kind == "boolean"
            else column
        )
    values = rows[variable.name].astype("float64")
    if variable.name == "age_years":
        return values / 10
    return np.log2(values) if _doubles(rows, variable) else values


def _doubles(rows: pd.DataFrame, variable: Variable) -> bool:
    """Whether a number enters by its doublings: a leucocyte count that is never 0."""
    return variable.name == "wbc_10e9_per_l" and bool((rows[variable.name].dropna() > 0).all())


@dataclass(frozen=True, eq=False)
class Fits:
    """Patients of Cox models, with the covariates as they enter.

    Attributes
    ----------
    frame : pandas.DataFrame
        Time, event and a column for each covariate.
    names : mapping of str to str
        The column of each covariate.
    moving : str or None
        The covariate that changes while patients are followed.
    kept, constant : tuple of Variable
        In the models, and left out because all patients have one level.
    n_undated : int
        Patients left out: changed on a day that nobody knows.
    withheld : mapping of str to tuple of Level
        Levels that a small-cell minimum keeps out.
    """

    frame: pd.DataFrame
    names: Mapping[str, str]
    moving: str | None
    kept: tuple[Variable, ...]
    constant: tuple[Variable, ...]
    n_undated: int
    withheld: Mapping[str, tuple[Level, ...]]

    def rows(self, covariates: Sequence[str]) -> pd.DataFrame:
        """Patients, or their intervals where one of the covariates changes, without missing."""
        columns = [self.names[name] for name in covariates]
        rows = self.frame[self.frame[columns].notna().all(axis=1)]
        if self.moving not in covariates:
            rows = rows[[TIME, EVENT, *columns]]
            return rows.rename(columns={TIME: "stop", EVENT: "event"})
        split = counting_process(rows, time=TIME, event=EVENT, switch=_SWITCH)
        levels = np.where(split["switched"], "yes", "no")
        return split.assign(**{self.names[self.moving]: pd.Categorical(levels, ["no", "yes"])})

    def fit(self, covariates: Sequence[str], *, firth: bool = False) -> Cox:
        """Fit a Cox model of some covariates."""
        return cox(
            self.rows(covariates),
            time="stop",
            event="event",
            covariates=[self.names[name] for name in covariates],
            entry="start" if self.moving in covariates else None,
            penalty="firth" if firth else None,
        )


def _models(fits: Fits, joint: Cox, penalised: Cox | None) -> CoxModels:
    tests = joint.proportional_hazards().set_index("term")["p_value"]
    complete = fits.frame[list(fits.names.values())].notna().all(axis=1)
    covariates = tuple(_covariate(fits, v, joint, penalised, tests) for v in fits.kept)
    ratio_test = joint.tests.set_index("test")["p_value"]["likelihood ratio"]
    return CoxModels(
        covariates=covariates,
        constant=fits.constant,
        n=int(complete.sum()),
        n_event=joint.n_event,
        n_coefficients=(n_terms := int((joint.terms["reason"] != COLLINEAR).sum())),
        n_left=int((~complete).sum()),
        n_event_left=int((fits.frame.loc[~complete, EVENT] == 1).sum()),
        few_events=bool(n_terms) and joint.n_event < EVENTS_PER_COEFFICIENT * n_terms,
        n_undated=fits.n_undated,
        concordance=joint.concordance if fits.kept else None,
        proportional_p=_known(tests["GLOBAL"]),
        p_value=_known(ratio_test),
        infinite=bool((joint.terms["reason"] == INFINITE).any()),
    )


def _shown(found: CoxModels, fits: Fits, minimum: int) -> CoxModels:
    """Return the models without small counts."""
    n_all, n_event_all = len(fits.frame), int((fits.frame[EVENT] == 1).sum())
    n, n_event = int(found.n), int(found.n_event)
    patients_ = levels({"in": n, "out": n_all - n}, minimum)
    events = concealed(
        {"in": n_event, "none": n - n_event, "out": n_event_all - n_event, "n": n,
         "all": n_event_all},
        [("n", ["in", "none"]), ("all", ["in", "out"])], minimum, {"all", "n"},
    )  # fmt: skip
    return replace(
        found,
        covariates=tuple(
            _covariate_shown(c, n_all, n_event_all, fits.withheld.get(c.variable.name, ()), minimum)
            for c in found.covariates
        ),
        n=patients_["in"],
        n_left=patients_["out"],
        n_event=events["in"],
        n_event_left=events["out"],
        n_undated=part_of(int(found.n_undated), n_all + int(found.n_undated), minimum),
    )


def _covariate_shown(
    found: CovariateRows, n_all: int, n_event_all: int, withheld: tuple[Level, ...], minimum: int
) -> CovariateRows:
    rows, missing = found.rows, int(found.n_missing)
    if found.time_dependent:
        # Who changes is on both sides: only the events add up.
        n = [part_of(int(k), n_all, minimum) for k in rows["n"]]
        events = levels(dict(enumerate(rows["n_event"].astype(int))), minimum)
        n_event, n_missing = list(events.values()), part_of(missing, n_all, minimum)
    else:
        each = list(zip(rows["n"].astype(int), rows["n_event"].astype(int), strict=True))
        known = (sum(k for k, _ in each), sum(e for _, e in each))
        each.append((missing, n_event_all - known[1]))
        cells: dict[Hashable, int] = {"all": n_all, "events": n_event_all}
        sums: list[tuple[Hashable, Sequence[Hashable]]] = []
        for i, (k, e) in enumerate(each):
            cells |= {("n", i): k, ("event", i): e, ("none", i): k - e}
            sums.append((("n", i), [("event", i), ("none", i)]))
        sums += [("all", [("n", i) for i in range(len(each))]),
                 ("events", [("event", i) for i in range(len(each))])]  # fmt: skip
        shown = concealed(cells, sums, minimum, {"all", "events"})
        n, n_event = ([shown[what, i] for i in range(len(rows))] for what in ("n", "event"))
        n_missing = shown["n", len(rows)]
    counts = {
        name: pd.Series(values, rows.index, dtype="object")
        for name, values in (("n", n), ("n_event", n_event))
    }
    return replace(found, rows=rows.assign(**counts), n_missing=n_missing, withheld=withheld)


def _known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _covariate(
    fits: Fits, variable: Variable, joint: Cox, penalised: Cox | None, tests: pd.Series
) -> CovariateRows:
    """Rows of one covariate: its levels with patients and events, and what each model says."""
    column = fits.names[variable.name]
    rows = fits.rows([variable.name])
    models = {"one": fits.fit([variable.name]), "all": joint, "firth": penalised}
    complete = fits.rows(list(fits.names))
    lines = []
    for level, n, n_event in _sizes(rows, column):
        line: dict[str, object] = {"level": level, "n": n, "n_event": n_event}
        for key, fit in models.items():
            told = _term(fit, rows if key == "one" else complete, column, level)
            line |= {f"{key}_{name}": value for name, value in told.items()}
        lines.append(line)
    return CovariateRows(
        variable,
        _unit(variable, fits),
        fits.moving == variable.name,
        pd.DataFrame(lines).astype({"level": "object"}),
        int(fits.frame[column].isna().sum()),
        float(tests.get(column, np.nan)),
    )


def _unit(variable: Variable, fits: Fits) -> str:
    if variable.kind != "number":
        return ""
    if variable.name == "age_years":
        return "per 10 years"
    if variable.name == "wbc_10e9_per_l":
        return "per doubling"
    return f"per {variable.unit}" if variable.unit else "per unit"


def _sizes(rows: pd.DataFrame, column: str) -> Iterator[tuple[str | None, int, int]]:
    """Yield every level with its patients and events; a number has no level."""
    event = rows["event"] == 1
    if not isinstance(rows[column].dtype, pd.CategoricalDtype):
        yield None, len(rows), int(event.sum())
        return
    for level in rows[column].cat.categories:
        here = rows[column] == level
        # Who changes level has a row in each.
        yield str(level), int(here.sum()), int((event & here).sum())


def _term(fit: Cox | None, rows: pd.DataFrame, column: str, level: str | None) -> dict[str, object]:
    """Return what a model of these rows says of one level."""
    names = {"ratio": "hazard_ratio", "low": "low", "high": "high", "p": "p_value"}
    empty: dict[str, object] = {**dict.fromkeys(names, np.nan), "reason": NOBODY}
    if fit is None:
        return empty
    mine = fit.terms[fit.terms["covariate"] == column]
    mine = mine if level is None else mine[mine["level"] == level]
    if mine.empty:
        there = bool((rows[column] == level).any())
        return {**empty, "reason": REFERENCE} if there else empty
    line = mine.iloc[0]
    return {key: line[name] for key, name in {**names, "reason": "reason"}.items()}
