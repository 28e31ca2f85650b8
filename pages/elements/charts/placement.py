"""Where labels go: pushed apart, and notes where no curve runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_BESIDE = 0.02  # of the width: dots that are nearer are read as one column
_NEVER = 1000  # crossings that are better than a text cut off or in the wrong order

Boxes = npt.NDArray[np.float64]
Line = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Box:
    """A rectangle; x in shares of the plot's width, y in percent of its height."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Place:
    """Lower edge of a block of text in percent, at the left or the right side of the plot."""

    bottom: float
    right: bool


def push_apart(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move values as little as needed so that neighbours keep a gap inside two bounds.

    Parameters
    ----------
    values : sequence of float
        Wished positions, in any order; equal wishes keep the order of the sequence, first on top.
    gap : float
        Least distance of neighbours. It shrinks if the bounds have no room for all.
    low, high : float
        Bounds of the positions.

    Returns
    -------
    list of float
        Positions in the order of `values`.
    """
    if len(values) > 1:
        gap = min(gap, (high - low) / (len(values) - 1))
    order = sorted(range(len(values)), key=lambda i: (values[i], -i))
    # Pool neighbours that are too close around their common mean, as in isotonic regression.
    blocks: list[tuple[float, int]] = []
    for position, i in enumerate(order):
        wish = min(max(values[i], low), high) - position * gap
        size = 1
        while blocks and blocks[-1][0] > wish:
            mean, n = blocks.pop()
            wish, size = (mean * n + wish * size) / (n + size), n + size
        blocks.append((wish, size))
    spread = [mean for mean, size in blocks for _ in range(size)]
    room = high - gap * (len(values) - 1)
    placed = [0.0] * len(values)
    for position, i in enumerate(order):
        placed[i] = min(max(spread[position], low), room) + position * gap
    return placed


@dataclass(frozen=True)
class Beside:
    """Place of a read-out: left or right of its dot, shifted down (or up) by pixels.

    `clear` says that it meets nothing there.
    """

    left: bool
    shift: int
    clear: bool


def beside_dots(
    dots: Sequence[tuple[float, float]],
    curves: Sequence[Line],
    *,
    widths: Sequence[float],
    unit: float,
) -> list[Beside]:
    """Find a place for the read-out of each dot that meets no curve, dot or other read-out.

    Parameters
    ----------
    dots : sequence of (x, y)
        Dots, x in shares of the width, y in percent.
    curves : sequence of lines
        Step curves as (x, y) corners in the same units.
    widths : sequence of float
        Width of each read-out, as a share.
    unit : float
        Percent of the height in one pixel.

    Returns
    -------
    list of Beside
        One place per dot. Right and near come first; the fewest crossings win. Beside one another,
        higher dots have higher read-outs.
    """
    left, shift = (np.array(values) for values in zip(*_offers(), strict=True))
    taken = [_strokes(curves)]
    taken.append(np.array([[x - 0.02, y - 6 * unit, x + 0.02, y + 6 * unit] for x, y in dots] * 2))
    chosen: dict[int, Beside] = {}
    # Towards the middle of the plot there is room: whoever is farthest from it comes first, so that
    # texts that have to be stacked stand in the order of their dots.
    upward = -1 if sum(y for _, y in dots) > 50 * len(dots) else 1
    for i in sorted(range(len(dots)), key=lambda i: upward * dots[i][1]):
        start = dots[i][0] - widths[i] * left
        middle = dots[i][1] - shift * unit
        boxes = np.column_stack([start, middle - 7 * unit, start + widths[i], middle + 7 * unit])
        never = (boxes[:, 0] < 0) | (boxes[:, 2] > 1) | (boxes[:, 1] < 0) | (boxes[:, 3] > 104)
        for j, place in chosen.items():
            above = dots[i][1] - dots[j][1] if abs(dots[i][0] - dots[j][0]) < _BESIDE else 0
            never |= (middle - (dots[j][1] - place.shift * unit)) * above < 0
        hits = _overlaps(boxes, np.vstack(taken)) + _NEVER * never
        best = int(hits.argmin())
        chosen[i] = Beside(bool(left[best]), int(shift[best]), bool(hits[best] == 0))
        # Twice, as the dots: a text over a text is worse than a text over a line.
        taken += [boxes[[best, best]]]
    return [chosen[i] for i in range(len(dots))]


def _offers() -> list[tuple[bool, int]]:
    """Sides and shifts, the best first: near, to the right, above."""
    shifts = [sign * pixels for pixels in range(11, 66, 3) for sign in (-1, 1)]
    offers = [(left, shift) for left in (False, True) for shift in shifts]
    return sorted(offers, key=lambda offer: abs(offer[1]) + 12 * offer[0])


def free_place(
    curves: Sequence[Line],
    boxes: Sequence[Box],
    *,
    width: float,
    height: float,
    left: float = 0.0,
) -> Place:
    """Find where a block of text crosses no curve: bottom left, then top right, then elsewhere.

    Parameters
    ----------
    curves : sequence of lines
        Step curves as (x, y) corners, x in shares of the width, y in percent.
    boxes : sequence of Box
        Other texts to keep clear of.
    width, height : float
        Size of the block, as a share and in percent.
    left : float
        Left end of the usable width.

    Returns
    -------
    Place
        The first free place; if there is none, the one with the fewest crossings.
    """
    levels = [100 - height - step for step in range(0, round(100 - height), 4)]
    places = [Place(0.0, right=False), Place(100 - height, right=True), Place(0.0, right=True)]
    places += [Place(float(level), right) for level in levels for right in (True, False)]

    starts = [1 - width if place.right else left for place in places]
    blocks = np.array(
        [
            [start, place.bottom, start + width, place.bottom + height]
            for start, place in zip(starts, places, strict=True)
        ]
    )
    others = [[box.left, box.bottom, box.right, box.top] for box in boxes]
    taken = np.vstack([_strokes(curves), np.reshape(others, (-1, 4))])
    return places[int(_overlaps(blocks, taken).argmin())]


def _strokes(curves: Sequence[Line]) -> Boxes:
    """Level and upright strokes of step curves as flat boxes."""
    strokes: list[Boxes] = [np.empty((0, 4))]
    for curve in curves:
        if len(curve) > 1:
            x, y = np.array(curve, dtype=float).T
            strokes.append(np.column_stack([x[:-1], y[:-1], x[1:], y[:-1]]))
            low, high = np.minimum(y[1:], y[:-1]), np.maximum(y[1:], y[:-1])
            strokes.append(np.column_stack([x[1:], low, x[1:], high]))
    return np.vstack(strokes)


def _overlaps(blocks: Boxes, taken: Boxes) -> npt.NDArray[np.int64]:
    """Count the taken boxes that each block meets."""
    a, b = blocks[:, None, :], taken[None, :, :]
    apart = (a[..., 0] > b[..., 2]) | (b[..., 0] > a[..., 2])
    apart |= (a[..., 1] > b[..., 3]) | (b[..., 1] > a[..., 3])
    hits: npt.NDArray[np.int64] = (~apart).sum(axis=1)
    return hits
