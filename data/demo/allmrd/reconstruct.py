"""Find a synthetic cohort that yields the figures printed for ALL/MRD2019 and ALL/MRD2023.

Two steps. The search anneals age groups, MRD results, follow-up and events of both trials together
until rates, limits and P values hold. The dressing then adds what the figures do not depend on
(ages, sample days, MRD levels, courses). Same seed, same files.

Run: ``python data/demo/allmrd/reconstruct.py`` (about two minutes).
"""

from __future__ import annotations

import csv
import math
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
PUBLISHED = HERE.parents[1] / "published"
SEED = 7

MILESTONE = 730
STUDIES = ("allmrd2019", "allmrd2023")
SIZES = (121, 137)
TRIAL = np.repeat([0, 1], SIZES)
PATIENTS = len(TRIAL)
MRD_POSITIVE = (32, 20)  # after C-1; the second is where the search starts, it was not printed
NEGATIVE_AFTER_INDUCTION = (55, 73)
GROUPS = ("age 16-35", "age 36-55", "age 56-65")
AGES = ((16, 35), (36, 55), (56, 65))
POPULATIONS = ("all", *GROUPS, "MRD-negative", "MRD-positive")
ENDPOINTS = ("LFS", "OS")
COMPARED = [0, 4, 5]  # the populations whose P values were printed
Z = 1.959963984540054
# Events by two years, which the printed limits give away: the variance of log(-log S) they imply
# is that of so many events among so many at risk (endpoint x 12 groups, as in `groups`).
EVENTS = np.array(
    [
        [28, 14, 9, 5, 18, 10, 10, 5, 4, 1, 6, 4],
        [11, 4, 4, 3, 7, 4, 1, 0, 1, 0, 1, 0],
    ]
)

REMISSION, RELAPSED, RELAPSED_DIED, DIED = 0, 1, 2, 3
# Every patient has a sample after C-1, so nobody leaves or relapses before this day.
EARLIEST = 85
FEWEST_OF_AN_AGE, FEWEST_POSITIVE = 18, 18

Row = dict[str, object]


@dataclass(frozen=True)
class Stage:
    """One part of the search: rounds of annealing, what counts as met, and what may be tried."""

    rounds: tuple[tuple[float, int], ...]  # hottest temperature, in units of the loss; steps
    cold: float
    rate_slack: float  # points
    limit_slack: float  # points
    latest: tuple[int, int]  # last follow-up: the trials began in 2019 and in 2023
    most_positive: int  # of ALL/MRD2023 after C-1
    most_events: tuple[int, int]
    most_deaths: tuple[int, int]


# The first stage finds who has the events and when, held tight so that it settles; the second
# removes what is left, with the room that the printed digits leave.
COARSE = Stage(
    rounds=((1500, 250_000), (80, 120_000), (80, 120_000), (80, 120_000)),
    cold=0.05,
    rate_slack=0.04,
    limit_slack=1.5,
    latest=(2350, 890),
    most_positive=38,
    most_events=(44, 14),
    most_deaths=(20, 3),
)
FINE = Stage(
    rounds=((2, 60_000),) * 3,
    cold=0.02,
    rate_slack=0.048,
    limit_slack=1.9,
    latest=(2350, 910),
    most_positive=41,
    most_events=(44, 16),
    most_deaths=(24, 3),
)


@dataclass
class Cohort:
    """What the search changes; `lfs` in days from CR, `os` and `cr` in days from enrolment."""

    age: NDArray[np.int64]
    positive: NDArray[np.bool_]
    kind: NDArray[np.int64]
    lfs: NDArray[np.int64]
    os: NDArray[np.int64]
    cr: NDArray[np.int64]

    def copy(self) -> Cohort:
        """Copy every array but `cr`, which never changes."""
        return Cohort(
            self.age.copy(),
            self.positive.copy(),
            self.kind.copy(),
            self.lfs.copy(),
            self.os.copy(),
            self.cr,
        )


@dataclass(frozen=True)
class Targets:
    """Printed percents and limits (endpoint x 12 groups) and bounds of P (endpoint x 3)."""

    rates: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p_low: NDArray[np.float64]
    p_high: NDArray[np.float64]


def p_interval(printed: str) -> tuple[float, float]:
    """Return the P values that print as `printed`, kept a little away from the boundaries."""
    half = 0.5 * 10 ** -len(printed.split(".")[1])
    low, high = float(printed) - half, float(printed) + half
    edge = 0.08 * (high - low)
    return low + edge, high - edge


def read_targets() -> Targets:
    """Read the printed figures; a limit that was not printed is NaN and never missed."""
    with (PUBLISHED / "survival_rates.csv").open(encoding="utf-8") as file:
        rows = {
            (row["endpoint"], row["study"], row["population"]): row
            for row in csv.DictReader(file)
            if row["study"] in STUDIES
        }

    def column(name: str) -> NDArray[np.float64]:
        return np.array(
            [
                [
                    float(rows[endpoint, study, population][name] or "nan")
                    for study in STUDIES
                    for population in POPULATIONS
                ]
                for endpoint in ENDPOINTS
            ]
        )

    bounds = np.array(
        [
            [p_interval(rows[endpoint, STUDIES[0], POPULATIONS[k]]["p_value"]) for k in COMPARED]
            for endpoint in ENDPOINTS
        ]
    )
    return Targets(
        column("percent"), column("ci_low"), column("ci_high"), bounds[..., 0], bounds[..., 1]
    )


def groups(cohort: Cohort) -> NDArray[np.float64]:
    """Return membership (12 x patients): the six populations of each trial."""
    member = np.zeros((2, 6, PATIENTS))
    for trial in (0, 1):
        own = trial == TRIAL
        member[trial, 0] = own
        for age in range(3):
            member[trial, 1 + age] = own & (cohort.age == age)
        member[trial, 4] = own & ~cohort.positive
        member[trial, 5] = own & cohort.positive
    return member.reshape(12, PATIENTS)


def estimates(
    time: NDArray[np.int64], event: NDArray[np.bool_], member: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return percents at the milestone, log-log limits and log-rank P; times are distinct."""
    when = time[event]
    at_risk = member @ (time[:, None] >= when).astype(float)
    happened = member[:, event]
    by_then = happened * (when <= MILESTONE)
    survival = (1 - by_then / np.maximum(at_risk, 1)).prod(axis=1)
    greenwood = (by_then / np.maximum(at_risk * (at_risk - 1), 0.5)).sum(axis=1)
    loss_of_log = -np.log(np.clip(survival, 1e-9, 1 - 1e-9))
    factor = np.exp(Z * np.sqrt(greenwood) / loss_of_log)
    low, high = np.exp(-loss_of_log * factor), np.exp(-loss_of_log / factor)
    first, second = at_risk[COMPARED], at_risk[[6 + row for row in COMPARED]]
    both = happened[COMPARED] + happened[[6 + row for row in COMPARED]]
    total = np.maximum(first + second, 1)
    excess = (happened[COMPARED] - both * first / total).sum(axis=1)
    variance = (both * first * second / total**2).sum(axis=1)
    chi = np.abs(excess) / np.sqrt(np.maximum(variance, 1e-12))
    p_values = np.array([math.erfc(value / math.sqrt(2)) for value in chi])
    return 100 * survival, 100 * low, 100 * high, p_values


def miss(found: NDArray[np.float64], printed: NDArray[np.float64], slack: float) -> float:
    """Return the squared and plain misses beyond `slack`; what was not printed counts nothing."""
    beyond = np.maximum(np.abs(found - printed) - slack, 0)
    return float(np.nansum(beyond * (beyond + 1)))


def loss(cohort: Cohort, targets: Targets, stage: Stage) -> float:
    """Return 0 when everything holds; misses are never capped, so a slope remains."""
    member = groups(cohort)
    total = 0.0
    for row, (time, event) in enumerate(
        (
            (cohort.lfs, cohort.kind > REMISSION),
            (cohort.os, cohort.kind >= RELAPSED_DIED),
        )
    ):
        rates, low, high, p_values = estimates(time, event, member)
        by_then = member @ (event & (time <= MILESTONE))
        total += 400 * float(((by_then - EVENTS[row]) ** 2).sum())
        total += 2 * miss(5 * rates, 5 * targets.rates[row], 5 * stage.rate_slack)
        total += miss(low, targets.low[row], stage.limit_slack)
        total += miss(high, targets.high[row], stage.limit_slack)
        log_p = np.log(np.maximum(p_values, 1e-300))
        above = 10 * np.maximum(log_p - np.log(targets.p_high[row]), 0)
        below = 10 * np.maximum(np.log(targets.p_low[row]) - log_p, 0)
        total += float((above * (above + 1) + below * (below + 1)).sum())
        too_short = np.maximum(MILESTONE + 3 - (member * time).max(axis=1), 0) / 30
        total += float((too_short * (too_short + 1)).sum())
    return total


def near(value: int, rng: random.Random) -> int:
    """Return a number close to `value`, now and then a little further off."""
    width = max(12, value // 8)
    return value + rng.randint(-width, width) * (3 if rng.random() < 0.15 else 1)


def retime(cohort: Cohort, patient: int, stage: Stage, rng: random.Random) -> bool:
    """Move one time of a patient; tell whether the result is possible and ties with nobody."""
    kind, cr = cohort.kind[patient], int(cohort.cr[patient])
    if kind in (RELAPSED, RELAPSED_DIED):
        if rng.random() < 0.6:
            cohort.lfs[patient] = near(int(cohort.lfs[patient]), rng)
        else:
            cohort.os[patient] = near(int(cohort.os[patient]), rng)
    else:
        cohort.os[patient] = near(int(cohort.os[patient]), rng)
        cohort.lfs[patient] = cohort.os[patient] - cr
    return possible(cohort, patient, stage)


def possible(cohort: Cohort, patient: int, stage: Stage) -> bool:
    """Tell whether a patient's times are in order, within the trial, and nobody else's."""
    lfs, last = cohort.lfs[patient], cohort.os[patient]
    end = lfs + cohort.cr[patient]
    relapsed = cohort.kind[patient] in (RELAPSED, RELAPSED_DIED)
    if end < EARLIEST or last > stage.latest[TRIAL[patient]] or end + 20 * relapsed > last:
        return False
    return bool((cohort.lfs == lfs).sum() == 1 and (cohort.os == last).sum() == 1)


def change_kind(cohort: Cohort, patient: int, stage: Stage, rng: random.Random) -> bool:
    """Give a patient another outcome with the same last contact."""
    kind = rng.randrange(4)
    if kind == cohort.kind[patient]:
        return False
    was_relapse = cohort.kind[patient] in (RELAPSED, RELAPSED_DIED)
    cohort.kind[patient] = kind
    last = int(cohort.os[patient] - cohort.cr[patient])
    if kind in (REMISSION, DIED):
        cohort.lfs[patient] = last
    elif not was_relapse:
        earliest = EARLIEST - int(cohort.cr[patient])
        if last - 20 < earliest:
            return False
        cohort.lfs[patient] = rng.randint(earliest, last - 20)
    own = TRIAL[patient] == TRIAL
    trial = TRIAL[patient]
    return bool(
        (cohort.kind[own] > REMISSION).sum() <= stage.most_events[trial]
        and (cohort.kind[own] >= RELAPSED_DIED).sum() <= stage.most_deaths[trial]
        and possible(cohort, patient, stage)
    )


def relabel(cohort: Cohort, patient: int, stage: Stage, rng: random.Random) -> bool:
    """Give a patient another age group, or in the later trial another MRD result."""
    trial = TRIAL[patient]
    if trial and rng.random() < 0.5:
        cohort.positive[patient] = not cohort.positive[patient]
        return bool(FEWEST_POSITIVE <= cohort.positive[trial == TRIAL].sum() <= stage.most_positive)
    cohort.age[patient] = rng.randrange(3)
    sizes = np.bincount(cohort.age[trial == TRIAL], minlength=3)
    return bool(sizes.min() >= FEWEST_OF_AN_AGE)


def any_patient(cohort: Cohort, rng: random.Random) -> int:
    """Draw a patient; those with an event are few and matter more, so they come up more often."""
    if rng.random() < 0.4:
        return int(rng.choice(np.flatnonzero(cohort.kind).tolist()))
    return rng.randrange(PATIENTS)


def change(cohort: Cohort, stage: Stage, rng: random.Random) -> Cohort | None:
    """Return a neighbour of the cohort, or None where the move is not possible."""
    move = rng.random()
    one = any_patient(cohort, rng)
    changed = cohort.copy()
    if move < 0.5:
        return changed if retime(changed, one, stage, rng) else None
    if move < 0.58:
        return changed if change_kind(changed, one, stage, rng) else None
    if move < 0.66:
        return changed if relabel(changed, one, stage, rng) else None
    other = any_patient(cohort, rng)
    entries = changed.positive if move < 0.82 else changed.age
    if TRIAL[one] != TRIAL[other] or entries[one] == entries[other]:
        return None
    entries[[one, other]] = entries[[other, one]]
    return changed


def distinct(days: list[int]) -> list[int]:
    """Return the days with repeats moved on to the next free day."""
    taken: set[int] = set()
    for position, start in enumerate(days):
        day = start
        while day in taken:
            day += 1
        taken.add(day)
        days[position] = day
    return days


def first_cohort(rng: random.Random) -> Cohort:
    """Build a cohort with the right sizes, from which the search starts."""
    early = [EARLIEST + 15 + 30 * step for step in range(18)]  # lost before two years
    last = early + [760 + round(1500 * (step + 0.5) / 103) for step in range(103)]
    rng.shuffle(last)
    later = [EARLIEST + 4 + round(790 * (step + 0.5) / 137) for step in range(137)]
    rng.shuffle(later)
    os = np.array(distinct(last + later))
    cr = np.array([rng.randint(25, 45) for _ in range(PATIENTS)])
    age = np.array(
        rng.sample([0] * 52 + [1] * 42 + [2] * 27, 121)
        + rng.sample([0] * 54 + [1] * 57 + [2] * 26, 137)
    )
    positive = np.zeros(PATIENTS, dtype=bool)
    positive[rng.sample(range(SIZES[0]), MRD_POSITIVE[0])] = True
    positive[rng.sample(range(SIZES[0], PATIENTS), MRD_POSITIVE[1])] = True
    cohort = Cohort(age, positive, np.zeros(PATIENTS, dtype=int), os - cr, os, cr)
    for patient in range(PATIENTS):  # event-free times tie where follow-up and CR differ alike
        while not possible(cohort, patient, COARSE):
            cohort.os[patient] += 1
            cohort.lfs[patient] += 1
    for _ in range(4000):
        trial = rng.random() < 0.25
        patient = rng.randrange(SIZES[0], PATIENTS) if trial else rng.randrange(SIZES[0])
        own = int(TRIAL[patient]) == TRIAL
        if cohort.kind[patient] or (cohort.kind[own] > 0).sum() >= (30, 10)[int(trial)]:
            continue
        changed = cohort.copy()
        if change_kind(changed, patient, COARSE, rng):
            cohort = changed
    return cohort


def anneal(
    cohort: Cohort, targets: Targets, stage: Stage, number: int, rng: random.Random
) -> tuple[Cohort, float]:
    """Run one round of a stage; return where it ended and the loss there."""
    hot, steps = stage.rounds[number]
    current = loss(cohort, targets, stage)
    for step in range(steps):
        temperature = hot * (stage.cold / hot) ** (step / steps)
        changed = change(cohort, stage, rng)
        if changed is None:
            continue
        missed = loss(changed, targets, stage)
        if missed <= current or rng.random() < math.exp((current - missed) / temperature):
            cohort, current = changed, missed
        if current == 0:
            break
    return cohort, current


def search(seed: int) -> Cohort:
    """Anneal until nothing is missed; a seed that ends elsewhere raises RuntimeError."""
    rng, targets = random.Random(seed), read_targets()
    cohort = first_cohort(rng)
    for number in range(len(COARSE.rounds)):
        cohort, _ = anneal(cohort, targets, COARSE, number, rng)
    best = loss(cohort, targets, FINE)
    for number in range(len(FINE.rounds)):
        # Each round starts from the best so far: this is polish, not exploration.
        changed, missed = anneal(cohort, targets, FINE, number, rng)
        if missed < best:
            cohort, best = changed, missed
        if best == 0:
            return cohort
    raise RuntimeError(f"seed {seed} ended with a loss of {best:.3f}; try another seed")


def draw_until(low: float, high: float, mean: float, spread: float, rng: random.Random) -> float:
    """Draw a normal value again until it lies inside, so that nothing piles up at a bound."""
    while not low <= (value := rng.gauss(mean, spread)) <= high:
        pass
    return value


def limit(cohort: Cohort, patient: int) -> int:
    """Return the day from enrolment on which remission or follow-up ends."""
    return int(cohort.lfs[patient] + cohort.cr[patient])


def after_induction(cohort: Cohort, rng: random.Random) -> NDArray[np.bool_]:
    """Choose who is positive after induction; a few become positive only after C-1."""
    positive = np.ones(PATIENTS, dtype=bool)
    for trial, count in enumerate(NEGATIVE_AFTER_INDUCTION):
        own = trial == TRIAL
        later = rng.sample(np.flatnonzero(own & cohort.positive).tolist(), 2)
        never = rng.sample(np.flatnonzero(own & ~cohort.positive).tolist(), count - 2)
        positive[later + never] = False
    return positive


def sample_rows(cohort: Cohort, patient: int, early: bool, rng: random.Random) -> list[Row]:
    """Return the marrow samples of a patient; positive levels fall from the first to the second."""
    first_day = int(cohort.cr[patient]) + rng.randint(0, 8)
    last_day = min(140, limit(cohort, patient) - 2)
    second_day = round(draw_until(66, last_day, 95, 13, rng))
    levels = sorted((draw_until(-4, -1.5, -2.9, 0.7, rng) for _ in range(2)), reverse=True)
    found = ((first_day, early), (second_day, bool(cohort.positive[patient])))
    return [
        {
            "day": day,
            "timepoint": "",  # the windows of the study find it
            "assay": "qPCR",
            "material": "BM",
            "target": "IG/TR",
            "mrd_fraction": f"{10**level:.2g}" if positive else "0",
            "lod_fraction": "0.0001",
            "call": "positive" if positive else "negative",
        }
        for (day, positive), level in zip(found, levels, strict=True)
    ]


def treatment_rows(cohort: Cohort, patient: int, sample: int, rng: random.Random) -> list[Row]:
    """Return the courses of a patient as the protocols order them, while remission lasts."""
    last = limit(cohort, patient) - 1
    cr = int(cohort.cr[patient])
    rows: list[Row] = []

    def add(kind: str, name: str, start: int, days: int, cycle: int | str = "") -> int:
        if start <= last:
            end = min(start + days, last)
            entries = (kind, name, start, end, cycle)
            columns = ("kind", "name", "start_day", "end_day", "cycle")
            rows.append(dict(zip(columns, entries, strict=True)))
        return start + days + rng.randint(6, 14)

    add("induction", "Treatment A", 0, cr, 1)
    # Both fit between remission, 20 to 40 days before the sample at the earliest, and the sample.
    half = max((sample - cr) // 2, 4)
    add("consolidation", "Treatment B", cr + 2, half - 3, 1)
    add("consolidation", "Treatment C", cr + half, max(sample - cr - half - 2, 1), 1)
    day = sample + rng.randint(4, 12)
    positive = bool(cohort.positive[patient])
    if TRIAL[patient] == 0 and positive:
        day = add("consolidation", "Treatment A", day, 28, 2)
    if TRIAL[patient] == 1 or positive:
        for cycle in range(1, 5):
            day = add("blinatumomab", "blinatumomab", day, 28, cycle)
    else:
        for name in ("A", "B", "C"):
            day = add("consolidation", f"Treatment {name}", day, 28, 2)
    add("maintenance", "maintenance", day, 730)
    return rows


def patient_row(cohort: Cohort, patient: int, rng: random.Random) -> Row:
    """Return what is known of a patient at enrolment."""
    trial = int(TRIAL[patient])
    return {
        "age_years": rng.randint(*AGES[int(cohort.age[patient])]),
        "lineage": "B",
        "ph_status": "negative",
        "frontline_therapy": ("intensive chemotherapy", "reduced-intensity chemotherapy")[trial],
        "disease_status": "CR1",
        "trial": ("ALL/MRD2019", "ALL/MRD2023")[trial],
    }


def outcome_row(cohort: Cohort, patient: int) -> Row:
    """Return the outcome of a patient, in days from enrolment."""
    kind, last = int(cohort.kind[patient]), int(cohort.os[patient])
    return {
        "cr_day": int(cohort.cr[patient]),
        "relapse_day": limit(cohort, patient) if kind in (RELAPSED, RELAPSED_DIED) else "",
        "death_day": last if kind >= RELAPSED_DIED else "",
        "last_follow_up_day": last,
    }


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
    early = after_induction(cohort, rng)
    order = rng.sample(range(PATIENTS), PATIENTS)
    tables: dict[str, list[Row]] = {
        name: [] for name in ("patients", "mrd_assessments", "treatments", "outcomes")
    }
    for number, patient in enumerate(order, start=1):
        name: Row = {"patient_id": f"A{number:03}"}
        samples = sample_rows(cohort, patient, bool(early[patient]), rng)
        second_day = int(str(samples[1]["day"]))
        tables["patients"].append(name | patient_row(cohort, patient, rng))
        tables["outcomes"].append(name | outcome_row(cohort, patient))
        tables["mrd_assessments"] += [name | row for row in samples]
        courses = treatment_rows(cohort, patient, second_day, rng)
        tables["treatments"] += [name | row for row in courses]
    for table, rows in tables.items():
        write(table, rows)


if __name__ == "__main__":
    main()
