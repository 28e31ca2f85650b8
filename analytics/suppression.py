"""Small cells: which counts of patients may be shown, so that none of a few can be worked out.

A study has a smallest count that may be shown; 0 switches all of this off. A count from 1 to one below it
is small and hidden, and so are as many others as it takes that no small one follows from what is shown.
Zero may show: nobody is identified by it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Key = TypeVar("Key", bound=Hashable)

_NO_TELLING = 1e-7


@dataclass(frozen=True)
class Hidden:
    """A count that is not shown: written it reads as `text`, and no number can be had from it.

    What is computed with it is `UNSAID`, as a decimal it is a missing number, and a whole number cannot be
    made of it, so that nothing derived from it can be shown either. It is known to be above 0.

    Attributes
    ----------
    text : str
        '<5', '≥21', or '…' where even that would tell too much.
    few : bool
        Whether the text says that these are few.
    """

    text: str
    few: bool = False

    def __format__(self, _: str) -> str:
        return self.text

    def __str__(self) -> str:
        return self.text

    def __float__(self) -> float:
        return math.nan

    def __gt__(self, other: float) -> bool:
        return other <= 0

    def __ge__(self, other: float) -> bool:
        return other <= 1

    def __lt__(self, _: float) -> bool:
        return False

    def __le__(self, _: float) -> bool:
        return False

    def _computed(self, _: object) -> Hidden:
        return UNSAID

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _computed
    __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = _computed


Count = int | Hidden

UNSAID = Hidden("…")
"""A count of which nothing may be said."""


def effective(minimum: int) -> int:
    """Return the smallest count shown, 0 for every count.

    With 2 a hidden count could only be 1, and would be known: it is taken as 3.
    """
    return 0 if minimum < 2 else max(minimum, 3)


def is_small(n: int, minimum: int) -> bool:
    """Tell whether a count is one of those that are never shown."""
    return 0 < n < effective(minimum)


def fewer(minimum: int) -> Hidden:
    """Return what stands for a small count: '<5'."""
    return Hidden(f"<{effective(minimum)}", few=True)


def in_steps(n: int, minimum: int) -> Count:
    """Return a count that changes patient by patient as a lower bound in steps of the minimum.

    27 is '≥25', 3 is '<5': two neighbours then differ by a whole step or look alike.
    """
    k = effective(minimum)
    if not k or n == 0:
        return n
    return fewer(k) if n < k else Hidden(f"≥{n - n % k}")


def part_of(n: int, total: int, minimum: int) -> Count:
    """Return a count of some of a total that is shown: '<5', and '≥21' where the others are few."""
    k = effective(minimum)
    small, others = is_small(n, k), is_small(total - n, k)
    if not small and not others:
        return n
    if total < 2 * k:
        # Which of the two it is would narrow it down to one number.
        return UNSAID
    return fewer(k) if small else Hidden(f"≥{total - k + 1}")


def hidden(counts: Sequence[int], minimum: int) -> list[bool]:
    """Tell which counts that add up to a known total are not shown.

    The small ones and, where these are alone or fewer than the minimum together, the next smallest.
    """
    shown = levels(dict(enumerate(counts)), minimum)
    return [isinstance(shown[i], Hidden) for i in range(len(counts))]


def levels(counts: Mapping[Key, int], minimum: int, last: Iterable[Key] = ()) -> dict[Key, Count]:
    """Return counts that add up to a known total, the small ones hidden and others that would tell them.

    Of these, those in `last` are hidden last.
    """
    if not effective(minimum):
        return dict(counts)
    cells: dict[Hashable, int] = {("part", key): n for key, n in counts.items()}
    cells["total"] = sum(counts.values())
    worth: dict[Hashable, int] = {("part", key): 1 for key in last}
    parts: list[Hashable] = [("part", key) for key in counts]
    shown = concealed(cells, [("total", parts)], minimum, {"total"}, worth)
    return {key: shown["part", key] for key in counts}


def two_way(
    table: npt.ArrayLike, minimum: int
) -> tuple[list[list[Count]], list[Count], list[Count]]:
    """Return a table with the sums of its rows and columns; the sum of all of it is known."""
    counts = np.asarray(table, dtype=int)
    rows, columns = range(counts.shape[0]), range(counts.shape[1])
    cells: dict[Hashable, int] = {(i, j): int(counts[i, j]) for i in rows for j in columns}
    cells |= {("row", i): int(counts[i].sum()) for i in rows}
    cells |= {("column", j): int(counts[:, j].sum()) for j in columns}
    cells["all"] = int(counts.sum())
    sums: list[tuple[Hashable, Sequence[Hashable]]] = [
        *((("row", i), [(i, j) for j in columns]) for i in rows),
        *((("column", j), [(i, j) for i in rows]) for j in columns),
        ("all", [("row", i) for i in rows]),
        ("all", [("column", j) for j in columns]),
    ]
    shown = concealed(cells, sums, minimum, {"all"})
    return (
        [[shown[i, j] for j in columns] for i in rows],
        [shown["row", i] for i in rows],
        [shown["column", j] for j in columns],
    )


def concealed(
    cells: Mapping[Hashable, int],
    sums: Iterable[tuple[Hashable, Sequence[Hashable]]],
    minimum: int,
    known: Iterable[Hashable] = (),
    worth: Mapping[Hashable, int] | None = None,
    already: Iterable[Hashable] = (),
) -> dict[Hashable, Count]:
    """Return counts with every small one hidden, and as many others that none can be worked out.

    Parameters
    ----------
    cells : mapping of key to int
        The counts, totals among them.
    sums : iterable of (key, sequence of key)
        Which counts add up to which: a total and its parts.
    minimum : int
    known : iterable of key
        Counts that stand elsewhere and cannot be hidden.
    worth : mapping of key to int, optional
        What to hide last; totals (1) after their parts (0) unless said.
    already : iterable of key
        Counts that are hidden elsewhere: they are here, and do not follow from what is shown either.

    Returns
    -------
    dict
        Small counts as '<5', the others that are hidden as '…'; all of them as '…' where it would tell
        which is which.

    Notes
    -----
    A hidden count follows from the others if its unit vector lies in the row space of the sums, restricted
    to what is hidden. Cells are added, the smallest first, until none does, and until no sum leaves fewer
    than the minimum in its hidden parts.
    """
    k = effective(minimum)
    if not k:
        return dict(cells)
    lines = [(total, tuple(parts)) for total, parts in sums]
    if worth is None:
        worth = {total: 1 for total, _ in lines}
    system = _System(dict(cells), lines, k, frozenset(known), worth, frozenset(already))
    covered = system.covered()
    words: Count = fewer(k) if system.can_be_told_apart(covered) else UNSAID
    return {
        key: n if key not in covered else words if is_small(n, k) else UNSAID
        for key, n in cells.items()
    }


@dataclass(frozen=True)
class _System:
    cells: Mapping[Hashable, int]
    sums: Sequence[tuple[Hashable, tuple[Hashable, ...]]]
    minimum: int
    known: frozenset[Hashable]
    worth: Mapping[Hashable, int]
    already: frozenset[Hashable]

    def covered(self) -> set[Hashable]:
        """Return the cells to hide."""
        hidden = set(self.already) | {
            key for key, n in self.cells.items() if is_small(n, self.minimum)
        }
        while True:
            exposed = self._exposed(hidden)
            candidates = self._beside(exposed, hidden)
            if not candidates:
                return hidden
            # A total that can be shown says more than one of its parts.
            hidden.add(min(candidates, key=lambda key: (self.worth.get(key, 0), self.cells[key])))

    def _exposed(self, hidden: set[Hashable]) -> set[Hashable]:
        """Return hidden cells that follow from what is shown, and parts that are few together."""
        few = set[Hashable]()
        for total, parts in self.sums:
            inside = [part for part in parts if part in hidden]
            rest = sum(self.cells[part] for part in inside)
            told = total not in hidden and inside
            # As many as there are hidden cells: each of them is 1, since a 0 is shown.
            if told and (rest < self.minimum or rest == len(inside) > 1):
                few.update(inside)
        determined = self._determined(hidden)
        if any(
            key in self.already or is_small(self.cells[key], self.minimum) for key in determined
        ):
            # All of them: what is hidden for the small one's sake may need company itself.
            return few | determined
        return few

    def _determined(self, hidden: set[Hashable]) -> set[Hashable]:
        order = {key: i for i, key in enumerate(sorted(hidden, key=repr))}
        lines = []
        for total, parts in self.sums:
            line = np.zeros(len(order))
            for key, sign in ((total, -1.0), *((part, 1.0) for part in parts)):
                if key in order:
                    line[order[key]] += sign
            if line.any():
                lines.append(line)
        if not lines:
            return set()
        _, size, directions = np.linalg.svd(np.array(lines))
        rank = int((size > _NO_TELLING).sum())
        free = np.abs(directions[rank:]).max(axis=0, initial=0.0) > _NO_TELLING
        return {key for key, i in order.items() if not free[i]}

    def _beside(self, exposed: set[Hashable], hidden: set[Hashable]) -> list[Hashable]:
        """Return what could be hidden to protect exposed cells: their neighbours, or else anything."""

        def open_(keys: Iterable[Hashable]) -> list[Hashable]:
            return [
                key
                for key in keys
                if key not in hidden and key not in self.known and self.cells[key] > 0
            ]

        near = [
            key
            for total, parts in self.sums
            if exposed & {total, *parts}
            for key in open_((*parts, total))
        ]
        return near or (open_(self.cells) if exposed else [])

    def can_be_told_apart(self, hidden: set[Hashable]) -> bool:
        """Tell whether the small cells stay hidden if they are marked as such among the hidden ones."""
        k = self.minimum
        for total, parts in self.sums:
            inside = [self.cells[part] for part in parts if part in hidden]
            small = sum(n < k for n in inside)
            if total in hidden or not small:
                continue
            rest, large = sum(inside), len(inside) - small
            most = min(k - 1, rest - (small - 1) - large * k)
            least = 1 if large else max(1, rest - (small - 1) * (k - 1))
            if most <= least:
                return False
        return True
