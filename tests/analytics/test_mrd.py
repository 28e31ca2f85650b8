"""Negativity rates and flows."""

from __future__ import annotations

import pandas as pd
import pytest

from analytics.mrd import flows, negativity_rates, negativity_tests
from analytics.proportion import fisher_exact, proportion

EARLY, LATE = "after cycle 1", "3 months"
STATUSES = ["negative", "negative", "positive", "below LOD", "indeterminate", "not assessed"]
SAMPLES = pd.DataFrame(
    {
        "timepoint": [EARLY] * 6 + [LATE] * 2,
        "status": [*STATUSES, "not assessed", "indeterminate"],
        "risk": ["high", "standard"] * 4,
    }
)


@pytest.mark.parametrize(
    ("denominator", "evaluable"),
    [
        ("evaluable", [4, 0]),
        ("evaluable without below LOD", [3, 0]),
        ("all in remission", [6, 2]),
    ],
)
def test_denominators(denominator: str, evaluable: list[int]) -> None:
    rates = negativity_rates(SAMPLES, denominator=denominator)  # type: ignore[arg-type]
    assert rates["timepoint"].tolist() == [EARLY, LATE]
    assert rates["negative"].tolist() == [2, 0]
    assert rates["evaluable"].tolist() == evaluable
    first = proportion(2, evaluable[0])
    shown = rates.loc[0, ["rate", "low", "high"]].tolist()
    assert shown == [first.rate, first.low, first.high]
    assert rates.loc[1, ["rate", "low", "high"]].isna().all() == (evaluable[1] == 0)


def test_groups_and_order_of_timepoints() -> None:
    order = pd.Categorical(SAMPLES["timepoint"], categories=[LATE, EARLY])
    rates = negativity_rates(SAMPLES.assign(timepoint=order), by="risk")
    assert rates[["risk", "timepoint"]].to_numpy().tolist() == [
        ["high", LATE],
        ["high", EARLY],
        ["standard", LATE],
        ["standard", EARLY],
    ]
    assert rates["negative"].sum() == 2


def test_comparison() -> None:
    tests = negativity_tests(SAMPLES, by="risk")
    assert tests["timepoint"].tolist() == [EARLY, LATE]
    assert tests["p_value"].iloc[0] == fisher_exact([[1, 1], [1, 1]]).p_value
    assert pd.isna(tests["p_value"].iloc[1])


def test_unknown_words_are_refused() -> None:
    with pytest.raises(ValueError, match="1 unknown MRD status"):
        negativity_rates(pd.DataFrame({"timepoint": [EARLY], "status": ["neg"]}))
    with pytest.raises(ValueError, match="Unknown denominator"):
        negativity_rates(SAMPLES, denominator="assessed")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no column risk_group"):
        negativity_rates(SAMPLES, by="risk_group")
    with pytest.raises(ValueError, match="without a label in risk"):
        negativity_rates(SAMPLES.assign(risk=None), by="risk")
    with pytest.raises(ValueError, match="at least one timepoint"):
        flows(pd.DataFrame(index=[1]))


def test_flows() -> None:
    wide = pd.DataFrame(
        {
            EARLY: ["positive", "positive", "negative"],
            LATE: ["negative", "negative", "negative"],
            "6 months": ["negative", "positive", "not assessed"],
        }
    )
    moves = flows(wide)
    assert moves.to_numpy().tolist() == [
        [EARLY, LATE, "negative", "negative", 1],
        [EARLY, LATE, "positive", "negative", 2],
        [LATE, "6 months", "negative", "negative", 1],
        [LATE, "6 months", "negative", "positive", 1],
        [LATE, "6 months", "negative", "not assessed", 1],
    ]
    assert moves.groupby("from_timepoint")["n"].sum().tolist() == [3, 3]
