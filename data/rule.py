"""The MRD rule: which samples count, and from which level on they are positive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

BelowLod: TypeAlias = Literal["own status", "negative"]

CUTOFFS: Mapping[str, float] = {"1e-3": 1e-3, "1e-4": 1e-4, "1e-5": 1e-5, "1e-6": 1e-6}
"""The cut-offs that are offered, by their spelling in a link."""

KEYS = ("mrd_assay", "mrd_cutoff", "mrd_below_lod")
"""Keys of a link that are the rule."""

PARAMETER = "mrd_rule"
"""Under this name a rule travels among the parameters of a query."""

DEPTH_OF_STUDY = "CASE WHEN m.assay = 'NGS' THEN 1e-6 ELSE 1e-4 END"
"""The depth that the derivation asks before 'nothing found' is negative; a cut-off takes its place."""

_POWERS = {"1e-3": "10⁻³", "1e-4": "10⁻⁴", "1e-5": "10⁻⁵", "1e-6": "10⁻⁶"}


@dataclass(frozen=True)
class MrdRule:
    """How samples become the MRD status of a timepoint; by default as the study was imported.

    Attributes
    ----------
    assay : str or None
        Only samples of this assay count; None for any.
    cutoff : float or None
        A level at or above it is positive. One below it is negative in marrow if the assay reaches
        the cut-off, indeterminate otherwise. None for the limit of detection of each sample.
    below_lod : {'own status', 'negative'}
        What becomes of a sample found under its limit of detection, where that limit does not lie
        under the cut-off.
    """

    assay: str | None = None
    cutoff: float | None = None
    below_lod: BelowLod = "own status"

    def __bool__(self) -> bool:
        """Tell whether this differs from the study's own rule."""
        return self != _OF_STUDY

    def parameters(self) -> dict[str, object]:
        """Return the parameters of the SQL that restates the samples."""
        return {"assay": self.assay, "cutoff": self.cutoff, "below_lod": self.below_lod}

    def describe(self) -> str:
        """Return the rule in words, 'MRD by NGS, cut-off 10⁻⁵'; empty for the study's own."""
        parts = [f"by {self.assay}"] if self.assay else []
        parts += [f"cut-off {power(self.cutoff)}"] if self.cutoff else []
        parts += ["below LOD as negative"] if self.below_lod == "negative" else []
        return f"MRD {', '.join(parts)}" if parts else ""

    def to_query(self) -> dict[str, list[str]]:
        """Return the rule as the parameters of a link; nothing for what is the study's own."""
        values = (
            self.assay,
            spelled(self.cutoff) if self.cutoff else None,
            self.below_lod if self.below_lod != "own status" else None,
        )
        return {key: [value] for key, value in zip(KEYS, values, strict=True) if value}

    @classmethod
    def from_query(
        cls, query: Mapping[str, Sequence[str]], assays: Sequence[str]
    ) -> tuple[MrdRule, list[str]]:
        """Read a rule from a link; return it with a sentence for each value that is unknown.

        Parameters
        ----------
        query : mapping of str to sequence of str
            Keys that are not of the rule are passed over.
        assays : sequence of str
            Those of the study.
        """
        choices: dict[str, tuple[str, Sequence[str]]] = {
            "mrd_assay": ("an MRD assay of this study", assays),
            "mrd_cutoff": ("an MRD cut-off", tuple(CUTOFFS)),
            "mrd_below_lod": ("a way to count below LOD", ("own status", "negative")),
        }
        read, problems = dict[str, str](), list[str]()
        for key in KEYS:
            if key not in query:
                continue
            given = [query[key]] if isinstance(query[key], str) else list(query[key])
            what, allowed = choices[key]
            if len(given) == 1 and given[0] in allowed:
                read[key] = str(given[0])
            else:
                offered = ", ".join(allowed) or "it has none"
                problems.append(f"‘{', '.join(map(str, given))}’ is not {what}: {offered}.")
        rule = cls(
            read.get("mrd_assay"),
            CUTOFFS.get(read.get("mrd_cutoff", "")),
            "negative" if read.get("mrd_below_lod") == "negative" else "own status",
        )
        return rule, problems


_OF_STUDY = MrdRule()


def spelled(cutoff: float) -> str:
    """Return a cut-off as a link writes it: '1e-5'."""
    known = {value: text for text, value in CUTOFFS.items()}
    return known.get(cutoff) or repr(cutoff)


def power(cutoff: float) -> str:
    """Return a cut-off as a screen writes it: '10⁻⁵'."""
    return _POWERS.get(spelled(cutoff), spelled(cutoff))
