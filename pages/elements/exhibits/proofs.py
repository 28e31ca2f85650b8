"""What repeats the numbers of each exhibit outside the product, made only when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from data.variables import Variable
from pages.elements import (
    access,
    balance_view,
    comparison_view,
    concordance_view,
    forest_view,
    models_view,
    mrd_view,
    outcome_view,
    overview_view,
    response_view,
    sidebar,
    tables,
    transplant_view,
)
from pages.elements.answers import rows
from pages.elements.answers.small_cells import minimum_of
from pages.elements.answers.survival import Survival
from pages.elements.exhibits import survival, transplant
from pages.elements.exports import proof
from pages.elements.exports.exhibit import Proof
from pages.elements.frame import Cohort

Proofs = tuple[Proof, ...]


def of_curves(cohort: Cohort) -> Proofs:
    """Return what repeats the curves and tables of the Survival page."""
    found = survival.answered(cohort)
    if found is None:
        return ()
    view, result = found
    p = None
    if isinstance(result, Survival) and result.few_events:
        # The page says it too.
        p = access.permutation_p(
            cohort.snapshot, cohort.filter, **view.question, horizon_days=view.horizon_days
        )
    days = list(tables.milestones(view.horizon_days).values())
    return proof.survival_proofs(result, days, p)


def of_response(cohort: Cohort) -> Proofs:
    """Return what repeats the curves of the responders."""
    return _of_groups(cohort, *response_view.by_response(cohort))


def of_agreement(cohort: Cohort) -> Proofs:
    """Return what repeats the curves of the classes of two assays."""
    pair = concordance_view.pair_asked(cohort)
    if pair is None:
        return ()
    variable, result = concordance_view.answer(cohort, pair)
    return _of_groups(cohort, variable, concordance_view.landmark(cohort, result))


def _of_groups(cohort: Cohort, by: Variable, landmark_days: int | None) -> Proofs:
    return of_curves(outcome_view.asked(cohort, by, landmark_days))


def of_subgroups(cohort: Cohort) -> Proofs:
    """Return what repeats the forest of subgroups."""
    found = survival.answered(cohort)
    if found is None or found[0].by is None:
        return ()
    view, by = found[0], found[0].by
    assert by is not None
    forest = forest_view.answer(cohort, view, by)
    if forest is None:
        return ()
    split = rows.subgroups(
        cohort.snapshot, cohort.filter, cohort.variables, endpoint=view.endpoint.code, by=by.name,
        against=comparison_view.against(cohort, by), landmark_days=view.landmark_days,
    )  # fmt: skip
    return proof.subgroup_proofs(forest, split, minimum_of(cohort.snapshot))


def of_cox(cohort: Cohort) -> Proofs:
    """Return what repeats the Cox models."""
    found = survival.answered(cohort)
    if found is None:
        return ()
    view = found[0]
    default = comparison_view.default_covariates(cohort, view, grouping=True)
    chosen = comparison_view.chosen_covariates(cohort, models_view.offered(cohort), default)
    models, _ = models_view.cox_models(cohort, view, chosen)
    fits = rows.cox_models(
        cohort.snapshot, cohort.filter, cohort.variables, endpoint=view.endpoint.code,
        covariates=chosen, landmark_days=view.landmark_days,
    )  # fmt: skip
    return proof.cox_proofs(models, fits, minimum_of(cohort.snapshot))


def of_balance(cohort: Cohort) -> Proofs:
    """Return what repeats the balanced comparison."""
    found = survival.answered(cohort)
    if found is None or found[0].by is None:
        return ()
    view, by = found[0], found[0].by
    assert by is not None
    method = balance_view.method_asked(cohort)
    default = comparison_view.default_covariates(cohort, view, grouping=False)
    offered = balance_view.offered(cohort, view, by)
    chosen = comparison_view.chosen_covariates(cohort, offered, default)
    answer = balance_view.answer(cohort, view, by, chosen, method)
    if answer is None:
        return ()
    weighed = rows.weighed(
        cohort.snapshot, cohort.filter, cohort.variables, endpoint=view.endpoint.code, by=by.name,
        against=comparison_view.against(cohort, by), covariates=chosen, method=method,
        landmark_days=view.landmark_days,
    )  # fmt: skip
    start = view.landmark_days or 0
    days = [day for day in tables.milestones(view.horizon_days).values() if day > start]
    return proof.balance_proofs(answer, weighed, chosen, days, minimum_of(cohort.snapshot))


def of_negativity(cohort: Cohort) -> Proofs:
    """Return what repeats the rates of MRD negativity, also by the grouping of the figure."""
    if not cohort.variables.timepoints:
        return ()
    result = mrd_view.answer(cohort, mrd_view.read(cohort))
    return proof.negativity_proofs(result, cohort.variables)


def of_concordance(cohort: Cohort) -> Proofs:
    """Return what repeats the agreement of two assays."""
    pair = concordance_view.pair_asked(cohort)
    return proof.concordance_proofs(concordance_view.answer(cohort, pair)[1]) if pair else ()


def of_table_one(cohort: Cohort) -> Proofs:
    """Return what repeats Table 1."""
    by = overview_view.grouping(cohort)
    name = by.name if by else None
    kinds = overview_view.table_rows(cohort, name)
    frame = rows.table_one(cohort.snapshot, cohort.filter, cohort.variables, rows=kinds, by=name)
    return proof.table_one_proofs(
        overview_view.characteristics(cohort, by), frame, cohort.variables, rows=kinds, by=name,
        minimum=minimum_of(cohort.snapshot),
    )  # fmt: skip


def of_transplant(cohort: Cohort) -> Proofs:
    """Return what repeats the four analyses of the transplant."""
    found = transplant.asked(cohort)
    if found is None:
        return ()
    view, result = found
    people = rows.transplant(
        cohort.snapshot, cohort.filter, cohort.variables, endpoint=view.endpoint.code
    )
    return proof.transplant_proofs(result, people, [view.milestone[1]])


def of_transplanted(cohort: Cohort) -> Proofs:
    """Return what repeats who was transplanted, and when."""
    found = transplant_view.transplanted(cohort)
    timepoint = sidebar.chosen_timepoint(cohort.variables, cohort.view)
    return proof.transplanted_proofs(found, timepoint, minimum_of(cohort.snapshot))


def of_survival_beside(endpoint: str) -> Callable[[Cohort], Proofs]:
    """Return what repeats the curve of the cohort that stands among printed rates."""

    def prove(cohort: Cohort) -> Proofs:
        view = cohort.view.with_option("endpoint", endpoint)
        for option in ("by", "by2", "landmark_days"):
            view = view.with_option(option, None)
        return of_curves(replace(cohort, view=view))

    return prove


PROOFS: Mapping[str, Callable[[Cohort], Proofs]] = {
    "table_one": of_table_one,
    "survival_curves": of_curves,
    "survival_table": of_curves,
    "subgroup_forest": of_subgroups,
    "cox_table": of_cox,
    "balance": of_balance,
    "mrd_rates": of_negativity,
    "mrd_table": of_negativity,
    "mrd_flows": of_negativity,
    "mrd_outcome": of_response,
    "concordance": of_concordance,
    "concordance_outcome": of_agreement,
    "transplant_answers": of_transplant,
    "transplant_naive": of_transplant,
    "transplant_landmark": of_transplant,
    "transplant_simon_makuch": of_transplant,
    "transplant_who": of_transplanted,
    "transplant_incidence": of_transplanted,
    "evidence_beside": of_negativity,
    "evidence_beside_rfs": of_survival_beside("RFS"),
    "evidence_beside_os": of_survival_beside("OS"),
}
"""By key of the exhibit; the others hold counts or what is printed, which nothing recomputes."""
