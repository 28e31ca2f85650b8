"""The questions that pages ask of a snapshot, each answered with a frame or a small value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from data.assays import AssayPair, assay_pairs
from data.cohort import CohortFilter, Compared, with_comparison
from data.endpoints import ENDPOINTS
from data.store import Snapshot, query, records, sql_text
from data.variables import (
    MISSING,
    Dictionary,
    Level,
    Variable,
    build_dictionary,
    quoted,
)


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
    """A study as its snapshot describes it."""

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
    from_day_zero : bool
        Whether everybody's time starts on day 0: also of RFS, where a study brings it so or where all
        were in remission then.
    """

    code: str
    n_usable: int
    excluded: Mapping[str, int]
    refused_because: str | None
    from_day_zero: bool = False


def study(snapshot: Snapshot) -> Study:
    """Return the study of a snapshot."""
    (fields,) = records(snapshot, "SELECT * FROM studies")
    windows = records(snapshot, "SELECT * EXCLUDE (position) FROM timepoints ORDER BY position")
    return Study(
        **fields,
        timepoints=tuple(Timepoint(**window) for window in windows),
    )


def dictionary(snapshot: Snapshot) -> Dictionary:
    """Return the dictionary of a snapshot: the variables that hold values, with their levels."""
    own = records(snapshot, "SELECT name, label, kind FROM own_variables ORDER BY label")
    labels = tuple(timepoint.label for timepoint in study(snapshot).timepoints)
    present = _with_values(snapshot)
    full = build_dictionary(
        labels, tuple(Variable(**variable) for variable in own), present=present
    )
    open_ended = [v for v in full.values() if v.kind == "category" and not v.levels]
    values = _values(snapshot, open_ended)
    later = any(value != "CR1" for value in values.get("disease_status", ()))
    variables = [_with_levels(variable, values) for variable in full.values()]
    # Before the outcome, which stands last.
    variables[-1:-1] = [pair.variable() for pair in assay_pairs(snapshot)]
    worded = tuple(_in_any_remission(v) if later else v for v in variables)
    assays = tuple(row["assay"] for row in records(snapshot, sql_text("query_assays_of_study")))
    whole, compared = Dictionary(worded, assays), snapshot.compared
    return with_comparison(whole, compared.a, compared.b) if compared else whole


def comparing(
    snapshot: Snapshot, a: CohortFilter, b: CohortFilter, variables: Dictionary
) -> Snapshot:
    """Return the snapshot with two cohorts to compare: patients then have the variable `cohorts`.

    Each cohort is selected under the MRD rule with which it was saved.
    """
    in_a, in_b = (
        frozenset(subjects(snapshot, cohort, variables)["patient_id"]) for cohort in (a, b)
    )
    return replace(snapshot, compared=Compared(a, b, in_a, in_b))


def in_both(snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary) -> int:
    """Return how many patients of a selection are in both of the cohorts compared."""
    if snapshot.compared is None:
        return 0
    both = snapshot.compared.in_a & snapshot.compared.in_b
    return int(subjects(snapshot, cohort, variables)["patient_id"].isin(both).sum())


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


def _with_levels(variable: Variable, values: Mapping[str, Sequence[str]]) -> Variable:
    """Give a category the levels that its data hold."""
    if variable.kind == "number":
        return variable
    if variable.kind == "boolean" and not variable.levels:
        label = variable.label
        levels = (
            Level("no", "No", f"No {label}", f"no {label}"),
            Level("yes", "Yes", label, label),
        )
        return replace(variable, levels=levels)
    if variable.levels:
        return variable
    found = tuple(variable.level(value) for value in values.get(variable.name, ()))
    return replace(variable, levels=found)


def _with_values(snapshot: Snapshot) -> frozenset[str]:
    """Return the columns of `subjects` that hold a value."""
    columns = query(snapshot, _subjects_sql("FALSE")).columns
    counts = {str(name): f"count({quoted(str(name))})" for name in columns}
    known = _aggregates(snapshot, CohortFilter(), Dictionary(()), counts).iloc[0]
    return frozenset(name for name in counts if known[name])


def _values(snapshot: Snapshot, variables: Sequence[Variable]) -> dict[str, list[str]]:
    """Return the values of categories, the most frequent first, of equally many the first seen."""
    texts, parameters = [], dict[str, object]()
    found = dict[str, list[str]]({variable.name: [] for variable in variables})
    for variable in variables:
        template = sql_text("query_values").replace("{column}", variable.column)
        texts.append(template.replace("{name}", variable.name))
        parameters[f"variable_{variable.name}"] = variable.name
    if texts:
        rows = records(snapshot, "\nUNION ALL\n".join(texts), parameters)
        for row in sorted(rows, key=lambda row: (-row["n"], row["first"])):
            found[row["variable"]].append(str(row["value"]))
    return found


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
            rows[code]["from_day_zero"],
        )
        for code in ENDPOINTS
        if code in rows
    )


def subjects(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, most: int | None = None
) -> pd.DataFrame:
    """Return the patients of a cohort: one row per patient, every variable, by patient_id.

    Parameters
    ----------
    most : int, optional
        Only so many, the first; all by default.
    """
    where, parameters = cohort.where(variables)
    limit = "" if most is None else "LIMIT $most"
    return query(snapshot, _subjects_sql(where, variables, limit), {**parameters, "most": most})


def _subjects_sql(
    where: str, variables: Mapping[str, Variable] | None = None, limit: str = ""
) -> str:
    derived = (v for v in (variables or {}).values() if v.expression)
    expressions = "".join(f", {v.expression} AS {v.column}" for v in derived)
    text = sql_text("query_subjects").replace("{selection}", where).replace("{limit}", limit)
    return text.replace("{expressions}", expressions)


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


def _aggregates(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    aggregates: Mapping[str, str],
    groups: Mapping[str, str] | None = None,
    no_value: Sequence[str] = (),
) -> pd.DataFrame:
    """Return one row per group of a cohort, with what is counted in it: SQL texts by column."""
    where, parameters = cohort.where(variables)
    columns = {**(groups or {}), **aggregates}
    listed = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
    text = sql_text("query_aggregates").replace("{columns}", listed)
    parameters["levels_of_no_value"] = list(no_value)
    return query(snapshot, text.replace("{selection}", where), parameters)


# No variable begins with an underscore, so that this clashes with none.
N = "_n"
"""The column with the number of patients that a row stands for."""
_PATIENTS = {N: "CAST(count(*) AS INTEGER)"}


def _value_sql(variable: Variable, no_value: Sequence[str] = ()) -> str:
    """Return the SQL text of a variable's value, NULL where there is none or it has a level of none."""
    value = variable.expression or variable.column
    if variable.kind == "category" and no_value:
        return f"CASE WHEN NOT list_contains($levels_of_no_value, {value}) THEN {value} END"
    return value


def combinations(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, names: Sequence[str]
) -> pd.DataFrame:
    """Return how many patients of a cohort have each combination of levels: `names`, _n.

    Only combinations that occur; who has no value has the level 'missing'.
    """
    groups = {name: variables[name].level_sql for name in names}
    return _aggregates(snapshot, cohort, variables, _PATIENTS, groups)


def values(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, name: str, by: str | None
) -> pd.DataFrame:
    """Return how many patients of a cohort have each value of a variable: value, _n, and _group.

    The value is as stored and missing where there is none; _group is the level of `by`, '' without.
    """
    group = variables[by].level_sql if by else "''"
    groups = {"_group": group, "value": _value_sql(variables[name])}
    return _aggregates(snapshot, cohort, variables, _PATIENTS, groups)


def days(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, column: str, since: str = ""
) -> pd.DataFrame:
    """Return how many patients have each day of a column of `subjects`: day, _n, by day.

    Parameters
    ----------
    since : str
        The column of the day from which is counted; day 0 without.
    """
    day = quoted(column) + (f" - {quoted(since)}" if since else "")
    found = _aggregates(snapshot, cohort, variables, _PATIENTS, {"day": day})
    return found[found["day"].notna()].astype({"day": "float64"})


@dataclass(frozen=True)
class Span:
    """The values of a number: the smallest and the largest, NaN without any; whether all are whole."""

    low: float
    high: float
    whole: bool


def span(snapshot: Snapshot, column: str) -> Span:
    """Return the span of a numeric column of `subjects` in a study."""
    name = quoted(column)
    ends = {
        "low": f"CAST(min({name}) AS DOUBLE)",
        "high": f"CAST(max({name}) AS DOUBLE)",
        "fractions": f"count(CASE WHEN {name} <> floor({name}) THEN 1 END)",
    }
    row = _aggregates(snapshot, CohortFilter(), Dictionary(()), ends).iloc[0]
    return Span(float(row["low"]), float(row["high"]), not row["fractions"])


def varying(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    among: str | None = None,
    ignored: str | None = None,
) -> frozenset[str]:
    """Return the variables with more than one value in a cohort.

    Parameters
    ----------
    among : str, optional
        Only patients with a value of this variable count.
    ignored : str, optional
        A level that is no value.
    """
    no_value = () if ignored is None else (ignored,)
    # The smallest and the largest value say so without counting the others.
    ends = dict[str, str]()
    for variable in variables.values():
        value = _value_sql(variable, no_value)
        if among is not None:
            value = f"CASE WHEN {_value_sql(variables[among])} IS NOT NULL THEN {value} END"
        ends |= {f"low_{variable.name}": f"min({value})", f"high_{variable.name}": f"max({value})"}
    row = _aggregates(snapshot, cohort, variables, ends, no_value=no_value).iloc[0]
    return frozenset(
        name
        for name in variables
        if not pd.isna(row[f"low_{name}"]) and row[f"low_{name}"] != row[f"high_{name}"]
    )


def known(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    names: Sequence[str] | None = None,
    by: str | None = None,
    unknown: Sequence[str] = (),
) -> pd.DataFrame:
    """Return how many patients of a cohort have a value of each variable.

    Parameters
    ----------
    names : sequence of str, optional
        Which variables; all by default.
    by : str, optional
        A variable that groups; who has no value of it has the level 'missing'.
    unknown : sequence of str
        Levels that are no value.

    Returns
    -------
    pandas.DataFrame
        One row per level of `by`, or one without: _group, _n, and one column per variable.
    """
    group = {"_group": variables[by].level_sql} if by else None
    counts = {
        name: f"CAST(count({_value_sql(variables[name], unknown)}) AS INTEGER)"
        for name in (variables if names is None else names)
    }
    found = _aggregates(snapshot, cohort, variables, {**_PATIENTS, **counts}, group, unknown)
    return found if by else found.assign(_group="")


def attrition(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary
) -> list[tuple[str, int]]:
    """Return the whole study and then, condition by condition, who is left: words and number."""
    steps, so_far = [("Whole study", size(snapshot, CohortFilter(), variables))], cohort.everybody()
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


def counted(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """Return everybody of a cohort in an endpoint, counted: `events` and `exclusions` in one question.

    Returns
    -------
    pandas.DataFrame
        The columns of `by`, with every level; time (NaN where the endpoint cannot be given), reason
        (missing where it can), n_event, n_competing, n_censored, _n.
    """
    where, parameters = cohort.where(variables)
    groups = "".join(f"{variables[name].level_sql} AS {variables[name].column}, " for name in by)
    text = sql_text("query_counted").replace("{groups}", groups).replace("{selection}", where)
    return query(snapshot, text, parameters | {"endpoint": endpoint})


def event_rows(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: Sequence[str] = (),
    landmark_days: int,
) -> pd.DataFrame:
    """Return one row per patient, for a landmark: the groups as known then, and since when.

    Returns
    -------
    pandas.DataFrame
        patient_id, the columns of `by`, time and event, and known_day: the day from the endpoint's
        origin on which the groups, and whatever else the cohort was selected by, are known (NaN: at
        baseline). For a variable that changes from a day on, such as a transplant, the group is what
        was true on the landmark day and is known to everybody; switch_day is the day of the change
        (the last, of several variables; NaN: never), and `undated` is True where nobody knows it.
    """
    rows, parameters = _landmark_rows(cohort, variables, endpoint, by, landmark_days)
    return query(snapshot, sql_text("query_event_rows").replace("{rows}", rows), parameters)


def landmark_counts(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: Sequence[str] = (),
    landmark_days: int,
) -> pd.DataFrame:
    """Return `event_rows` counted: one row, with their number _n, for all patients alike.

    Of the days only their place beside the landmark is kept: known_day is the day after it (NaN: no
    later than it), switch_day the landmark or the day after it (NaN: never), and first_switch is the first
    day of change itself.
    """
    rows, parameters = _landmark_rows(cohort, variables, endpoint, by, landmark_days)
    groups = "".join(f"{variables[name].column}, " for name in by)
    text = sql_text("query_landmark").replace("{groups}", groups).replace("{rows}", rows)
    return query(snapshot, text, parameters)


def landmark_excluded(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    by: Sequence[str] = (),
    landmark_days: int,
    most: int,
) -> pd.DataFrame:
    """Return the first patients whom a landmark leaves out: patient_id, time, event, known_day."""
    rows, parameters = _landmark_rows(cohort, variables, endpoint, by, landmark_days)
    text = sql_text("query_landmark_excluded").replace("{rows}", rows)
    return query(snapshot, text, {**parameters, "most": most})


def _landmark_rows(
    cohort: CohortFilter,
    variables: Dictionary,
    endpoint: str,
    by: Sequence[str],
    landmark_days: int,
) -> tuple[str, dict[str, object]]:
    """Return the SQL text of one row per patient for a landmark, and its parameters."""
    groups, changes, undated = "", list[str](), list[str]()
    for variable in (variables[name] for name in by):
        level = variable.level_sql
        if variable.known == "from a day on" and variable.day_column:
            day = _day_sql(variable)
            level = f"if({day} <= $landmark, 'yes', 'no')"
            changes.append(day)
            undated.append(f"({variable.column} = 'yes' AND {day} IS NULL)")
        groups += f"{level} AS {variable.column}, "
    known = _known_sql(variables, [*by, *(name for name, _ in cohort)])
    groups = (
        f"subjects.patient_id, {groups}{known} AS known_day, "
        f"{_latest_sql(changes)} AS switch_day, {' OR '.join(undated) or 'FALSE'} AS undated, "
    )
    where, parameters = _comparable(cohort, variables, by)
    text = sql_text("part_event_rows").replace("{groups}", groups).replace("{selection}", where)
    return text, parameters | {"endpoint": endpoint, "landmark": landmark_days}


def _day_sql(variable: Variable) -> str:
    """Return the SQL text of the day on which a variable is known, from the endpoint's origin."""
    day = variable.day_expression or f"subjects.{quoted(str(variable.day_column))}"
    return f"{day} - t.origin_day"


def _known_sql(variables: Dictionary, names: Iterable[str]) -> str:
    """Return the SQL text of the day on which what some variables tell is known."""
    deciding = variables.deciding(names)
    return _latest_sql([_day_sql(each) for each in deciding if each.known == "at a day"])


def _latest_sql(days: Sequence[str]) -> str:
    """Return the SQL text of the last of some days, those that are missing apart."""
    return f"greatest({', '.join(days)})" if days else "NULL::INTEGER"


def mrd_by_timepoint(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    by: Sequence[str] = (),
    most: int | None = None,
) -> pd.DataFrame:
    """Return one row per patient and timepoint: status, level, sample day, and the columns of `by`.

    Parameters
    ----------
    most : int, optional
        Only of so many patients, the first by identifier; of all by default.
    """
    name = "query_mrd_by_timepoint" + ("" if most is None else "_of_some")
    return _grouped(snapshot, cohort, variables, name, by, {"most": most})


@dataclass(frozen=True)
class Undrawn:
    """Whose course can be drawn from first remission on, and whose not.

    Attributes
    ----------
    n_lanes : int
        Patients with a dated remission and follow-up.
    n_without_remission : int
        All others.
    n_undated : int
        Of the former, those with a transplant whose day nobody knows.
    """

    n_lanes: int
    n_without_remission: int
    n_undated: int


_LANE = "cr_day IS NOT NULL AND follow_up_days IS NOT NULL"


def without_lane(snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary) -> Undrawn:
    """Return how many patients of a cohort have a course from first remission on."""
    undated = f"{_LANE} AND allosct = 'yes' AND allosct_day IS NULL"
    counts = {
        "n_lanes": f"count(CASE WHEN {_LANE} THEN 1 END)",
        "n_undated": f"count(CASE WHEN {undated} THEN 1 END)",
    }
    row = _aggregates(snapshot, cohort, variables, {**_PATIENTS, **counts}).iloc[0]
    n_lanes = int(row["n_lanes"])
    return Undrawn(n_lanes, int(row[N]) - n_lanes, int(row["n_undated"]))


def lanes(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    transplanted_first: bool,
    most: int,
) -> pd.DataFrame:
    """Return the courses of a cohort from first remission on, the longest first, at most so many.

    Parameters
    ----------
    transplanted_first : bool
        Whether those with a dated transplant come before the others.

    Returns
    -------
    pandas.DataFrame
        patient_id, risk_group, cr_day, follow_up_days, allosct_day, car_t_day, relapse_day, death_day.
    """
    where, parameters = cohort.where(variables)
    text = sql_text("query_lanes").replace("{selection}", where)
    asked = {"transplanted_first": transplanted_first, "most": most}
    return query(snapshot, text, {**parameters, **asked})


def samples_of(snapshot: Snapshot, cohort: CohortFilter, patients: Sequence[str]) -> pd.DataFrame:
    """Return the samples that stand for a timepoint in some patients; MRD by the rule of the cohort.

    Returns
    -------
    pandas.DataFrame
        patient_id, sample_day, status, cr_day; by timepoint and patient.
    """
    _, parameters = cohort.everybody().where()
    return query(
        snapshot, sql_text("query_samples_of_some"), {**parameters, "patients": list(patients)}
    )


def assays_of_samples(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary
) -> tuple[str, ...]:
    """Return the assays of the samples that stand for the timepoints of a cohort."""
    where, parameters = cohort.where(variables)
    text = sql_text("query_assays_of_samples").replace("{selection}", where)
    return tuple(row["assay"] for row in records(snapshot, text, parameters))


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


@dataclass(frozen=True, eq=False)
class Patient:
    """What happened to one patient, in days from day 0.

    Attributes
    ----------
    course : dict
        cr_day, relapse_day, relapse_site, death_day, death_cause, last_follow_up_day, and
        cr_achieved, relapsed, died, which hold even where the day is missing. None is not known.
    treatments : pandas.DataFrame
        One row per course: kind, name, start_day, end_day, cycle.
    samples : pandas.DataFrame
        One row per MRD sample: day, assay, material, target, mrd_fraction, lod_fraction, call, and
        the timepoint that it stands for with the status there.
    """

    course: dict[str, Any]
    treatments: pd.DataFrame
    samples: pd.DataFrame


def patient(snapshot: Snapshot, cohort: CohortFilter, patient_id: str) -> Patient:
    """Return the course of one patient; MRD by the rule of the cohort.

    Raises
    ------
    KeyError
        If the snapshot has no such patient; the message does not repeat the identifier.
    """
    _, parameters = cohort.everybody().where()
    one = parameters | {"patient_id": patient_id}
    rows = records(snapshot, sql_text("query_patient_course"), one)
    if not rows:
        raise KeyError("no such patient in this snapshot")
    return Patient(
        rows[0],
        query(snapshot, sql_text("query_patient_treatments"), one),
        query(snapshot, sql_text("query_patient_samples"), one),
    )


def switch_rows(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, endpoint: str, name: str
) -> pd.DataFrame:
    """Return one row per patient, for a group that patients join while followed.

    Parameters
    ----------
    name : str
        A variable that is known from a day on, such as the transplant.

    Returns
    -------
    pandas.DataFrame
        patient_id, time and event; switch, the day of the change (NaN: never); undated, whether there
        was one whose day nobody knows; known_day, the day on which whatever the cohort was selected by is
        known (NaN: at baseline); age_years and risk_group (missing where unknown). Days count from the
        endpoint's origin.
    """
    rows, parameters = _switch_rows(cohort, variables, endpoint, name)
    return query(snapshot, sql_text("query_event_rows").replace("{rows}", rows), parameters)


def switch_counts(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, endpoint: str, name: str
) -> pd.DataFrame:
    """Return `switch_rows` counted: undated, switched (ever), time, event, n_late, n_never, _n.

    n_late are those of them who changed on their last day or later, n_never those who left before
    known_day.
    """
    rows, parameters = _switch_rows(cohort, variables, endpoint, name)
    text = sql_text("query_switch_counts").replace("{rows}", rows)
    return query(snapshot, text, parameters)


def switch_intervals(
    snapshot: Snapshot,
    cohort: CohortFilter,
    variables: Dictionary,
    *,
    endpoint: str,
    name: str,
    start: int = 0,
    late_entry: bool = True,
) -> pd.DataFrame:
    """Return the event table of `switch_rows`, split where the group changes.

    Parameters
    ----------
    start : int
        Day on which observation starts, among those followed beyond it.
    late_entry : bool
        Whether those whose known_day is later come under observation then; left out otherwise.

    Returns
    -------
    pandas.DataFrame
        switched, time, n_event, n_competing, n_censored, n_entry. Patients are never among those with
        an undated change.
    """
    rows, parameters = _switch_rows(cohort, variables, endpoint, name)
    text = sql_text("query_switch_intervals").replace("{rows}", rows)
    found = query(snapshot, text, parameters | {"start": start, "late_entry": late_entry})
    return found.astype(dict.fromkeys(found.columns.drop("switched"), "int64"))


def switch_covariates(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, endpoint: str, name: str
) -> pd.DataFrame:
    """Return `switch_rows` with a date counted: age_years, risk_group, entry, time, event, switch, _n.

    entry is known_day, 0 at baseline; risk_group is a category. In no order; of very many patients nearly
    as many rows, which is why the levels come as numbers.
    """
    rows, parameters = _switch_rows(cohort, variables, endpoint, name)
    known = variables["risk_group"].levels if "risk_group" in variables else ()
    levels = sorted(level.value for level in known)
    numbered = "".join(f" WHEN $level_{i} THEN {i}" for i in range(len(levels)))
    text = (
        sql_text("query_switch_covariates")
        .replace("{risk_group}", f"CASE risk_group{numbered} END" if levels else "NULL::INTEGER")
        .replace("{rows}", rows)
    )
    values = {f"level_{i}": level for i, level in enumerate(levels)}
    found = query(snapshot, text, parameters | values)
    codes = found["risk_group"].fillna(-1).astype("int64")
    return found.assign(
        risk_group=pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(levels))
    )


def switch_incidence(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, endpoint: str, name: str
) -> pd.DataFrame:
    """Return what came first in `switch_rows` with a date, counted: time, event, _n.

    event is 1 for the change, 2 for the endpoint's event before any, 0 for neither.
    """
    rows, parameters = _switch_rows(cohort, variables, endpoint, name)
    text = sql_text("query_switch_incidence").replace("{rows}", rows)
    return query(snapshot, text, parameters)


def _switch_rows(
    cohort: CohortFilter, variables: Dictionary, endpoint: str, name: str
) -> tuple[str, dict[str, object]]:
    """Return the SQL text of `switch_rows` without their order, and its parameters."""
    variable = variables[name]
    switch = f"({_day_sql(variable)})"
    groups = (
        f"subjects.patient_id, {switch} AS switch, "
        f"{variable.level_sql} = 'yes' AND {switch} IS NULL AS undated, "
        f"{_known_sql(variables, (each for each, _ in cohort))} AS known_day, "
        "subjects.age_years, nullif(subjects.risk_group, 'unknown') AS risk_group, "
    )
    where, parameters = cohort.where(variables)
    text = sql_text("part_event_rows").replace("{groups}", groups).replace("{selection}", where)
    return text, parameters | {"endpoint": endpoint}


def assays_of_cohort(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, pair: AssayPair
) -> pd.DataFrame:
    """Return one row per patient: status and day by each of two assays, and how they agree.

    Returns
    -------
    pandas.DataFrame
        patient_id, first_status, second_status (missing without a sample), first_day, second_day,
        agreement (missing unless both are evaluable).
    """
    where, parameters = cohort.where(variables)
    text = sql_text("query_assay_pair_of_cohort").replace("{assays}", pair.sql)
    return query(snapshot, text.replace("{selection}", where), parameters)


def model_rows(
    snapshot: Snapshot, cohort: CohortFilter, variables: Dictionary, *, endpoint: str
) -> pd.DataFrame:
    """Return one row per patient of a cohort with an endpoint, for a model of several variables.

    Returns
    -------
    pandas.DataFrame
        patient_id; every variable, a number as it is and others as their level, 'missing' where there
        is none; _since_NAME, the day from the endpoint's origin on which the variable NAME is known or
        changes, of those that have one; _time and _event.
    """
    columns = ""
    for variable in variables.values():
        value = variable.column if variable.kind == "number" else variable.level_sql
        columns += f"{value} AS {variable.column}, "
        if variable.day_column:
            columns += f'{_day_sql(variable)} AS "_since_{variable.name}", '
    where, parameters = cohort.where(variables)
    text = sql_text("query_model_rows").replace("{columns}", columns).replace("{selection}", where)
    return query(snapshot, text, parameters | {"endpoint": endpoint})
