"""Two MRD assays on the same patients: where a study has both, and how they agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

from data.store import Snapshot, records, sql_text
from data.variables import Level, Variable, slug

_ORDER = ("MFC", "qPCR", "BCR::ABL1 PCR", "NGS")
"""The assays in the order in which a pair names them: as a rule the deeper one comes second."""

AT_START, SAME_DAY = 0, -1
"""Times that are no timepoint: the last samples up to day 0, and the first day with both."""


@dataclass(frozen=True)
class AssayPair:
    """Two assays at one time.

    Attributes
    ----------
    first, second : str
    position : int
        Of the timepoint; `AT_START` or `SAME_DAY`.
    when : str
        The time as it reads after the assays: 'at 3 months'.
    n : int
        Patients of the study evaluable by both.
    """

    first: str
    second: str
    position: int
    when: str
    n: int = 0

    @property
    def assays(self) -> str:
        """The two assays as a link names them: 'mfc_ngs'."""
        return slug(f"{self.first} {self.second}")

    @property
    def time(self) -> str:
        """The time as a link names it: 'at_3_months'."""
        return slug(self.when)

    @property
    def classes(self) -> tuple[str, str, str, str]:
        """How two assays can agree, as stored."""
        discordant = f"{self.first}-/{self.second}+", f"{self.first}+/{self.second}-"
        return ("both negative", *discordant, "both positive")

    @property
    def sql(self) -> str:
        """The SQL text with one row per patient."""
        text = _one_line("query_assay_pair").replace("{position}", str(self.position))
        return text.replace("{first}", self.first).replace("{second}", self.second)

    def _of_patient(self, column: str) -> str:
        text = _one_line("query_assay_pair_of_patient").replace("{assays}", self.sql)
        return text.replace("{column}", column)

    def variable(self) -> Variable:
        """Return the agreement as a variable that can filter and group."""
        both = f"{self.first} and {self.second}"
        names = (f"{both} negative", *self.classes[1:3], f"{both} positive")
        shown = [name.replace("-/", "−/").removesuffix("-") for name in names]
        shown[2] += "−"
        levels = tuple(
            Level(value, value.capitalize() if value.startswith("both") else name, name,
                  f"{name} {self.when}")
            for value, name in zip(self.classes, shown, strict=True)
        )  # fmt: skip
        return Variable(
            slug(f"agreement {self.assays} {self.time}"),
            f"{both} {self.when}",
            "category",
            levels,
            known="at baseline" if self.position == AT_START else "at a day",
            day_column=None if self.position == AT_START else "known_day",
            expression=self._of_patient("agreement"),
            day_expression="" if self.position == AT_START else self._of_patient("known_day"),
        )


def _one_line(name: str) -> str:
    """Return an SQL text on one line, without its comments: it is set into others, also into theirs."""
    lines = (line.strip() for line in sql_text(name).splitlines())
    return " ".join(line for line in lines if not line.startswith("--"))


def assay_pairs(snapshot: Snapshot) -> tuple[AssayPair, ...]:
    """Return where a study has patients evaluable by two assays at one time, the most first.

    The first day with both stands among them only where it reaches more patients than any other time.
    """
    used = {row["assay"] for row in records(snapshot, "SELECT DISTINCT assay FROM mrd_assessments")}
    times = {AT_START: "at the start"}
    for row in records(snapshot, "SELECT position, label FROM timepoints ORDER BY position"):
        label = row["label"]
        # 'after cycle 1' and 'later' say when by themselves.
        times[row["position"]] = f"at {label}" if label[:1].isdigit() else label
    times[SAME_DAY] = "on the first day with both"
    found = []
    for first, second in combinations([assay for assay in _ORDER if assay in used], 2):
        most = 0
        for position, when in times.items():
            pair = AssayPair(first, second, position, when)
            text = sql_text("query_assay_pair_size").replace("{assays}", pair.sql)
            (row,) = records(snapshot, text)
            if row["n"] > (most if position == SAME_DAY else 0):
                found.append(replace(pair, n=row["n"]))
                most = max(most, row["n"])
    return tuple(sorted(found, key=lambda pair: -pair.n))
