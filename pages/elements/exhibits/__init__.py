"""Every figure and table of the pages as an exhibit, by key: what talks, reports and downloads take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pages.elements import access, survival_view
from pages.elements.exhibits import (
    evidence,
    models,
    mrd,
    overview,
    parts,
    proofs,
    survival,
    transplant,
)
from pages.elements.exports.exhibit import Exhibit
from pages.elements.exports.report import Report
from pages.elements.frame import Cohort
from pages.elements.remembered import remembered


@dataclass(frozen=True)
class Figure:
    """A figure or table of a page.

    Attributes
    ----------
    page : str
        A key of frame.PAGES.
    title : str
        What it is, whatever it shows.
    build : callable
        Returns the exhibit of a cohort, without its proofs; None where the page shows no such figure.
    """

    page: str
    title: str
    build: Callable[[Cohort], Exhibit | None]


FIGURES: Mapping[str, Figure] = {
    "attrition": Figure("Overview", "The way from the study to the cohort", overview.attrition),
    "disposition": Figure("Overview", "What happened to the patients", overview.disposition),
    "table_one": Figure("Overview", "Table 1", overview.table_one),
    "missing_data": Figure("Overview", "Missing data", overview.missing_data),
    "survival_curves": Figure("Survival", "Curves", survival.curves),
    "survival_table": Figure("Survival", "Rates and tests", survival.table),
    "subgroup_forest": Figure("Survival", "Forest of subgroups", models.subgroup_forest),
    "cox_table": Figure("Survival", "Cox models", models.cox_table),
    "balance": Figure("Survival", "Balanced comparison", models.balance),
    "mrd_rates": Figure("MRD negativity", "Rates by timepoint", mrd.rates),
    "mrd_table": Figure("MRD negativity", "Table of rates", mrd.table),
    "mrd_flows": Figure("MRD negativity", "From timepoint to timepoint", mrd.flows),
    "mrd_kinetics": Figure("MRD negativity", "Level over time", mrd.kinetics),
    "mrd_outcome": Figure("MRD negativity", "Outcome by response", mrd.by_response),
    "concordance": Figure("MRD negativity", "Two assays compared", mrd.concordance),
    "concordance_outcome": Figure("MRD negativity", "Outcome by two assays", mrd.by_agreement),
    "transplant_answers": Figure("Transplant", "Hazard ratios four ways", transplant.answers),
    "transplant_naive": Figure("Transplant", "Naive curves", transplant.analysis("naive")),
    "transplant_landmark": Figure("Transplant", "Landmark", transplant.analysis("landmark")),
    "transplant_simon_makuch": Figure(
        "Transplant", "Simon–Makuch", transplant.analysis("simon_makuch")
    ),
    "transplant_who": Figure("Transplant", "Who was transplanted", transplant.who),
    "transplant_incidence": Figure("Transplant", "Time to alloSCT", transplant.incidence),
    "swimmer": Figure("Transplant", "Every patient", transplant.swimmer),
    "evidence_forest": Figure("Evidence", "Figure by figure", evidence.figure_by_figure),
    "evidence_beside": Figure(
        "Evidence", "MRD negativity beside published", evidence.beside("evidence_beside")
    ),
    "evidence_beside_rfs": Figure(
        "Evidence", "Relapse-free survival beside published", evidence.beside("evidence_beside_rfs")
    ),
    "evidence_beside_os": Figure(
        "Evidence", "Overall survival beside published", evidence.beside("evidence_beside_os")
    ),
    "regimens": Figure("Evidence", "Regimens", evidence.regimens),
}
"""The figures and tables by key of their exhibit, in the order of the pages."""


@remembered(48)
def exhibit(key: str, cohort: Cohort) -> Exhibit | None:
    """Return an exhibit of a cohort; None where its page shows none of it.

    Raises
    ------
    KeyError
        If there is no such figure.
    """
    build = FIGURES[key].build
    if access.withheld(cohort.snapshot, cohort.filter):
        return None
    return build(cohort) if access.size(cohort.snapshot, cohort.filter) else None


def proved(exhibit: Exhibit, cohort: Cohort) -> Exhibit:
    """Return an exhibit of a cohort with what repeats its numbers outside the product.

    It takes longer than the exhibit, and is made only for who asks for it.
    """
    prove = proofs.PROOFS.get(exhibit.key)
    return replace(exhibit, proofs=prove(cohort)) if prove else exhibit


_REPORTED = (
    "attrition", "disposition", "table_one", "survival_curves", "survival_table", "mrd_rates",
    "mrd_table", "mrd_flows", "transplant_answers",
)  # fmt: skip


def report(cohort: Cohort) -> Report:
    """Return a report of a cohort: what the pages show of it, in the order of a paper."""
    by = cohort.view.option("by")
    if by not in (None, "none", *survival_view.groupings(cohort)):
        # Overview passes over a grouping that Survival would refuse.
        cohort = replace(cohort, view=cohort.view.with_option("by", None))
    found = [exhibit(key, cohort) for key in _REPORTED]
    said = parts.counts(cohort, cohort.endpoint())
    source = parts.provenance(cohort, "Overview", counts=said, method="", rule=True)
    return Report(
        title=f"{cohort.study.name}: {cohort.filter.describe(cohort.variables)}",
        provenance=source,
        exhibits=tuple(each for each in found if each is not None),
    )
