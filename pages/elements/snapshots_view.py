"""The studies in the store: what is served, what was, and what can be done about it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import streamlit as st

from analytics.suppression import fewer, in_steps, is_small
from data.exporting import adam
from data.exporting.table import defused
from data.importing import history
from data.importing.disk import StoreBusy
from data.importing.jobs import JobError
from data.store import Snapshot, SnapshotError, read_json, record_path
from pages.elements import access, frame, link, sign_in, wording
from pages.elements.catalogue import snapshots
from pages.elements.downloads import download
from pages.elements.link import View

NOBODY = "not said"
_WHO, _REFUSED = "who", "refused"
ROWS: Mapping[str, str] = {
    "patients": "patient",
    "mrd_assessments": "MRD sample",
    "treatments": "treatment",
    "outcomes": "outcome",
    "given_endpoints": "given endpoint",
}
"""The tables of a snapshot: what one row of each is called."""


def studies() -> None:
    """Show every study of the store, the one published last first."""
    found: dict[str, list[Snapshot]] = {}
    for snapshot in snapshots():
        found.setdefault(snapshot.study_id, []).append(snapshot)
    st.subheader("Studies in this store", anchor=False)
    if not found:
        st.markdown("There is none yet. Bring the first one above.")
        return
    for kept in sorted(found.values(), key=lambda each: each[0].published_at, reverse=True):
        with frame.part("A study"), st.container(border=True):
            _study(kept)


def asked_name(key: str) -> str:
    """Return the name that the history keeps: of the person signed in, else as given, or `NOBODY`."""
    person = sign_in.present()
    if person is not None and person is not sign_in.LOCAL:
        return person.name
    st.session_state.setdefault(key, st.session_state.get(_WHO, ""))
    given = st.text_input(
        "Your name, for the history",
        key=key,
        max_chars=80,
        placeholder="Name or initials",
        width=320,
    ).strip()
    st.session_state[_WHO] = given
    return given or NOBODY


# Python's own names of months follow the language of the server.
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def moment(text: str) -> str:
    """Return a time in ISO 8601 as '21 Nov 2026, 15:04 UTC'."""
    at = datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at:%Y, %H:%M} UTC"


def _rows(snapshot: Snapshot) -> str:
    """Return '161 patients, 722 MRD samples'; tables without rows are left out.

    With a small-cell minimum in steps: two snapshots would else tell how few patients came or went.
    """
    k = snapshot.small_cell_minimum
    return ", ".join(
        wording.count(in_steps(n, k), ROWS.get(name, name))
        for name, n in snapshot.rows.items()
        if n
    )


def _study(kept: Sequence[Snapshot]) -> None:
    served = next((snapshot for snapshot in kept if snapshot.current), None)
    shown, damaged = served or kept[0], ""
    try:
        name = access.study(shown).name
    except SnapshotError as error:
        name, damaged = shown.title, str(error)
    whole = served is not None and not damaged
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"#### {wording.escape(name)}", width="stretch")
        if whole:
            frame.page_link("Overview", View(shown.study_id), "Open", ":material/arrow_forward:")
    if damaged:
        st.error(f"{wording.escape(damaged)} Or go back to an earlier one under History.")
    elif served is None:
        st.markdown("No snapshot of it is served. Choose one under History, or delete the study.")
    else:
        by = f" by {wording.escape(shown.published_by)}" if shown.published_by else ""
        st.markdown(
            f"**{wording.count(shown.rows['patients'], 'patient')}** · `{shown.study_id}` · snapshot "
            f"{shown.hash} · published {moment(shown.published_at)}{by}"
        )
    _actions(kept, shown if whole else None)


def _actions(kept: Sequence[Snapshot], served: Snapshot | None) -> None:
    if kept[0].place:
        return
    study_id, parts = kept[0].study_id, _parts(kept, served)
    with st.container(horizontal=True, gap="small"):
        part = st.segmented_control(
            f"More about {wording.escape(kept[0].title)}", list(parts), key=f"part_{study_id}",
            label_visibility="collapsed", format_func=lambda part: parts[part], wrap=True,
        )  # fmt: skip
        if served is not None and sign_in.may("see single patients"):
            _exports(served)
        if sign_in.may("delete") and st.button(
            "Delete", icon=":material/delete:", key=f"delete_{study_id}"
        ):
            _delete(study_id, None, _named(kept))
    if part == _HISTORY:
        _history(kept)
    elif part == _FINDINGS and served is not None:
        _problems(served)
    elif part == _SMALL and served is not None:
        _small_cells(served)


_HISTORY, _FINDINGS, _SMALL = "history", "findings", "small"


def _parts(kept: Sequence[Snapshot], served: Snapshot | None) -> dict[str, str]:
    """Return what can be unfolded about a study, with its label."""
    found = {_HISTORY: f":material/history: History: {len(kept)}"}
    if served is not None:
        n, k = len(access.import_problems(served)), served.small_cell_minimum
        found |= {_FINDINGS: f":material/fact_check: Findings: {n:,}"} if n else {}
        if sign_in.may("set the small-cell minimum"):
            found[_SMALL] = (
                f":material/visibility: Small numbers: {f'under {k} hidden' if k else 'shown'}"
            )
    return found


def _named(kept: Sequence[Snapshot]) -> str:
    shown = next((snapshot for snapshot in kept if snapshot.current), kept[0])
    n = wording.count(shown.rows["patients"], "patient")
    return (
        f"the study **{wording.escape(kept[0].title)}** (`{kept[0].study_id}`, {n}) with "
        f"{'its snapshot' if len(kept) == 1 else f'all its {len(kept)} snapshots'} and its mapping"
    )


def _history(kept: Sequence[Snapshot]) -> None:
    for snapshot, older in zip(kept, [*kept[1:], None], strict=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _past(snapshot, older)
    lines = [
        f"- {moment(entry.at)}: {wording.escape(_done(entry))}"
        for entry in history.history(kept[0].study_id)
    ]
    if lines:
        st.markdown("**What was done**\n\n" + "\n".join(lines))


def _done(entry: history.Entry) -> str:
    said = {
        "publish": f"snapshot {entry.snapshot} published",
        "roll back": f"back to snapshot {entry.snapshot}",
        "delete": f"snapshot {entry.snapshot} deleted" if entry.snapshot else "study deleted",
        "minimum": f"counts under {entry.small_cell_minimum} hidden from then on"
        if entry.small_cell_minimum else "everything shown from then on",
    }  # fmt: skip
    return f"{said[entry.what]}, by {entry.who}" if entry.who else said[entry.what]


def _past(snapshot: Snapshot, older: Snapshot | None) -> None:
    served = " · **served**" if snapshot.current else ""
    by = f" by {wording.escape(snapshot.published_by)}" if snapshot.published_by else ""
    changed = "the first" if older is None else _changes(older, snapshot)
    st.markdown(
        f"{moment(snapshot.published_at)}{by} · snapshot {snapshot.hash}{served}  \n"
        f":gray[{_rows(snapshot)} · {changed}]",
        width="stretch",
    )  # fmt: skip
    key = f"{snapshot.study_id}_{snapshot.hash}"
    frame.page_link("Overview", View(snapshot.study_id, snapshot.hash), "Open")
    if snapshot.current:
        return
    if sign_in.may("roll back") and st.button("Go back to this one", key=f"back_{key}"):
        _roll_back(snapshot)
    if sign_in.may("delete") and st.button("Delete", icon=":material/delete:", key=f"delete_{key}"):
        _delete(snapshot.study_id, snapshot.hash, f"the snapshot {snapshot.hash} of "
                f"{moment(snapshot.published_at)}")  # fmt: skip


def _changes(older: Snapshot, newer: Snapshot) -> str:
    try:
        return wording.escape(in_words(access.changes(older, newer), newer.small_cell_minimum))
    except SnapshotError:
        return "what changed cannot be said: one of the two is damaged"


def in_words(changes: history.Diff, minimum: int) -> str:
    """Return '3 patients added, 2 outcomes changed'; small numbers as '<5'."""
    if not minimum:
        return str(changes)
    said = [
        f"{fewer(minimum) if is_small(n, minimum) else n:,} {what}"
        for what, n in changes.counts.items()
    ]
    return ", ".join(said) or changes.uncounted


@st.dialog("Go back to an earlier snapshot")
def _roll_back(snapshot: Snapshot) -> None:
    st.markdown(
        f"Everybody will then see **{wording.escape(snapshot.title)}** as it was published "
        f"{moment(snapshot.published_at)}: {_rows(snapshot)}. The one that is served now "
        "stays in the history."
    )
    change = partial(history.roll_back, snapshot.study_id, snapshot.hash)
    _confirm("Go back to it", "roll back", change)


@st.dialog("Delete for good")
def _delete(study_id: str, digest: str | None, what: str) -> None:
    st.markdown(
        f"This deletes {what}. It cannot be undone: no patient of it stays in this store. The history "
        "keeps who deleted it, and when."
    )
    change = partial(history.delete, study_id, digest)
    _confirm("Delete it for good", "delete", change, gone=digest is None)


def _confirm(
    label: str, action: str, change: Callable[[str], object], *, gone: bool = False
) -> None:
    """Draw the end of a dialog: the name for the history, the button, and why it could not be done."""
    nameless = asked_name("who_confirms") == NOBODY and action == "delete"

    def confirmed() -> None:
        st.session_state[_WHO] = st.session_state.get("who_confirms", "").strip()
        _do(action, change)
        if gone and not st.session_state.get(_REFUSED):
            link.forget()

    if st.button(
        label, key="confirmed", on_click=confirmed, disabled=nameless
    ) and not st.session_state.get(_REFUSED):
        st.rerun()
    if nameless:
        st.markdown("Say who deletes it: the name is what stays in the history.")
    refused()


def _do(action: str, change: Callable[[str], object]) -> None:
    """Change the store, from a widget's callback, as far as the person there may."""

    def done() -> None:
        person = sign_in.require(action)
        named = st.session_state.get(_WHO) or NOBODY
        change(named if person is sign_in.LOCAL else person.name)

    attempt(done)
    if not st.session_state.get(_REFUSED):
        st.cache_resource.clear()


def attempt(action: Callable[[], object]) -> None:
    """Do something from a widget's callback; where it cannot be done, `refused` says why."""
    try:
        action()
    except (JobError, StoreBusy, SnapshotError, OSError, ValueError) as error:
        st.session_state[_REFUSED] = str(error)


def refused() -> None:
    """Say once why the last change could not be made."""
    message = st.session_state.pop(_REFUSED, None)
    if message:
        st.error(wording.escape(message))


def _problems(snapshot: Snapshot) -> None:
    if snapshot.small_cell_minimum:
        st.markdown("The findings name rows of single patients, and small numbers are hidden here.")
        return
    problems = access.import_problems(snapshot)
    st.dataframe(
        problems.map(defused, na_action="ignore"), hide_index=True, placeholder="",
        height=min(35 * (len(problems) + 1) + 3, 390), key=f"findings_{snapshot.study_id}",
        alt=f"What the import of {snapshot.title} found",
    )  # fmt: skip


def _small_cells(snapshot: Snapshot) -> None:
    k, study_id = snapshot.small_cell_minimum, snapshot.study_id
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.number_input(
            "Hide counts of patients under", 0, 100, k, key=f"minimum_{study_id}_{k}", width=210
        )
        st.button("Apply", key=f"apply_{study_id}", disabled=chosen == k, on_click=_do,
                  args=("set the small-cell minimum",
                        partial(history.set_minimum, study_id, int(chosen))))  # fmt: skip
    refused()
    st.markdown(
        ":gray[0 shows everything: for a group that looks at its own patients. With 5, no count of 1 to 4 "
        "patients and no row of a single patient leaves the store, on any page or in any file, and rows "
        "cannot be exported.]"
    )


def _exports(snapshot: Snapshot) -> None:
    """Offer the analysis sets and the mapping, each written on a click only."""
    study_id = snapshot.study_id
    if snapshot.small_cell_minimum:
        st.button(
            "ADaM files",
            icon=":material/download:",
            disabled=True,
            key=f"adam_{study_id}",
            help="Rows of single patients do not leave a study whose small numbers are hidden",
        )
    else:
        download(
            "ADaM files", partial(adam.archive, snapshot),
            f"{study_id}-{snapshot.hash}-adam.zip", "application/zip", key=f"adam_{study_id}",
            icon=":material/download:", rows=True,
            help="ADSL, ADTTE and ADMRD as CSV, Parquet and SAS transport files, in one ZIP file",
        )  # fmt: skip
    mapping = read_json(record_path(snapshot.path.parent, study_id, snapshot.hash)).get("mapping")
    if mapping:
        text = json.dumps(mapping, indent=1, ensure_ascii=False)
        download(
            "Mapping", lambda: text, f"{study_id}-mapping.json", "application/json",
            icon=":material/download:", key=f"mapping_{study_id}",
            help="How the columns of the files became these tables, for the next import by command",
        )  # fmt: skip
