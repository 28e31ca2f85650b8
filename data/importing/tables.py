"""The tables that a study brings, column by column: what each may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Type = Literal["text", "number", "whole", "boolean", "level"]


@dataclass(frozen=True)
class Column:
    """What one column may hold.

    Attributes
    ----------
    type : {'text', 'number', 'whole', 'boolean', 'level'}
        'whole' is an integer, 'boolean' is yes / no.
    levels : tuple of str
        Of a 'level' column.
    low, high : float
        The smallest and the largest value that a number can have.
    required : bool
        The column has to be there and no cell may be empty.
    """

    type: Type
    levels: tuple[str, ...] = ()
    low: float = float("-inf")
    high: float = float("inf")
    required: bool = False


_ID = Column("text", required=True)
_TEXT = Column("text")
_YES_NO = Column("boolean")
_DAY = Column("whole", low=-36525, high=36525)
_FROM_DAY_ZERO = Column("whole", low=0, high=36525)

HIGHEST_RATIO = 100
"""Of a level of MRD: as much is found, at diagnosis, where BCR::ABL1 is held against ABL1."""

TABLES: Mapping[str, Mapping[str, Column]] = {
    "patients": {
        "patient_id": _ID,
        "age_years": Column("number", low=0, high=120),
        "sex": Column("level", ("female", "male")),
        "wbc_10e9_per_l": Column("number", low=0, high=2000),
        "lineage": Column("level", ("B", "T")),
        "ph_status": Column("level", ("positive", "negative")),
        "cytogenetics": _TEXT,
        "kmt2a_rearranged": _YES_NO,
        "hypodiploid": _YES_NO,
        "complex_karyotype": _YES_NO,
        "ph_like": _YES_NO,
        "ph_like_class": Column("level", ("CRLF2", "non-CRLF2")),
        "tp53_mutated": _YES_NO,
        "ikzf1_plus": _YES_NO,
        "risk_group": Column("level", ("high", "standard", "Ph-positive", "unknown")),
        "frontline_therapy": _TEXT,
        "tki": _TEXT,
        "disease_status": _TEXT,
        "prior_inotuzumab": _YES_NO,
        "ecog": _TEXT,
        "trackable_locus": _TEXT,
        "extramedullary": _YES_NO,
    },
    "mrd_assessments": {
        "patient_id": _ID,
        "day": _DAY,
        "timepoint": _TEXT,
        "assay": Column("level", ("NGS", "MFC", "qPCR", "BCR::ABL1 PCR")),
        "material": Column("level", ("BM", "PB")),
        "target": _TEXT,
        # A ratio of transcripts can be above 1.
        "mrd_fraction": Column("number", low=0, high=HIGHEST_RATIO),
        "lod_fraction": Column("number", low=0, high=1),
        "call": Column("level", ("negative", "positive", "below LOD", "not evaluable")),
    },
    "treatments": {
        "patient_id": _ID,
        "kind": Column(
            "level",
            (
                "induction",
                "consolidation",
                "blinatumomab",
                "inotuzumab",
                "TKI",
                "alloSCT",
                "autoSCT",
                "CAR-T",
                "maintenance",
            ),
            required=True,
        ),
        "name": _TEXT,
        "start_day": _DAY,
        "end_day": _DAY,
        "cycle": Column("whole", low=0, high=100),
    },
    "outcomes": {
        "patient_id": _ID,
        "cr_day": _FROM_DAY_ZERO,
        "relapse_day": _FROM_DAY_ZERO,
        "relapse_site": _TEXT,
        "death_day": _FROM_DAY_ZERO,
        "death_cause": _TEXT,
        "last_follow_up_day": _FROM_DAY_ZERO,
        "cr_achieved": _YES_NO,
        "relapsed": _YES_NO,
        "died": _YES_NO,
    },
}

GIVEN_ENDPOINTS: Mapping[str, Column] = {
    "patient_id": _ID,
    "endpoint": Column("level", ("OS", "RFS", "EFS", "CIR", "NRM"), required=True),
    "origin_day": _DAY,
    "time_days": _FROM_DAY_ZERO,
    "event_code": Column("whole", low=0, high=2),
    "event_description": _TEXT,
}
"""Endpoints that a study brings as time and status: one row per patient and endpoint."""

STORED: Mapping[str, Mapping[str, Column]] = {**TABLES, "given_endpoints": GIVEN_ENDPOINTS}
"""Every raw table of a snapshot."""

REQUIRED_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "patients": ("patient_id",),
    "mrd_assessments": ("patient_id", "day"),
    "treatments": ("patient_id", "kind"),
    "outcomes": ("patient_id", "cr_day", "last_follow_up_day"),
}
"""What a folder must bring; a *_day may come as a *_date. Without the rest, less can be derived."""


def usual_day(label: str) -> str:
    """Return the name in `places` of the column whose samples of a timepoint have no day of their own."""
    return f"usual day of {label}"
