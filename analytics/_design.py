"""Covariates of a frame as the columns of a regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from analytics._counts import FloatArray

Covariate = str | tuple[str, str]


@dataclass(frozen=True, eq=False)
class Design:
    """Columns of a regression and what they stand for.

    Attributes
    ----------
    matrix
        One row per row of the frame, one column per term.
    terms
        ``covariate``, ``level`` (None for a number), ``term`` ('age', 'risk[high]'); one row
        per column of the matrix.
    """

    matrix: FloatArray
    terms: pd.DataFrame


def design(frame: pd.DataFrame, covariates: Sequence[Covariate]) -> Design:
    """Make the columns: numbers as they are, other columns as indicators against the first level.

    A pair of columns stands for their interaction: the products of their terms.
    """
    blocks, rows = [np.zeros((len(frame), 0))], []
    for covariate in covariates:
        if isinstance(covariate, str):
            block, levels = _columns(frame[covariate])
            names = [_term(covariate, level) for level in levels]
        else:
            first, second = covariate
            (left, ones), (right, twos) = _columns(frame[first]), _columns(frame[second])
            block = (left[:, :, None] * right[:, None, :]).reshape(len(frame), -1)
            pairs = list(product(ones, twos))
            levels = list(pairs)
            names = [f"{_term(first, a)}:{_term(second, b)}" for a, b in pairs]
        label = covariate if isinstance(covariate, str) else ":".join(covariate)
        blocks.append(block)
        rows += [(label, level, name) for level, name in zip(levels, names, strict=True)]
    terms = pd.DataFrame(rows, columns=["covariate", "level", "term"], dtype="object")
    return Design(np.hstack(blocks), terms)


def columns_of(covariates: Sequence[Covariate]) -> list[str]:
    """Names of the columns that the covariates read, each once."""
    flat = [name for each in covariates for name in ((each,) if isinstance(each, str) else each)]
    return list(dict.fromkeys(flat))


def levels_of(column: pd.Series) -> list[object]:
    """Levels that occur, in the order of the categories, or sorted."""
    present = column.dropna()
    if isinstance(present.dtype, pd.CategoricalDtype):
        return list(present.cat.remove_unused_categories().cat.categories)
    return sorted(present.unique().tolist())


def _columns(column: pd.Series) -> tuple[FloatArray, list[object]]:
    categories = isinstance(column.dtype, pd.CategoricalDtype)
    if not categories and pd.api.types.is_bool_dtype(column):
        return column.to_numpy(dtype=np.float64)[:, None], [True]
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64)[:, None], [None]
    levels = levels_of(column)[1:]
    indicators = [(column == level).to_numpy(dtype=np.float64) for level in levels]
    return np.column_stack([np.zeros((len(column), 0)), *indicators]), levels


def _term(name: str, level: object) -> str:
    return name if level is None or level is True else f"{name}[{level}]"
