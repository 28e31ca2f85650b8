"""Hazard ratios by subgroup against R's coxph and anova (tests/reference/subgroups.R)."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import event_table
from analytics.hazard import INFINITE, NO_EVENT, hazard_ratios
from analytics.subgroups import ONE_GROUP, Subgroups, subgroup_hazards
from tests.analytics.reference import FOLDER

COUNTS = ["n", "n_event", "n_1", "n_event_1", "n_2", "n_event_2"]
NUMBERS = ["hazard_ratio", "low", "high", "p_value"]
VARIABLES = {
    "colon": ("sex", "differ", "extent", "obstruct", "old"),
    "gbsg": ("meno", "grade", "large"),
}
CONTRAST = {"colon": "treated", "gbsg": "hormon"}


@cache
def expected() -> dict[str, Any]:
    return json.loads((FOLDER / "subgroups.json").read_text())


@cache
def rows(name: str) -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "datasets" / f"{name}.csv")
    if name == "colon":
        frame["treated"] = (frame["arm"] == "Lev+5FU").astype(int)
        frame["old"] = (frame["age"] >= 61).astype(int)
    else:
        frame["large"] = (frame["size"] >= 25).astype(int)
    names = [CONTRAST[name], *VARIABLES[name]]
    return frame.assign(**{each: frame[each].astype("category") for each in names})


def found(name: str, frame: pd.DataFrame | None = None) -> Subgroups:
    return subgroup_hazards(
        rows(name) if frame is None else frame,
        time="time", event="event", contrast=CONTRAST[name], variables=VARIABLES[name],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["colon", "gbsg"])
def test_every_subgroup_is_coxph_of_that_subgroup(name: str) -> None:
    wanted = pd.DataFrame(expected()[name]["rows"])
    result = found(name)
    assert result.rows["variable"].tolist() == wanted["variable"].tolist()
    pd.testing.assert_frame_equal(result.rows[COUNTS], wanted[COUNTS])
    np.testing.assert_allclose(result.rows[NUMBERS], wanted[NUMBERS], rtol=1e-8, atol=0)
    assert (result.rows["reason"] == "").all()
    assert (result.reference, result.compared) == (0, 1)


@pytest.mark.parametrize("name", ["colon", "gbsg"])
def test_the_interaction_is_anova_of_the_two_models(name: str) -> None:
    wanted = pd.DataFrame(expected()[name]["interactions"])
    tests = found(name).interactions
    same = ["variable", "n_missing", "degrees_of_freedom"]
    pd.testing.assert_frame_equal(tests[same], wanted[same])
    assert tests["statistic"].to_numpy() == pytest.approx(wanted["statistic"], abs=1e-7)
    assert tests["p_value"].to_numpy() == pytest.approx(wanted["p_value"], rel=1e-6)


def test_a_level_without_events_has_no_degree_of_freedom() -> None:
    colon = rows("colon")
    quiet = colon.assign(event=colon["event"].where(colon["extent"] != 4, 0))
    result = found("colon", quiet)
    line = result.interactions.set_index("variable").loc["extent"]
    wanted = expected()["quiet_level"]
    assert line["statistic"] == pytest.approx(wanted["statistic"], abs=1e-7)
    assert line["degrees_of_freedom"] == wanted["degrees_of_freedom"] == 2
    assert line["p_value"] == pytest.approx(wanted["p_value"], rel=1e-6)
    (row,) = result.rows[(result.rows["variable"] == "extent") & (result.rows["level"] == 4)].to_dict(
        "records"
    )  # fmt: skip
    assert row["reason"] == NO_EVENT
    assert np.isnan(row["hazard_ratio"])


def small() -> pd.DataFrame:
    """Two sites of twelve: in site b nobody of the reference has an event, site c is untreated."""
    time = list(range(1, 13)) * 2 + [3, 4, 5]
    group = ["no", "yes"] * 12 + ["no"] * 3
    site = ["a"] * 12 + ["b"] * 12 + ["c"] * 3
    event = [1] * 12 + [0, 1] * 6 + [1, 1, 0]
    return pd.DataFrame({"time": time, "event": event, "group": group, "site": site})


def test_no_number_where_nothing_can_be_said() -> None:
    result = subgroup_hazards(
        small(), time="time", event="event", contrast="group", variables=["site"]
    )
    by_site = result.rows.set_index("level")
    assert by_site.loc["b", "reason"] == INFINITE
    assert by_site.loc["c", "reason"] == ONE_GROUP
    assert by_site.loc[["b", "c"], NUMBERS].isna().all(axis=None)
    assert by_site.loc["c", ["n", "n_1", "n_2"]].tolist() == [3, 3, 0]
    assert result.interactions["degrees_of_freedom"].tolist() == [1]


def test_one_level_alone_has_no_interaction() -> None:
    frame = small()
    frame = frame[frame["site"] == "a"]
    result = subgroup_hazards(
        frame, time="time", event="event", contrast="group", variables=["site"]
    )
    (line,) = result.interactions.to_dict("records")
    assert np.isnan(line["p_value"])
    assert line["degrees_of_freedom"] == 0


def test_the_categories_decide_the_reference() -> None:
    frame = small()
    frame["group"] = pd.Categorical(frame["group"], ["yes", "no"])
    result = subgroup_hazards(
        frame, time="time", event="event", contrast="group", variables=["site"]
    )
    assert (result.reference, result.compared) == ("yes", "no")


def test_missing_levels_are_counted_and_left_out() -> None:
    frame = small()
    frame.loc[:4, "site"] = None
    result = subgroup_hazards(
        frame, time="time", event="event", contrast="group", variables=["site"]
    )
    assert result.interactions["n_missing"].tolist() == [5]
    assert result.rows["n"].tolist() == [27, 7, 12, 3]


@pytest.mark.parametrize(
    ("contrast", "variables", "words"),
    [
        ("site", ["group"], "has 3 levels"),
        ("group", ["group"], "cannot be a subgroup"),
        ("arm", ["site"], "no column 'arm'"),
    ],
)
def test_what_is_refused(contrast: str, variables: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        subgroup_hazards(
            small(), time="time", event="event", contrast=contrast, variables=variables
        )


frames = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 2), st.sampled_from("xy"), st.sampled_from("abc")),
    min_size=6,
    max_size=40,
).map(lambda r: pd.DataFrame(r, columns=["time", "event", "group", "site"]))


@given(frame=frames, random=st.randoms(use_true_random=False))
def test_levels_add_up_and_order_is_irrelevant(frame: pd.DataFrame, random: Any) -> None:
    if frame["group"].nunique() < 2:
        return
    asked: dict[str, Any] = {"time": "time", "event": "event", "contrast": "group"}
    result = subgroup_hazards(frame, **asked, variables=["site"])
    everybody, levels = result.rows.iloc[0], result.rows.iloc[1:]
    assert everybody[COUNTS].tolist() == levels[COUNTS].sum().tolist()
    assert everybody["n_event"] == (frame["event"] == 1).sum()
    shuffled = frame.iloc[random.sample(range(len(frame)), len(frame))]
    again = subgroup_hazards(shuffled, **asked, variables=["site"])
    pd.testing.assert_frame_equal(result.rows, again.rows)


@given(frame=frames)
def test_the_first_row_is_the_hazard_ratio_of_the_figure(frame: pd.DataFrame) -> None:
    if frame["group"].nunique() < 2:
        return
    result = subgroup_hazards(
        frame, time="time", event="event", contrast="group", variables=["site"]
    )
    table = event_table(frame, time="time", event="event", by="group")
    whole = hazard_ratios(table, by="group", reference="x").groups.set_index("level").loc["y"]
    assert result.rows.iloc[0]["hazard_ratio"] == pytest.approx(whole["ratio"], nan_ok=True)
