"""The methods paragraph of a paper, made from what was computed, with its references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Method:
    """One method: a sentence in the past tense, and what it rests on.

    Attributes
    ----------
    sentence : str
    references : tuple of str
        Keys of `REFERENCES`.
    """

    sentence: str
    references: tuple[str, ...] = ()


REFERENCES: Mapping[str, str] = dict(
    line.split("\t", 1)
    for line in Path(__file__).with_name("references.txt").read_text("utf-8").splitlines()
)
"""What the sentences rest on, in the style of Vancouver: key and text of each line of references.txt."""

EXACT_LIMITS = "at 100% and 0% the exact limit for those at risk"
"""What a line on the method says after the scale of the limits."""

KAPLAN_MEIER = f"Kaplan–Meier, 95% CI log-log, {EXACT_LIMITS}"
"""How survival is estimated, in a line on the method."""

METHODS: Mapping[str, Method] = {
    "kaplan_meier": Method(
        "Survival was estimated after Kaplan and Meier, with pointwise 95% confidence intervals on the "
        "log(−log) scale; where survival was 100% or 0% the exact limits for the number at risk were used.",
        ("kaplan1958", "greenwood1926", "clopper1934"),
    ),
    "median": Method(
        "Medians were given with intervals after Brookmeyer and Crowley, and no rate was given beyond the "
        "last follow-up of its group.",
        ("brookmeyer1982",),
    ),
    "reverse_kaplan_meier": Method(
        "Median follow-up was estimated by the reverse Kaplan-Meier method.", ("schemper1996",)
    ),
    "restricted_mean": Method(
        "Restricted mean survival times were compared up to the horizon or, if earlier, the last "
        "follow-up of the group followed for the shortest time."
    ),
    "log_rank": Method(
        "Curves were compared by the two-sided log-rank test over the whole follow-up.",
        ("mantel1966",),
    ),
    "trend": Method(
        "Groups that have an order were also compared by the log-rank test for trend, with equally "
        "spaced scores.",
        ("tarone1975",),
    ),
    "holm": Method("P values of pairwise comparisons were adjusted after Holm.", ("holm1979",)),
    "permutation": Method(
        "Where a group had fewer than five events, the permutation distribution of the log-rank "
        "statistic was used.",
        ("heinze2003",),
    ),
    "cox": Method(
        "Hazard ratios were estimated by Cox regression with Efron’s method for ties and Wald intervals.",
        ("cox1972", "efron1977"),
    ),
    "firth": Method(
        "Models with few events were fitted with Firth’s penalty and profile-likelihood intervals.",
        ("firth1993", "heinze2001"),
    ),
    "proportional_hazards": Method(
        "Proportional hazards were tested by the scaled Schoenfeld residuals.", ("grambsch1994",)
    ),
    "subgroups": Method(
        "Subgroup hazard ratios came from separate models; interactions were tested by the likelihood "
        "ratio, without adjustment for their number.",
        ("wang2007",),
    ),
    "aalen_johansen": Method(
        "Relapse and non-relapse mortality were estimated as cumulative incidences after Aalen and "
        "Johansen, each counting the other as a competing event, with log(−log) intervals.",
        ("aalen1978",),
    ),
    "gray": Method("Cumulative incidences were compared by Gray’s test.", ("gray1988",)),
    "landmark": Method(
        "Groups formed after the time origin were compared from a landmark on, among patients who were "
        "event-free and followed then, in the group known on that day.",
        ("anderson1983",),
    ),
    "mantel_byar": Method(
        "Transplanted and not transplanted time was compared by the Mantel-Byar test.",
        ("mantel1974",),
    ),
    "simon_makuch": Method(
        "Curves in which patients change group on the day of transplant were drawn after Simon and Makuch.",
        ("simon1984",),
    ),
    "time_dependent_cox": Method(
        "Transplant entered Cox regression as a time-dependent covariate.", ("andersen1982",)
    ),
    "clopper_pearson": Method(
        "Rates were given with exact intervals after Clopper and Pearson.", ("clopper1934",)
    ),
    "fisher": Method("Rates were compared by Fisher’s exact test, two-sided.", ("mehta1983",)),
    "newcombe": Method(
        "Differences of rates were given with Newcombe’s hybrid score intervals.", ("newcombe1998",)
    ),
    "mcnemar": Method(
        "Paired results were compared by McNemar’s exact test.", ("mcnemar1947",)
    ),
    "kappa": Method("Agreement was measured by Cohen’s kappa.", ("cohen1960",)),
    "wilcoxon": Method(
        "Continuous characteristics were compared by the Wilcoxon rank-sum test.", ("wilcoxon1945",)
    ),
    "kruskal": Method(
        "Continuous characteristics of more than two groups were compared by the Kruskal-Wallis test.",
        ("kruskal1952",),
    ),
    "standardised_difference": Method(
        "Imbalance was measured by standardised differences.", ("yang2012",)
    ),
    "matching": Method(
        "Patients were matched one to one on the logit of a propensity score within a caliper of 0.2 "
        "standard deviations; hazard ratios carry errors that are robust within pairs.",
        ("austin2011", "lin1989"),
    ),
    "weighting": Method(
        "Groups were weighted by the inverse of their propensity; curves and hazard ratios carry "
        "robust errors.",
        ("robins2000", "lin1989"),
    ),
    "overlap": Method(
        "Groups were weighted by propensity overlap weights; curves and hazard ratios carry robust errors.",
        ("li2018", "lin1989"),
    ),
    "mrd_negativity": Method(
        "A sample was MRD-negative if no residual disease was found in marrow by an assay at least as "
        "sensitive as required; results below the limit of detection counted as evaluable and not negative "
        "unless stated otherwise."
    ),
    "small_numbers": Method(
        "Counts below the minimum of the study, and those from which they would follow, are not shown."
    ),
}  # fmt: skip
"""Every method that an exhibit can name, in the order in which a paper tells them."""


def paragraph(methods: Iterable[str]) -> str:
    """Return the methods paragraph: one sentence for each method used, and the software.

    Parameters
    ----------
    methods : iterable of str
        Keys of `METHODS`, in any order and with repeats.

    Raises
    ------
    KeyError
        If a method has no sentence.
    """
    used = _used(methods)
    numbers = {key: i for i, key in enumerate(_cited(used), start=1)}
    sentences = []
    for method in used:
        said = METHODS[method]
        marks = ",".join(str(numbers[key]) for key in said.references)
        sentences.append(said.sentence.removesuffix(".") + (f" [{marks}]." if marks else "."))
    return " ".join((*sentences, software()))


def references(methods: Iterable[str]) -> tuple[str, ...]:
    """Return the references of the paragraph, in the order of their numbers."""
    return tuple(REFERENCES[key] for key in _cited(_used(methods)))


def software() -> str:
    """Return the sentence on the software, with the versions that are installed."""
    parts = ", ".join(f"{name} {version(name)}" for name in ("numpy", "pandas", "scipy", "duckdb"))
    return f"P values are two-sided and exploratory. Computed with MRD Cohort Explorer ({parts})."


def _used(methods: Iterable[str]) -> list[str]:
    wanted = set(methods)
    if unknown := wanted - set(METHODS):
        raise KeyError(f"no sentence for {', '.join(sorted(unknown))}; add it to METHODS")
    return [method for method in METHODS if method in wanted]


def _cited(used: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(key for method in used for key in METHODS[method].references))
