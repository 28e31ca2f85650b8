"""The questions that pages ask of a snapshot, each answered with a frame or a small value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from data.cohort import CohortFilter
from data.endpoints import ENDPOINTS
from data.store import Snapshot, query, records, sql_text
from data.variables import MISSING, Dictionary, Level, Variable, build_dictionary, quoted


@dataclass(frozen=True)
class Timepoint:
    """An MRD timepoint of a study: its variable, and the window in days from day 0."""

    label: str
    variable: str
    target_day: int
    first_day: int
    last_day: int


@dataclass(frozen=True)
class Study:
    """A study as its snapshot describes it.

    `remission_is_day_zero` tells that everybody was in remission when time starts: what counts from
    remission then counts from day 0.
    """

    study_id: str
    title: str
    citation: str
    doi: str
    day_zero_label: str
    default_endpoint: str
    synthetic: bool
    data_cutoff: str | None
    notes: str
    timepoints: tuple[Timepoint, ...]
    remission_is_day_zero: bool

    @property
    def name(self) -> str:
        """The title as every screen shows it: synthetic or real."""
        return f"{self.title} ({'synthetic' if self.synthetic else 'real'})"


@dataclass(frozen=True)
class Derivability:
    """Whether a study can give an endpoint.

    Attributes
    ----------
    code : str
    n_usable : int
    excluded : mapping of str to int
        Patients left out, by reason.
    refused_because : str or None
        Why the endpoint is not given at all.
    """

    code: str
    n_usable: int
    excluded: Mapping[str, int]
    refused_because: str | None


def study(snapshot: Snapshot) -> Study:
    """Return the study of a snapshot."""
    (fields,) = records(snapshot, "SELECT * FROM studies")
    windows = records(snapshot, "SELECT * EXCLUDE (position) FROM timepoints ORDER BY position")
    (days,) = records(snapshot, "SELECT bool_and(cr_day = 0) AS at_zero FROM outcomes")
    return Study(
        **fields,
        timepoints=tuple(Timepoint(**window) for window in windows),
        remission_is_day_zero=bool(days["at_zero"]),
    )


def dictionary(snapshot: Snapshot) -> Dictionary:
    """Return the dictionary of a snapshot: the variables that hold values, with their levels."""
    own = records(snapshot, "SELECT name, label, kind FROM own_variables ORDER BY label")
    labels = tuple(timepoint.label for timepoint in study(snapshot).timepoints)
    frame = query(snapshot, sql_text("query_subjects").replace("{selection}", "TRUE"))
    full = build_dictionary(
        labels,
        tuple(Variable(**variable) for variable in own),
        present=frozenset(str(column) for column in frame if frame[column].notna().any()),
    )
    later = "disease_status" in frame and (frame["disease_status"].dropna() != "CR1").any()
    variables = (_with_levels(variable, frame) for variable in full.values())
    return Dictionary(tuple(_in_any_remission(v) if later else v for v in variables))


def _in_any_remission(variable: Variable) -> Variable:
    """Word the levels of a study whose patients were not all in first remission."""
    levels = tuple(
        replace(
            level,
            **{
                part: getattr(level, part)
                .replace("CR1", "remission")
                .replace("first remission", "remission")
                for part in ("short", "name", "phrase")
            },
        )
        for level in variable.levels
    )
    return variable if variable.name == "disease_status" else replace(variable, levels=levels)


def _with_levels(variable: Variable, frame: pd.DataFrame) -> Variable:
    """Give a category the levels that its data hold, the most frequent first."""
    if variable.kind == "number":
        return variable
    if variable.kind == "boolean" and not variable.levels:
        label = variable.label
        levels = (
            Level("yes", "Yes", label, label),
            Level("no", "No", f"No {label}", f"no {label}"),
        )
        return replace(variable, levels=levels)
    if variable.levels:
        return variable
    values = frame[variable.name].dropna().astype(str).value_counts().index
    return replace(variable, levels=tuple(variable.level(value) for value in values))


def derivability(snapshot: Snapshot) -> tuple[Derivability, ...]:
    """Return for every endpoint, in printing order, whether the study can give it."""
    reasons = records(snapshot, sql_text("query_endpoint_exclusions"))
    rows = {row["endpoint"]: row for row in records(snapshot, "SELECT * FROM endpoints")}
    return tuple(
        Derivability(
            code,
            rows[code]["n_usable"],
            {row["reason"]: row["n"] for row in reasons if row["endpoint"] == code},
            rows[code]["refused_because"],
        )
        for code in ENDPOINTS
        if code in rows
    )


def subjects(snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary) -> pd.DataFrame:
    """Return the patients of a cohort: one row per patient, every variable, by patient_id."""
    where, parameters = cohort.where(variables)
    return query(snapshot, sql_text("query_subjects").replace("{selection}", where), parameters)


def size(snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary) -> int:
    """Return the number of patients in a cohort."""
    where, parameters = cohort.where(variables)
    text = sql_text("query_size").replace("{selection}", where)
    return int(records(snapshot, text, parameters)[0]["n"])


def level_counts(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    names: Sequence[str],
) -> dict[str, dict[str, int]]:
    """Return for each variable the patients per level, given every condition but its own.

    That is what a filter button has to say: how many there would be with this level chosen.
    """
    texts, parameters = [], dict[str, object]()
    for name in names:
        where, values = cohort.without(name).where(variables)
        template = sql_text("query_level_counts").replace("{name}", name)
        texts.append(
            template.replace("{level}", variables[name].level_sql).replace("{selection}", where)
        )
        parameters |= values | {f"variable_{name}": name}
    counts = dict[str, dict[str, int]]({name: {} for name in names})
    if texts:
        for row in records(snapshot, "\nUNION ALL\n".join(texts), parameters):
            counts[row["variable"]][row["level"]] = row["n"]
    return counts


def levels_of_endpoint(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, endpoint: str, by: str
) -> dict[str, int]:
    """Return how many patients of a cohort have each level, of those in an endpoint."""
    where, parameters = cohort.where(variables)
    text = sql_text("query_levels_of_endpoint").replace("{level}", variables[by].level_sql)
    rows = records(
        snapshot, text.replace("{selection}", where), {**parameters, "endpoint": endpoint}
    )
    return {row["level"]: row["n"] for row in rows}


def attrition(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary
) -> list[tuple[str, int]]:
    """Return the whole study and then, condition by condition, who is left: words and number."""
    steps, so_far = [("Whole study", size(snapshot, CohortFilter(), variables))], CohortFilter()
    for name, words in cohort.phrases(variables).items():
        so_far = so_far.with_(name, cohort.get(name))
        steps.append((words, size(snapshot, so_far, variables)))
    return steps


def disposition(snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary) -> pd.DataFrame:
    """Return the cohort by final state (columns disposition, allosct, car_t, n)."""
    where, parameters = cohort.where(variables)
    return query(snapshot, sql_text("query_disposition").replace("{selection}", where), parameters)


def events(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the event table of an endpoint, counted in DuckDB.

    Parameters
    ----------
    by : sequence of str
        Grouping variables. Patients without a level, and those of levels that the field leaves out of
        comparisons (MRD below LOD), are not in it.

    Returns
    -------
    pandas.DataFrame
        The columns of `by`, time (days from the endpoint's origin), n_event, n_competing, n_censored.
    """
    return _grouped(snapshot, cohort, variables, "query_events", by, {"endpoint": endpoint})


def event_rows(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: str | None,
    landmark_days: int,
) -> pd.DataFrame:
    """Return one row per patient, for a landmark: the group as known then, and since when.

    Returns
    -------
    pandas.DataFrame
        patient_id, the column `by`, time and event, and known_day: the day from the endpoint's origin
        on which the group, and whatever else the cohort was selected by, is known (NaN: at baseline).
        For a variable that changes from a day on, such as a transplant, the group is what was true on
        the landmark day and is known to everybody; `later` is True for those who change after it, and
        `undated` for those of whom nobody knows when they did.
    """
    later, undated, group = "FALSE", "FALSE", ""
    if by:
        variable = variables[by]
        group = f"{variable.level_sql} AS {variable.column}, "
        if variable.known == "from a day on" and variable.day_column:
            day = f"subjects.{quoted(variable.day_column)} - t.origin_day"
            group = f"if({day} <= $landmark, 'yes', 'no') AS {variable.column}, "
            later = f"coalesce({day} > $landmark, FALSE)"
            undated = f"{variable.column} = 'yes' AND {day} IS NULL"
    days = [
        f"subjects.{quoted(str(variables[name].day_column))} - t.origin_day"
        for name in dict.fromkeys([*([by] if by else []), *(name for name, _ in cohort)])
        if variables[name].known == "at a day"
    ]
    known = f"greatest({', '.join(days)})" if days else "NULL::INTEGER"
    groups = f"patient_id, {group}{known} AS known_day, {later} AS later, {undated} AS undated, "
    where, parameters = _comparable(cohort, variables, (by,) if by else ())
    text = sql_text("query_event_rows").replace("{groups}", groups).replace("{selection}", where)
    return query(snapshot, text, parameters | {"endpoint": endpoint, "landmark": landmark_days})


def mrd_by_timepoint(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, by: Sequence[str] = ()
) -> pd.DataFrame:
    """Return one row per patient and timepoint: status, level, sample day, and the columns of `by`."""
    return _grouped(snapshot, cohort, variables, "query_mrd_by_timepoint", by, {})


def exclusions(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, endpoint: str
) -> dict[str, int]:
    """Return the patients of a cohort for whom the endpoint cannot be given, by reason."""
    where, parameters = cohort.where(variables)
    text = sql_text("query_exclusions").replace("{selection}", where)
    rows = records(snapshot, text, parameters | {"endpoint": endpoint})
    return {row["reason"]: row["n"] for row in rows}


def _grouped(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    name: str,
    by: Sequence[str],
    parameters: Mapping[str, object],
) -> pd.DataFrame:
    groups = "".join(f"{variables[b].level_sql} AS {variables[b].column}, " for b in by)
    where, values = _comparable(cohort, variables, by)
    text = sql_text(name).replace("{groups}", groups).replace("{selection}", where)
    return query(snapshot, text, {**values, **parameters})


def _comparable(
    cohort: CohortFilter, variables: Dictionary, by: Iterable[str]
) -> tuple[str, dict[str, object]]:
    """Return the SQL selection of those of a cohort who have a level to compare in each of `by`."""
    where, parameters = cohort.where(variables)
    for name in by:
        variable = variables[name]
        if variable.compared:
            where += f" AND list_contains($compared_{name}, {variable.level_sql})"
            parameters[f"compared_{name}"] = list(variable.compared)
        else:
            where += f" AND {variable.level_sql} <> '{MISSING}'"
    return where, parameters


def import_problems(snapshot: Snapshot) -> pd.DataFrame:
    """Return what the import found: columns severity, file, row, column, problem, remedy."""
    return query(snapshot, "SELECT * FROM import_problems ORDER BY ALL")
