"""Cox models of a cohort, and the patients that every model of its hazard takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.hazard import COLLINEAR, INFINITE, Cox, cox
from analytics.landmark import landmark
from analytics.switching import counting_process
from data import queries
from data.cohort import CohortFilter
from data.store import Snapshot
from data.variables import MISSING, Dictionary, Level, Variable
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
    """

    variable: Variable
    unit: str
    time_dependent: bool
    rows: pd.DataFrame
    n_missing: int
    proportional_p: float


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
    n_all, n_event_all : int
        Patients and events before those with a missing covariate are left out.
    n_undated : int
        Left out: changed on a day that nobody knows.
    concordance, proportional_p, p_value : float or None
        Of the joint model; the last is the likelihood ratio test of no effect at all.
    infinite : bool
        Whether a ratio of the joint model has no finite estimate.
    """

    covariates: tuple[CovariateRows, ...]
    constant: tuple[Variable, ...]
    n: int
    n_event: int
    n_coefficients: int
    n_all: int
    n_event_all: int
    n_undated: int
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
    rows: pd.DataFrame, variable: Variable, against: str | None
) -> tuple[pd.DataFrame, Comparison] | None:
    """Return the patients of two levels that the figure draws; None where there are no two."""
    sizes = rows[variable.name].value_counts()
    drawn = [level for level in variable.levels if sizes.get(level.value, 0) >= FEWEST_FOR_A_CURVE]
    if len(drawn) < 2:
        return None
    reference, *offered = drawn
    compared = next((level for level in offered if level.value == against), offered[0])
    pair = [reference.value, compared.value]
    rows = rows[rows[variable.name].isin(pair)].copy()
    rows[GROUP] = pd.Categorical(rows[variable.name], pair)
    return rows, Comparison(reference, compared, tuple(offered))


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
    columns = {v.name: _column(rows, v) for v in chosen}
    constant = tuple(v for v in chosen if columns[v.name].nunique() < 2)
    kept = [v for v in chosen if v not in constant]
    names = {v.name: f"x{i}" for i, v in enumerate(kept)}
    frame = rows[[TIME, EVENT]].assign(**{names[v.name]: columns[v.name] for v in kept})
    moved = [v for v in moving if v in kept]
    if moved:
        frame[_SWITCH] = since(rows, moved[0])
    fits = _Fits(frame, names, moved[0].name if moved else None)
    joint = fits.fit(list(names))
    penalised = fits.fit(list(names), firth=True) if firth else None
    return _models(fits, kept, constant, joint, penalised, int(undated.sum()))


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
class _Fits:
    """The covariates as columns, by name, and the one that changes while patients are followed."""

    frame: pd.DataFrame
    names: Mapping[str, str]
    moving: str | None

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


def _models(
    fits: _Fits,
    kept: Sequence[Variable],
    constant: tuple[Variable, ...],
    joint: Cox,
    penalised: Cox | None,
    n_undated: int,
) -> CoxModels:
    tests = joint.proportional_hazards().set_index("term")["p_value"]
    complete = fits.frame[list(fits.names.values())].notna().all(axis=1)
    covariates = tuple(_covariate(fits, v, joint, penalised, tests) for v in kept)
    ratio_test = joint.tests.set_index("test")["p_value"]["likelihood ratio"]
    return CoxModels(
        covariates=covariates,
        constant=constant,
        n=int(complete.sum()),
        n_event=joint.n_event,
        n_coefficients=int((joint.terms["reason"] != COLLINEAR).sum()),
        n_all=len(fits.frame),
        n_event_all=int((fits.frame[EVENT] == 1).sum()),
        n_undated=n_undated,
        concordance=joint.concordance if kept else None,
        proportional_p=_known(tests["GLOBAL"]),
        p_value=_known(ratio_test),
        infinite=bool((joint.terms["reason"] == INFINITE).any()),
    )


def _known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _covariate(
    fits: _Fits, variable: Variable, joint: Cox, penalised: Cox | None, tests: pd.Series
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


def _unit(variable: Variable, fits: _Fits) -> str:
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
