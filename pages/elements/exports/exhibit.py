"""What leaves the screen: one figure or table with its numbers, words and provenance, as one value.

Every file (picture, slide, workbook, report, proof) is made from an exhibit and from nothing else, so that
none can disagree with the screen or with another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from pages.elements.charts.theme import Style


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a reader needs to trace a figure.

    Attributes
    ----------
    study : str
        Its title, with '(synthetic)' or '(real)'.
    snapshot : str
        Hash of the snapshot.
    cohort : str
        The filter in words.
    counts : str
        Patients and events in words, small ones suppressed: '59 of 161 patients, 14 events', or, where a
        figure holds others, '59 of 161 patients · in the curves 25 patients, 7 events'.
    method : str
        In words, as the page's footer has it.
    rule : str
        The MRD rule in words, empty where none plays a part.
    cutoff, citation : str
        Data cut-off and citation of the study; empty where there is none.
    version : str
        Of the product.
    link : str
        Page and query that show the same view: 'survival?study=short2025&by=ph_status'.
    caveats : tuple of str
        What can mislead, as the page warns of it: 'Few events: …'.
    """

    study: str
    snapshot: str
    cohort: str
    counts: str
    method: str
    version: str
    link: str
    rule: str = ""
    cutoff: str = ""
    citation: str = ""
    caveats: tuple[str, ...] = ()

    @property
    def footnote(self) -> str:
        """One line for the foot of a picture or a sheet; what can mislead comes first."""
        return " · ".join((*self.caveats, self.source))

    @property
    def source(self) -> str:
        """Where the numbers come from, in one line."""
        cutoff = f"cut-off {self.cutoff}" if self.cutoff else ""
        parts = (
            self.study, f"snapshot {self.snapshot}", cutoff, self.cohort, self.counts, self.rule,
            self.method, self.citation, f"MRD Cohort Explorer v{self.version}",
        )  # fmt: skip
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True, eq=False, kw_only=True)
class Series:
    """One group of a chart that a slide draws by itself.

    Attributes
    ----------
    name : str
        As the legend and the end of the curve say it.
    short : str
        As the table under the chart says it.
    style : Style
        Colour slot, mark and dash, as on the screen.
    points : pandas.DataFrame
        Of a curve: time (in the unit of the axis), value, low, high (percent), n_censored; one row per time
        at which it steps or somebody is censored, the first where the axis begins. Of rates: x (1, 2, …
        for the ticks), value, low, high (percent). NaN where suppressed or without patients.
    counts : tuple of str
        One text per tick of the axis, for the table under the chart: patients at risk, or n/N.
    """

    name: str
    short: str
    style: Style
    points: pd.DataFrame
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Proof:
    """One computation that a reader can repeat outside the product.

    Attributes
    ----------
    kind : str
        What is computed: 'kaplan_meier', 'log_rank', 'cox', 'cumulative_incidence', 'gray', 'rates', …
    rows : pandas.DataFrame
        The data behind it: days, events, groups; no patient identifier. Empty where small numbers are
        suppressed: then the counts that are shown take their place.
    options : mapping
        Arguments in JSON: columns, milestones in days, reference level.
    expected : mapping
        The numbers on the screen at full precision, by name, in JSON.
    """

    kind: str
    rows: pd.DataFrame
    options: Mapping[str, Any]
    expected: Mapping[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Exhibit:
    """One figure or table of a page, ready to leave it.

    Attributes
    ----------
    key : str
        Unique in the product, part of file names: 'survival_curves'.
    page : str
        The page that shows it, a key of frame.PAGES.
    title : str
    message : str
        One sentence that says what it shows, made by rules from the result.
    provenance : Provenance
    spec : mapping or None
        The Vega-Lite specification with its data, as on the screen; None for a table.
    alt : str
        The figure in words.
    chart : {'curves', 'rates', 'none'}
        What a slide can draw natively from `series`; anything else goes onto slides as tables.
    series : tuple of Series
    axes : tuple of str
        Titles of the x and the y axis of `chart`.
    ticks : mapping of float to str
        Of the x axis: places and labels; the first and the last are its ends for curves.
    counted : str
        What the counts of the series are: 'At risk'.
    notes : tuple of str
        Short lines beside the chart: the hazard ratio, the P value.
    tables : mapping of str to pandas.DataFrame
        The numbers behind it by name of table: typed columns with plain names, suppressed cells as
        missing.
    shown : mapping of str to pandas.DataFrame
        The tables as the screen writes them, texts only, for papers and slides.
    methods : tuple of str
        Keys of the methods used, for the methods paragraph and its references.
    code : str
        Python that makes the numbers from the store.
    proofs : tuple of Proof
    """

    key: str
    page: str
    title: str
    message: str
    provenance: Provenance
    spec: Mapping[str, Any] | None = None
    alt: str = ""
    chart: Literal["curves", "rates", "none"] = "none"
    series: tuple[Series, ...] = ()
    axes: tuple[str, str] = ("", "")
    ticks: Mapping[float, str] = field(default_factory=dict)
    counted: str = ""
    notes: tuple[str, ...] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    shown: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    code: str = ""
    proofs: tuple[Proof, ...] = ()

    @property
    def file_name(self) -> str:
        """Name of a file of it, without extension; holds no text of a user or of the data."""
        return f"{self.key}-{self.provenance.snapshot}"
