"""A study, or a cohort of it, as analysis sets under ADaM names: ADSL, ADTTE and ADMRD.

Days are counted from each patient's day 0, and there is a day 0: no date is kept, so --DY stands where
ADaM has a date. Importing the three files again gives the numbers of the study that they were written from.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import pyreadstat

from data import queries
from data.cohort import CohortFilter
from data.endpoints import ENDPOINTS
from data.exporting.package import zipped
from data.exporting.table import as_csv, as_parquet
from data.store import Snapshot, query, sql_text
from data.variables import Dictionary

NAME, LABEL, TEXT = 8, 40, 200
"""The longest name, label and text of a version 5 transport file, in bytes."""

_LONGEST = 32_767  # bytes of a text in a version 8 transport file
_WRITTEN_AT = b"01JAN26:00:00:00"


class RowsWithheld(ValueError):
    """Rows of single patients are not given out of this study."""


class NotTransportable(ValueError):
    """A table does not fit into a SAS transport file."""


@dataclass(frozen=True)
class Item:
    """One column of an analysis set.

    Attributes
    ----------
    name : str
        At most eight characters, upper case.
    label : str
        At most forty characters.
    type : {'text', 'number', 'flag'}
        A flag says Y or N.
    source : str
        The column of the four tables that it comes from, and goes to when it is imported again; empty
        for what is derived anew.
    values : str
        What it can hold, where that needs saying.
    """

    name: str
    label: str
    type: Literal["text", "number", "flag"]
    source: str = ""
    values: str = ""


_PATIENT = (
    Item("STUDYID", "Study identifier", "text"),
    Item("USUBJID", "Patient identifier", "text", "patient_id"),
)
ADAM: Mapping[str, tuple[Item, ...]] = {
    "ADSL": (
        *_PATIENT,
        Item("AGE", "Age", "number", "age_years", "90 stands for every age above 89"),
        Item("AGEU", "Unit of age", "text", "", "YEARS"),
        Item("SEX", "Sex", "text", "sex", "F female, M male"),
        Item("WBCBL", "WBC at diagnosis (10e9/L)", "number", "wbc_10e9_per_l"),
        Item("LINEAGE", "Lineage", "text", "lineage", "B, T"),
        Item("PHSTAT", "Ph status", "text", "ph_status", "positive, negative"),
        Item("CYTOGEN", "Cytogenetics", "text", "cytogenetics"),
        Item("KMT2AFL", "KMT2A rearranged", "flag", "kmt2a_rearranged"),
        Item("HYPODFL", "Low hypodiploidy or near triploidy", "flag", "hypodiploid"),
        Item("CPLXKFL", "Complex karyotype", "flag", "complex_karyotype"),
        Item("PHLIKEFL", "Ph-like", "flag", "ph_like"),
        Item("PHLIKECL", "Ph-like class", "text", "ph_like_class"),
        Item("TP53FL", "TP53 mutated", "flag", "tp53_mutated"),
        Item("IKZF1FL", "IKZF1plus", "flag", "ikzf1_plus"),
        Item("RISKSTDY", "Risk group as the study gives it", "text", "risk_group"),
        Item("RISKGRP", "Risk group, derived", "text"),
        Item("TRT01P", "Frontline therapy", "text", "frontline_therapy"),
        Item("TKI", "Tyrosine kinase inhibitor", "text", "tki"),
        Item("DISSTAT", "Disease status", "text", "disease_status"),
        Item("PRINOFL", "Prior inotuzumab", "flag", "prior_inotuzumab"),
        Item("ECOGBL", "ECOG performance status", "text", "ecog"),
        Item("TRKLOCUS", "Trackable locus", "text", "trackable_locus"),
        Item("EXMEDFL", "Extramedullary disease", "flag", "extramedullary"),
        Item("CRFL", "Complete remission reached", "flag", "cr_achieved"),
        Item("CRDY", "Day of first complete remission", "number", "cr_day"),
        Item("RELFL", "Relapsed", "flag", "relapsed"),
        Item("RELDY", "Day of first relapse", "number", "relapse_day"),
        Item("RELSITE", "Site of first relapse", "text", "relapse_site"),
        Item("DTHFL", "Died", "flag", "died"),
        Item("DTHDY", "Day of death", "number", "death_day"),
        Item("DTHCAUS", "Cause of death", "text", "death_cause"),
        Item("LSTALVDY", "Day of last follow-up", "number", "last_follow_up_day"),
        Item("HSCTFL", "alloSCT", "flag", "treatments: alloSCT"),
        Item("HSCTDY", "Day of alloSCT", "number", "treatments: alloSCT"),
        Item("HSCTCRFL", "alloSCT in first remission", "flag"),
        Item("AUTOFL", "autoSCT", "flag", "treatments: autoSCT"),
        Item("AUTODY", "Day of autoSCT", "number", "treatments: autoSCT"),
        Item("CARTFL", "CAR T cells", "flag", "treatments: CAR-T"),
        Item("CARTDY", "Day of CAR T cells", "number", "treatments: CAR-T"),
        Item("CARTCRFL", "CAR T cells in first remission", "flag"),
    ),
    "ADTTE": (
        *_PATIENT,
        Item("PARAMCD", "Endpoint", "text", "endpoint", "HSCT at its end: censored at alloSCT"),
        Item("PARAM", "Endpoint in words", "text"),
        Item("AVAL", "Time in days", "number", "time_days"),
        Item("AVALU", "Unit of time", "text", "", "DAYS"),
        Item("CNSR", "Censoring", "number", "event_code", "0 event, 1 censored, 2 competing event"),
        Item("EVNTDESC", "Event or why follow-up ends", "text", "event_description"),
        Item(
            "CNSDTDSC", "What the day of censoring is", "text", "", "competing event if CNSR is 2"
        ),
        Item("STARTDY", "Day on which time starts", "number", "origin_day"),
        Item("ADY", "Day of event or censoring", "number", "", "STARTDY + AVAL"),
    ),
    "ADMRD": (
        *_PATIENT,
        Item(
            "PARAMCD", "Assay, as a code", "text", "", "MRDNGS, MRDMFC, MRDQPCR, MRDBCRAB, MRDOTH"
        ),
        Item("PARAM", "Assay in words", "text"),
        Item("METHOD", "Assay", "text", "assay", "NGS, MFC, qPCR, BCR::ABL1 PCR"),
        Item("SPEC", "Material", "text", "material", "BM marrow, PB blood"),
        Item("TARGET", "Target", "text", "target"),
        Item("AVAL", "MRD level (fraction)", "number", "mrd_fraction", "0: nothing found"),
        Item("AVALU", "Unit of the level", "text", "", "FRACTION"),
        Item(
            "AVALC",
            "Call",
            "text",
            "call",
            "negative, positive, below LOD, not evaluable, or empty",
        ),
        Item("LLOD", "Limit of detection (fraction)", "number", "lod_fraction"),
        Item("ADY", "Day of sample", "number", "day"),
        Item(
            "AVISIT", "Timepoint", "text", "timepoint", "empty: in no window, or in more than one"
        ),
        Item("AVISITN", "Number of the timepoint", "number"),
        Item("AWTARGET", "Target day of the timepoint", "number", "study.json: target_day"),
        Item("AWLO", "First day of its window", "number", "study.json: first_day"),
        Item("AWHI", "Last day of its window", "number", "study.json: last_day"),
        Item("ANL01FL", "Stands for its timepoint", "flag", "", "Y or empty"),
        Item("AVALCAT1", "MRD status at the timepoint", "text", "", "where ANL01FL is Y"),
    ),
}
"""The analysis sets, column by column. After those of ADSL stand the study's own variables."""


_TYPES: Mapping[str, Literal["text", "number", "flag"]] = {
    "boolean": "flag",
    "number": "number",
    "category": "text",
}


def own_items(variables: Dictionary, names: Iterable[str]) -> dict[str, Item]:
    """Return the columns of ADSL for a study's own variables, by variable.

    Parameters
    ----------
    variables : Dictionary
    names : iterable of str
        Of the variables that only this study has.

    Returns
    -------
    dict of str to Item
        Names are cut to eight characters and numbered where two are the same; labels are cut to forty.
    """
    taken = {item.name for item in ADAM["ADSL"]}
    found = {}
    for name in names:
        short = whole = name.upper()
        number = 1
        while short[:NAME] in taken:
            number += 1
            short = whole[: NAME - len(str(number))] + str(number)
        taken.add(short[:NAME])
        kind = _TYPES[variables[name].kind]
        label = variables[name].label.encode()[:LABEL].decode(errors="ignore")
        found[name] = Item(short[:NAME], label, kind, name)
    return found


def analysis_sets(
    snapshot: Snapshot, cohort: CohortFilter | None = None
) -> dict[str, pd.DataFrame]:
    """Return ADSL, ADTTE and ADMRD of a cohort.

    Parameters
    ----------
    snapshot : Snapshot
    cohort : CohortFilter, optional
        Everybody by default. ANL01FL and AVALCAT1 follow its MRD rule; the samples are as imported.

    Returns
    -------
    dict of str to pandas.DataFrame
        The columns of `ADAM`, and in ADSL after them the study's own variables; flags are Y and N, what
        is not known is missing. ADTTE leaves out the endpoints that the study cannot give, and patients
        for whom one cannot be given.

    Raises
    ------
    RowsWithheld
        If the study has a small-cell minimum: rows of single patients then do not leave it.
    """
    minimum = snapshot.small_cell_minimum
    if minimum > 0:
        raise RowsWithheld(
            f"Rows of single patients do not leave this study: its small-cell minimum is {minimum}. "
            "Whoever keeps the study can set it to 0 under Cohorts."
        )
    variables = queries.dictionary(snapshot)
    # Not `or`: a cohort that only has an MRD rule is no condition, and counts as false.
    where, parameters = (CohortFilter() if cohort is None else cohort).where(variables)
    parameters["study_id"] = snapshot.study_id
    own = _own(snapshot, variables)
    derived = (v for v in variables.values() if v.expression)
    filled = {
        "{selection}": where,
        "{expressions}": "".join(f", {v.expression} AS {v.column}" for v in derived),
        "{own}": "".join(f', p.{variables[n].column} AS "own_{n}"' for n in own),
    }
    names = {"ADSL": {f"own_{name}": item.name for name, item in own.items()}}
    sets = {}
    for dataset, items in ADAM.items():
        text = sql_text(f"export_{dataset.lower()}")
        for place, sql in filled.items():
            text = text.replace(place, sql)
        frame = query(snapshot, text, parameters)
        renamed = {item.name.lower(): item.name for item in items} | names.get(dataset, {})
        every = (*items, *own.values()) if dataset == "ADSL" else items
        sets[dataset] = _typed(frame.rename(columns=renamed), every)
    sets["ADSL"].attrs["own"] = [asdict(item) for item in own.values()]
    sets["ADTTE"]["PARAM"] = sets["ADTTE"]["PARAM"].map(
        {code: endpoint.label for code, endpoint in ENDPOINTS.items()}
    )
    return sets


def _own(snapshot: Snapshot, variables: Dictionary) -> dict[str, Item]:
    rows = query(snapshot, "SELECT name FROM own_variables ORDER BY name")
    return own_items(variables, [name for name in rows["name"] if name in variables])


def _typed(frame: pd.DataFrame, items: Iterable[Item]) -> pd.DataFrame:
    typed = {}
    for item in items:
        column = frame[item.name]
        if item.type == "flag":
            column = column.astype("boolean").map({True: "Y", False: "N"}).astype("string")
        elif item.type == "text":
            column = column.astype("string")
        else:
            column = column.astype("Float64")
            whole = column.dropna()
            column = column.astype("Int64") if bool((whole % 1 == 0).all()) else column
        typed[item.name] = column
    return pd.DataFrame(typed)


def as_xpt(frame: pd.DataFrame, name: str) -> bytes:
    """Return an analysis set as a SAS transport file.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `analysis_sets` returns it; or any other of texts and numbers.
    name : str
        Of the data set: ADSL. Its labels come from `ADAM`.

    Returns
    -------
    bytes
        Version 5, which every program reads; version 8 where a name, a label or a text is longer than
        version 5 can hold. Texts are UTF-8. Equal frames give equal bytes.

    Raises
    ------
    NotTransportable
        If a name has more than 32 characters or is not of letters, digits and underscores, or a text
        is longer than any version holds.
    """
    labels = {item.name: item.label for item in _items(name, frame)}
    texts = frame.select_dtypes(exclude="number").astype("string")
    longest = {column: _bytes(texts[column]) for column in texts}
    faults = [
        f"The column ‘{column}’ cannot be a name in SAS: rename it."
        for column in frame
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,31}", str(column))
    ]
    faults += [
        f"A text of the column {column} has {size:,} bytes; a transport file holds {_LONGEST:,}."
        for column, size in longest.items()
        if size > _LONGEST
    ]
    if faults:
        raise NotTransportable(" ".join(faults))
    fits = all(size <= TEXT for size in longest.values()) and all(
        len(str(column)) <= NAME and len(labels.get(str(column), "").encode()) <= LABEL
        for column in frame
    )
    # A column of texts without any must still be one of texts.
    plain = {c: texts[c].fillna("").astype(object) if c in texts else frame[c].astype("float64")
             for c in frame}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "written.xpt"
        pyreadstat.write_xport(
            pd.DataFrame(plain),
            path,
            table_name=name,
            column_labels={str(c): labels.get(str(c), str(c)) for c in frame},
            file_format_version=5 if fits else 8,
        )
        content = path.read_bytes()
    # The clock of the one who writes is in the first records; the content is not its business.
    head = re.sub(rb"\d\d[A-Z]{3}\d\d:\d\d:\d\d:\d\d", _WRITTEN_AT, content[:800])
    return head + content[800:]


def _items(name: str, frame: pd.DataFrame) -> tuple[Item, ...]:
    """Return the columns of an analysis set, the study's own last."""
    return *ADAM.get(name, ()), *(Item(**item) for item in frame.attrs.get("own", ()))


def _bytes(texts: pd.Series[str]) -> int:
    distinct = texts.dropna().unique()
    return max((len(str(text).encode("utf-8")) for text in distinct), default=0)


def define(sets: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what the columns of analysis sets are.

    Returns
    -------
    pandas.DataFrame
        One row per column: dataset, variable, label, type, source (the column of the four tables that it
        comes from), values.
    """
    rows = []
    for dataset, frame in sets.items():
        items = _items(dataset, frame)
        rows += [(dataset, i.name, i.label, i.type, i.source, i.values) for i in items]
    columns = ["dataset", "variable", "label", "type", "source", "values"]
    return pd.DataFrame(rows, columns=columns)


def archive(snapshot: Snapshot, cohort: CohortFilter | None = None) -> bytes:
    """Return the analysis sets of a cohort as one ZIP file: CSV, Parquet and SAS transport files.

    Beside them stand README.txt and define.csv, which says what each column is. A table that does not fit
    into a transport file is left out there, and README.txt says why.

    Raises
    ------
    RowsWithheld
        As `analysis_sets`.
    """
    sets = analysis_sets(snapshot, cohort)
    files = {"define.csv": as_csv(define(sets))}
    left_out = []
    for name, frame in sets.items():
        files[f"{name.lower()}.csv"] = as_csv(frame)
        files[f"{name.lower()}.parquet"] = as_parquet(frame)
        try:
            files[f"{name.lower()}.xpt"] = as_xpt(frame, name)
        except NotTransportable as refused:
            left_out.append(f"{name.lower()}.xpt is not here. {refused}")
    files["README.txt"] = _readme(snapshot, cohort, sets, left_out).encode("utf-8")
    return zipped(dict(sorted(files.items())))


def _readme(
    snapshot: Snapshot,
    cohort: CohortFilter | None,
    sets: Mapping[str, pd.DataFrame],
    left_out: Iterable[str],
) -> str:
    study, variables = queries.study(snapshot), queries.dictionary(snapshot)
    patients = (CohortFilter() if cohort is None else cohort).describe(variables)
    windows = "; ".join(
        f"{t.label}: day {t.target_day} ({t.first_day} to {t.last_day})" for t in study.timepoints
    )
    refused = [
        f"{e.code}: {e.refused_because}"
        for e in queries.derivability(snapshot)
        if e.refused_because and "_censored_" not in e.code
    ]
    lines = (
        f"{study.name}, snapshot {snapshot.hash}: {patients}",
        "",
        *(f"{name}: {len(frame):,} rows" for name, frame in sets.items()),
        "",
        f"Every day is counted from {study.day_zero_label}, which is day 0; ADaM's day 1 is day 0 here. "
        "There are no dates: STARTDY and ADY stand for STARTDT and ADT.",
        "CNSR: 0 event, 1 censored, 2 competing event. PARAMCD that ends in HSCT: censored at alloSCT.",
        f"MRD timepoints in days: {windows or 'none'}.",
        "ANL01FL marks the sample that stands for a timepoint, AVALCAT1 is the MRD status there.",
        *(f"Endpoint not given. {each}" for each in refused),
        *left_out,
        "In the CSV files a text that a spreadsheet would run as a formula is preceded by an "
        "apostrophe; Parquet and xpt hold it as it is.",
        "What each column is stands in define.csv.",
    )
    return "\n".join(lines) + "\n"
