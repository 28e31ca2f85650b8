"""What a data manager starts from: a workbook to fill in, and one small cohort in every accepted form."""

from __future__ import annotations

import datetime
import io
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from data.exporting.adam import ADAM, as_xpt
from data.exporting.package import MADE, workbook_bytes
from data.exporting.table import defused
from data.importing.mapping import TARGETS
from data.importing.tables import REQUIRED_COLUMNS, TABLES, Column
from data.variables import STANDARD, TIMEPOINT_DEFAULTS

ROWS = 2000
"""Rows of a template that have drop-down levels and checks."""

EXAMPLE = Path(__file__).parents[1] / "importing" / "examples"
"""The four tables of the example cohort."""

ONE_SHEET = "one sheet for all"
INSTRUCTIONS, DICTIONARY = "Instructions", "Dictionary"

_LINES = (
    "Fill in the four sheets patients, mrd_assessments, treatments and outcomes, or ‘one sheet for all’.",
    "One row is a patient in patients and outcomes, a sample in mrd_assessments, a course in treatments.",
    "Only patient_id is needed. Columns you do not have can stay empty or be deleted.",
    "Columns of your own can be added to patients: they become variables of the study.",
    "patient_id is the same text in every sheet; leading zeros stay. Use no name and no hospital number.",
    "Days are whole days from day 0, which is day 0 and not day 1: diagnosis, or the start of treatment.",
    "MRD is a fraction: 0.0001 is 0.01% or 10⁻⁴; 0 is ‘nothing found’. Give the limit of detection.",
    "An empty cell is not known. cr_achieved, relapsed, died: ‘no’ if not; or delete all three columns.",
    "Cells with levels have a list to choose from; the sheet Dictionary says what each column holds.",
    "Save, and drop the file under Cohorts. Instructions and Dictionary are not read.",
)
_NOTES = {
    "patient_id": "The same text in every sheet. No name, no hospital number.",
    "day": "Day of the sample",
    "timepoint": "Label of the MRD timepoint; empty: the day decides",
    "mrd_fraction": "MRD level as a fraction; 0 is ‘nothing found’",
    "lod_fraction": "Limit of detection as a fraction",
    "call": "Result in words; wins over the level",
    **dict.fromkeys(
        ("cr_achieved", "relapsed", "died"),
        "‘no’ where it did not happen; empty is not known. Delete the column if every event has its day",
    ),
}
_KINDS = {
    "whole": "whole number",
    "boolean": "yes / no",
    "level": "one of the levels",
    "number": "number",
    "text": "text",
}


def workbook() -> bytes:
    """Return the XLSX workbook that a data manager fills in.

    Returns
    -------
    bytes
        A sheet of instructions, the four tables, one sheet for all, and the dictionary. Headers have
        comments and stay in view; levels can be chosen from a list; numbers out of their bounds are
        refused by the spreadsheet. Always the same bytes.
    """
    return workbook_bytes(_template())


def filled() -> bytes:
    """Return the workbook with the example cohort in its four tables."""
    book, tables = _template(), _example()
    tables["outcomes"] = _said(tables["outcomes"])
    for name, frame in tables.items():
        sheet = book[name]
        columns = {cell.value: cell.column for cell in sheet[1]}
        # What the template has no column for is a variable of the study's own.
        for column in map(str, frame):
            if column not in columns:
                columns[column] = sheet.max_column + 1
                sheet.cell(1, columns[column], column)
            for row, value in enumerate(frame[column], start=2):
                if value != "":
                    sheet.cell(row, columns[column], _plain(TABLES[name].get(column), value))
    return workbook_bytes(book)


def _said(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Say of every event whether it happened: where the column is there, empty is not known."""
    days = {"cr_achieved": "cr_day", "relapsed": "relapse_day", "died": "death_day"}
    return outcomes.assign(
        **{event: np.where(outcomes[day] == "", "no", "yes") for event, day in days.items()}
    )


def _plain(column: Column | None, text: str) -> object:
    numeric = column is not None and column.type in ("number", "whole")
    return float(text) if numeric else defused(text)


def _template() -> Workbook:
    book = Workbook()
    book.remove(book.active)
    book.properties.creator = "cohort templates"
    book.properties.created = book.properties.modified = MADE
    _instructions(book.create_sheet(INSTRUCTIONS))
    for name, columns in TABLES.items():
        _table(book.create_sheet(name), columns)
    _table(book.create_sheet(ONE_SHEET), one_sheet())
    _dictionary(book.create_sheet(DICTIONARY))
    return book


def one_sheet() -> dict[str, Column]:
    """Return the columns of the sheet with one row per patient, and what each may hold."""
    outcomes = {name: spec for name, spec in TABLES["outcomes"].items() if name != "patient_id"}
    courses = TABLES["treatments"]["start_day"]
    samples = TABLES["mrd_assessments"]
    every = {**TABLES["patients"], **outcomes}
    for kind in ("alloSCT", "autoSCT", "CAR-T"):
        every |= {f"{kind} given": Column("boolean"), f"{kind} day": courses}
    for label, *_ in TIMEPOINT_DEFAULTS:
        every |= {
            f"MRD {label} (fraction)": samples["mrd_fraction"],
            f"MRD limit {label} (fraction)": samples["lod_fraction"],
            f"MRD day {label}": samples["day"],
        }
    return every


def _table(sheet: Worksheet, columns: Mapping[str, Column]) -> None:
    for position, (name, column) in enumerate(columns.items(), start=1):
        cell = _write(sheet, 1, position, name, bold=True)
        comment = Comment("\n".join(filter(None, _described(sheet.title, name, column))), "")
        comment.width, comment.height = 260, 110
        cell.comment = comment
        letter = get_column_letter(position)
        sheet.column_dimensions[letter].width = max(12, len(name) + 2)
        if column.type in ("text", "level"):
            # Text, or the spreadsheet would take the leading zeros of an identifier.
            sheet.column_dimensions[letter].number_format = "@"
        _checked(sheet, f"{letter}2:{letter}{ROWS + 1}", column)
    sheet.freeze_panes = "B2"


def _checked(sheet: Worksheet, cells: str, column: Column) -> None:
    levels = ("yes", "no") if column.type == "boolean" else column.levels
    if levels:
        check = DataValidation(type="list", formula1=f'"{",".join(levels)}"', allow_blank=True)
        check.error = f"Choose one of: {', '.join(levels)}"[:255]
    elif column.type in ("number", "whole") and math.isfinite(column.low):
        kind = "whole" if column.type == "whole" else "decimal"
        low, high = f"{column.low:g}", f"{column.high:g}"
        check = DataValidation(
            type=kind, operator="between", formula1=low, formula2=high, allow_blank=True
        )
        check.error = f"A {_KINDS[column.type]} from {low} to {high}."
    else:
        return
    check.showErrorMessage = True
    check.errorTitle = "This does not fit"
    check.add(cells)
    sheet.add_data_validation(check)


def _described(sheet: str, name: str, column: Column) -> tuple[str, str, str]:
    """Return what a column is, what it can hold, and whether it is needed."""
    what = TARGETS[name].label if name in TARGETS else name
    if name in STANDARD and STANDARD[name].unit:
        what = f"{what} ({STANDARD[name].unit})"
    if name.endswith("_day") and name in TABLES["outcomes"]:
        what = what.removesuffix(": day or date") + ": day"
    what = _NOTES.get(name, what)
    holds = _KINDS[column.type]
    if column.levels:
        holds = ", ".join(column.levels)
    elif column.type in ("number", "whole") and math.isfinite(column.low):
        holds = f"{holds}, {column.low:g} to {column.high:g}"
    needed = name in REQUIRED_COLUMNS.get(sheet, ("patient_id",))
    return what, holds, "needed" if needed else ""


def _instructions(sheet: Worksheet) -> None:
    for row, line in enumerate(_LINES, start=1):
        cell = _write(sheet, row, 1, line)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    sheet.column_dimensions["A"].width = 110


def _dictionary(sheet: Worksheet) -> None:
    for position, (head, width) in enumerate(
        (("sheet", 20), ("column", 34), ("what it is", 50), ("holds", 70), ("needed", 10)), start=1
    ):
        _write(sheet, 1, position, head, bold=True)
        sheet.column_dimensions[get_column_letter(position)].width = width
    row = 2
    for table, columns in {**TABLES, ONE_SHEET: one_sheet()}.items():
        for name, column in columns.items():
            for position, text in enumerate((table, name, *_described(table, name, column)), 1):
                _write(sheet, row, position, text)
            row += 1
    sheet.freeze_panes = "A2"


def _write(sheet: Worksheet, row: int, column: int, text: str, *, bold: bool = False) -> Cell:
    cell = sheet.cell(row, column, defused(text))
    cell.font = Font(bold=bold)
    return cell


def examples() -> dict[str, bytes]:
    """Return the example cohort of twelve made-up patients in every accepted form.

    Returns
    -------
    dict of str to bytes
        By file name; files that are dropped together stand in one folder.
    """
    tables = _example()
    return {
        **{f"four tables/{path.name}": path.read_bytes() for path in sorted(EXAMPLE.iterdir())},
        "template filled in.xlsx": filled(),
        "one wide sheet.csv": _wide(tables),
        "registry.parquet": _parquet(tables),
        **{f"ADaM/{name}": content for name, content in _adam(tables).items()},
        **{f"cBioPortal/{name}": content for name, content in _cbioportal(tables).items()},
        **{f"REDCap/{name}": content for name, content in _redcap(tables).items()},
        "PCR results.csv": _pcr(tables),
    }


def _example() -> dict[str, pd.DataFrame]:
    """Return the four tables of the example as texts."""
    return {
        name: pd.read_csv(EXAMPLE / f"{name}.csv", dtype=str, keep_default_na=False)
        for name in TABLES
    }


def _one_row_each(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per patient: everything but the samples, with the day of transplant."""
    courses = tables["treatments"]
    transplants = courses[courses["kind"] == "alloSCT"].set_index("patient_id")["start_day"]
    every = tables["patients"].merge(tables["outcomes"], on="patient_id", how="left")
    return every.assign(allosct_day=every["patient_id"].map(transplants)).fillna("")


def _at(tables: Mapping[str, pd.DataFrame], label: str) -> pd.DataFrame:
    """Return the samples of one timepoint, by patient."""
    samples = tables["mrd_assessments"]
    return samples[samples["timepoint"] == label].set_index("patient_id")


def _percent(fraction: str, mark: str) -> str:
    """Return a fraction as a percentage, with a decimal mark."""
    return f"{float(fraction) * 100:.5f}".rstrip("0").rstrip(".").replace(".", mark)


def _wide(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """Return a European spreadsheet: semicolons, decimal commas, dates, percentages."""
    rows = _one_row_each(tables)
    start = datetime.date(2021, 1, 18)
    zero = [start + datetime.timedelta(days=23 * place) for place in range(len(rows))]

    def dates(column: str) -> list[str]:
        return [
            f"{day + datetime.timedelta(days=int(after)):%d.%m.%Y}" if after else ""
            for day, after in zip(zero, rows[column], strict=True)
        ]

    def result(label: str) -> list[str]:
        samples = _at(tables, label)
        return [
            "" if patient not in samples.index else _result_in_percent(samples.loc[patient])
            for patient in rows["patient_id"]
        ]

    shown = pd.DataFrame(
        {
            "Patient": rows["patient_id"],
            "Age": rows["age_years"],
            "Sex": rows["sex"].str[:1],
            "WBC (10^9/L)": rows["wbc_10e9_per_l"].str.replace(".", ","),
            "Ph": rows["ph_status"].map({"positive": "pos", "negative": "neg", "": ""}),
            "KMT2A": rows["kmt2a_rearranged"],
            "Therapy": rows["frontline_therapy"],
            "Centre": rows["centre"],
            "Diagnosis": [f"{day:%d.%m.%Y}" for day in zero],
            "Date of CR": dates("cr_day"),
            "Date of relapse": dates("relapse_day"),
            "Date of death": dates("death_day"),
            "Last follow-up": dates("last_follow_up_day"),
            "Date of alloHSCT": dates("allosct_day"),
            "MRD after cycle 1 (%)": result("after cycle 1"),
            "MRD 3 months (%)": result("3 months"),
        }
    )
    return shown.to_csv(index=False, sep=";").encode("utf-8-sig")


def _result_in_percent(sample: pd.Series[str]) -> str:
    if sample["call"] == "negative":
        return "neg"
    if sample["call"] == "below LOD":
        return f"<{_percent(sample['lod_fraction'], ',')}"
    return _percent(sample["mrd_fraction"], ",") if sample["mrd_fraction"] else ""


def _parquet(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """Return one row per patient with typed columns, as a registry writes it."""
    rows = _one_row_each(tables)
    days = (name for name in map(str, rows) if name.endswith("_day"))
    numbers = ("age_years", "wbc_10e9_per_l", *days)
    typed = rows.assign(**{name: pd.to_numeric(rows[name]) for name in numbers}).replace("", None)
    written = io.BytesIO()
    typed.rename(columns={"allosct_day": "alloSCT_day"}).to_parquet(written, index=False)
    return written.getvalue()


def _adam(tables: Mapping[str, pd.DataFrame]) -> dict[str, bytes]:
    """Return the pair of analysis sets that a trial hands over."""
    rows = _one_row_each(tables)
    named = {i.source: i.name for i in ADAM["ADSL"] if i.source in rows}
    subjects = rows[list(named)].rename(columns=named)
    for name in ("SEX", "KMT2AFL"):
        subjects[name] = subjects[name].str[:1].str.upper()
    times = pd.DataFrame(
        [
            {"USUBJID": row["patient_id"], "PARAMCD": code, "PARAM": label, "AVAL": end, "AVALU": "DAYS",
             "CNSR": int(not happened), "EVNTDESC": what if happened else "last follow-up"}
            for row in rows.to_dict("records")
            for code, label, what, happened, end in _endpoints_of(row)
        ]
    )  # fmt: skip
    numbers = [i.name for i in ADAM["ADSL"] if i.type == "number" and i.name in subjects]
    typed = subjects.assign(**{name: pd.to_numeric(subjects[name]) for name in numbers})
    return {"adsl.xpt": as_xpt(typed, "ADSL"), "adtte.xpt": as_xpt(times, "ADTTE")}


def _endpoints_of(row: Mapping[Any, str]) -> Iterable[tuple[str, str, str, bool, int]]:
    """Return OS, and RFS of those in remission: code, words, what happened, whether, and the time."""
    death, relapse, last = row["death_day"], row["relapse_day"], row["last_follow_up_day"]
    yield "OS", "Overall survival", "death", bool(death), int(death or last)
    if row["cr_day"]:
        end, what = int(relapse or death or last), "relapse" if relapse else "death in remission"
        happened = bool(relapse or death)
        yield "RFS", "Relapse-free survival", what, happened, end - int(row["cr_day"])


def _cbioportal(tables: Mapping[str, pd.DataFrame]) -> dict[str, bytes]:
    """Return the two clinical files of a study on cBioPortal."""
    rows = _one_row_each(tables)
    died = rows["death_day"] != ""
    last = rows["death_day"].where(died, rows["last_follow_up_day"]).astype(int)
    patients = pd.DataFrame(
        {
            "PATIENT_ID": rows["patient_id"],
            "AGE": rows["age_years"],
            "SEX": rows["sex"].str.capitalize(),
            "OS_STATUS": died.map({True: "1:DECEASED", False: "0:LIVING"}),
            "OS_MONTHS": [f"{days / 30.4375:.2f}" for days in last],
        }
    )
    samples = pd.DataFrame(
        {
            "PATIENT_ID": rows["patient_id"],
            "SAMPLE_ID": rows["patient_id"] + "-T",
            "CANCER_TYPE": "B-Lymphoblastic Leukemia/Lymphoma",
        }
    )
    numbers = ("AGE", "OS_MONTHS")
    return {
        f"data_clinical_{name}.txt": _with_four_lines(frame, numbers)
        for name, frame in (("patient", patients), ("sample", samples))
    }


def _with_four_lines(frame: pd.DataFrame, numbers: Iterable[str]) -> bytes:
    """Write the four lines that cBioPortal puts above its header: name, description, type, priority."""
    names = list(map(str, frame))
    words = [name.replace("_", " ").capitalize() for name in names]
    types = ["NUMBER" if name in numbers else "STRING" for name in names]
    above = (words, words, types, ["1"] * len(words))
    text = "".join("#" + "\t".join(line) + "\n" for line in above)
    return (text + frame.to_csv(index=False, sep="\t")).encode("utf-8")


def _redcap(tables: Mapping[str, pd.DataFrame]) -> dict[str, bytes]:
    """Return the two ways in which REDCap exports a project: codes, and labels."""
    rows = _one_row_each(tables)
    columns: Mapping[str, tuple[str, str, Callable[[str], str]]] = {
        "record_id": ("Record ID", "patient_id", str),
        "age": ("Age at diagnosis (years)", "age_years", str),
        "sex": ("Sex", "sex", {"female": "1", "male": "2"}.__getitem__),
        "ph": (
            "Philadelphia chromosome", "ph_status",
            {"positive": "1", "negative": "0", "": ""}.__getitem__,
        ),
        "cr_day": ("Day of complete remission", "cr_day", str),
        "relapse_day": ("Day of relapse", "relapse_day", str),
        "death_day": ("Day of death", "death_day", str),
        "last_fu_day": ("Day of last follow-up", "last_follow_up_day", str),
        "baseline_complete": ("Complete?", "patient_id", lambda _: "2"),
    }  # fmt: skip
    codes = {name: rows[source].map(code) for name, (_, source, code) in columns.items()}
    labels = {label: rows[source].str.capitalize() for label, source, _ in columns.values()}
    labels["Complete?"] = pd.Series("Complete", index=rows.index)
    return {
        "raw.csv": pd.DataFrame(codes).to_csv(index=False).encode("utf-8"),
        "labels.csv": pd.DataFrame(labels).to_csv(index=False).encode("utf-8"),
    }


def _pcr(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """Return a laboratory's list of samples: months, percentages, and ‘<’ below the limit."""
    samples = tables["mrd_assessments"]
    samples = samples[samples["call"].isin(("negative", "positive"))]
    shown = pd.DataFrame(
        {
            "ID": samples["patient_id"],
            "Months": [f"{int(day) / 30.4375:.2f}" for day in samples["day"]],
            "Material": samples["material"],
            "IG/TR qPCR (%)": [
                _percent(level, ".") if float(level) >= 1e-5 else "<0.001"
                for level in samples["mrd_fraction"]
            ],
        }
    )
    return shown.to_csv(index=False).encode("utf-8")
