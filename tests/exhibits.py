"""Exhibits for the tests of files: real ones, and one whose every text tries to be more than text."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pandas as pd

from pages.elements import exhibits, wording
from pages.elements.exports.exhibit import Exhibit
from pages.elements.frame import cohort_of
from pages.elements.link import View
from tests.hostile import TEXTS

STRANGERS = (b"Steve Canny", b"python-docx", b"python-pptx", b"openpyxl", b"ReportLab")
"""What libraries write of themselves or their authors unless they are told not to."""


@lru_cache(maxsize=32)
def of_short2025(key: str, **options: str) -> Exhibit:
    """Return an exhibit of the embedded cohort; the store has to be there."""
    view = View("short2025")
    for name, value in options.items():
        view = view.with_option(name, value)
    found = exhibits.exhibit(key, cohort_of(view))
    assert found is not None
    return found


def hostile() -> Exhibit:
    """Return curves by five groups in which title, names and tables are hostile texts."""
    real = of_short2025("survival_curves", by="mrd_3_months")
    texts = list(TEXTS)
    series = [
        replace(real.series[i % 2], name=text, short=text) for i, text in enumerate(texts[:5])
    ]
    table = pd.DataFrame(
        {text: [wording.escape(each) for each in texts] for text in ("=1+1", "Plain", texts[0])}
    )
    source = replace(real.provenance, study=texts[1], cohort=" · ".join(texts), citation=texts[6])
    return replace(
        real, title=texts[0], message=" ".join(texts), alt=texts[25], series=tuple(series),
        provenance=source, shown={"[a]:*?/\\": table, "History": table, texts[6]: table},
        tables={"[a]:*?/\\": pd.DataFrame({"=1+1": texts}), "History": pd.DataFrame({"a": texts}),
                "history": pd.DataFrame({"a": texts})}, notes=tuple(texts[:2]),
    )  # fmt: skip
