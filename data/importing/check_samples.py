"""Checks of MRD samples: levels against calls and limits, days, timepoints."""

from __future__ import annotations

import numpy as np

from data.importing.findings import Findings, true

_TABLE = "mrd_assessments"
_LONG_BEFORE_DAY_ZERO = 60
_SHALLOWEST = 0.1
_AFTER_INDUCTION = 14
_ENOUGH = 10
_OF_CELLS = ("NGS", "MFC")


def check_samples(found: Findings) -> None:
    """Report what is doubtful about the MRD samples of a study."""
    if not found.has(_TABLE):
        return
    _repeated(found)
    _days(found)
    _calls(found)
    _limits(found)
    _above_one(found)
    _percent(found)
    _names(found)
    _windows(found)


def _repeated(found: Findings) -> None:
    samples = found[_TABLE]
    key = [c for c in ("patient_id", "day", "assay", "material", "target") if c in samples]
    if "day" not in key:
        return
    rows = samples.duplicated(key).to_numpy() & samples["day"].notna().to_numpy()
    what, remedy = "the same sample stands twice.", "Remove one of the rows."
    found.rows("warning", _TABLE, "patient_id", rows, what, remedy)


def _days(found: Findings) -> None:
    samples = found[_TABLE]
    if "day" not in samples:
        return
    what, remedy = "without a day the sample is never used.", "Add the day if it is known."
    found.rows("warning", _TABLE, "day", samples["day"].isna(), what, remedy)
    what = f"the sample is more than {_LONG_BEFORE_DAY_ZERO} days before day 0."
    rows = samples["day"] < -_LONG_BEFORE_DAY_ZERO
    found.rows("warning", _TABLE, "day", rows, what, "Check the day, and what day 0 is.")


def _calls(found: Findings) -> None:
    """Report calls that the level or the limit of the same sample contradicts."""
    samples, remedy = found[_TABLE], "Check which of the two is right; the call is used."
    if "call" not in samples:
        return
    call, name = samples["call"], found.name(_TABLE, "mrd_fraction")
    if "lod_fraction" in samples:
        what, add = "below the limit of detection, without that limit.", "Give the limit."
        rows = (call == "below LOD") & samples["lod_fraction"].isna()
        found.rows("warning", _TABLE, "call", rows, what, add)
    if "mrd_fraction" not in samples:
        return
    level, beside = samples["mrd_fraction"], [(name, samples["mrd_fraction"])]
    what = "positive, with a level of 0."
    rows = (call == "positive") & (level == 0)
    found.rows("warning", _TABLE, "call", rows, what, remedy, beside=beside)
    if "lod_fraction" in samples:
        above = (level >= samples["lod_fraction"]) & (level > 0)
        for word in ("negative", "below LOD"):
            what = f"{word}, with a level above the limit of detection."
            found.rows(
                "warning", _TABLE, "call", (call == word) & above, what, remedy, beside=beside
            )


def _limits(found: Findings) -> None:
    if "lod_fraction" not in found[_TABLE]:
        return
    rows = found[_TABLE]["lod_fraction"] > _SHALLOWEST
    what = f"a limit of detection above {_SHALLOWEST:g} (1 cell in 10)."
    found.rows("warning", _TABLE, "lod_fraction", rows, what, "Check its unit: a fraction of 1.")


def _above_one(found: Findings) -> None:
    """Report levels above 1, which only a ratio of transcripts can have."""
    samples = found[_TABLE]
    if "mrd_fraction" not in samples:
        return
    above = true(samples["mrd_fraction"] > 1)
    cells = above & true(samples["assay"].isin(_OF_CELLS)) if "assay" in samples else above & False
    what, remedy = "this is more MRD than there are cells.", "Correct the value, or its unit."
    found.rows("fatal", _TABLE, "mrd_fraction", cells, what, remedy)
    what = "a level above 1 (100%): only a ratio of transcripts can be."
    found.rows("warning", _TABLE, "mrd_fraction", above & ~cells, what, "Check its unit.")


def _percent(found: Findings) -> None:
    """Report levels and limits that look like percent where a fraction of 1 is meant."""
    samples, remedy = found[_TABLE], "If they are in percent, say so when the column is assigned."
    if "lod_fraction" in samples:
        limits = samples["lod_fraction"].dropna()
        high = int((limits >= 0.005).sum())
        if len(limits) >= _ENOUGH and high * 2 > len(limits):
            what = f"{high:,} of {len(limits):,} limits are 0.005 or more: they look like percent."
            found.column("warning", _TABLE, "lod_fraction", what, remedy, rows=high)
    if "mrd_fraction" not in samples:
        return
    level = samples["mrd_fraction"]
    if "day" in samples:  # at diagnosis high levels are the rule
        level = level[true(samples["day"] >= _AFTER_INDUCTION)]
    level = level[true(level > 0)]
    high, whole = int((level > 0.01).sum()), int((level == 1).sum())
    if len(level) >= _ENOUGH and (high * 2 > len(level) or whole * 5 > len(level)):
        what = (
            f"{high:,} of {len(level):,} levels found after day {_AFTER_INDUCTION} are above 0.01 "
            f"({whole:,} are exactly 1): they look like percent."
        )
        found.column("warning", _TABLE, "mrd_fraction", what, remedy, rows=high)


def _names(found: Findings) -> None:
    """Report samples of a timepoint that the study does not have."""
    if "timepoint" not in found[_TABLE]:
        return
    named = found[_TABLE]["timepoint"]
    labels = [window["label"] for window in found.tables.study["timepoints"]]
    what = f"the study has no such timepoint ({', '.join(labels) or 'none'})."
    remedy = "Leave it empty for the window rule, or add the timepoint to the study."
    found.rows("fatal", _TABLE, "timepoint", named.notna() & ~named.isin(labels), what, remedy)


def _windows(found: Findings) -> None:
    """Report timepoints at which no sample stands, with where the samples are instead."""
    samples = found[_TABLE]
    column = "day" if "day" in samples else "patient_id"
    unnamed = samples["timepoint"].isna().to_numpy() if "timepoint" in samples else True
    missing = np.full(len(samples), np.nan)
    day = samples["day"].to_numpy(float, na_value=np.nan) if "day" in samples else missing
    for window in found.tables.study["timepoints"]:
        first, last = window["first_day"], window["last_day"]
        caught = unnamed & (day >= first) & (day <= last)
        if "timepoint" in samples:
            caught |= true(samples["timepoint"] == window["label"])
        if caught.any():
            continue
        before, after = (int((unnamed & rows).sum()) for rows in (day < first, day > last))
        what = (
            f"no sample stands for ‘{window['label']}’ (day {first} to {last}): of those without a "
            f"timepoint of their own {before:,} lie before and {after:,} after."
        )
        found.column("warning", _TABLE, column, what, "Check the windows of the timepoints.")
