"""Find a synthetic cohort that yields every figure printed for short2025, and write its tables.

Two steps. The search anneals MRD histories, follow-up, events and transplants until all counts,
rates and P values hold. The dressing then adds what the figures do not depend on (baseline
features, days, MRD levels, courses), within the printed margins. Same seed, same files.

Run: ``python data/demo/short2025/reconstruct.py`` (about half a minute).
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
PUBLISHED = HERE.parents[1] / "published"
SEED = 2
STEPS = 200_000
HOT, COLD = 150.0, 0.008  # temperatures, in units of the loss

MONTH = 30.4375
MILESTONE = 730
LANDMARK = 167
PH, HIGH, STANDARD = 0, 1, 2
STRATUM = np.repeat([PH, HIGH, STANDARD], [51, 59, 51])
PATIENTS = len(STRATUM)
NONE, NEGATIVE, POSITIVE, BELOW = 0, 1, 2, 3
CENSORED, RELAPSE, DEATH = 0, 1, 2
# Per stratum and timepoint: how many negative, positive and below LOD (Table 2).
MARGINS = {
    PH: [(10, 16, 0), (23, 9, 0), (27, 5, 0)],
    HIGH: [(9, 16, 0), (26, 16, 0), (23, 4, 0)],
    STANDARD: [(7, 19, 2), (25, 14, 0), (19, 5, 0)],
}
# The high-risk patient whose death on the milestone day ends the group without alloSCT in Fig. 4A:
# the printed 0% is then an estimate and not the absence of one.
LAST = int(np.flatnonzero(STRATUM == HIGH)[0])
# Between these days an event would change a rate with the length of a month; none may fall there.
QUIET = (712, 929)
SHORTEST, LONGEST = 61, 2587  # 2 and 85 months
FIRST_RELAPSE, LAST_RELAPSE = 116, 618  # 3.8 and 20.3 months
PAIR = np.array([0, 2, 4, 6, 8, 10, 12, 14, 22, 24])  # first curve of each log-rank comparison

HIGH_RISK, STANDARD_RISK, PH_NEGATIVE = STRATUM == HIGH, STRATUM == STANDARD, STRATUM != PH

Row = dict[str, object]
INTENSIVE, REDUCED = "hyper-CVAD-based", "mini-hyper-CVD-based"
HYPODIPLOID, KMT2A = "low hypodiploidy / near triploidy", "KMT2A rearranged"
FEATURES = (
    "cytogenetics",
    "kmt2a_rearranged",
    "hypodiploid",
    "complex_karyotype",
    "ph_like",
    "ph_like_class",
    "tp53_mutated",
)
# High-risk patients as (cytogenetics, Ph-like, TP53) with their number; an empty karyotype is dealt
# from the common ones, an empty answer is missing. The first list is the 9 early responders.
EARLY_PROFILES = (
    ((HYPODIPLOID, "no", "yes"), 1),
    (("", "yes", "no"), 2),
    (("complex", "no", "no"), 2),
    (("complex", "no", "yes"), 1),
    (("", "no", "yes"), 3),
)
OTHER_PROFILES = (
    ((HYPODIPLOID, "no", "yes"), 9),
    ((HYPODIPLOID, "no", "no"), 1),
    ((KMT2A, "no", "no"), 3),
    ((KMT2A, "", "no"), 2),
    ((KMT2A, "no", ""), 1),
    (("complex", "no", "yes"), 2),
    (("complex", "yes", "no"), 2),
    (("complex", "no", "no"), 1),
    (("", "yes", "no"), 17),
    (("", "yes", "yes"), 2),
    (("", "no", "yes"), 9),
    (("", "", "yes"), 1),
)


@dataclass
class Cohort:
    """What the search changes; one entry per patient, times in days from CR."""

    mrd: NDArray[np.int64]
    time: NDArray[np.int64]
    kind: NDArray[np.int64]
    allosct: NDArray[np.bool_]
    anchor: NDArray[np.int64]

    def copy(self) -> Cohort:
        """Copy every array."""
        return Cohort(
            self.mrd.copy(),
            self.time.copy(),
            self.kind.copy(),
            self.allosct.copy(),
            self.anchor.copy(),
        )


@dataclass(frozen=True)
class Targets:
    """The printed rates (percent) and the intervals that print as the given P values."""

    rates: NDArray[np.float64]
    p_low: NDArray[np.float64]
    p_high: NDArray[np.float64]


def p_interval(printed: str) -> tuple[float, float]:
    """Return the P values that print as `printed`, kept a little away from the boundaries."""
    if printed.startswith("<"):
        return 0.0, 0.9 * float(printed[1:])
    digits = len(printed.split(".")[1])
    half = 0.5 * 10**-digits
    low, high = float(printed) - half, float(printed) + half
    if digits == 2:
        low = max(low, 0.0095)  # below it three decimals would have been printed
    edge = 0.08 * (high - low)
    return low + edge, high - edge


def read_targets() -> Targets:
    """Read the 26 rates and 10 P values, in the order of `groups`."""
    with (PUBLISHED / "survival_rates.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["study"] == "short2025"]
    bounds = np.array([p_interval(rows[first]["p_value"]) for first in PAIR])
    rates = np.array([float(row["percent"]) for row in rows])
    return Targets(rates, bounds[:, 0], bounds[:, 1])


def groups(cohort: Cohort) -> NDArray[np.float64]:
    """Return membership (26 x patients) in the groups, in the order of the published CSV."""
    negative, positive = cohort.mrd.T == NEGATIVE, cohort.mrd.T == POSITIVE
    member = np.zeros((26, PATIENTS))
    member[0:6:2], member[1:6:2] = negative, positive
    member[6:12] = member[0:6] * PH_NEGATIVE
    member[12:14] = member[0:2] * STANDARD_RISK
    member[14:16] = member[0:2] * HIGH_RISK
    late = positive[0] & (negative[1] | negative[2])
    never = positive.any(axis=0) & ~negative.any(axis=0)
    for row, response in enumerate((negative[0], late, never)):
        member[16 + row] = response & STANDARD_RISK
        member[19 + row] = response & HIGH_RISK
    at_landmark = positive[:2] & HIGH_RISK & (cohort.time > LANDMARK)
    member[22::2] = at_landmark & cohort.allosct
    member[23::2] = at_landmark & ~cohort.allosct
    return member


def estimates(
    cohort: Cohort, member: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Kaplan-Meier percents at the milestone and log-rank P values; times are distinct."""
    events = np.flatnonzero(cohort.kind)
    when = cohort.time[events]
    at_risk = member @ (cohort.time[:, None] >= when).astype(float)
    happened = member[:, events]
    steps = 1 - happened * (when <= MILESTONE) / np.maximum(at_risk, 1)
    first, second = at_risk[PAIR], at_risk[PAIR + 1]
    both = happened[PAIR] + happened[PAIR + 1]
    total = np.maximum(first + second, 1)
    excess = (happened[PAIR] - both * first / total).sum(axis=1)
    variance = (both * first * second / total**2).sum(axis=1)
    chi = np.abs(excess) / np.sqrt(np.maximum(variance, 1e-12))
    p_values = np.array([math.erfc(value / math.sqrt(2)) for value in chi])
    return 100 * steps.prod(axis=1), p_values


def structure_misses(cohort: Cohort, member: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the cohort is from each printed count that moves can break."""
    samples = np.bincount((cohort.mrd > 0).sum(axis=1), minlength=4)
    event, relapse = cohort.kind > 0, cohort.kind == RELAPSE
    allosct = cohort.allosct
    transplanted = member[19:22] @ allosct
    sizes = member[[17, 18, 20, 21]].sum(axis=1)
    standard_first = STANDARD_RISK & (cohort.mrd[:, 0] > 0)
    fig4 = HIGH_RISK & (cohort.mrd[:, :2] == POSITIVE).any(axis=1) & allosct
    return np.array(
        [
            samples[1] - 72,
            samples[2] - 64,
            *(sizes - (15, 7, 9, 14)),
            *(transplanted - (2, 3, 7)),
            (allosct & relapse).sum() - 1,
            (allosct & (cohort.kind == DEATH)).sum() - 1,
            member[0] @ event - 1,
            (standard_first & event).sum() - 1,
            member[18] @ relapse - 1,
            max(fig4.sum() - 12, 0),
            min((allosct & ~fig4 & (cohort.time > 950)).sum() - 1, 0),
        ],
        dtype=float,
    )


def outside(value: float, low: float, high: float) -> float:
    """Return the distance of `value` from the interval."""
    return max(low - value, 0.0, value - high)


def time_misses(cohort: Cohort, member: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return misses of medians, ranges and estimability, in months."""
    time = cohort.time
    early = np.sort(time[member[6] > 0]) / MONTH
    relapses = np.median(time[cohort.kind == RELAPSE]) / MONTH
    others = np.median(time[cohort.kind != RELAPSE]) / MONTH
    too_short = np.maximum(MILESTONE - (member * time).max(axis=1), 0).sum() / MONTH
    return np.array(
        [
            outside(early[0], 5.6, 6.4),
            outside(early[-1], 82.6, 83.4),
            outside((early[7] + early[8]) / 2, 15.6, 16.4),
            10 * outside(relapses, 8.56, 8.64),
            outside(others, 21.8, 22.2),
            too_short,
        ]
    )


def loss(cohort: Cohort, targets: Targets) -> float:
    """Return 0 when everything holds; misses are never capped, so a slope remains.

    The square drives large misses, the plain miss the last fractions of a point.
    """
    member = groups(cohort)
    rates, p_values = estimates(cohort, member)
    rate = np.maximum(np.abs(rates - targets.rates) - 0.45, 0)
    log_p = np.log(p_values)
    above = np.maximum(log_p - np.log(targets.p_high), 0)
    below = np.maximum(np.log(np.maximum(targets.p_low, 1e-300)) - log_p, 0)
    p_value = 10 * (above + below)
    return float(
        (rate * (rate + 1)).sum()
        + (p_value * (p_value + 1)).sum()
        + 20 * (structure_misses(cohort, member) ** 2).sum()
        + 3 * (time_misses(cohort, member) ** 2).sum()
    )


def possible(cohort: Cohort, patient: int) -> bool:
    """Tell whether a patient's own entries go together."""
    mrd, time = cohort.mrd[patient], cohort.time[patient]
    kind, allosct = cohort.kind[patient], cohort.allosct[patient]
    if patient == LAST and not (time == MILESTONE and mrd[0] == POSITIVE and not allosct):
        return False
    if not mrd.any() or (mrd[2] and time < 130) or (allosct and time < 240):
        return False
    if kind and mrd[0] == NEGATIVE:
        return bool(kind == DEATH and STRATUM[patient] == PH)
    if not (kind and mrd[0] and STRATUM[patient] == STANDARD):
        return True
    # The one event of standard-risk patients assessed after cycle 1 is a non-responder's relapse.
    return bool(kind == RELAPSE and mrd[0] == POSITIVE and NEGATIVE not in mrd)


def new_time(cohort: Cohort, patient: int, rng: random.Random) -> int:
    """Return another time for a patient, near its anchor, so that follow-up keeps its spread."""
    kind = cohort.kind[patient]
    if kind == RELAPSE:
        return rng.randint(FIRST_RELAPSE + 4, LAST_RELAPSE - 12)
    if kind == DEATH:
        return rng.randint(90, QUIET[0] - 1) if rng.random() < 0.9 else rng.randint(QUIET[1], 1700)
    anchor = int(cohort.anchor[patient])
    width = max(12, anchor // 8)
    return min(max(anchor + rng.randint(-width, width), SHORTEST + 3), LONGEST - 20)


def change(cohort: Cohort, rng: random.Random) -> Cohort | None:
    """Return a neighbour of the cohort, or None where the move is not possible."""
    move = rng.random()
    one = rng.randrange(PATIENTS)
    other = rng.randrange(PATIENTS)
    changed = cohort.copy()
    if move < 0.3:
        other = one
        extremes = (SHORTEST, LONGEST, FIRST_RELAPSE, LAST_RELAPSE)
        time = new_time(cohort, one, rng)
        if cohort.time[one] in extremes or (cohort.time == time).any():
            return None
        changed.time[one] = time
    elif move < 0.6:
        kinds = {int(cohort.kind[one]), int(cohort.kind[other])}
        across = (STRATUM[one] == PH) != (STRATUM[other] == PH)
        if one == other or (across and RELAPSE in kinds and len(kinds) > 1):
            return None
        for column in (changed.time, changed.kind, changed.anchor):
            column[one], column[other] = column[other], column[one]
    else:
        if STRATUM[one] != STRATUM[other]:
            return None
        timepoint = 3 if move > 0.88 else rng.randrange(3)
        entries = changed.allosct if timepoint == 3 else changed.mrd[:, timepoint]
        if entries[one] == entries[other]:
            return None
        entries[[one, other]] = entries[[other, one]]
    return changed if possible(changed, one) and possible(changed, other) else None


def first_histories(rng: random.Random) -> NDArray[np.int64]:
    """Deal the MRD results of each stratum so that nobody is without one."""
    mrd = np.zeros((PATIENTS, 3), dtype=int)
    for stratum, margins in MARGINS.items():
        members = np.flatnonzero(stratum == STRATUM)
        for timepoint, (negative, positive, below) in enumerate(margins):
            deck = [NEGATIVE] * negative + [POSITIVE] * positive + [BELOW] * below
            deck += [NONE] * (len(members) - len(deck))
            rng.shuffle(deck)
            mrd[members, timepoint] = deck
        for empty in members[~mrd[members].any(axis=1)]:
            donors = members[(mrd[members] > 0).sum(axis=1) > 1]
            donor = rng.choice(donors.tolist())
            timepoint = int(np.flatnonzero(mrd[donor])[-1])
            mrd[empty, timepoint], mrd[donor, timepoint] = mrd[donor, timepoint], NONE
    if mrd[LAST, 0] != POSITIVE:
        members = np.flatnonzero(HIGH_RISK & (mrd[:, 0] == POSITIVE))
        swap = int(members[0])
        mrd[[LAST, swap]] = mrd[[swap, LAST]]
    return mrd


def follow_up_anchors(count: int) -> list[int]:
    """Return distinct follow-up days of event-free patients: smooth, median 22 months."""
    share = (np.arange(count) + 0.5) / count
    days = SHORTEST + 609 * (-np.log(1 - share) / math.log(2)) ** (1 / 1.5)
    anchors = sorted(int(day) for day in days)
    # The second longest is there for the early responders, whose range ends at 83 months.
    anchors[0], anchors[-2], anchors[-1] = SHORTEST, 2526, LONGEST
    for position in range(1, count):
        anchors[position] = max(anchors[position], anchors[position - 1] + 1)
    return anchors


def first_cohort(rng: random.Random) -> Cohort:
    """Build a cohort with the right margins, from which the search starts."""
    zeros = np.zeros(PATIENTS, dtype=int)
    cohort = Cohort(first_histories(rng), zeros + 5000, zeros.copy(), zeros > 0, zeros.copy())
    ph, high, standard = ({s} for s in (PH, HIGH, STANDARD))
    slots = [(MILESTONE, DEATH, high)]
    slots += [(day, RELAPSE, ph) for day in (116, 190, 250, 330, 470)]
    slots += [(day, RELAPSE, high) for day in (140, 180, 220, 258, 266, 300, 370, 618)]
    slots += [(420, RELAPSE, standard), (150, DEATH, standard), (510, DEATH, standard)]
    slots += [(380, DEATH, ph), (280, DEATH, ph)]
    slots += [(day, DEATH, high) for day in (200, 345, 560)]
    taken = {day for day, _, _ in slots}
    everyone = ph | high | standard
    slots += [
        (day + (day in taken), CENSORED, everyone)
        for day in follow_up_anchors(PATIENTS - len(slots))
    ]
    waiting = list(range(PATIENTS))
    rng.shuffle(waiting)
    waiting.sort(key=lambda patient: patient != LAST)
    for day, kind, strata in sorted(slots, key=lambda slot: (slot[0] != MILESTONE, slot[0])):
        for patient in waiting:
            cohort.time[patient], cohort.kind[patient], cohort.anchor[patient] = day, kind, day
            if STRATUM[patient] in strata and possible(cohort, patient):
                waiting.remove(patient)
                break
            cohort.time[patient], cohort.kind[patient] = 5000, CENSORED
    for stratum, count in ((HIGH, 21), (STANDARD, 3)):
        fit = np.flatnonzero((stratum == STRATUM) & (cohort.time >= 240))
        fit = fit[fit != LAST]
        cohort.allosct[rng.sample(fit.tolist(), count)] = True
    return cohort


def search(seed: int, steps: int = STEPS) -> Cohort:
    """Anneal until nothing is missed; a seed that ends elsewhere raises RuntimeError."""
    rng, targets = random.Random(seed), read_targets()
    cohort = first_cohort(rng)
    current = loss(cohort, targets)
    for step in range(steps):
        temperature = HOT * (COLD / HOT) ** (step / steps)
        changed = change(cohort, rng)
        if changed is None:
            continue
        missed = loss(changed, targets)
        if missed <= current or rng.random() < math.exp((current - missed) / temperature):
            cohort, current = changed, missed
        if current == 0:
            return cohort
    raise RuntimeError(f"seed {seed} ended with a loss of {current:.3f}; try another seed")


@dataclass
class Course:
    """A patient's days from the start of treatment (None: did not happen) and regimen."""

    cr: int
    end: int
    regimen: str = ""
    tki: str = ""
    allosct: int | None = None
    car_t: int | None = None
    samples: tuple[int | None, ...] = (None, None, None)

    @property
    def limit(self) -> int:
        """The day on which therapy changes, an event happens or follow-up ends."""
        return min(day for day in (self.allosct, self.car_t, self.end) if day is not None)


def draw_until(low: float, high: float, draw: Callable[[], float]) -> float:
    """Draw again until the value lies inside, so that nothing piles up at a bound."""
    while not low <= (value := draw()) <= high:
        pass
    return value


def allosct_days(cohort: Cohort, rng: random.Random) -> dict[int, int]:
    """Return days from CR to alloSCT: 80 to 916, median 167.5, Fig. 4 patients by the landmark."""
    suboptimal = HIGH_RISK & (cohort.mrd[:, :2] == POSITIVE).any(axis=1)
    recipients = np.flatnonzero(cohort.allosct).tolist()
    rng.shuffle(recipients)
    early = [patient for patient in recipients if suboptimal[patient]]
    rest = sorted(set(recipients) - set(early), key=lambda patient: cohort.time[patient])
    early, late = early + rest[: 12 - len(early)], rest[12 - len(early) :]
    # A sample at 6 months comes first, so these are transplanted late among the early.
    sampled = [patient for patient in early if cohort.mrd[patient, 2]]
    early = [patient for patient in early if not cohort.mrd[patient, 2]] + sampled
    drawn = rng.sample(range(98, 126), 11 - len(sampled)) + rng.sample(
        range(126, 164), len(sampled) - 1
    )
    days = dict(zip(early, sorted([80, *drawn, 166]), strict=True))
    for patient in late:
        longest = min(int(cohort.time[patient]) - 30, 420)
        days[patient] = rng.randint(172, longest)
    days[late[0]], days[late[-1]] = 169, 916
    return days


def courses(cohort: Cohort, rng: random.Random) -> list[Course]:
    """Set CR, transplant, CAR-T, regimen and sample days of every patient."""
    found = []
    for patient in range(PATIENTS):
        cr = round(rng.triangular(21, 38, 28))
        found.append(Course(cr, cr + int(cohort.time[patient])))
    for patient, day in allosct_days(cohort, rng).items():
        found[patient].allosct = found[patient].cr + day
    can = PH_NEGATIVE & ~cohort.allosct & (cohort.mrd[:, 0] != NEGATIVE)
    relapsed = np.flatnonzero(can & (cohort.kind == RELAPSE) & (cohort.time > 240))
    in_remission = np.flatnonzero(can & (cohort.kind == CENSORED) & (cohort.time > 300))
    chosen = [rng.choice(relapsed.tolist()), *rng.sample(in_remission.tolist(), 6)]
    for patient in chosen:
        day = rng.randint(140, min(260, int(cohort.time[patient]) - 60))
        found[patient].car_t = found[patient].cr + day
    choose_regimens(cohort, found, rng)
    for patient, course in enumerate(found):
        course.samples = sample_days(cohort.mrd[patient], course, rng)
    return found


def choose_regimens(cohort: Cohort, found: list[Course], rng: random.Random) -> None:
    """Deal 69, 45 and 47 regimens and the TKIs; transplanted patients took the intensive one."""
    positive = np.flatnonzero(STRATUM == PH).tolist()
    negative = np.flatnonzero(PH_NEGATIVE).tolist()
    rng.shuffle(positive)
    rng.shuffle(negative)
    for patient, tki in zip(
        positive, ["ponatinib"] * 34 + ["dasatinib"] * 14 + ["imatinib"] * 3, strict=True
    ):
        found[patient].tki, found[patient].regimen = tki, "chemotherapy-free"
    for patient, regimen in zip(positive[47:], [INTENSIVE] * 3 + [REDUCED], strict=True):
        found[patient].regimen = regimen

    def fitness(patient: int) -> int:
        if cohort.allosct[patient]:
            return 0
        return 2 if found[patient].car_t or cohort.kind[patient] == DEATH else 1

    negative.sort(key=fitness)
    for position, patient in enumerate(negative):
        found[patient].regimen = INTENSIVE if position < 66 else REDUCED


def sample_days(
    mrd: NDArray[np.int64], course: Course, rng: random.Random
) -> tuple[int | None, ...]:
    """Return the sample day at each timepoint: in its window, before therapy changes."""
    days: list[int | None] = []
    windows = ((course.cr + 2, 14, 60, 5), (91, 61, 136, 12), (183, 137, 228, 17))
    for status, (target, first, last, spread) in zip(mrd, windows, strict=True):
        last = min(last, course.limit - 1)
        draw = partial(rng.triangular, target - 3 * spread, target + 3 * spread, target)
        if status and target - 2 * spread > last:
            draw = partial(rng.uniform, first, last)
        first = max(first, course.cr - 1)
        days.append(round(draw_until(first, last, draw)) if status else None)
    return tuple(days)


def features(cohort: Cohort, rng: random.Random) -> list[dict[str, str]]:
    """Deal cytogenetics, Ph-like and TP53 so that each printed count and the risk group hold."""
    rows = [dict.fromkeys(FEATURES, "") for _ in range(PATIENTS)]
    early = np.flatnonzero(HIGH_RISK & (cohort.mrd[:, 0] == NEGATIVE)).tolist()
    other = np.flatnonzero(HIGH_RISK & (cohort.mrd[:, 0] != NEGATIVE)).tolist()
    standard = np.flatnonzero(STANDARD_RISK).tolist()
    for members, profiles in ((early, EARLY_PROFILES), (other, OTHER_PROFILES)):
        deck = [profile for profile, count in profiles for _ in range(count)]
        rng.shuffle(deck)
        for patient, (cytogenetics, ph_like, tp53) in zip(members, deck, strict=True):
            rows[patient] |= {
                "cytogenetics": cytogenetics,
                "ph_like": ph_like,
                "tp53_mutated": tp53,
            }
    for patient in standard:
        rows[patient] |= {"ph_like": "no", "tp53_mutated": "no"}
    common = ["diploid"] * 30 + ["miscellaneous"] * 31 + ["insufficient metaphases"] * 21
    rng.shuffle(common)
    common = ["high hyperdiploidy"] * 3 + common
    rng.shuffle(standard)
    for patient in [*standard, *early, *other]:
        row = rows[patient]
        row["cytogenetics"] = row["cytogenetics"] or common.pop(0)
        row["kmt2a_rearranged"] = yes(row["cytogenetics"] == KMT2A)
        row["hypodiploid"] = yes(row["cytogenetics"] == HYPODIPLOID)
        row["complex_karyotype"] = yes(row["cytogenetics"] == "complex")
    with_class = [row for row in rows if row["ph_like"] == "yes"]
    rng.shuffle(with_class)
    for position, row in enumerate(with_class):
        row["ph_like_class"] = "CRLF2" if position < 17 else "non-CRLF2"
    for patient in np.flatnonzero(STRATUM == PH).tolist():
        rows[patient]["cytogenetics"] = "Ph-positive"
    return rows


def yes(answer: bool) -> str:
    """Return the word an import reads."""
    return "yes" if answer else "no"


def ages(found: list[Course], rng: random.Random) -> list[int]:
    """Draw ages by regimen until the median is 46; the range is 18 to 87."""
    shapes = {INTENSIVE: (19, 60, 31), REDUCED: (50, 86, 64), "chemotherapy-free": (21, 84, 46)}
    while True:
        drawn = [round(rng.triangular(*shapes[course.regimen])) for course in found]
        drawn[drawn.index(min(drawn))], drawn[drawn.index(max(drawn))] = 18, 87
        if np.median(drawn) == 46:
            return drawn


def white_cells(rng: random.Random) -> list[float]:
    """Return counts with median 7.6 and range 0.3 to 698.9."""

    def side(low: float, high: float, spread: float) -> list[float]:
        draw = lambda: 7.6 * 10 ** rng.gauss(0, spread)  # noqa: E731
        return [round(draw_until(low, high, draw), 1) for _ in range(79)]

    counts = [0.3, *side(0.45, 7.45, 0.4), 7.6, *side(7.75, 480, 0.75), 698.9]
    rng.shuffle(counts)
    return counts


def patient_rows(cohort: Cohort, found: list[Course], rng: random.Random) -> list[Row]:
    """Return one row per patient."""
    loci = ["IGH"] * 121 + ["IGK"] * 32 + ["IGL"] * 8
    rng.shuffle(loci)
    known, years, cells = features(cohort, rng), ages(found, rng), white_cells(rng)
    return [
        {
            "age_years": years[patient],
            "sex": rng.choice(["female", "male"]),
            "wbc_10e9_per_l": cells[patient],
            "lineage": "B",
            "ph_status": "positive" if STRATUM[patient] == PH else "negative",
            **known[patient],
            "risk_group": ("Ph-positive", "high", "standard")[STRATUM[patient]],
            "frontline_therapy": course.regimen,
            "tki": course.tki,
            "disease_status": "CR1",
            "trackable_locus": loci[patient],
        }
        for patient, course in enumerate(found)
    ]


def sample_rows(
    status: NDArray[np.int64], course: Course, locus: str, rng: random.Random
) -> list[Row]:
    """Return a patient's MRD samples; positive levels fall with time."""
    draws = [draw_until(-5.69, -1.7, lambda: rng.gauss(-4, 0.9)) for _ in range(3)]
    levels = sorted(draws, reverse=True)
    rows: list[Row] = []
    for code, day, level in zip(status, course.samples, levels, strict=True):
        if code == NONE:
            continue
        fraction = {NEGATIVE: 0.0, POSITIVE: 10**level, BELOW: rng.uniform(2e-7, 8e-7)}[int(code)]
        rows.append(
            {
                "day": day,
                "timepoint": "",  # the windows of the study find it
                "assay": "NGS",
                "material": "PB" if code == POSITIVE and rng.random() < 0.15 else "BM",
                "target": locus,
                "mrd_fraction": f"{fraction:.2g}",
                "lod_fraction": "1e-06",
                "call": ("", "negative", "positive", "below LOD")[code],
            }
        )
    return rows


def blinatumomab_starts(found: list[Course], rng: random.Random) -> dict[int, int]:
    """Return first days in Ph-negative patients: 45 of 81 by 3 months, 49 of 51 by 6 months."""
    negative = np.flatnonzero(PH_NEGATIVE).tolist()
    rng.shuffle(negative)
    third = [patient for patient in negative if found[patient].samples[1]]
    by_third, after_third = third[:45], third[45:]
    without = [p for p in negative if p not in by_third and found[p].samples[2]][:2]
    starts = {}
    for patient in negative:
        course, (_, month_3, month_6) = found[patient], found[patient].samples
        first = max(course.cr + 4, 40)
        last = month_3 if patient in by_third else month_6 or course.limit - 15
        if patient in after_third:
            first = (month_3 or 0) + 2
        last = min(last or first, first + 70)
        if patient not in without and last >= first:
            starts[patient] = rng.randint(first, last)
    return starts


def treatment_rows(course: Course, blinatumomab: int | None, rng: random.Random) -> list[Row]:
    """Return a patient's courses, each ending before therapy changes."""
    free = course.regimen == "chemotherapy-free"
    rows: list[tuple[str, str, int, int, int | str]] = [
        ("induction", course.regimen, 0, course.cr, 1)
    ]

    def add(kind: str, name: str, start: int, days: int, cycle: int | str = "") -> None:
        if start < course.limit:
            rows.append((kind, name, start, min(start + days, course.limit - 1), cycle))

    if free:
        blinatumomab = rng.randint(0, 6)
    else:
        add("consolidation", course.regimen, course.cr + rng.randint(1, 4), rng.randint(110, 160))
    if blinatumomab is not None:
        for cycle in range(rng.randint(3, 5)):
            add("blinatumomab", "blinatumomab", blinatumomab + 42 * cycle, 28, cycle + 1)
    if course.regimen == REDUCED and not course.tki:
        add("inotuzumab", "inotuzumab ozogamicin", rng.randint(2, 5), 8, 1)
    if course.tki:
        add("TKI", course.tki, rng.randint(1, 8), course.limit)
    elif course.allosct is None and course.car_t is None:
        add("maintenance", "POMP", rng.randint(250, 330), rng.randint(500, 900))
    for kind, day in (("alloSCT", course.allosct), ("CAR-T", course.car_t)):
        if day is not None:
            rows.append((kind, kind, day, day, ""))
    columns = ("kind", "name", "start_day", "end_day", "cycle")
    return [dict(zip(columns, row, strict=True)) for row in sorted(rows, key=lambda row: row[2])]


def outcome_rows(cohort: Cohort, found: list[Course], rng: random.Random) -> list[Row]:
    """Return outcomes; follow-up after relapse is drawn until the median of all is 22 months."""
    relapsed = np.flatnonzero(cohort.kind == RELAPSE).tolist()
    rng.shuffle(relapsed)
    dead = relapsed[:9]
    sites = dict(
        zip(relapsed, ["marrow"] * 11 + ["CNS", "marrow and CNS", "extramedullary"], strict=True)
    )
    last = [course.end for course in found]
    cr = np.array([course.cr for course in found])
    while True:
        for patient in relapsed:
            more = rng.randint(45, 420) if patient in dead else rng.randint(170, 900)
            last[patient] = found[patient].end + more
        if 21.7 < np.median(last - cr) / MONTH < 22.3:
            break
    rows: list[Row] = []
    for patient, course in enumerate(found):
        died = patient in dead or cohort.kind[patient] == DEATH
        cause = "leukaemia" if patient in dead else rng.choice(["infection", "infection", "other"])
        if cohort.kind[patient] == DEATH and course.allosct:
            cause = "transplant-related"
        rows.append(
            {
                "cr_day": course.cr,
                "relapse_day": course.end if patient in sites else "",
                "relapse_site": sites.get(patient, ""),
                "death_day": last[patient] if died else "",
                "death_cause": cause if died else "",
                "last_follow_up_day": last[patient],
            }
        )
    return rows


def write(table: str, rows: list[Row]) -> None:
    """Write one table."""
    with (HERE / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Search, dress and write the four tables."""
    cohort = search(SEED)
    rng = random.Random(SEED)
    found = courses(cohort, rng)
    patients = patient_rows(cohort, found, rng)
    outcomes = outcome_rows(cohort, found, rng)
    starts = blinatumomab_starts(found, rng)
    numbers = list(range(PATIENTS))
    rng.shuffle(numbers)
    samples: list[Row] = []
    treatments: list[Row] = []
    order = sorted(range(PATIENTS), key=numbers.__getitem__)
    name = [{"patient_id": f"S{number + 1:03}"} for number in numbers]
    for patient in order:
        course, locus = found[patient], str(patients[patient]["trackable_locus"])
        own = sample_rows(cohort.mrd[patient], course, locus, rng)
        samples += [name[patient] | row for row in own]
        own = treatment_rows(course, starts.get(patient), rng)
        treatments += [name[patient] | row for row in own]
    write("patients", [name[patient] | patients[patient] for patient in order])
    write("outcomes", [name[patient] | outcomes[patient] for patient in order])
    write("mrd_assessments", samples)
    write("treatments", treatments)


if __name__ == "__main__":
    main()
