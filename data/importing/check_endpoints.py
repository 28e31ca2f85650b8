"""Checks of endpoints that a study brings as time and status, also against its outcomes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.importing.findings import Findings, at, true

_TABLE = "given_endpoints"
_COMPETING = ("CIR", "NRM")
_ROUNDED = 16
"""Days by which a time may differ: what rounding to whole months explains."""

_EVENTS = {"OS": (None, 1), "RFS": (1, 1), "EFS": (1, 1), "CIR": (1, 2), "NRM": (2, 1)}
"""Of each endpoint, the event code of a relapse and of a death."""


def check_endpoints(found: Findings) -> None:
    """Report what is doubtful about the endpoints that a study brings."""
    if not found.has(_TABLE, "endpoint", "time_days", "event_code"):
        return
    given = found[_TABLE]
    code, time = given["event_code"], given["time_days"]
    what = "a time without a status: the patient is left out of the endpoint."
    found.rows("warning", _TABLE, "time_days", time.notna() & code.isna(), what, "Add the status.")
    what = "a status without a time: the patient is left out of the endpoint."
    found.rows("warning", _TABLE, "event_code", time.isna() & code.notna(), what, "Add the time.")
    what = "a competing event in an endpoint that has none."
    rows = (code == 2) & ~given["endpoint"].isin(_COMPETING)
    found.rows("fatal", _TABLE, "event_code", rows, what, "Say whether it is event or censored.")
    if found.has("outcomes"):
        _against_outcomes(found)


def _against_outcomes(found: Findings) -> None:
    """Compare with what the outcomes of the same patients give, where they give anything."""
    given, outcomes = found[_TABLE], found["outcomes"]
    where = pd.Series(np.arange(len(outcomes)), index=found.patient("outcomes"))
    where = where[where.index >= 0]
    where = where[~where.index.duplicated()].reindex(found.patient(_TABLE)).fillna(-1).astype(int)
    for endpoint in _EVENTS:
        rows = true(given["endpoint"] == endpoint)
        if not rows.any():
            continue
        time, code = _from_outcomes(outcomes, endpoint)
        time, code = (at(s, where.to_numpy()).set_axis(given.index) for s in (time, code))
        later = (given["time_days"] - time).abs() > _ROUNDED
        what = f"{endpoint} as given and as its days give it differ by more than {_ROUNDED} days."
        remedy = "Check both; the given one is used."
        beside = [("from the days", time)]
        found.rows("warning", _TABLE, "time_days", rows & later, what, remedy, beside=beside)
        what = f"the status of {endpoint} and the outcomes disagree."
        other, beside = given["event_code"] != code, [("from the outcomes", code)]
        found.rows("warning", _TABLE, "event_code", rows & other, what, remedy, beside=beside)


def _from_outcomes(outcomes: pd.DataFrame, endpoint: str) -> tuple[pd.Series[int], pd.Series[int]]:
    """Return time and event code of an endpoint from its days, missing where one is not known.

    It is only for comparing: what is derived for analysis is the SQL's. A patient whose remission is not
    known or who had none is left out, except in OS.
    """
    empty = pd.Series(pd.NA, index=outcomes.index, dtype="Int64")
    cr, relapse, death, last = (
        outcomes.get(f"{name}_day", empty) for name in ("cr", "relapse", "death", "last_follow_up")
    )
    of_relapse, of_death = _EVENTS[endpoint]
    if of_relapse is None:
        relapse = empty
    code = pd.Series(0, index=outcomes.index, dtype="Int64")
    code = code.mask(death.notna(), of_death)
    code = code.mask(relapse.notna(), of_relapse if of_relapse is not None else 0)
    for happened, day in (("died", death), ("relapsed", relapse)):
        if happened in outcomes and not (happened == "relapsed" and of_relapse is None):
            code = code.mask(outcomes[happened].fillna(False) & day.isna() & relapse.isna())
    end = relapse.fillna(death).fillna(last)
    if endpoint == "OS":
        return end.mask(code.isna()), code.mask(end.isna())
    origin = cr if endpoint in ("RFS", "CIR", "NRM") else cr * 0
    time = (end - origin).mask(code.isna())
    return time, code.mask(time.isna())
