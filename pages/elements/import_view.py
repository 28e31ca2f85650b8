"""An import on the screen: the files, the columns, what the check finds, and publishing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath

import pandas as pd
import streamlit as st

from data import audit
from data.endpoints import ENDPOINTS
from data.exporting import templates
from data.exporting.package import zipped
from data.exporting.table import as_csv, as_xlsx, defused
from data.importing import jobs, privacy, recognise
from data.importing.disk import StoreBusy
from data.importing.formats import DELIMITERS, ENCODINGS, FORMS
from data.importing.jobs import Checked, Job, JobError
from data.importing.mapping import Assignment, SheetMapping, StudyMapping
from data.importing.problems import SEVERITIES, Problem, report
from data.importing.sheets import Sheet
from data.store import READ_ONLY, SnapshotError, cluster
from pages.elements import frame, link, mapping_view, sign_in, snapshots_view, wording
from pages.elements.catalogue import snapshots
from pages.elements.downloads import download
from pages.elements.link import View
from pages.elements.mapping_view import Draft

STEPS: Mapping[str, str] = {
    "files": "Files",
    "columns": "Columns",
    "check": "Check",
    "publish": "Publish",
}
"""The steps of an import: as the address holds them, and as the screen says them."""

_ENDINGS = [ending.removeprefix(".") for endings in FORMS.values() for ending in endings]
USUAL_MINIMUM = mapping_view.USUAL["small_cell_minimum"]
_ROLES = {
    "patients": "a patient",
    "samples": "an MRD sample",
    "courses": "a course of treatment",
    "endpoints": "an endpoint of a patient",
    "nothing": "something else: leave this sheet out",
}
_SEVERITY = {
    "fatal": (":red-badge[:material/error: Stops the import]", "must be settled before publishing"),
    "warning": (":orange-badge[:material/warning: Warning]", "changes what can be derived"),
    "note": (":gray-badge[:material/info: Note]", "good to know"),
}


def bring() -> None:
    """Draw the place to drop files, with templates and examples beside it, for who may import."""
    if not sign_in.may("import"):
        return
    if cluster():
        st.info(READ_ONLY)
        return
    st.subheader("Bring a cohort", anchor=False)
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        files = st.file_uploader(
            "Drop one sheet for all, or several: spreadsheets, CSV, Parquet, SAS",
            _ENDINGS, accept_multiple_files=True, key="files_dropped",
        )  # fmt: skip
        if st.button(
            f"Read {wording.count(len(files), 'file')}" if files else "Read the files",
            icon=":material/arrow_forward:", disabled=not files, key="read_files",
        ):  # fmt: skip
            _begin([(file.name, file.getvalue()) for file in files])
        _unfinished()
    with right:
        st.markdown(
            "Nothing is shown to anybody before you publish, and nothing is guessed: what can be read in "
            "two ways is asked. Dates become days and are dropped, columns that could name a patient must "
            "be left out, and the files are deleted when you publish or cancel, after a day at the latest."
        )
        with st.container(horizontal=True):
            download("Download a template", templates.workbook, "cohort-template.xlsx", _XLSX,
                     icon=":material/download:", key="template")  # fmt: skip
            with st.popover("Examples of accepted forms", icon=":material/folder_open:"):
                st.markdown("One made-up cohort of twelve patients in every form.")
                for label, (name, content) in _examples().items():
                    download(
                        wording.escape(label), lambda content=content: content, name,
                        key=f"example_{label}", icon=":material/download:", type="tertiary",
                    )  # fmt: skip


def _unfinished() -> None:
    """Lead back to imports that were left; where people sign in, only who has the address sees one."""
    if sign_in.setup().asked:
        return
    for job in jobs.unfinished():
        with st.container(horizontal=True, vertical_alignment="center"):
            names = wording.escape(wording.listed(job.files))
            st.markdown(f"Not published yet: {names}", width="stretch")
            st.button("Go on", key=f"go_on_{job.id}", on_click=link.show_import, args=(job.id,))


_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@st.cache_resource(show_spinner=False)
def _examples() -> Mapping[str, tuple[str, bytes]]:
    """Return name and content of every example, by its label."""
    every = templates.examples()
    whole = {"All of them (ZIP)": ("examples.zip", zipped(every))}
    return whole | {label: (PurePath(label).name, content) for label, content in every.items()}


def _begin(files: Sequence[tuple[str, bytes]]) -> None:
    try:
        person = sign_in.require("import")
        audit.record(person.name, "import", files=len(files))
        job = jobs.create(files)
        job.start("read")
    except (JobError, OSError) as refused:
        st.error(wording.escape(str(refused)))
        return
    link.show_import(job.id)
    st.rerun()


def draw(job_id: str, step: str | None) -> None:
    """Draw the step of an import that its state and the address ask for, for who may import."""
    if not sign_in.may("import"):
        st.title("Bring a cohort", anchor=False)
        st.markdown("Your role does not allow you to import.")
        return
    try:
        job = jobs.load(job_id)
        state = job.state
    except JobError as gone:
        st.title("Bring a cohort", anchor=False)
        st.markdown(wording.escape(str(gone)))
        st.button("Choose files", on_click=link.show_import, args=(None,))
        return
    shown = _step(job, state, step)
    _head(job, state, shown)
    snapshots_view.refused()
    try:
        _screen(job, state, shown)
    except (JobError, StoreBusy, SnapshotError, OSError) as refused:
        st.error(wording.escape(str(refused)))


def _step(job: Job, state: str, asked: str | None) -> str:
    """Return the step to show: the one asked for, where the state of the job allows it."""
    if state in ("publishing", "published"):
        return "publish"
    if state in ("reading", "checking"):
        return "files" if state == "reading" else "check"
    if state == "failed":
        return asked if asked in ("files", "columns") and job.mapping else "failed"
    allowed = tuple(STEPS) if state == "checked" else ("files", "columns")
    usual = "check" if state == "checked" else "files"
    return asked if asked in allowed else usual


def _head(job: Job, state: str, shown: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Bring a cohort", anchor=False, width="stretch")
        if state != "published" and st.button("Cancel the import", icon=":material/close:"):
            _cancel(job, job.files)
    busy = state in ("reading", "checking", "publishing", "published")
    reachable = () if busy else tuple(STEPS)[: 4 if state == "checked" else 2]
    if state == "failed" and not job.mapping:
        reachable = ()
    with st.container(horizontal=True, gap="small", key="steps"):
        for number, (name, words) in enumerate(STEPS.items(), start=1):
            label = f"**{number} {words}**" if name == shown else f"{number} {words}"
            st.button(
                label, key=f"step_{name}", type="secondary" if name == shown else "tertiary",
                disabled=name not in reachable and name != shown,
                on_click=link.show_import, args=(job.id, name),
            )  # fmt: skip


@st.dialog("Cancel the import")
def _cancel(job: Job, files: Sequence[str]) -> None:
    names = ", ".join(wording.escape(mapping_view.shortened(name)) for name in files)
    st.markdown(
        f"This stops the import of {names} and deletes the files and every answer given so far. "
        "What is published already stays."
    )

    def confirmed() -> None:
        job.cancel()
        mapping_view.forget()
        link.show_import(None)

    if st.button("Cancel it and delete the files", key="cancel_confirmed", on_click=confirmed):
        st.rerun()


def _screen(job: Job, state: str, step: str) -> None:
    if state in ("reading", "checking", "publishing"):
        if not (job.place / "request.json").exists():
            job.start("read")
        _waiting(job, state)
    elif step == "failed":
        _failed(job)
    elif state == "published":
        _published(job)
    elif step == "files" or not mapping_view.sheets(job):
        _files(job)
    elif step == "columns":
        _columns(job)
    elif step == "check":
        _check(job)
    else:
        _publish(job)


@st.fragment(run_every=0.5)
def _waiting(job: Job, state: str) -> None:
    """Show how far the worker is, until it has finished."""
    try:
        now = jobs.load(job.id).state
    except JobError:
        now = "gone"
    if now != state:
        st.rerun()
    words, share = job.progress()
    usual = {"reading": "Reading the files", "checking": "Checking", "publishing": "Publishing"}
    said = words or usual[state]
    st.progress(share or 0.0, wording.escape(said))
    if state == "checking" and st.button("Stop", icon=":material/stop:", key="stop"):
        job.stop()
        link.show_import(job.id, "columns")
        st.rerun()


def _failed(job: Job) -> None:
    st.error(wording.escape(job.message))
    what = "check" if job.mapping else "read"

    st.button("Try again", icon=":material/refresh:", key="again",
              on_click=snapshots_view.attempt, args=(partial(job.start, what),))  # fmt: skip


def _draft(job: Job) -> Draft:
    mapping = mapping_view.mapping_of(job)
    assert mapping is not None
    sheets = mapping_view.sheets(job)
    questions = recognise.questions(sheets.values(), mapping)
    notes = tuple(recognise.notes(sheets.values(), mapping))
    return Draft(job.id, sheets, mapping, questions, notes)


def _files(job: Job) -> None:
    sheets, mapping = mapping_view.sheets(job), mapping_view.mapping_of(job)
    _list(job.problems)
    if mapping is None:
        st.markdown("No table was found in these files, so there is nothing to go on with.")
        _replace(job, None)
        _read_again(job, None)
        return
    _next_state(mapping)
    _identifiers(job, sheets, mapping)
    _rekey(job, mapping)
    for mapped in mapping.sheets:
        with st.container(border=True):
            _one_sheet(job, sheets[mapped.sheet], mapped)
    nothing = all(mapped.role == "nothing" for mapped in mapping.sheets)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Continue with the columns", icon=":material/arrow_forward:", key="to_columns",
                  on_click=link.show_import, args=(job.id, "columns"), disabled=nothing)  # fmt: skip
        if nothing:
            st.markdown("Say first what one row is: no sheet was recognised as one with patients.")


def _one_sheet(job: Job, sheet: Sheet, mapped: SheetMapping) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown(
            f"#### {wording.escape(mapping_view.shortened(sheet.name, 80))}", width="stretch"
        )
        _replace(job, sheet)
        _read_again(job, sheet)
    read = [f"{name}: {words}" for name, words in sheet.reading.items()]
    size = (
        f"{wording.count(len(sheet.cells), 'row')}, {wording.count(sheet.cells.shape[1], 'column')}"
    )
    st.markdown(wording.escape(" · ".join([size, *read])))
    key = f"{job.id}_role_{sheet.name}"

    def changed() -> None:
        role, every = st.session_state[key], mapping_view.sheets(job).values()

        def proposed(now: StudyMapping) -> StudyMapping:
            again = recognise.with_role(every, now, sheet.name, role)
            others = {s.shape for s in again.sheets if s.sheet != sheet.name}
            return privacy.without_identifying(every, again, others)

        mapping_view.keep(job.id, proposed)

    st.selectbox("One row is", list(_ROLES), link.put_choice(key, mapped.role, _ROLES),
                 format_func=lambda role: _ROLES[role], key=key, on_change=changed, width=320)  # fmt: skip
    head = sheet.cells.head(5).rename_axis("row").astype("object").map(defused, na_action="ignore")
    st.dataframe(
        head.where(head.notna(), None), key=f"{job.id}_head_{sheet.name}", placeholder="",
        alt=f"The first rows of {sheet.name}",
    )  # fmt: skip


def _next_state(mapping: StudyMapping) -> None:
    """Say of which study here the files are taken as the next state."""
    study_id = mapping.study.get("study_id")
    title = next((s.title for s in snapshots() if s.current and s.study_id == study_id), None)
    if title is not None:
        st.markdown(
            f"Taken as the next state of **{wording.escape(title)}** (`{study_id}`), which is here "
            "already. To make it a new study, say so under Columns, The study."
        )


def _file_of(job: Job, sheet: Sheet | None) -> str:
    of_sheet = [file for file in job.files if sheet and sheet.name.startswith(file)]
    return max(of_sheet, key=len, default=job.files[0])


def _replace(job: Job, sheet: Sheet | None) -> None:
    """Offer to put a corrected file in the place of one; with the same columns the answers stay."""
    name = _file_of(job, sheet)
    key = f"{job.files.index(name)}_{sheet and sheet.name}"
    with st.popover("Replace the file", icon=":material/upload:"):
        new = st.file_uploader(
            "A corrected file: if its columns are the same, your answers stay",
            [PurePath(name).suffix.removeprefix(".")], key=f"new_{key}",
        )  # fmt: skip
        if st.button("Replace", key=f"replace_{key}", disabled=new is None) and new:
            job.replace(name, new.getvalue())
            st.rerun()


def _read_again(job: Job, sheet: Sheet | None) -> None:
    """Offer to read a file otherwise: another delimiter, encoding or header row."""
    name = _file_of(job, sheet)
    reading = sheet.reading if sheet else {"delimiter": "", "encoding": "", "header row": ""}
    key = f"{job.files.index(name)}_{sheet and sheet.name}"
    with st.popover("Read it otherwise", icon=":material/tune:"):
        st.markdown("If the columns look wrong, say how the file is written.")
        given: dict[str, object] = {}
        if "delimiter" in reading:
            given["delimiter"] = _option("Columns are parted by", DELIMITERS, f"delimiter_{key}")
        if "encoding" in reading:
            words = "If accented letters look wrong: the letters are written as"
            given["encoding"] = _option(words, ENCODINGS, f"encoding_{key}")
        if "header row" in reading:
            given["header_row"] = st.number_input(
                "The column names are in row", 1, 10_000, None, key=f"header_{key}",
                placeholder="as read",
            )  # fmt: skip
        options = {option: value for option, value in given.items() if value is not None}
        if st.button("Read again", key=f"again_{key}", disabled=not options):
            job.read_again(name, **options)
            st.rerun()


def _option(words: str, choices: Mapping[str, str], key: str) -> str | None:
    return st.selectbox(words, list(choices), index=None, placeholder="as read", key=key,
                        format_func=lambda choice: choices[choice])  # fmt: skip


def _identifiers(job: Job, sheets: Mapping[str, Sheet], mapping: StudyMapping) -> None:
    """Name the columns that could tell who a patient is, and offer to leave them out at once."""
    used = {(s.sheet, a.column) for s in mapping.sheets for a in s.assignments
            if a.target != "nothing" and s.role != "nothing"}  # fmt: skip
    every = privacy.identifying(tuple(sheets.values()))
    found = [p for p in every if (p.file, p.column) in used]
    gone = [mapping_view.shortened(p.column) for p in every if (p.file, p.column) not in used]
    if gone:
        st.markdown(
            f":gray[:material/block: Left out, because they could tell who a patient is: "
            f"{wording.escape(', '.join(gone))}.]"
        )
    ids = {(s.sheet, a.column) for s in mapping.sheets for a in s.assignments
           if a.target == "patient_id"}  # fmt: skip
    columns = [p for p in found if (p.file, p.column) not in ids]
    if columns:
        with st.container(border=True):
            st.markdown(
                ":orange-badge[:material/warning: These columns could tell who a patient is]"
            )
            for problem in columns:
                column = mapping_view.shortened(problem.column, 60)
                st.markdown(f"**{wording.escape(column)}**: {wording.escape(problem.what)}")
            stops = any(problem.severity == "fatal" for problem in columns)
            words = "They stop the import until they are left out." if stops else ""
            places = {
                (p.file, str(p.column)) for p in columns if p.severity == "fatal" or not stops
            }
            st.button("Leave them out", icon=":material/block:", key="leave_out",
                      on_click=mapping_view.keep,
                      args=(job.id, partial(_without, places)), help=words or None)  # fmt: skip
    for problem in found:
        if problem not in columns:
            st.markdown(
                f":orange-badge[:material/warning: Patient identifier] {wording.escape(problem.what)}"
            )


def _rekey(job: Job, mapping: StudyMapping) -> None:
    key = f"{job.id}_rekey"

    def changed() -> None:
        value = bool(st.session_state[key])
        mapping_view.keep(job.id, lambda now: replace(now, rekey=value))

    st.toggle(
        "Replace patient identifiers by new ones", link.put(key, mapping.rekey), key=key,
        on_change=changed,
        help="Each becomes a code that only this store can make from it: the same patient gets the same "
        "code in the next file, and nobody can get back from the code to the identifier.",
    )  # fmt: skip


def _without(places: set[tuple[str, str]], mapping: StudyMapping) -> StudyMapping:
    """Return a mapping in which some columns, by sheet and name, become nothing."""

    def left(sheet: SheetMapping) -> SheetMapping:
        gone = [c for name, c in places if name == sheet.sheet]
        kept = tuple(a for a in sheet.assignments if a.column not in gone)
        return replace(sheet, assignments=(*kept, *(Assignment(c, "nothing") for c in gone)))

    return replace(mapping, sheets=tuple(map(left, mapping.sheets)))


def _columns(job: Job) -> None:
    draft = _draft(job)
    mapping_view.columns(draft)

    def check() -> None:
        snapshots_view.attempt(partial(job.start, "check"))
        link.show_import(job.id, "check")

    left = len(draft.questions)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Check everything", icon=":material/fact_check:", key="check", on_click=check,
                  disabled=bool(left))  # fmt: skip
        if left:
            st.markdown(f"{wording.count(left, 'question')} to be answered first.")


def _check(job: Job) -> None:
    checked = job.checked()
    counts = {s: sum(p.rows for p in checked.problems if p.severity == s) for s in SEVERITIES}
    verdict = (
        "Something still stops the import: see below."
        if checked.fatal
        else "Nothing stops the import. Read the findings, then publish."
    )
    said = ", ".join(
        wording.count(n, f"{s} finding" if s == "fatal" else s) for s, n in counts.items() if n
    )
    st.markdown(f"**{verdict}** {said[:1].upper()}{said[1:]}{'.' if said else ''}")
    left, right = st.columns(2, gap="medium")
    with left:
        _before_and_after(job, checked)
    with right:
        _derivable(checked)
    st.subheader("What was found", anchor=False)
    _downloads(checked.problems)
    _list(checked.problems)
    with st.container(horizontal=True):
        st.button("Back to the columns", icon=":material/arrow_back:", key="back_to_columns",
                  on_click=link.show_import, args=(job.id, "columns"))  # fmt: skip
        st.button("Continue to publishing", icon=":material/arrow_forward:", key="to_publish",
                  on_click=link.show_import, args=(job.id, "publish"))  # fmt: skip


def _before_and_after(job: Job, checked: Checked) -> None:
    st.subheader("Before and after", anchor=False)
    read = [
        (wording.escape(mapping_view.shortened(n)), f"{rows:,}")
        for n, rows in checked.rows_read.items()
    ]
    _table(read, ["In the files", "Rows"])
    kept = [(words[:1].upper() + words[1:] + "s", f"{checked.rows.get(name, 0):,}")
            for name, words in snapshots_view.ROWS.items() if checked.rows.get(name)]  # fmt: skip
    _table(kept, ["In the store", "Rows"])
    if checked.unchanged:
        st.markdown("This is exactly what is served already: publishing changes nothing.")
    elif checked.diff is not None:
        st.markdown(f"Against what is served now: **{wording.escape(str(checked.diff))}**.")


def _table(rows: Sequence[tuple[str, ...]], columns: list[str]) -> None:
    st.table(pd.DataFrame(rows, columns=columns), border="horizontal", hide_index=True)


def _derivable(checked: Checked) -> None:
    st.subheader("What will be derivable", anchor=False)
    if not checked.derivable:
        st.markdown("This is known once nothing stops the import any more.")
        return
    rows = []
    for known in checked.derivable:
        endpoint = ENDPOINTS[known.code]
        if endpoint.censored_at_allosct:
            continue
        left = "; ".join(f"{wording.escape(why)} ({n})" for why, n in known.excluded.items())
        if known.refused_because:
            rows.append((endpoint.short, "no", wording.escape(known.refused_because)))
        else:
            rows.append(
                (endpoint.short, f"{known.n_usable:,}", f"left out: {left}" if left else "")
            )
    _table(rows, ["Endpoint", "Patients", ""])
    times = [(wording.escape(label), f"{n:,}") for label, n in checked.timepoints.items()]
    if times:
        _table(times, ["MRD", "Evaluable"])
    else:
        st.markdown("No MRD timepoint.")


def _downloads(problems: Sequence[Problem]) -> None:
    if not problems:
        return
    with st.container(horizontal=True):
        for label, ending, mime, write in (
            ("Findings as XLSX", "xlsx", _XLSX, as_xlsx), ("CSV", "csv", "text/csv", as_csv),
        ):  # fmt: skip
            download(
                label, lambda write=write: write(report(problems)), f"findings.{ending}", mime,
                icon=":material/download:", key=f"findings_{ending}", rows=True,
            )  # fmt: skip


def _list(problems: Sequence[Problem]) -> None:
    """List findings by severity and kind, each kind folded with its rows."""
    for severity in SEVERITIES:
        mine = [problem for problem in problems if problem.severity == severity]
        if not mine:
            continue
        badge, words = _SEVERITY[severity]
        n = sum(problem.rows for problem in mine)
        st.markdown(f"{badge} **{n:,}**, {words}")
        for number, (kind, some) in enumerate(_kinds(mine).items()):
            _kind(kind, some, f"findings_{severity}_{number}", expanded=severity == "fatal")


def _kinds(problems: Sequence[Problem]) -> dict[tuple[str, str, str], list[Problem]]:
    """Return findings by file, column and what they say, numbers aside; the most frequent first."""
    found: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        said = re.sub(r"^the same in [\d,]+ further rows?: ", "", problem.what)
        found.setdefault(
            (problem.file, problem.column or "", re.sub(r"\d+", "#", said)), []
        ).append(problem)
    return found


def _kind(kind: tuple[str, str, str], some: Sequence[Problem], key: str, *, expanded: bool) -> None:
    file, column, _ = kind
    n = sum(problem.rows for problem in some)
    where = wording.escape(mapping_view.shortened(column or file))
    what = wording.escape(mapping_view.shortened(some[0].what, 140))
    rows = f" :gray[· {n:,} rows]" if n > 1 else ""
    fold = st.expander(f"**{where}** · {what}{rows}", expanded, key=key, on_change="rerun")
    if not fold.open:
        return
    with fold:
        rows = report(some).drop(columns=["severity", "rows"])
        if rows["problem"].nunique() == 1 and rows["remedy"].nunique() == 1:
            st.markdown(f"{wording.escape(some[0].what)} {wording.escape(some[0].remedy)}")
            rows = rows.drop(columns=["problem", "remedy"])
        st.dataframe(
            rows.map(defused, na_action="ignore"), hide_index=True, key=f"{key}_rows",
            height=min(35 * (len(rows) + 1) + 3, 320), alt=f"{n} findings", placeholder="",
        )  # fmt: skip


def _publish(job: Job) -> None:
    checked, mapping = job.checked(), job.mapping
    assert mapping is not None
    study = mapping.study
    served = {snapshot.study_id: snapshot for snapshot in snapshots() if snapshot.current}
    before = served.get(str(study.get("study_id")))
    kind = "synthetic" if study.get("synthetic") else "real"
    n = wording.count(checked.rows.get("patients", 0), f"{kind} patient")
    with st.container(horizontal=True, vertical_alignment="center"):
        title = wording.escape(str(study.get("title")))
        st.markdown(f"**{title}** (`{study.get('study_id')}`), {n}", width="content")
        st.button("Change title or patients", icon=":material/edit:", type="tertiary",
                  key="to_study", on_click=_to_study, args=(job.id,))  # fmt: skip
    if before is None:
        st.markdown("A new study: it will stand beside those that are here.")
    else:
        changed = f": {wording.escape(str(checked.diff))}" if checked.diff else ""
        st.markdown(
            f"It takes the place of what is served under this name, published "
            f"{snapshots_view.moment(before.published_at)}{changed}. The earlier one "
            "stays in the history, and you can go back to it."
        )
    reason = (
        "A finding stops the import: settle it first." if checked.fatal
        else "This is exactly what is served already." if checked.unchanged else ""
    )  # fmt: skip
    asked = study.get("small_cell_minimum")
    if before is not None and not sign_in.may("set the small-cell minimum"):
        asked = None
    usual = before.small_cell_minimum if before else USUAL_MINIMUM
    minimum = usual if asked is None else asked
    st.markdown(
        f"Counts of 1 to {minimum - 1} patients and rows of single patients will be hidden. Whoever keeps "
        "the study can change that under Cohorts."
        if minimum else "Every count and every row will be shown."
    )  # fmt: skip
    who = snapshots_view.asked_name("who_publishes")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Publish", icon=":material/publish:", key="publish", disabled=bool(reason)):
            sign_in.require("publish")
            with st.spinner("Publishing"):
                job.publish(who, asked)
            mapping_view.forget()
            st.rerun()
        if reason:
            st.markdown(reason)


def _to_study(job_id: str) -> None:
    mapping_view.show_study(job_id)
    link.show_import(job_id, "columns")


def _published(job: Job) -> None:
    snapshot = job.publish("")
    st.markdown(
        f":green-badge[:material/check: Published] **{wording.escape(snapshot.title)}**, "
        f"{wording.count(snapshot.rows['patients'], 'patient')}, snapshot {snapshot.hash}. The files "
        "that were read are deleted."
    )
    with st.container(horizontal=True):
        view = View(snapshot.study_id)
        frame.page_link("Overview", view, "Published: open it", ":material/arrow_forward:")
        st.button("All cohorts", on_click=link.show_import, args=(None,), key="to_cohorts")
