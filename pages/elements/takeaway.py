"""The menu beside a figure or table: to the talk, as picture, slide, table or proof, and its code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from pages.elements.add_to_talk import talk_button
from pages.elements.downloads import download
from pages.elements.exports.exhibit import Exhibit
from pages.elements.frame import Cohort

_PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_PRESETS = {"one": "One column", "two": "Two columns", "slide": "Slide"}
_COLOURS = {"print": "Colours", "greyscale": "Greyscale"}
_CODE_HEIGHT = 180
# The browser places a popover while it is still empty, where a strip of room was enough for that.
_ROOM = "<style>[data-testid=stPopoverBody]{min-height:min(26rem,55vh)}</style>"


def menu(cohort: Cohort, key: str, build: Callable[[], Exhibit | None] | None = None) -> None:
    """Draw the menu that takes a figure or table away; nothing is made before it is asked for.

    Parameters
    ----------
    key : str
        Of `exhibits.FIGURES`.
    build : callable, optional
        What makes the exhibit where a view alone does not say it all; such a figure is part of no talk.
    """
    state = f"takeaway_{key}"
    popover = st.popover(
        "Take away", icon=":material/ios_share:", key=state, on_change="rerun", width="content"
    )
    if not popover.open:
        return
    with popover:
        st.html(_ROOM)
        exhibit = build() if build else _exhibit(key, cohort)
        if exhibit is None:
            st.markdown("There is nothing to take away here.")
            return
        if build is None:
            talk_button(cohort, key)
        _figure(exhibit)
        _table(exhibit)
        _rest(exhibit, cohort)


def _exhibit(key: str, cohort: Cohort) -> Exhibit | None:
    # Exhibits are made of views, and views draw this menu: imported above, that would be a circle.
    from pages.elements import exhibits

    return exhibits.exhibit(key, cohort)


def patients(cohort: Cohort, rows_of: Callable[[], pd.DataFrame], file: str) -> None:
    """Draw a button for patients as a spreadsheet, with provenance and the meaning of each column."""

    def make() -> bytes:
        rows = rows_of()
        from pages.elements.exhibits import parts
        from pages.elements.exports.workbook import as_xlsx, dictionary_rows

        counted = parts.counts(cohort, cohort.endpoint())
        source = parts.provenance(
            cohort, "Patients", counts=counted, method="every column as stored", rule=True
        )
        meanings = dictionary_rows(cohort.variables, [str(column) for column in rows])
        return as_xlsx({"Patients": rows}, source, meanings)

    download("XLSX", make, file, _XLSX, key="patients_xlsx", icon=":material/download:", rows=True)


def report(cohort: Cohort) -> None:
    """Draw the menu that writes a report of the cohort; nothing of it is made before it is asked for."""
    name = f"report-{cohort.study.study_id}-{cohort.snapshot.hash}"
    with st.popover("Report", icon=":material/article:"):
        st.markdown(
            "The cohort with attrition, Table 1, curves, MRD and methods, ready for a paper."
        )
        with st.container(horizontal=True, gap="small"):
            for label, ending, mime in (
                ("HTML", "html", "text/html"),
                ("PDF", "pdf", "application/pdf"),
                ("DOCX", "docx", _DOCX),
            ):
                make = partial(_report, cohort, ending)
                download(label, make, f"{name}.{ending}", mime, key=f"report_{ending}")


def _report(cohort: Cohort, ending: str) -> bytes:
    from pages.elements import exhibits
    from pages.elements.exports import report as reports

    write = {"html": reports.as_html, "pdf": reports.as_pdf, "docx": reports.as_docx}[ending]
    return write(exhibits.report(cohort))


def _figure(exhibit: Exhibit) -> None:
    """Offer the figure as a picture of a width and in colours, and as a slide."""
    st.markdown("**Figure**" if exhibit.spec is not None else "**Slide**")
    if exhibit.spec is not None:
        preset = _choice("Width", exhibit.key, _PRESETS)
        colours = _choice("Colours", exhibit.key, _COLOURS)
    with st.container(horizontal=True, gap="small"):
        if exhibit.spec is not None:
            name = f"{exhibit.file_name}-{preset}" + ("" if colours == "print" else "-grey")
            for label, ending, mime, dpi in (
                ("SVG", "svg", "image/svg+xml", 0),
                ("PDF", "pdf", "application/pdf", 0),
                ("PNG, 300 dpi", "png", "image/png", 300),
                ("PNG, 600 dpi", "png", "image/png", 600),
            ):
                file = f"{name}-{dpi}.{ending}" if dpi else f"{name}.{ending}"
                make = partial(_picture, exhibit, ending, preset, colours, dpi)
                download(label, make, file, mime, key=f"{exhibit.key}_{ending}_{dpi}")
        download("PPTX", partial(_slide, exhibit), f"{exhibit.file_name}.pptx", _PPTX,
                 key=f"{exhibit.key}_pptx")  # fmt: skip


def _choice(label: str, key: str, choices: dict[str, str]) -> str:
    chosen: str | None = st.segmented_control(
        label, list(choices), format_func=lambda name: choices[name], default=next(iter(choices)),
        key=f"{key}_{label.lower()}", required=True, label_visibility="collapsed",
    )  # fmt: skip
    return chosen or next(iter(choices))


def _picture(exhibit: Exhibit, ending: str, preset: str, colours: str, dpi: int) -> bytes:
    from pages.elements.exports import figure

    widths = {"one": figure.ONE_COLUMN, "two": figure.TWO_COLUMN, "slide": figure.SLIDE}
    style = replace(widths[preset], colours="greyscale" if colours == "greyscale" else "print")
    if ending == "png":
        return figure.as_png(exhibit, style, dpi)
    return figure.as_svg(exhibit, style) if ending == "svg" else figure.as_pdf(exhibit, style)


def _slide(exhibit: Exhibit) -> bytes:
    from pages.elements.exports import slides

    return slides.slide_of(exhibit)


def _table(exhibit: Exhibit) -> None:
    """Offer the numbers as files, and the table of the screen for a paper and for the clipboard."""
    st.markdown("**Table**")
    tables = exhibit.tables
    if not tables:
        return
    name = next(iter(tables))
    if len(tables) > 1:
        name = _choice("Table", exhibit.key, {each: each for each in tables})
    file = f"{exhibit.file_name}-{list(tables).index(name) + 1}"
    with st.container(horizontal=True, gap="small"):
        download("CSV", partial(_csv, tables[name]), f"{file}.csv", "text/csv",
                 key=f"{exhibit.key}_csv")  # fmt: skip
        download("Parquet", partial(_parquet, tables[name]), f"{file}.parquet",
                 "application/vnd.apache.parquet", key=f"{exhibit.key}_parquet")  # fmt: skip
        download("XLSX", partial(_xlsx, exhibit), f"{exhibit.file_name}.xlsx", _XLSX,
                 key=f"{exhibit.key}_xlsx")  # fmt: skip
        download("DOCX", partial(_docx, exhibit), f"{exhibit.file_name}.docx", _DOCX,
                 key=f"{exhibit.key}_docx")  # fmt: skip
    if exhibit.shown:
        with st.expander("Copy the table", icon=":material/content_copy:"):
            st.code(_copied(exhibit), language=None, height=_CODE_HEIGHT)


def _csv(table: pd.DataFrame) -> bytes:
    from pages.elements.exports.table import as_csv

    return as_csv(table)


def _parquet(table: pd.DataFrame) -> bytes:
    from pages.elements.exports.table import as_parquet

    return as_parquet(table)


def _xlsx(exhibit: Exhibit) -> bytes:
    from pages.elements.exhibits.parts import meanings
    from pages.elements.exports.workbook import as_xlsx

    return as_xlsx(exhibit.tables, exhibit.provenance, meanings(exhibit.tables.values()))


def _docx(exhibit: Exhibit) -> bytes:
    from pages.elements.exports import document, figure

    picture = None if exhibit.spec is None else figure.as_png(exhibit, figure.TWO_COLUMN, 300)
    return document.as_docx(exhibit, picture)


def _copied(exhibit: Exhibit) -> str:
    from pages.elements.exports.document import as_text

    return "\n\n".join(f"{name}\n{as_text(table)}" for name, table in exhibit.shown.items())


def _rest(exhibit: Exhibit, cohort: Cohort) -> None:
    """Offer what lets somebody else repeat the numbers: the proof where there is one, and the code."""
    from pages.elements.exhibits.proofs import PROOFS

    st.markdown("**Check me**")
    if exhibit.key in PROOFS:
        download("Data, numbers and scripts (ZIP)", partial(_proof, exhibit, cohort),
                 f"{exhibit.file_name}-check.zip", "application/zip", key=f"{exhibit.key}_zip")  # fmt: skip
    with st.expander("Show the code", icon=":material/code:"):
        st.code(exhibit.code, language="python", height=_CODE_HEIGHT)


def _proof(exhibit: Exhibit, cohort: Cohort) -> bytes:
    from pages.elements import exhibits
    from pages.elements.exports.proof import bundle

    return bundle([exhibits.proved(exhibit, cohort)])
