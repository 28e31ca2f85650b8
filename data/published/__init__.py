"""The published figures: what papers printed, and which view of a cohort shows the same.

Every cell is text as printed. `views.csv` maps the rows of four tables to views, one line for as many
rows as hold all parts of its key; where several lines fit, that with the most parts counts. Its columns:

table, study
    Where the rows are.
key
    Cells of the row, separated by ' | '.
cohort, page
    The study of the store, and the page that shows the figure; empty where none does.
population
    A name in `populations.csv`; empty where the row names its own.
query
    Parameters of the link, beside those of the population.
read, level
    What is read off, and of which level (see `pages.elements.evidence`). Where `read` is empty, the
    cohort does not hold it and `discrepancy` says why.
words
    How the row, or its level, reads on a screen; empty where the cells of the row say it.
discrepancy
    How the printed cell of a line in discrepancies.md begins, which explains why the figure cannot
    hold as printed. Before it, 'median: ' or the like, where this is true of that quantity alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent
COMPARED = ("baseline", "disposition", "mrd_negativity", "survival_rates")
"""The tables whose rows can be compared with a cohort."""


@cache
def tables() -> Mapping[str, pd.DataFrame]:
    """Return every table by name, in the order of the papers; each cell is text, empty if missing."""
    return {
        path.stem: pd.read_csv(path, dtype=str, keep_default_na=False)
        for path in sorted(FOLDER.glob("*.csv"))
    }


PUBLICATIONS: Mapping[str, Mapping[str, str]] = {
    str(row["study"]): {str(name): str(cell) for name, cell in row.items()}
    for row in tables()["studies"].to_dict("records")
}
"""Each publication by the name that the other tables use: study, citation, doi, n and so on."""


@cache
def discrepancies() -> pd.DataFrame:
    """Return where the print disagrees with itself.

    Returns
    -------
    pandas.DataFrame
        study, printed, why (it cannot hold) and take (what a cohort follows); one row per study.
    """
    rows = []
    for line in (FOLDER / "discrepancies.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0] != "study" and not cells[0].startswith("---"):
            studies, *rest = cells
            rows += [(study, *rest) for study in studies.split(", ")]
    return pd.DataFrame(rows, columns=["study", "printed", "why", "take"])
