"""Checks across rows and tables: keys, orphans, impossible orders, conflicts."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from data.importing.problems import Problem, Severity
from data.importing.read import Tables

_FEATURES = ("hypodiploid", "complex_karyotype", "kmt2a_rearranged", "ph_like", "tp53_mutated")

_ORDERS: tuple[tuple[str, str, str], ...] = (
    ("cr_day", "relapse_day", "A relapse comes after the first remission."),
    ("relapse_day", "death_day", "A death comes after the relapse."),
    ("cr_day", "death_day", "A death comes after the remission."),
    ("relapse_day", "last_follow_up_day", "The last follow-up is not before the relapse."),
    ("cr_day", "last_follow_up_day", "The last follow-up is not before the remission."),
    ("last_follow_up_day", "death_day", "Nobody is seen after the death."),
)


def check(tables: Tables) -> list[Problem]:
    """Return every problem between the rows of a study that was read.

    Parameters
    ----------
    tables : Tables
        As `data.importing.read.read_folder` returns it, possibly with tables or columns missing.
    """
    frames = {name: frame for name, frame in tables.frames.items() if "patient_id" in frame.columns}
    found: list[Problem] = []
    for name in ("patients", "outcomes"):
        if name in frames:
            found += _repeated(f"{name}.csv", frames[name])
    if "patients" in frames:
        known = set(frames["patients"]["patient_id"].dropna())
        for name, frame in frames.items():
            found += _orphans(f"{name}.csv", frame, known)
        found += _conflicts(frames["patients"])
    if "outcomes" in frames:
        found += _orders(frames["outcomes"])
        found += _after_death(frames)
    if "patients" in frames and "outcomes" in frames:
        found += _without_outcome(frames)
    if "mrd_assessments" in frames:
        found += _samples(frames["mrd_assessments"], tables)
    return found


def _repeated(file: str, frame: pd.DataFrame) -> Iterator[Problem]:
    first: dict[str, int] = {}
    values = dict(
        zip(frame.index, frame.drop(columns="patient_id").astype(str).values.tolist(), strict=True)
    )
    for row, patient in frame["patient_id"].dropna().items():
        number = int(str(row))
        if patient in first:
            same = values[number] == values[first[patient]]
            what = f"the patient stands already in row {first[patient]}" + (
                "." if same else ", with other values."
            )
            yield Problem("fatal", file, number, "patient_id", patient, what, "Keep one of them.")
        first.setdefault(patient, number)


def _orphans(file: str, frame: pd.DataFrame, known: set[str]) -> Iterator[Problem]:
    for row, patient in frame["patient_id"].dropna().items():
        if patient not in known:
            what, remedy = "no such patient in patients.csv.", "Add the patient or remove the row."
            yield Problem("fatal", file, int(str(row)), "patient_id", patient, what, remedy)


def _orders(outcomes: pd.DataFrame) -> Iterator[Problem]:
    for earlier, later, rule in _ORDERS:
        if earlier not in outcomes or later not in outcomes:
            continue
        wrong = (outcomes[later] < outcomes[earlier]).fillna(False)
        # On the day of remission there is no relapse either: it would be a relapse-free time of 0.
        if (earlier, later) == ("cr_day", "relapse_day"):
            wrong |= (outcomes[later] == outcomes[earlier]).fillna(False)
        for row, values in outcomes[wrong].iterrows():
            what = (
                f"patient {values['patient_id']}: {later} {values[later]} is not after "
                f"{earlier} {values[earlier]}."
            )
            remedy = f"{rule} Correct one of them."
            value = str(values[later])
            yield Problem("fatal", "outcomes.csv", int(str(row)), later, value, what, remedy)


def _after_death(frames: dict[str, pd.DataFrame]) -> Iterator[Problem]:
    outcomes = frames["outcomes"]
    if "death_day" not in outcomes:
        return
    death = outcomes.drop_duplicates("patient_id").set_index("patient_id")["death_day"].dropna()
    for name, column in (("mrd_assessments", "day"), ("treatments", "start_day")):
        frame = frames.get(name)
        if frame is None or column not in frame:
            continue
        died = frame["patient_id"].map(death.astype("float"))
        late = (frame[column].astype("Float64") > died).fillna(False).astype(bool)
        for row, values in frame[late].iterrows():
            what = (
                f"{column} {values[column]} is after the death of patient {values['patient_id']}."
            )
            yield Problem(
                "fatal",
                f"{name}.csv",
                int(str(row)),
                column,
                str(values[column]),
                what,
                "Correct one of the days.",
            )


def _without_outcome(frames: dict[str, pd.DataFrame]) -> Iterator[Problem]:
    followed = set(frames["outcomes"]["patient_id"].dropna())
    for row, patient in frames["patients"]["patient_id"].dropna().items():
        if patient not in followed:
            what = "the patient has no row in outcomes.csv and is in no survival analysis."
            yield Problem(
                "warning",
                "patients.csv",
                int(str(row)),
                "patient_id",
                patient,
                what,
                "Add the row.",
            )


def _conflicts(patients: pd.DataFrame) -> Iterator[Problem]:
    def said(
        severity: Severity, rows: pd.Series[bool], column: str, what: str, remedy: str
    ) -> Iterator[Problem]:
        for row, value in patients.loc[rows.fillna(False).astype(bool), column].items():
            shown = {True: "yes", False: "no"}.get(value, str(value))
            yield Problem(severity, "patients.csv", int(str(row)), column, shown, what, remedy)

    if {"ph_status", "t_9_22"} <= set(patients.columns):
        rows = (patients["ph_status"] == "positive") & ~patients["t_9_22"].astype("boolean")
        what = "Ph-positive, but no t(9;22) on karyotype. Ph status is taken as given."
        yield from said("warning", rows, "t_9_22", what, "Check which of the two is right.")
    if "age_years" in patients:
        what = "ages above 89 are stored as 90 and shown as 90+."
        yield from said("note", patients["age_years"] > 89, "age_years", what, "Nothing to do.")
    if {"risk_group", "ph_status"} <= set(patients.columns):
        high = patients.reindex(columns=list(_FEATURES)).astype("boolean").fillna(False).any(axis=1)
        derived = (
            high.map({True: "high", False: "standard"})
            .where(patients["ph_status"] != "positive", "Ph-positive")
            .astype("string")
        )
        given = patients["risk_group"]
        # Only a contradiction counts: a missing feature makes the derived group unknown, not wrong.
        complete = patients.reindex(columns=list(_FEATURES)).notna().all(axis=1)
        sure = high | complete | (derived == "Ph-positive")
        rows = given.notna() & (given != "unknown") & sure & (given != derived)
        what = "the study’s risk group and the one derived from its features disagree."
        yield from said(
            "warning", rows, "risk_group", what, "Check the features; the derived one is shown."
        )


def _samples(samples: pd.DataFrame, tables: Tables) -> Iterator[Problem]:
    file = "mrd_assessments.csv"
    key = [c for c in ("patient_id", "day", "assay", "material", "target") if c in samples]
    for row in samples.index[samples.duplicated(key)]:
        what, remedy = "the same sample stands twice.", "Remove one of the rows."
        yield Problem("warning", file, int(row), None, None, what, remedy)
    if "call" in samples and "lod_fraction" in samples:
        rows = (samples["call"] == "below LOD") & samples["lod_fraction"].isna()
        for row in samples.index[rows.fillna(False).astype(bool)]:
            what, remedy = "below the limit of detection, without that limit.", "Give lod_fraction."
            yield Problem("warning", file, int(row), "lod_fraction", None, what, remedy)
    if "timepoint" in samples:
        labels = [window["label"] for window in tables.study["timepoints"]]
        named = samples["timepoint"].dropna()
        for row, label in named[~named.isin(labels)].items():
            what = f"the study has no such timepoint ({', '.join(labels) or 'none'})."
            yield Problem(
                "fatal",
                file,
                int(str(row)),
                "timepoint",
                label,
                what,
                "Leave it empty for the window rule, or add the timepoint to study.json.",
            )
    for window in tables.study["timepoints"] if len(samples) else ():
        in_window = samples.get("day", pd.Series(dtype="Int64")).between(
            window["first_day"], window["last_day"]
        )
        if not in_window.any() and "timepoint" not in samples:
            what = f"no sample lies in the window of ‘{window['label']}’."
            yield Problem("note", file, None, "day", None, what, "Check the windows in study.json.")
