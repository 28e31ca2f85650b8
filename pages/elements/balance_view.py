"""Two groups before and after they were made comparable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from analytics.balance import ALL_TAKEN, NO_NEIGHBOUR, NOT_CHOSEN
from data.variables import Variable
from pages.elements import access, comparison_view, frame, model_tables, takeaway, wording
from pages.elements.answers.balanced import Balanced, Method, NobodyToCompare
from pages.elements.answers.models import changes, known_later
from pages.elements.charts.balance import ACCEPTED, love_plot
from pages.elements.frame import Cohort
from pages.elements.survival_view import SurvivalView

_METHODS: Mapping[Method, str] = {
    "matching": "Matching, 1 to 1",
    "ATE": "Weights, all patients (ATE)",
    "ATT": "Weights, like the compared (ATT)",
}
_UNMATCHED = {
    NO_NEIGHBOUR: "nobody of the other group is alike enough",
    ALL_TAKEN: "whoever is alike was taken by another",
    NOT_CHOSEN: "not needed as a match",
}

_WORST = 3  # covariates named in a warning


def draw(cohort: Cohort, view: SurvivalView) -> None:
    """Show two groups before and after they were made comparable."""
    if view.endpoint.competing:
        st.info(
            f"{view.endpoint.label} has a competing event, and weighted curves would overstate it. "
            "Choose relapse-free, overall or event-free survival."
        )
        return
    by = comparison_view.grouping(cohort, view, "A balanced comparison")
    if by is None:
        return
    if known_later(by) and view.landmark_days is None:
        label = wording.escape(by.label)
        sentence = f"{label} is known only after time starts: balance needs a landmark first."
        comparison_view.guard_late(cohort, view, "Immortal time", sentence, [by])
        return
    method = _method(cohort)
    offers = offered(cohort, view, by)
    default = comparison_view.default_covariates(cohort, view, grouping=False)
    chosen = comparison_view.covariates(cohort, offers, default)
    if not chosen:
        st.info("Choose at least one covariate to balance.")
    elif found := _answered(cohort, view, by, chosen, method):
        _balanced(cohort, view, by, found)


def offered(cohort: Cohort, view: SurvivalView, by: Variable) -> dict[str, Variable]:
    """Return what can be balanced: known before the groups part."""
    early = view.landmark_days is not None
    return {
        v.name: v
        for v in cohort.variables.values()
        if v.name != by.name
        and v.known != "with the outcome"
        and not changes(v)
        and (early or not known_later(v))
    }


def answer(
    cohort: Cohort, view: SurvivalView, by: Variable, chosen: tuple[str, ...], method: Method
) -> Balanced | None:
    """Return the balanced groups; None without two groups.

    Raises
    ------
    NobodyToCompare
        Where a level of a covariate holds one group only.
    ValueError
        Where the groups cannot be balanced.
    """
    return access.balanced(
        cohort.snapshot, cohort.filter, endpoint=view.endpoint.code, by=by.name,
        against=comparison_view.against(cohort, by), covariates=chosen, method=method,
        landmark_days=view.landmark_days,
    )  # fmt: skip


def _answered(
    cohort: Cohort, view: SurvivalView, by: Variable, chosen: tuple[str, ...], method: Method
) -> Balanced | None:
    """Return the balanced groups, or say why there are none."""
    try:
        found = answer(cohort, view, by, chosen, method)
    except NobodyToCompare as problem:
        _nobody_to_compare(cohort, problem, chosen)
        return None
    except ValueError as problem:
        st.info(_with_labels(cohort, str(problem)))
        return None
    if found is None:
        comparison_view.no_two_groups(by)
    return found


def method_asked(cohort: Cohort) -> Method:
    """Return how the link asks for the groups to be made comparable."""
    methods: dict[str, Method] = {method: method for method in _METHODS}
    return methods[cohort.choice("balance", methods, "matching")]


def _method(cohort: Cohort) -> Method:
    chosen = method_asked(cohort)
    key = "choice_balance"

    def changed() -> None:
        value = st.session_state[key]
        frame.set_option("balance", None if value == "matching" else value)

    st.segmented_control(
        "Made comparable by", list(_METHODS), format_func=lambda name: _METHODS[name],
        default=frame.link.put(key, chosen), key=key, required=True, on_change=changed,
    )  # fmt: skip
    return chosen


def _with_labels(cohort: Cohort, text: str) -> str:
    """Return a sentence of the statistics with the labels of the variables in place of their names."""
    for name in sorted(cohort.variables, key=len, reverse=True):
        text = re.sub(rf"\b{name}\b", lambda _, n=name: cohort.variables[n].label, text)
    return wording.escape(text)


def _nobody_to_compare(cohort: Cohort, problem: NobodyToCompare, chosen: Sequence[str]) -> None:
    """Say which patients have nobody to be compared with, and offer to leave them out."""
    label = wording.escape(problem.variable.label)
    names = wording.escape(wording.listed(level.short for level in problem.alone))
    sentence = f"{label}, {names}: all of one group, so nobody is there to compare them with."
    if problem.shared:
        kept = tuple(level.value for level in problem.shared)
        narrowed = cohort.view.with_cohort(cohort.filter.with_(problem.variable.name, kept))
        remedy = f"Only {wording.listed(level.short for level in problem.shared)}"
        frame.guard("No overlap", sentence, remedy, frame.link.change, (narrowed,))
    else:
        rest = (
            ",".join(name for name in chosen if name != problem.variable.name)
            or comparison_view.NONE
        )
        without = cohort.view.with_option("covariates", rest)
        frame.guard("No overlap", sentence, "Leave it out", frame.link.change, (without,))


def _balanced(cohort: Cohort, view: SurvivalView, by: Variable, answer: Balanced) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(title(answer), anchor=False, width="stretch")
        comparison_view.pick(answer.comparison, comparison_view.against(cohort, by))
    rows = love_rows(cohort, answer)
    _still_apart(rows)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        st.vega_lite_chart(
            love_plot(rows), theme=None, width="stretch", key="love_plot", alt=love_alt(rows)
        )
        takeaway.menu(cohort, "balance")
        _balance_notes(cohort, view, by, answer)
    with right:
        table = balanced_table(cohort, view, by, answer)
        st.table(table, border="horizontal", hide_index=True)
        _ratios(answer)


def title(answer: Balanced) -> str:
    """Return what is compared, safe to show."""
    return f"{comparison_view.names(answer.comparison)}, {model_tables.AFTER[answer.method]}"


def balanced_table(
    cohort: Cohort, view: SurvivalView, by: Variable, answer: Balanced
) -> pd.DataFrame:
    """Return patients and rates of both groups, before and after."""
    return model_tables.balanced_rows(
        answer, cohort.variables, by.name, view.endpoint.short,
        horizon_days=view.horizon_days, start=view.landmark_days or 0,
    )  # fmt: skip


def love_rows(cohort: Cohort, answer: Balanced) -> list[dict[str, object]]:
    """Return the standardised differences of each covariate, before and after."""
    rows = []
    for line in answer.table.to_dict("records"):
        variable = cohort.variables[line["covariate"]]
        level = line["level"]
        name = "" if variable.kind == "number" else f": {variable.level(str(level)).short}"
        differences = {"before": line["smd_before"], "after": line["smd_after"]}
        rows.append({"label": f"{variable.label}{name}", **differences})
    return rows


def _still_apart(rows: Sequence[Mapping[str, object]]) -> None:
    """Warn of covariates that are not balanced after all."""
    apart = {str(r["label"]): abs(v) for r in rows if abs(v := float(str(r["after"]))) > ACCEPTED}
    if apart:
        worst = sorted(apart, key=lambda label: -apart[label])[:_WORST]
        more = f" and {len(apart) - _WORST} more" if len(apart) > _WORST else ""
        told = ", ".join(f"{wording.escape(label)} {apart[label]:.2f}" for label in worst)
        frame.guard(
            "Not balanced", f"Standardised difference still above {ACCEPTED}: {told}{more}."
        )


def love_alt(rows: Sequence[Mapping[str, object]]) -> str:
    """Return the figure of the differences in words."""
    largest = {
        when: max((abs(v) for r in rows if (v := float(str(r[when]))) == v), default=0.0)
        for when in ("before", "after")
    }
    return (
        f"Largest standardised difference of {wording.count(len(rows), 'row')} of covariates: "
        f"{largest['before']:.2f} before, {largest['after']:.2f} after."
    )


def _ratios(answer: Balanced) -> None:
    before, after = answer.ratio_before, answer.ratio_after
    cells = {
        name: wording.ratio(r.value, r.low, r.high)
        for name, r in {"before": before, "after": after}.items()
    }
    lines = [
        f"Hazard ratio **{cells['after']}**, as they are {cells['before']}",
        f":gray[{comparison_view.names(answer.comparison)}; robust limits]",
        f"Log-rank, robust **{wording.p_value(after.p_value) or 'not possible'}**, as they are "
        f"{wording.p_value(before.p_value) or 'not possible'}",
    ]
    st.markdown("  \n".join(f":small[{line}]" for line in lines))


def _balance_notes(cohort: Cohort, view: SurvivalView, by: Variable, answer: Balanced) -> None:
    """Say what the comparison balances and what it does not, and who is left out."""
    looks = frame.comparison_number(
        cohort, "balance", view.endpoint.code, by.name, answer.comparison.compared.value,
        view.landmark_days, answer.method, tuple(answer.table["covariate"]),
    )  # fmt: skip
    st.markdown(
        ":small[Balanced is only what is chosen above. What was not measured can still differ and explain "
        "the rest.]"
    )
    if answer.n_missing:
        missing = ", ".join(
            f"{cohort.variables[name].label} {n}" for name, n in answer.missing.items()
        )
        comparison_view.small(
            f"Left out, not known: {wording.count(answer.n_missing, 'patient')} "
            f"({wording.escape(missing)})."
        )
    for levels in answer.withheld.values():
        comparison_view.small(frame.withheld(cohort, levels))
    for level, reason, n in answer.unmatched:
        who = wording.escape(level.name)
        comparison_view.small(
            f"Unmatched, {who}: {wording.count(n, 'patient')}, {_UNMATCHED[reason]}."
        )
    how = (
        "nearest neighbour on the logit of the propensity score, 1 to 1 without replacement, caliper "
        "0.2 standard deviations; limits clustered by pair"
        if answer.method == "matching"
        else "stabilised inverse probability weights from a logistic propensity score"
    )
    comparison_view.small(
        f"Method: {how}. Rates: Kaplan–Meier, robust log-log 95% CI. Dashed line: difference of 0.1. "
        f"Exploratory, comparison {looks} of this session."
    )
