"""What stands below the curves when asked for: subgroups, Cox models, a balanced comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from data.variables import Variable
from pages.elements import (
    access,
    balance_view,
    comparison_view,
    forest_view,
    frame,
    model_tables,
    takeaway,
    wording,
)
from pages.elements.answers.models import (
    EVENTS_PER_COEFFICIENT,
    CoxModels,
    changes,
    known_later,
)
from pages.elements.answers.survival import Answer
from pages.elements.frame import Cohort
from pages.elements.survival_view import SurvivalView

_SECTIONS = {"subgroups": "Subgroups", "cox": "Cox models", "balance": "Balance"}


def sections(cohort: Cohort, view: SurvivalView, result: Answer) -> None:
    """Offer what can be asked beyond the curves, and answer only what is asked."""
    chosen = cohort.choice("section", _SECTIONS, "")
    key = "choice_section"
    st.segmented_control(
        "Beyond the curves", list(_SECTIONS), format_func=lambda name: _SECTIONS[name],
        default=frame.link.put(key, chosen or None), key=key,
        on_change=lambda: frame.set_option("section", st.session_state[key]),
    )  # fmt: skip
    if not chosen:
        return
    if not result.n_event:
        st.info("No event in these patients: there is no hazard to model yet.")
        return
    draw: Mapping[str, Callable[[Cohort, SurvivalView], None]] = {
        "subgroups": forest_view.draw, "cox": _cox, "balance": balance_view.draw,
    }  # fmt: skip
    with frame.part(_SECTIONS[chosen]), st.spinner(f"{_SECTIONS[chosen]}: computing"):
        draw[chosen](cohort, view)


def _cox(cohort: Cohort, view: SurvivalView) -> None:
    """Write the table of Cox models."""
    st.subheader(cox_title(view), anchor=False)
    chosen = comparison_view.covariates(
        cohort, offered(cohort), comparison_view.default_covariates(cohort, view, grouping=True)
    )
    if not chosen:
        st.info("Choose at least one covariate.")
        return
    variables = [cohort.variables[name] for name in chosen]
    _known_too_late(cohort, view, variables)
    try:
        models, firth = cox_models(cohort, view, chosen)
    except ValueError as problem:
        st.info(wording.escape(str(problem)))
        return
    _few_events(models)
    _offer_firth(models, firth)
    if models.covariates:
        table = model_tables.cox_rows(models, firth=firth and models.infinite)
        st.table(table, border="horizontal", hide_index=True)
        takeaway.menu(cohort, "cox_table")
    _cox_notes(cohort, view, models)


def cox_title(view: SurvivalView) -> str:
    """Return what the table of models is called."""
    return f"Cox models of {wording.inside(view.endpoint.label)}"


def offered(cohort: Cohort) -> dict[str, Variable]:
    """Return what can be a covariate."""
    return {v.name: v for v in cohort.variables.values() if v.known != "with the outcome"}


def cox_models(
    cohort: Cohort, view: SurvivalView, chosen: tuple[str, ...]
) -> tuple[CoxModels, bool]:
    """Return the models with the covariates chosen, and whether with Firth's penalised ratios.

    Raises
    ------
    ValueError
        Where they cannot be in one model.
    """
    firth = cohort.choice("firth", {"yes": ""}, "") == "yes"
    models = access.cox_models(
        cohort.snapshot, cohort.filter, endpoint=view.endpoint.code, covariates=chosen,
        landmark_days=view.landmark_days, firth=firth,
    )  # fmt: skip
    return models, firth


def _known_too_late(cohort: Cohort, view: SurvivalView, chosen: Sequence[Variable]) -> None:
    """Warn of covariates known only after time starts, but those that the figure warned of."""
    if view.landmark_days is not None:
        return
    said = {view.by.name if view.by else "", *(name for name, _ in cohort.filter)}
    late = [v for v in chosen if known_later(v) and not changes(v) and v.name not in said]
    if late:
        names = wording.escape(wording.listed(v.label for v in late))
        is_are = "is" if len(late) == 1 else "are"
        sentence = f"{names} {is_are} known only in patients still event-free then."
        comparison_view.guard_late(cohort, view, "Immortal time", sentence, late)


def _few_events(models: CoxModels) -> None:
    n = models.n_coefficients
    if models.few_events:
        frame.guard(
            "Unstable",
            f"{wording.count(models.n_event, 'event')} for {wording.count(n, 'coefficient')} in the "
            f"multivariable model: fewer than {EVENTS_PER_COEFFICIENT} for each. Take covariates out.",
        )


def _offer_firth(models: CoxModels, firth: bool) -> None:
    """Offer the penalised likelihood where the plain one has no finite estimate."""
    if not models.infinite:
        return
    key = "choice_firth"
    st.toggle(
        "Some ratios have no finite estimate: add Firth’s penalised ones",
        frame.link.put(key, firth), key=key,
        on_change=lambda: frame.set_option("firth", "yes" if st.session_state[key] else None),
    )  # fmt: skip


def _cox_notes(cohort: Cohort, view: SurvivalView, models: CoxModels) -> None:
    """Say what the multivariable model rests on, and what is left out."""
    parts = [
        f"Multivariable: **{wording.count(models.n, 'patient')}**, "
        f"**{wording.count(models.n_event, 'event')}**"
    ]
    if models.concordance is not None:
        parts.append(f"concordance {models.concordance:.2f}")
    tests = {
        "all covariates together": models.p_value,
        "proportional hazards": models.proportional_p,
    }
    parts += [f"{name} {p}" for name, value in tests.items() if (p := wording.p_value(value))]
    st.markdown(f":small[{' · '.join(parts)}]")
    if left := models.n_left:
        missing = ", ".join(
            f"{c.variable.label} {c.n_missing}" for c in models.covariates if c.n_missing
        )
        known = "not known" if view.landmark_days is None else "not known by the landmark"
        comparison_view.small(
            f"Complete cases: {wording.count(left, 'patient')} "
            f"({wording.count(models.n_event_left, 'event')}) left "
            f"out of it, {known}: {wording.escape(missing)}."
        )
    for covariate in models.covariates:
        if covariate.withheld:
            comparison_view.small(frame.withheld(cohort, covariate.withheld))
    if models.n_undated:
        comparison_view.small(
            f"Left out, changed on an unknown day: {wording.count(models.n_undated, 'patient')}."
        )
    if models.constant:
        names = wording.escape(wording.listed(v.label for v in models.constant))
        comparison_view.small(f"Not in the models, one level only: {names}.")
    looks = frame.comparison_number(
        cohort, "cox", view.endpoint.code, view.landmark_days,
        tuple(c.variable.name for c in models.covariates),
    )  # fmt: skip
    moving = [c.variable.label for c in models.covariates if c.time_dependent]
    how = (
        f" {wording.escape(moving[0])} is time-dependent: patients count as ‘no’ until its day and as "
        "‘yes’ from then on, so that nobody is credited with the wait."
        if moving
        else ""
    )
    cause = " Cause-specific: the competing event censors." if view.endpoint.competing else ""
    comparison_view.small(
        "Hazard ratio above 1: more events. Efron ties, Wald 95% CI and P; proportional hazards by the "
        f"score test, of the multivariable model.{how}{cause} Exploratory, comparison {looks} of this "
        "session."
    )
