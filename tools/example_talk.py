"""Write the example talk anew, on the snapshot that the store serves: ``python -m tools.example_talk``.

It retells Figures 1 to 4 of the paper that the cohort was built after. The sentences are written by hand,
and a test looks for each of their numbers in the figure under them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from urllib.parse import parse_qs

from pages.elements import exhibits, frame
from pages.elements.add_to_talk import saved_slide
from pages.elements.present_view import EXAMPLE
from pages.elements.talk import Talk, TalkSlide

FIGURE = "survival_curves"
_RFS = "Relapse-free survival by"
_HIGH = "ph_status=negative&risk_group=high"
_POSITIVE = "by=allosct&landmark_days=167"
SLIDES = (
    (
        "by=mrd_after_cycle_1",
        f"{_RFS} MRD after cycle 1 (as Figure 1A)",
        "MRD after cycle 1: 2-year RFS 94% (63–99) if negative, 66% (46–80) if positive",
    ),
    (
        "by=mrd_3_months",
        f"{_RFS} MRD at 3 months (as Figure 1B)",
        "MRD at 3 months: 2-year RFS 82% (67–90) or 65% (43–80), no difference shown",
    ),
    (
        "by=mrd_6_months",
        f"{_RFS} MRD at 6 months (as Figure 1C)",
        "MRD at 6 months: 2-year RFS 82% (68–90), or 62% (27–84) in the 14 positive",
    ),
    (
        "ph_status=negative&risk_group=standard&by=mrd_after_cycle_1",
        f"{_RFS} MRD after cycle 1 (as Figure 2A)",
        "Standard risk: 1 event in 26 patients, whatever the MRD after cycle 1",
    ),
    (
        f"{_HIGH}&by=mrd_after_cycle_1",
        f"{_RFS} MRD after cycle 1 (as Figure 2B)",
        "High risk: no event in 9 MRD-negative patients, 7 in 16 MRD-positive",
    ),
    (
        f"{_HIGH}&by=mrd_dynamics",
        f"{_RFS} MRD dynamics (as Figure 3)",
        "High risk: no event in 9 early responders, 4 in 9 late, 4 in 14 non-responders",
    ),
    (
        f"{_HIGH}&mrd_after_cycle_1=positive&{_POSITIVE}",
        f"{_RFS} transplant, landmark at 5.5 months (as Figure 4A)",
        "High risk, MRD+ after cycle 1: 1 event in 6 with alloSCT, 6 in 10 without",
    ),
    (
        f"{_HIGH}&mrd_3_months=positive&{_POSITIVE}",
        f"{_RFS} transplant, landmark at 5.5 months (as Figure 4B)",
        "High risk, MRD+ at 3 months: 1 event in 7 with alloSCT, 5 in 9 without",
    ),
)
"""View, title and message of each slide."""


def made() -> str:
    """Return the talk as its file holds it."""
    talk = Talk("MRD and relapse-free survival in a synthetic cohort", tuple(map(_slide, SLIDES)))
    return json.dumps(talk.to_json(), ensure_ascii=False, indent=1) + "\n"


def _slide(written: tuple[str, str, str]) -> TalkSlide:
    query, title, message = written
    cohort = frame.cohort_of_query(parse_qs(f"study={EXAMPLE.stem}&{query}"))
    exhibit = exhibits.exhibit(FIGURE, cohort)
    if exhibit is None:
        raise ValueError(f"{title}: there is nothing to show")
    return replace(saved_slide(exhibit, cohort), title=title, message=message)


def main() -> int:
    """Write the file."""
    EXAMPLE.write_text(made(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
