"""What all proofs are made of: codes in place of labels, rows in place of counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pages.elements.exports.exhibit import Proof
from pages.elements.exports.proof.check import Lines

NOT_RECOMPUTED = "not_recomputed"
"""Kind of a proof that says only what is not recomputed, and why."""

FIRST = "g01"
"""Code of the first group, or of all patients together."""


def codes(values: Iterable[Any], letter: str = "g") -> dict[Any, str]:
    """Return a code for each label: g01, g02, … sort as the labels do, and no text of a user is in rows."""
    return {value: f"{letter}{i:02d}" for i, value in enumerate(values, 1)}


def coded(column: str | None, of: Mapping[Any, str]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what gives a result frame its column `group`: the codes of `column`, or one for all."""

    def with_group(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(group=[of[v] for v in frame[column]] if column else FIRST)

    return with_group


def expanded(table: pd.DataFrame, column: str | None, of: Mapping[Any, str]) -> pd.DataFrame:
    """Return an event table as one row per patient: group, time, event."""
    parts = []
    for name, code in (("n_censored", 0), ("n_event", 1), ("n_competing", 2)):
        n = table[name].to_numpy() if name in table else np.zeros(len(table), dtype=int)
        here = coded(column, of)(table)[["group", "time"]].astype({"group": "object"})
        parts.append(here.loc[here.index.repeat(n)].assign(event=code))
    return shuffled(pd.concat(parts))


def shuffled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows in the order of their own values, which tells nothing of the order they came in."""
    return rows.sort_values(list(rows.columns), ignore_index=True)


def proof(
    kind: str,
    title: str,
    rows: pd.DataFrame,
    expected: Lines,
    labels: Mapping[str, str],
    **options: Any,
) -> Proof:
    """Return a computation with its words; text columns are named, so that codes are read as texts."""
    texts = [name for name in rows if rows[name].dtype == object]
    said = {code: _printed(label) for code, label in labels.items()}
    whole = {"title": _printed(title), "labels": said, "texts": texts, **options}
    return Proof(kind=kind, rows=rows, options=whole, expected=expected)


def _printed(text: str) -> str:
    # A terminal obeys what it is sent.
    return "".join(sign if sign.isprintable() else " " for sign in text)


def not_recomputed(what: str, why: str) -> Proof:
    """Return the plain word that something is not recomputed."""
    return Proof(
        kind=NOT_RECOMPUTED, rows=pd.DataFrame(), options={"what": what, "why": why}, expected={}
    )


def withheld(what: str, minimum: int) -> tuple[Proof, ...]:
    """Return the one proof of a study that shows no rows of single patients."""
    return (
        not_recomputed(what, f"counts under {minimum} are not shown, and so no rows are given"),
    )


def later(days: Sequence[int], start: float | None) -> list[int]:
    """Return the milestones that a figure shows: none up to its landmark."""
    return [int(day) for day in days if start is None or day > start]
