"""Checks across rows and tables: keys, orphans, impossible orders, conflicts."""

from __future__ import annotations

import calendar
import datetime
import re
from typing import Any

import numpy as np
import pandas as pd

from data.importing.check_columns import check_columns
from data.importing.check_endpoints import check_endpoints
from data.importing.check_samples import check_samples
from data.importing.findings import Findings, at, shown, true
from data.importing.problems import Problem
from data.importing.read import Tables
from data.importing.tables import STORED, usual_day

_KEYS = {
    "patients": ["patient_id"],
    "outcomes": ["patient_id"],
    "given_endpoints": ["patient_id", "endpoint"],
}
"""What no two rows of a table share."""

_FEATURES = ("hypodiploid", "complex_karyotype", "kmt2a_rearranged", "ph_like", "tp53_mutated")

_ORDERS: tuple[tuple[str, str, str], ...] = (
    ("cr_day", "relapse_day", "A relapse comes after the first remission."),
    ("relapse_day", "death_day", "A death comes after the relapse."),
    ("cr_day", "death_day", "A death comes after the remission."),
    ("relapse_day", "last_follow_up_day", "The last follow-up is not before the relapse."),
    ("cr_day", "last_follow_up_day", "The last follow-up is not before the remission."),
    ("last_follow_up_day", "death_day", "Nobody is seen after the death."),
)

_EVENTS = (
    ("cr_achieved", "cr_day", "remission", None),
    ("relapsed", "relapse_day", "relapse", "relapse_site"),
    ("died", "death_day", "death", "death_cause"),
)
"""Whether an event happened, its day, its name, and what is only said of it if it did."""

_PH_IN_WORDS = re.compile(r"9;22|bcr[:/-]*abl|philadelphia|\bph\+|\bph[- ]?pos", re.IGNORECASE)
_DENIED = re.compile(r"\b(no|not|neg\w*|without|absent|ohne|kein\w*)\b|like", re.IGNORECASE)

_WHICH = "Check which of the two is right."
_LONG_AFTER_CUTOFF = 31
_LINEAGE = re.compile(r"([BT])(?![A-Za-z])")


def check(tables: Tables) -> list[Problem]:
    """Return every problem between the rows of a study that was read.

    Parameters
    ----------
    tables : Tables
        As `data.importing.read` returns it, possibly with columns missing.
    """
    found = Findings(tables)
    for name in STORED:
        _repeated(found, name)
        _orphans(found, name)
    _orders(found)
    _events(found)
    _after_death(found)
    _without_outcome(found)
    _after_cutoff(found)
    _lineage(found)
    _conflicts(found)
    _risk_groups(found)
    _courses(found)
    check_samples(found)
    check_endpoints(found)
    check_columns(found)
    return found.problems


def _repeated(found: Findings, table: str) -> None:
    """Two rows of one patient in a table that has one row per patient."""
    key, frame = _KEYS.get(table, []), found[table]
    if not key or not {*key} <= {*frame.columns}:
        return
    sheets = {name: found.tables.place(name)[0] for name in ("patients", "outcomes")}
    if sheets["patients"] == sheets["outcomes"]:
        # A sheet with one row per patient feeds both tables: one finding for its row is enough.
        if table == "outcomes":
            return
        if table == "patients" and frame.index.equals(found["outcomes"].index):
            frame = pd.concat([frame, found["outcomes"].drop(columns="patient_id")], axis=1)
    repeated = frame.duplicated(key).to_numpy() & frame["patient_id"].notna().to_numpy()
    if not repeated.any():
        return
    groups = frame.groupby(key, observed=True, sort=False).ngroup().to_numpy()
    _, firsts = np.unique(groups[groups >= 0], return_index=True)
    first = np.flatnonzero(groups >= 0)[firsts]

    def said(positions: np.ndarray[Any, Any]) -> list[str]:
        return [_against(found, frame, int(p), int(first[groups[p]])) for p in positions]

    what, remedy = "the patient stands already in an earlier row.", "Keep one of them."
    found.rows("fatal", table, "patient_id", repeated, what, remedy, each=said)


def _against(found: Findings, frame: pd.DataFrame, row: int, first: int) -> str:
    differ = [str(c) for c in frame if shown(frame[c].iat[row]) != shown(frame[c].iat[first])]
    names = [found.name("patients" if c in found["patients"] else "outcomes", c) for c in differ]
    values = f"with other values of {', '.join(names)}" if differ else "with the same values"
    return f"the patient stands already in row {frame.index[first]}, {values}."


def _orphans(found: Findings, table: str) -> None:
    if table == "patients" or not (found.has(table) and "patient_id" in found["patients"]):
        return
    rows = (found.patient(table) < 0) & found[table]["patient_id"].notna().to_numpy()
    what = f"no such patient in {found.tables.place('patients')[0]}."
    remedy = "Add the patient or remove the row."
    found.rows("fatal", table, "patient_id", rows, what, remedy)


def _orders(found: Findings) -> None:
    outcomes = found["outcomes"]
    for earlier, later, rule in _ORDERS:
        if not found.has("outcomes", earlier, later):
            continue
        wrong = outcomes[later] < outcomes[earlier]
        # On the day of remission there is no relapse either: it would be a relapse-free time of 0.
        if (earlier, later) == ("cr_day", "relapse_day"):
            wrong |= outcomes[later] == outcomes[earlier]
        name = found.name("outcomes", earlier)
        what = f"{found.name('outcomes', later)} is not after {name}."
        remedy, beside = f"{rule} Correct one of them.", [(name, outcomes[earlier])]
        found.rows("fatal", "outcomes", later, wrong, what, remedy, beside=beside)


def _events(found: Findings) -> None:
    """Events without a day, days of events that did not happen, details of such events."""
    outcomes = found["outcomes"]
    for happened, day, event, detail in _EVENTS:
        if found.has("outcomes", happened):
            undated = outcomes[happened]
            if day in outcomes:
                undated = undated & outcomes[day].isna()
                what = f"it says that there was no {event}, and there is a day of it."
                rows, remedy = ~outcomes[happened] & outcomes[day].notna(), "Correct one of them."
                beside = [(found.name("outcomes", day), outcomes[day])]
                found.rows("warning", "outcomes", happened, rows, what, remedy, beside=beside)
            what = f"a {event} whose day is not known: time to it cannot be given."
            found.rows(
                "warning", "outcomes", happened, undated, what, "Add the day if it is known."
            )
        if detail and found.has("outcomes", detail) and (happened in outcomes or day in outcomes):
            none = pd.Series(True, index=outcomes.index)
            if day in outcomes:
                none &= outcomes[day].isna()
            if happened in outcomes:
                none &= ~outcomes[happened].fillna(False)
            what = f"this is said of a {event}, and there was none."
            rows = none & outcomes[detail].notna()
            found.rows("warning", "outcomes", detail, rows, what, "Add the event or its day.")


def _after_death(found: Findings) -> None:
    if not found.has("outcomes", "death_day"):
        return
    name = found.name("outcomes", "death_day")
    for table, column in (("mrd_assessments", "day"), ("treatments", "start_day")):
        if not found.has(table, column):
            continue
        died = _death(found, table)
        rows, usual = true(found[table][column] > died), _usual(found, table)
        what = f"{found.name(table, column)} is after the death of the patient."
        remedy, beside = "Correct one of the days.", [(name, died)]
        given = rows & ~np.logical_or.reduce([*usual.values(), rows & False])
        found.rows("fatal", table, column, given, what, remedy, beside=beside)
        for place, mine in usual.items():
            what = (
                "no column gives the day of the sample, and the usual day of its timepoint is after the "
                "death of the patient: the sample does not count."
            )
            remedy = "Give the day of the sample."
            found.rows(
                "warning", table, column, rows & mine, what, remedy, beside=beside, place=place
            )


def _death(found: Findings, table: str) -> pd.Series[int]:
    """Return the day on which the patient of each row of a table died."""
    outcomes = found["outcomes"]
    outcomes = outcomes.assign(patient=found.patient("outcomes")).drop_duplicates("patient")
    death = outcomes[outcomes["patient"] >= 0].set_index("patient")["death_day"]
    return death.reindex(found.patient(table)).set_axis(found[table].index)


def _usual(found: Findings, table: str) -> dict[tuple[str, str | None], np.ndarray[Any, Any]]:
    """Return the samples on the usual day of their timepoint for want of one, by sheet and column."""
    samples, usual = found[table], dict[tuple[str, str | None], np.ndarray[Any, Any]]()
    for window in found.tables.study["timepoints"]:
        place = found.tables.places.get((table, usual_day(window["label"])))
        if place and "timepoint" in samples:
            rows = true(samples["timepoint"] == window["label"])
            usual[place] = rows & true(samples["day"] == window["target_day"])
    return usual


def forget_days_after_death(tables: Tables) -> None:
    """Take from samples the usual day of their timepoint where it is after the death: they do not count."""
    found, table = Findings(tables), "mrd_assessments"
    if not (found.has(table, "day") and found.has("outcomes", "death_day")):
        return
    late = true(found[table]["day"] > _death(found, table))
    for rows in _usual(found, table).values():
        tables.frames[table] = tables.frames[table].assign(
            day=tables.frames[table]["day"].mask(late & rows)
        )


def _without_outcome(found: Findings) -> None:
    followed = np.zeros(len(found["patients"]) + 1, dtype=bool)
    for table in ("outcomes", "given_endpoints"):
        if found.has(table):
            followed[found.patient(table)] = True
    if not found.has("patients"):
        return
    if not followed[:-1].any():
        what = "nobody has an outcome: there is no survival analysis."
        found.column("note", "patients", "patient_id", what, "Bring outcomes, if there are any.")
        return
    what = f"the patient has no row in {found.tables.place('outcomes')[0]} and is in no survival analysis."
    found.rows("warning", "patients", "patient_id", ~followed[:-1], what, "Add the row.")


def _after_cutoff(found: Findings) -> None:
    """Follow-up that ends long after the day on which the data were closed."""
    last, cutoff = _last_day(found.tables.study.get("data_cutoff")), found.tables.day_zero
    if last is None or cutoff is None or not found.has("outcomes", "last_follow_up_day"):
        return
    days = at(found["outcomes"]["last_follow_up_day"], np.arange(len(found["outcomes"])))
    seen = days.astype("Float64").to_numpy(float, na_value=np.nan)
    seen = seen + at(cutoff, found.patient("outcomes")).to_numpy(float)
    what = f"the last follow-up is more than {_LONG_AFTER_CUTOFF} days after the data cut-off."
    rows, remedy = seen > last + _LONG_AFTER_CUTOFF, "Check the date, or correct data_cutoff."
    found.rows("warning", "outcomes", "last_follow_up_day", rows, what, remedy)


def _last_day(cutoff: object) -> int | None:
    """Return the last day of a data cut-off written as year, month or day, as a day of the calendar."""
    parts = re.fullmatch(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?", str(cutoff or ""))
    if not parts:
        return None
    year, month = int(parts[1]), int(parts[2] or 12)
    try:
        day = int(parts[3] or calendar.monthrange(year, month)[1])
        return datetime.date(year, month, day).toordinal()
    except ValueError:
        return None


def _lineage(found: Findings) -> None:
    """Patients with T-ALL, and a column that could tell them where the lineage is not given."""
    patients = found["patients"]
    if found.has("patients", "lineage"):
        what = "T-ALL: the patient counts like everybody else."
        remedy = "Remove the row, or filter by Lineage, where the cohort is one of B-ALL."
        found.rows("warning", "patients", "lineage", patients["lineage"] == "T", what, remedy)
        return
    for name, spec in found.tables.own.items():
        if spec["kind"] != "category" or name not in patients:
            continue
        texts = [str(text) for text in patients[name].dropna().unique()]
        named = [_LINEAGE.match(text) for text in texts]
        if all(named) and {match[1] for match in named if match} == {"B", "T"}:
            what = "it looks like the lineage, which is not given: T-ALL may be among the patients."
            remedy = "Assign the column to Lineage, if it is."
            found.column("warning", "patients", name, what, remedy)


def _conflicts(found: Findings) -> None:
    """Report what cannot both be true of a patient's genetics."""
    _karyotypes(found)
    patients, remedy = found["patients"], _WHICH
    if found.has("patients", "ph_status", "cytogenetics"):
        texts = [str(text) for text in patients["cytogenetics"].cat.categories]
        said = [text for text in texts if _PH_IN_WORDS.search(text) and not _DENIED.search(text)]
        what = "Ph-negative, but the cytogenetics speak of BCR::ABL1. Ph status is taken as given."
        rows = (patients["ph_status"] == "negative") & patients["cytogenetics"].isin(said)
        found.rows("warning", "patients", "cytogenetics", rows, what, remedy)
    if found.has("patients", "ph_status", "ph_like"):
        what = "Ph-like and Ph-positive exclude each other. The risk group is Ph-positive."
        rows = (patients["ph_status"] == "positive") & patients["ph_like"]
        found.rows("warning", "patients", "ph_like", rows, what, remedy)
    if found.has("patients", "ph_like", "ph_like_class"):
        what = "a class of Ph-like, but not Ph-like."
        rows = patients["ph_like_class"].notna() & ~patients["ph_like"]
        found.rows("warning", "patients", "ph_like_class", rows, what, remedy)


def _karyotypes(found: Findings) -> None:
    """Report translocations of the study's own columns that Ph status or KMT2A contradict."""
    patients = found["patients"]
    for name, spec in found.tables.own.items():
        match = re.search(r"(^|_)t_?(9_?22|4_?11)(_|$)", name)
        if not match or spec["kind"] != "boolean" or name not in patients:
            continue
        there = patients[name]
        if match[2].startswith("9") and "ph_status" in patients:
            what = "Ph-positive, but no t(9;22) on karyotype. Ph status is taken as given."
            rows = (patients["ph_status"] == "positive") & ~there
            found.rows("warning", "patients", name, rows, what, _WHICH)
            what = "Ph-negative, but t(9;22) on karyotype. Ph status is taken as given."
            rows = (patients["ph_status"] == "negative") & there
            found.rows("warning", "patients", name, rows, what, _WHICH)
        elif match[2].startswith("4") and "kmt2a_rearranged" in patients:
            what = "t(4;11) on karyotype, but KMT2A is not rearranged."
            rows = there & ~patients["kmt2a_rearranged"]
            found.rows("warning", "patients", name, rows, what, _WHICH)


def _risk_groups(found: Findings) -> None:
    if not found.has("patients", "risk_group", "ph_status"):
        return
    patients = found["patients"]
    features = patients.reindex(columns=list(_FEATURES)).astype("boolean")
    high = true(features.fillna(False).any(axis=1))
    ph = true(patients["ph_status"] == "positive")
    derived = np.where(ph, "Ph-positive", np.where(high, "high", "standard"))
    given = patients["risk_group"].astype("object")
    # Only a contradiction counts: a missing feature makes the derived group unknown, not wrong.
    sure = high | true(features.notna().all(axis=1)) | ph
    rows = given.notna() & (given != "unknown") & sure & (given != derived)
    what = "the study’s risk group and the one derived from its features disagree."
    remedy = "Check the features; the derived one is shown."
    found.rows("warning", "patients", "risk_group", rows, what, remedy)


def _courses(found: Findings) -> None:
    courses = found["treatments"]
    if found.has("treatments", "start_day", "end_day"):
        name = found.name("treatments", "start_day")
        what, remedy = "the course ends before it starts.", "Correct one of the days."
        rows, beside = courses["end_day"] < courses["start_day"], [(name, courses["start_day"])]
        found.rows("warning", "treatments", "end_day", rows, what, remedy, beside=beside)
    if not found.has("treatments", "kind"):
        return
    cellular = courses["kind"].isin(["alloSCT", "CAR-T"])
    undated = cellular & (courses["start_day"].isna() if "start_day" in courses else True)
    what = "the day is not known: what is counted from it or until it leaves the patient out."
    found.rows("warning", "treatments", "kind", undated, what, "Add the day if it is known.")
    if not (found.has("treatments", "start_day") and found.has("outcomes", "cr_day")):
        return
    outcomes = found["outcomes"].assign(patient=found.patient("outcomes"))
    outcomes = outcomes[outcomes["patient"] >= 0].drop_duplicates("patient")
    remission = outcomes.set_index("patient")["cr_day"].reindex(found.patient("treatments"))
    remission = remission.set_axis(courses.index)
    # One before day 0 belongs to an earlier line of treatment.
    early = cellular & (courses["start_day"] >= 0) & (courses["start_day"] < remission)
    what = "it comes before the first remission and does not count as given in it."
    remedy, beside = "Check both days.", [(found.name("outcomes", "cr_day"), remission)]
    found.rows("warning", "treatments", "start_day", early, what, remedy, beside=beside)
