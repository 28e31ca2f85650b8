"""The dictionary of variables: what can filter, group or describe a cohort.

A variable has a name (its column in `subjects` and its key in a link), labels for the screen, levels in
the order in which the field prints them, and *when it becomes known*. Grouping survival by something
known only after the time origin is immortal-time bias; the dictionary is where pages look that up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["category", "boolean", "number"]

ASSAYS = ("NGS", "MFC", "qPCR", "BCR::ABL1 PCR")
"""Every MRD assay that an import knows."""

COHORTS = "cohorts"
"""The variable that compares two saved cohorts; a study has it only where both are there."""

MISSING = "missing"
"""The level of a category or yes/no variable for patients without a value."""

TIMEPOINT_DEFAULTS: tuple[tuple[str, int, int, int], ...] = (
    ("after cycle 1", 30, 14, 60),
    ("3 months", 91, 61, 136),
    ("6 months", 183, 137, 228),
)
"""Label, target day, first day and last day of the MRD timepoints, where a study brings none."""


@dataclass(frozen=True)
class Level:
    """One level of a variable: as stored, and as the screen says it.

    Attributes
    ----------
    value : str
        As stored and as written in a link.
    short : str
        Where the variable is named beside it: filter buttons, risk tables, column heads.
    name : str
        Standing alone: the end of a curve.
    phrase : str
        Inside a sentence: the cohort line.
    """

    value: str
    short: str
    name: str
    phrase: str


@dataclass(frozen=True)
class Variable:
    """One variable of the dictionary.

    Attributes
    ----------
    name : str
        Column of `subjects`, key in a link.
    label : str
        As a title, without unit.
    kind : {'category', 'boolean', 'number'}
    levels : tuple of Level
        In printing order; empty for a number and for a category whose levels only the data know.
    unit : str
        Of a number; empty otherwise.
    known : {'at baseline', 'at a day', 'from a day on', 'with the outcome'}
        'at a day': the value exists from the day in `day_column`, and is unknown before it. 'from a
        day on': everybody starts as 'no' and changes to 'yes' on that day (a transplant).
    day_column : str or None
        Column of `subjects` with that day, counted from the patient's day 0.
    compared : tuple of str
        Levels that a survival comparison shows; empty for all. MRD compares negative with positive.
    expression, day_expression : str
        SQL text of the level and of its day, where `subjects` has no such columns.
    depends_on : tuple of str
        Other variables, not known at baseline, that decide this one: a comparison of saved cohorts
        inherits when they become known.
    """

    name: str
    label: str
    kind: Kind
    levels: tuple[Level, ...] = ()
    unit: str = ""
    known: Literal["at baseline", "at a day", "from a day on", "with the outcome"] = "at baseline"
    day_column: str | None = None
    compared: tuple[str, ...] = ()
    expression: str = ""
    day_expression: str = ""
    depends_on: tuple[str, ...] = ()

    def level(self, value: str) -> Level:
        """Return the level stored as `value`, as the study itself spells it if the dictionary has none."""
        for level in self.levels:
            if level.value == value:
                return level
        if value == MISSING:
            return Level(value, "Missing", f"{self.label} missing", f"{self.label} missing")
        return Level(value, value, value, f"{self.label}: {value}")

    @property
    def is_timepoint(self) -> bool:
        """Whether this is the MRD status at one timepoint."""
        return self.known == "at a day" and self.day_column == f"{self.name}_day"

    @property
    def column(self) -> str:
        """The SQL text of this variable's column, quoted."""
        return quoted(self.name)

    @property
    def level_sql(self) -> str:
        """The SQL text that gives this variable's level as text, 'missing' where there is none."""
        if self.kind == "boolean":
            column = self.column
            return f"CASE WHEN {column} THEN 'yes' WHEN NOT {column} THEN 'no' ELSE '{MISSING}' END"
        return f"coalesce(CAST({self.expression or self.column} AS VARCHAR), '{MISSING}')"


class Dictionary(Mapping[str, Variable]):
    """The variables of one study, by name, in the order in which a page lists them.

    Attributes
    ----------
    assays : tuple of str
        The MRD assays of the study, for its MRD rule.
    """

    def __init__(self, variables: tuple[Variable, ...], assays: tuple[str, ...] = ASSAYS) -> None:
        self._by_name = {variable.name: variable for variable in variables}
        self.assays = assays

    def __getitem__(self, name: str) -> Variable:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def timepoints(self) -> tuple[Variable, ...]:
        """The MRD status variables, one per timepoint, in the order of the timepoints."""
        return tuple(v for v in self.values() if v.is_timepoint)

    @property
    def groupable(self) -> tuple[Variable, ...]:
        """The variables that can split a cohort into groups."""
        return tuple(v for v in self.values() if v.kind != "number")

    def deciding(self, names: Iterable[str]) -> tuple[Variable, ...]:
        """Return the variables on which a group or a filter rests: those named, and what decides them."""
        every = (n for name in names for n in (name, *self[name].depends_on))
        return tuple(self[name] for name in dict.fromkeys(every))


def quoted(name: str) -> str:
    """Return a column name as a quoted SQL identifier.

    Raises
    ------
    ValueError
        If the name is not lower case letters, digits and underscores: a column name that reaches SQL
        comes from the dictionary, and the dictionary admits no others.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name!r} is not a variable name: use a-z, 0-9 and _ (see slug())")
    return f'"{name}"'


def slug(text: str) -> str:
    """Return `text` as a variable name: 'after cycle 1' becomes 'after_cycle_1'."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return plain if plain[:1].isalpha() or not plain else f"v_{plain}"


def timepoint_variable_name(label: str) -> str:
    """Return the name of the MRD status variable of a timepoint: 'mrd_3_months'."""
    return "mrd_" + re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def _yes_no(name: str, label: str, yes: str, no: str) -> Variable:
    # Without it first: ratios are those of having it.
    levels = (Level("no", "No", no, no), Level("yes", "Yes", yes, yes))
    return Variable(name, label, "boolean", levels)


def timepoint_variable(label: str) -> Variable:
    """Return the MRD status variable of one timepoint."""
    # 'after cycle 1' and 'later' say when by themselves.
    when = f"at {label}" if label[:1].isdigit() else label
    name = timepoint_variable_name(label)
    texts = (
        ("negative", "Negative", "MRD negative"),
        ("positive", "Positive", "MRD positive"),
        ("below LOD", "Below LOD", "MRD below LOD"),
        ("indeterminate", "Indeterminate", "MRD indeterminate"),
        ("not assessed", "Not assessed", "MRD not assessed"),
    )
    levels = tuple(Level(v, short, full, f"{full} {when}") for v, short, full in texts)
    return Variable(
        name,
        f"MRD {when}",
        "category",
        levels,
        known="at a day",
        day_column=f"{name}_day",
        compared=("negative", "positive"),
    )


_PH_STATUS = Variable(
    "ph_status",
    "Ph status",
    "category",
    (
        Level("negative", "Ph-negative", "Ph-negative", "Ph-negative"),
        Level("positive", "Ph-positive", "Ph-positive", "Ph-positive"),
    ),
)
_RISK_GROUP = Variable(
    "risk_group",
    "Risk group",
    "category",
    (
        Level("standard", "Standard", "Standard risk", "standard risk"),
        Level("high", "High", "High risk", "high risk"),
        Level("Ph-positive", "Ph+", "Ph-positive", "Ph-positive risk group"),
        Level("unknown", "Unknown", "Risk unknown", "unknown risk"),
    ),
)
_ALLOSCT = Variable(
    "allosct",
    "Transplant",
    "category",
    (
        Level("no", "None", "No alloSCT", "no alloSCT in first remission"),
        Level("yes", "AlloSCT in CR1", "AlloSCT in CR1", "alloSCT in first remission"),
    ),
    known="from a day on",
    day_column="allosct_day",
)
_DYNAMICS = Variable(
    "mrd_dynamics",
    "MRD dynamics",
    "category",
    (
        Level("early responder", "Early", "Early responder", "early MRD responders"),
        Level("late responder", "Late", "Late responder", "late MRD responders"),
        Level("non-responder", "Non-responder", "Non-responder", "MRD non-responders"),
        Level("unknown", "Unknown", "Dynamics unknown", "MRD dynamics unknown"),
    ),
    known="at a day",
    day_column="mrd_last_day",
    compared=("early responder", "late responder", "non-responder"),
)
_BEST = Variable(
    "mrd_best",
    "Best MRD response",
    "category",
    tuple(
        Level(v, s, f"Best MRD {v}", f"best MRD response {v}")
        for v, s in (
            ("negative", "Negative"),
            ("positive", "Positive"),
            ("below LOD", "Below LOD"),
            ("indeterminate", "Indeterminate"),
            ("not assessed", "Not assessed"),
        )
    ),
    known="at a day",
    day_column="mrd_last_day",
    compared=("negative", "positive"),
)
_DISPOSITION = Variable(
    "disposition",
    "Outcome",
    "category",
    tuple(
        Level(value, value[:1].upper() + value[1:], value[:1].upper() + value[1:], value)
        for value in (
            "in first remission",
            "relapsed",
            "died in remission",
            "died without remission",
            "no remission",
            "not known",
        )
    ),
    known="with the outcome",
)
_CAR_T = Variable(
    "car_t",
    "CAR T-cell consolidation",
    "category",
    (
        Level("no", "None", "No CAR T cells", "no CAR T cells in first remission"),
        Level("yes", "CAR T cells in CR1", "CAR T cells in CR1", "CAR T cells in first remission"),
    ),
    known="from a day on",
    day_column="car_t_day",
)

_BASELINE = (
    Variable("age_years", "Age", "number", unit="years"),
    Variable(
        "sex",
        "Sex",
        "category",
        (Level("female", "Female", "Female", "female"), Level("male", "Male", "Male", "male")),
    ),
    Variable("wbc_10e9_per_l", "WBC at diagnosis", "number", unit="×10⁹/L"),
    Variable("cytogenetics", "Cytogenetics", "category"),
    _yes_no("ph_like", "Ph-like", "Ph-like", "Not Ph-like"),
    Variable("ph_like_class", "Ph-like class", "category"),
    _yes_no("tp53_mutated", "TP53 mutated", "TP53 mutated", "TP53 not mutated"),
    _yes_no("kmt2a_rearranged", "KMT2A rearranged", "KMT2A rearranged", "KMT2A not rearranged"),
    _yes_no("hypodiploid", "Low hypodiploidy / near triploidy", "Hypodiploid", "Not hypodiploid"),
    _yes_no("complex_karyotype", "Complex karyotype", "Complex karyotype", "No complex karyotype"),
    _yes_no("ikzf1_plus", "IKZF1plus", "IKZF1plus", "No IKZF1plus"),
    Variable("frontline_therapy", "Frontline therapy", "category"),
    Variable("tki", "Tyrosine kinase inhibitor", "category"),
    Variable("disease_status", "Disease status", "category"),
    _yes_no("prior_inotuzumab", "Prior inotuzumab", "Prior inotuzumab", "No prior inotuzumab"),
    Variable("ecog", "ECOG performance status", "category"),
    Variable("trackable_locus", "Trackable locus", "category"),
    _yes_no("extramedullary", "Extramedullary disease", "Extramedullary", "No extramedullary"),
    Variable("lineage", "Lineage", "category"),
)

RESERVED: frozenset[str] = frozenset(
    (
        "study", "snapshot", "import", "step", "talk", "present",
        "endpoint", "by", "by2", "unit", "zoom", "landmark_days", "horizon",
        "size", "timepoint",
        "denominator", "part", "publication", "setting", "assay", "swimmer", "sort",
        "mrd_section", "assays", "assays_at",
        "mrd_assay", "mrd_cutoff", "mrd_below_lod", "rule", "cohort_a", "cohort_b", "cohorts",
        "section", "contrast", "covariates", "firth", "balance",
        "disposition", "allosct", "allosct_day", "car_t", "car_t_day", "mrd_dynamics",
        "mrd_best", "mrd_last_day", "cr_day", "relapse_day", "death_day", "follow_up_days",
        "risk_group_of_study",
    )
)  # fmt: skip
"""Names that a study's own columns cannot have: keys of a link, and columns that are derived."""


def build_dictionary(
    timepoints: tuple[str, ...],
    own: tuple[Variable, ...] = (),
    *,
    present: frozenset[str] | None = None,
) -> Dictionary:
    """Return the dictionary of a study.

    Parameters
    ----------
    timepoints : tuple of str
        Labels of its MRD timepoints, in order.
    own : tuple of Variable
        The variables that only this study has.
    present : frozenset of str, optional
        Columns that hold at least one value; the others are left out. All by default.
    """
    mrd = tuple(timepoint_variable(label) for label in timepoints)
    derived = (*mrd, _DYNAMICS, _BEST) if mrd else ()
    every = (_PH_STATUS, _RISK_GROUP, *derived, _ALLOSCT, _CAR_T, *_BASELINE, *own, _DISPOSITION)
    return Dictionary(tuple(v for v in every if present is None or v.name in present))


def comparison_variable(words: Mapping[str, str], depends_on: tuple[str, ...]) -> Variable:
    """Return the variable that compares saved cohorts.

    Parameters
    ----------
    words : mapping of str to str
        What each cohort, A and B, is.
    depends_on : tuple of str
        The variables in their conditions that are not known at baseline.
    """
    # Whoever is in both is in neither group: the groups are not the cohorts that were saved.
    only = {
        name: f"{text}, not in {other}"
        for (name, text), other in zip(words.items(), reversed(tuple(words)), strict=True)
    }
    levels = tuple(
        Level(name, f"{name} only", f"{name}: {text}", f"cohort {name} ({text})")
        for name, text in only.items()
    )
    neither = "in neither cohort, or in both"
    return Variable(
        COHORTS,
        "Cohort A against B",
        "category",
        (*levels, Level(MISSING, neither, neither, neither)),
        compared=tuple(words),
        depends_on=depends_on,
    )


STANDARD = build_dictionary(tuple(label for label, *_ in TIMEPOINT_DEFAULTS))
"""The dictionary of a study with the default timepoints and no variables of its own."""
