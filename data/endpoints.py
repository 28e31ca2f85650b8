"""The endpoints: code, words and what they count, as derived in data/sql/derive_time_to_event.sql."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_CENSORED = "_censored_at_allosct"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint.

    Attributes
    ----------
    code : str
        As stored and as written in a link.
    label : str
        'Relapse-free survival'.
    short : str
        'RFS'.
    origin : str
        The day on which time starts, in words; empty for day 0, whose name the study gives.
    events : str
        What counts as an event, in words.
    competing : bool
        Whether another event can preclude it, so that 1-KM would overstate it.
    """

    code: str
    label: str
    short: str
    origin: str
    events: str
    competing: bool = False

    @property
    def censored_at_allosct(self) -> bool:
        """Whether follow-up ends at alloSCT."""
        return self.code.endswith(_CENSORED)


_CR = "first complete remission"
_PLAIN = (
    Endpoint("RFS", "Relapse-free survival", "RFS", _CR, "relapse or death"),
    Endpoint("OS", "Overall survival", "OS", "", "death"),
    Endpoint("EFS", "Event-free survival", "EFS", "", "no remission, relapse or death"),
    Endpoint("CIR", "Cumulative incidence of relapse", "CIR", _CR, "relapse", competing=True),
    Endpoint("NRM", "Non-relapse mortality", "NRM", _CR, "death without relapse", competing=True),
)
ENDPOINTS: Mapping[str, Endpoint] = {
    endpoint.code: endpoint
    for plain in _PLAIN
    for endpoint in (
        plain,
        Endpoint(
            plain.code + _CENSORED,
            f"{plain.label}, censored at alloSCT",
            plain.short,
            plain.origin,
            f"{plain.events}; follow-up ends at alloSCT",
            plain.competing,
        ),
    )
}
"""Every endpoint by code."""
