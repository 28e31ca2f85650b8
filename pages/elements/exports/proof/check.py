"""Recompute the numbers of a figure from the data beside this file, and say where they agree.

Run it in the unpacked folder: `python check.py`. Needs numpy, pandas and scipy, as requirements.txt pins
them; the statistics are in the folder `analytics`. What is simple is computed a second time by hand, in
plain Python that shares nothing with that folder. The product takes the names of the numbers from here, so
that both sides write one list.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from analytics.balance import propensity, weighted_kaplan_meier, weights
from analytics.competing import cumulative_incidence, gray_test
from analytics.events import event_table
from analytics.hazard import cox, hazard_ratios
from analytics.landmark import landmark
from analytics.paired import kappa, mcnemar
from analytics.proportion import fisher_exact, proportion, proportion_difference
from analytics.subgroups import subgroup_hazards
from analytics.summary import table_one
from analytics.survival import (
    follow_up,
    kaplan_meier,
    log_rank,
    log_rank_trend,
    pairwise_log_rank,
    permutation_log_rank,
    restricted_mean,
)

Numbers = dict[str, int | float | None]
Lines = dict[str, Numbers]
Options = Mapping[str, Any]
Coded = Callable[[pd.DataFrame], pd.DataFrame]

DIGITS = 1e-9
"""Numbers agree if they differ by no more, of 1 or of the number itself."""

MOST_BY_HAND = 20_000
"""Rows beyond which nothing is computed a second time: the plain loops would take minutes."""

_Z = NormalDist().inv_cdf(0.975)


# The numbers of a result, by line and name


def number(value: Any) -> int | float | None:
    """Return a number as JSON has it; None where there is none."""
    if value is None or pd.isna(value):
        return None
    exact = float(value)
    if not math.isfinite(exact):
        return None
    return int(exact) if isinstance(value, (int, np.integer)) else exact


def lines(frame: pd.DataFrame, name: str, **columns: str) -> Lines:
    """Return a line for every row of a frame, named by its columns, with the numbers of some others."""
    return {
        name.format(**row): {key: number(row[column]) for key, column in columns.items()}
        for row in frame.to_dict("records")
    }


def same(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose groups have their codes already."""
    return frame


def of_curves(km: Any, milestones: list[float], coded: Coded = same) -> Lines:
    """Return the numbers of Kaplan-Meier curves: sizes, milestones, medians and every step."""
    limits = {"low": "low", "high": "high"}
    at = coded(km.at(milestones)) if milestones else pd.DataFrame()
    found = {
        **lines(coded(km.groups), "{group}", n="n", events="n_event"),
        **lines(at, "{group}, day {time:g}", at_risk="n_risk", events="n_event",
                survival="survival", **limits),
        **lines(coded(km.median()), "{group}, median", median="median", **limits),
    }  # fmt: skip
    found |= _steps(coded(km.curve), "{group}, every step", "survival")
    if len(km.groups) == 2 and milestones:
        found |= _differences(km.differences(milestones), coded(km.groups)["group"].tolist())
    return found


def _differences(found: pd.DataFrame, order: list[str]) -> Lines:
    """Return the second group less the first, whichever of the two stands first in the result."""
    if order[0] > order[1]:
        found = found.assign(
            difference=-found["difference"], low=-found["high"], high=-found["low"]
        )
    limits = {"low": "low", "high": "high"}
    return lines(found, "difference, day {time:g}", difference="difference", **limits, p="p_value")


def _steps(curve: pd.DataFrame, name: str, value: str) -> Lines:
    found: Lines = {}
    for row in curve[curve["n_event"] > 0].to_dict("records"):
        found.setdefault(name.format(**row), {})[f"day {row['time']:g}"] = number(row[value])
    return found


def of_test(test: Any, coded: Coded = same) -> Lines:
    """Return the numbers of a log-rank test or of Gray's."""
    whole = {"statistic": number(test.statistic), "df": test.degrees_of_freedom,
             "p": number(test.p_value)}  # fmt: skip
    return {"test": whole} | lines(
        coded(test.groups), "{group}, test", n="n", observed="observed", expected="expected"
    )


def of_pairs(pairs: pd.DataFrame, codes: Mapping[Any, str]) -> Lines:
    """Return the numbers of pairwise tests."""
    named = pairs.assign(
        **{side: pairs[side].map(lambda g: codes.get(g, g)) for side in ("group_1", "group_2")}
    )
    return lines(named, "{group_1} and {group_2}", p="p_value", adjusted="p_adjusted")


def of_ratios(found: Any, coded: Coded = same) -> Lines:
    """Return hazard ratios against the reference, which has none."""
    groups = coded(found.groups.rename(columns={"level": "group"}))
    ratios = lines(groups, "{group}, ratio", ratio="ratio", low="low", high="high", p="p_value")
    ratios = {name: each for name, each in ratios.items() if each["p"] is not None}
    return ratios | {"proportional hazards": {"p": number(found.proportional_hazards_p)}}


def of_means(found: Any, coded: Coded = same, codes: Mapping[Any, str] | None = None) -> Lines:
    """Return restricted means and their differences."""
    limits = {"low": "low", "high": "high"}
    apart = found.differences.copy()
    for side in ("group_1", "group_2"):
        apart[side] = [(codes or {}).get(g, g) for g in apart[side]]
    return {
        **lines(coded(found.groups), "{group}, mean", mean="mean", error="standard_error", **limits),
        **lines(apart, "{group_2} less {group_1}, mean", difference="difference", **limits, p="p_value"),
    }  # fmt: skip


def of_incidences(found: Any, milestones: list[float], coded: Coded = same) -> Lines:
    """Return cumulative incidences; `coded` gives the columns group and cause."""
    at = coded(found.at(milestones)) if milestones else pd.DataFrame()
    return {
        **lines(coded(found.groups), "{group}, cause {cause}", n="n", events="n_event"),
        **lines(at, "{group}, cause {cause}, day {time:g}", at_risk="n_risk", events="n_event",
                incidence="incidence", low="low", high="high"),
        **_steps(coded(found.curve), "{group}, cause {cause}, every step", "incidence"),
    }  # fmt: skip


def of_rate(found: Any) -> Numbers:
    """Return a rate with its limits."""
    return {"rate": number(found.rate), "low": number(found.low), "high": number(found.high)}


def of_difference(found: Any) -> Numbers:
    """Return a difference with its limits."""
    return {each: number(getattr(found, each)) for each in ("difference", "low", "high")}


def of_kappa(found: Any) -> Numbers:
    """Return an agreement beyond chance; limits only where there is an error to make them of."""
    return {each: number(getattr(found, each)) for each in ("kappa", "low", "high")}


def of_model(fit: Any, name: str) -> Lines:
    """Return the ratios of a Cox model by term; the level stands after the covariate."""
    terms = fit.terms.assign(
        at=[f"{c} {v}" if isinstance(v, str) else c
            for c, v in zip(fit.terms["covariate"], fit.terms["level"], strict=True)]
    )  # fmt: skip
    columns = {"ratio": "hazard_ratio", "low": "low", "high": "high", "p": "p_value"}
    return {f"{at}, {name}": each for at, each in lines(terms, "{at}", **columns).items()}


def of_table_one(rows: pd.DataFrame, tests: pd.DataFrame) -> Lines:
    """Return Table 1; `rows` and `tests` have codes as variables, groups and levels."""
    numbers = rows[rows["kind"] == "number"]
    counts = rows[rows["kind"] != "number"]
    summary = {each: each for each in ("minimum", "q1", "median", "q3", "maximum")}
    return {
        **lines(rows.drop_duplicates(["variable", "group"]), "{variable}, {group}", n="n",
                missing="missing"),
        **lines(numbers, "{variable}, {group}, spread", **summary),
        **lines(counts, "{variable}, {group}, {level}", count="count", percent="percent"),
        **lines(tests, "{variable}, test", p="p_value", smd="smd"),
    }  # fmt: skip


# The same numbers from the rows


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    by = ["group", *(["stratum"] if "stratum" in rows else [])]
    entry = "start" if "start" in rows else None
    return event_table(rows, time="time", event="event", by=by, entry=entry)


def _curves(rows: pd.DataFrame, options: Options) -> Lines:
    return of_curves(kaplan_meier(_table(rows), by="group"), options["milestones"])


def _log_rank(rows: pd.DataFrame, options: Options) -> Lines:
    strata = ["stratum"] if "stratum" in rows else []
    return of_test(log_rank(_table(rows), by="group", strata=strata))


def _trend(rows: pd.DataFrame, options: Options) -> Lines:
    # The codes of the groups are in the order of their levels.
    test = log_rank_trend(_table(rows), by="group")
    return {"trend": {"statistic": number(test.statistic), "p": number(test.p_value)}}


def _pairs(rows: pd.DataFrame, options: Options) -> Lines:
    return of_pairs(pairwise_log_rank(_table(rows), by="group"), {})


def _permuted(rows: pd.DataFrame, options: Options) -> Lines:
    test = permutation_log_rank(_table(rows), by="group")
    return {"permutation": {"p": number(test.p_value)}}


def _ratios(rows: pd.DataFrame, options: Options) -> Lines:
    return of_ratios(hazard_ratios(_table(rows), by="group", reference=options["reference"]))


def _means(rows: pd.DataFrame, options: Options) -> Lines:
    return of_means(restricted_mean(_table(rows), by="group", tau=options["tau"]))


def _follow_up(rows: pd.DataFrame, options: Options) -> Lines:
    line = follow_up(_table(rows), by="group").iloc[0]
    whole = {"n": len(rows), "events": int((rows["event"] == 1).sum())}
    limits = {each: number(line[each]) for each in ("median", "low", "high")}
    return {"follow-up": whole | limits}


def _incidences(rows: pd.DataFrame, options: Options) -> Lines:
    return of_incidences(cumulative_incidence(_table(rows), by="group"), options["milestones"])


def _gray(rows: pd.DataFrame, options: Options) -> Lines:
    return of_test(gray_test(_table(rows), by="group"))


def _landmark(rows: pd.DataFrame, options: Options) -> Lines:
    found = landmark(
        rows, time="time", event="event", at=options["landmark"], known_day="known_day"
    )
    reasons = found.excluded["reason"].value_counts()
    return {
        "followed on": {"n": len(found.frame)},
        "left out": {"n": len(found.excluded), "events": found.n_events_excluded},
        **{f"left out, {reason}": {"n": int(n)} for reason, n in reasons.items()},
    }


def _rates(rows: pd.DataFrame, options: Options) -> Lines:
    found: Lines = {}
    for at, here in rows.groupby("at", sort=True):
        counts = here[["count", "total"]].to_numpy()
        for group, (count, total) in zip(here["group"], counts, strict=True):
            found[f"{at}, {group}"] = of_rate(proportion(int(count), int(total)))
        table = [[count, total - count] for count, total in counts]
        found[f"{at}, test"] = {"p": number(fisher_exact(table).p_value)}
        if len(counts) == 2:
            both = [int(each) for each in counts.ravel()]
            found[f"{at}, difference"] = of_difference(proportion_difference(*both))
    return found


def _square(rows: pd.DataFrame) -> list[list[int]]:
    levels = list(dict.fromkeys(rows["first"]))
    counts = rows.set_index(["first", "second"])["count"]
    return [[int(counts[a, b]) for b in levels] for a in levels]


def _paired(rows: pd.DataFrame, options: Options) -> Lines:
    found = mcnemar(_square(rows))
    return {"paired": {"n": found.n, **of_difference(found), "p": number(found.p_value)}}


def _kappa(rows: pd.DataFrame, options: Options) -> Lines:
    return {"agreement": of_kappa(kappa(_square(rows)))}


def _cox(rows: pd.DataFrame, options: Options) -> Lines:
    rows = rows.assign(
        **{name: pd.Categorical(rows[name], levels) for name, levels in options["levels"].items()}
    )
    found: Lines = {}
    for name, model in options["models"].items():
        used = rows[rows[model["covariates"]].notna().all(axis=1)]
        fit = cox(used, time="time", event="event", covariates=model["covariates"],
                  entry="start" if "start" in rows else None,
                  penalty="firth" if model["firth"] else None)  # fmt: skip
        found |= of_model(fit, name)
        if model["whole"]:
            found[name] = of_whole_model(fit)
            found |= _proportional(fit, name)
    return found


def of_whole_model(fit: Any) -> Numbers:
    """Return what is said of a Cox model as a whole."""
    tests = fit.tests.set_index("test")["p_value"]
    return {"events": fit.n_event, "likelihood_ratio_p": number(tests["likelihood ratio"]),
            "concordance": number(fit.concordance)}  # fmt: skip


def _proportional(fit: Any, name: str) -> Lines:
    tests = fit.proportional_hazards()
    return {f"{row.term}, proportional hazards, {name}": {"p": number(row.p_value)}
            for row in tests.itertuples()}  # fmt: skip


def _subgroups(rows: pd.DataFrame, options: Options) -> Lines:
    levels = options["levels"]
    rows = rows.assign(**{name: pd.Categorical(rows[name], levels[name]) for name in levels})
    found = subgroup_hazards(
        rows, time="time", event="event", contrast="group", variables=list(levels)
    )
    return of_subgroups(found.rows, found.interactions)


def of_subgroups(rows: pd.DataFrame, interactions: pd.DataFrame) -> Lines:
    """Return the ratios of subgroups, and the tests that they are one."""
    at = [f"{v} {level}" if isinstance(level, str) else "all"
          for v, level in zip(rows["variable"], rows["level"], strict=True)]  # fmt: skip
    columns = {"n": "n", "events": "n_event", "ratio": "hazard_ratio", "low": "low",
               "high": "high", "p": "p_value"}  # fmt: skip
    return lines(rows.assign(at=at), "{at}", **columns) | lines(
        interactions, "{variable}, interaction", p="p_value"
    )


def _weighted(rows: pd.DataFrame, options: Options) -> Lines:
    rows = rows.assign(treated=rows["group"] == "g02")
    if options["estimand"]:
        levels = options["levels"]
        named = rows.assign(**{n: pd.Categorical(rows[n], levels[n]) for n in levels})
        scores = propensity(named, treated="treated", covariates=options["covariates"])
        rows["weight"] = weights(scores, estimand=options["estimand"]).weights
    kept = rows[rows["weight"] > 0]
    model = {"time": "time", "event": "event", "covariates": ["treated"]}
    after = cox(kept, weights="weight", cluster="pair" if "pair" in rows else None, **model)
    return {
        "ratio, before": of_weighted_ratio(cox(rows, **model), "score"),
        "ratio, after": of_weighted_ratio(after, "robust score"),
        **_weighted_curves(rows.assign(weight=1.0), options, "before"),
        **_weighted_curves(rows, options, "after"),
    }


def of_weighted_ratio(fit: Any, test: str) -> Numbers:
    """Return the one hazard ratio of a model, with the P value of one of its tests."""
    line = fit.terms.iloc[0]
    p = fit.tests.set_index("test")["p_value"][test]
    return {"ratio": number(line["hazard_ratio"]), "low": number(line["low"]),
            "high": number(line["high"]), "p": number(p)}  # fmt: skip


def _weighted_curves(rows: pd.DataFrame, options: Options, when: str) -> Lines:
    km = weighted_kaplan_meier(rows, time="time", event="event", weights=rows["weight"], by="group")
    return of_weighted_curves(km, options["milestones"], when)


def of_weighted_curves(km: Any, milestones: list[float], when: str, coded: Coded = same) -> Lines:
    """Return the numbers of weighted curves at milestones."""
    at = coded(km.at(milestones)) if milestones else pd.DataFrame()
    return lines(at, "{group}, day {time:g}, " + when, survival="survival", low="low", high="high")


def _table_one(rows: pd.DataFrame, options: Options) -> Lines:
    parts, tests = [], []
    for name, mine in rows.groupby("variable", sort=True):
        kind = options["kinds"][name]
        frame = _one_variable(mine, kind, options["levels"].get(name))
        by = "group" if frame["group"].nunique() > 1 or options["grouped"] else None
        found = table_one(frame, variables={"value": kind}, by=by)
        level = [_code(each) for each in found.rows["level"]]
        group = [str(each) or "all" for each in found.rows["group"]]
        parts.append(found.rows.assign(variable=name, kind=kind, level=level, group=group))
        tests.append(found.tests.assign(variable=name))
    return of_table_one(pd.concat(parts), pd.concat(tests))


def _code(level: Any) -> str:
    return "yes" if level is True or level == "True" else str(level)


def _one_variable(mine: pd.DataFrame, kind: str, levels: list[str] | None) -> pd.DataFrame:
    if kind == "number":
        return mine.assign(value=pd.to_numeric(mine["value"]).astype("float64"))
    if kind == "boolean":
        return mine.assign(value=mine["value"].map({"yes": True, "no": False}).astype("boolean"))
    return mine.assign(value=pd.Categorical(mine["value"], levels))


RECOMPUTED: dict[str, Callable[[pd.DataFrame, Options], Lines]] = {
    "kaplan_meier": _curves,
    "log_rank": _log_rank,
    "log_rank_trend": _trend,
    "pairwise_log_rank": _pairs,
    "permutation_log_rank": _permuted,
    "hazard_ratios": _ratios,
    "restricted_mean": _means,
    "follow_up": _follow_up,
    "cumulative_incidence": _incidences,
    "gray": _gray,
    "landmark": _landmark,
    "rates": _rates,
    "mcnemar": _paired,
    "kappa": _kappa,
    "cox": _cox,
    "subgroups": _subgroups,
    "weighted": _weighted,
    "table_one": _table_one,
}


# A second time, by hand


def _events_by_day(rows: pd.DataFrame) -> list[tuple[float, Any, Any]]:
    """Return the days on which somebody leaves with who is at risk just before and who leaves then."""
    time = rows["time"].to_numpy(dtype=float)
    start = rows["start"].to_numpy(dtype=float) if "start" in rows else np.full(len(rows), -1.0)
    late = start < time
    return [(float(day), (start < day) & (day <= time) & late, (time == day) & late)
            for day in sorted(set(time[late]))]  # fmt: skip


def _curves_by_hand(rows: pd.DataFrame, options: Options) -> Lines:
    found: Lines = {}
    for group, mine in rows.groupby("group"):
        event = mine["event"].to_numpy() == 1
        survival, spread, steps = 1.0, 0.0, {}
        path = [(0.0, survival, spread)]
        for day, at_risk, leaving in _events_by_day(mine):
            n, d = int(at_risk.sum()), int((leaving & event).sum())
            survival *= 1 - d / n
            spread += d / (n * (n - d)) if n > d else math.inf
            path.append((day, survival, spread))
            if d:
                steps[f"day {day:g}"] = survival
        found[f"{group}, every step"] = steps
        for asked in options["milestones"]:
            if asked <= path[-1][0]:
                _, s, v = max(p for p in path if p[0] <= asked)
                found[f"{group}, day {asked:g}"] = {"survival": s, **_log_log(s, v)}
    return {name: each for name, each in found.items() if each}


def _log_log(survival: float, spread: float) -> Numbers:
    if not 0 < survival < 1:
        return {}
    reach = _Z * math.sqrt(spread) / math.log(survival)
    return {"low": survival ** math.exp(-reach), "high": survival ** math.exp(reach)}


def _log_rank_by_hand(rows: pd.DataFrame, options: Options) -> Lines:
    groups = sorted(set(rows["group"]))
    observed, expected = np.zeros(len(groups)), np.zeros(len(groups))
    parts = [mine for _, mine in rows.groupby("stratum")] if "stratum" in rows else [rows]
    for mine in parts:
        event = mine["event"].to_numpy() == 1
        member = np.array([mine["group"].to_numpy() == group for group in groups])
        for _, at_risk, leaving in _events_by_day(mine):
            d = (leaving & event).sum()
            observed += (member & leaving & event).sum(axis=1)
            expected += d * (member & at_risk).sum(axis=1) / at_risk.sum()
    return {f"{group}, test": {"observed": int(o), "expected": float(e)}
            for group, o, e in zip(groups, observed, expected, strict=True)}  # fmt: skip


def _incidences_by_hand(rows: pd.DataFrame, options: Options) -> Lines:
    found: Lines = {}
    for group, mine in rows.groupby("group"):
        codes = mine["event"].to_numpy()
        free, total = 1.0, {1: 0.0, 2: 0.0}
        for day, at_risk, leaving in _events_by_day(mine):
            n = int(at_risk.sum())
            dying = {cause: int((leaving & (codes == cause)).sum()) for cause in total}
            for cause, d in dying.items():
                total[cause] += free * d / n
                if d:
                    name = f"{group}, cause {cause}, every step"
                    found.setdefault(name, {})[f"day {day:g}"] = total[cause]
            free *= 1 - sum(dying.values()) / n
    return found


def _means_by_hand(rows: pd.DataFrame, options: Options) -> Lines:
    tau, means = float(options["tau"]), {}
    for group, mine in rows.groupby("group"):
        steps = _curves_by_hand(mine, {"milestones": []}).get(f"{group}, every step", {})
        area, last, survival = 0.0, 0.0, 1.0
        for day, after in [(float(k[4:]), v) for k, v in steps.items()] + [(tau, 0.0)]:
            area += survival * max(min(day, tau) - last, 0.0)
            last, survival = min(day, tau), float(after or 0.0)
        means[group] = area
    return {f"{group}, mean": {"mean": mean} for group, mean in means.items()}


def _rates_by_hand(rows: pd.DataFrame, options: Options) -> Lines:
    found: Lines = {}
    for at, here in rows.groupby("at"):
        counts = [(int(k), int(n)) for k, n in zip(here["count"], here["total"], strict=True)]
        for group, (k, n) in zip(here["group"], counts, strict=True):
            if 0 < n <= 1000:
                found[f"{at}, {group}"] = {"rate": k / n, **_clopper_pearson(k, n)}
        if len(counts) == 2 and all(0 < n <= 1000 for _, n in counts):
            p = _fisher(counts)
            found[f"{at}, test"] = {"p": p} if p is not None else {}
    return found


def _clopper_pearson(k: int, n: int) -> Numbers:
    def at_least(share: float, least: int) -> float:
        if share in (0.0, 1.0):
            return float(share == 1.0 or least == 0)
        logs = (math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
                + i * math.log(share) + (n - i) * math.log1p(-share)
                for i in range(least, n + 1))  # fmt: skip
        return math.fsum(map(math.exp, logs))

    def solve(least: int, tail: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if at_least(middle, least) < tail else (low, middle)
        return low

    return {"low": solve(k, 0.025) if k else 0.0, "high": solve(k + 1, 0.975) if k < n else 1.0}


def _fisher(counts: list[tuple[int, int]]) -> float | None:
    (a, n), (b, m) = counts
    hits = a + b
    if hits in (0, n + m):
        return None
    ways = {i: math.comb(n, i) * math.comb(m, hits - i) for i in range(hits + 1)}
    extreme = sum(w for w in ways.values() if w <= ways[a] * (1 + 1e-7))
    return min(extreme / sum(ways.values()), 1.0)


def _paired_by_hand(rows: pd.DataFrame, options: Options) -> Lines:
    (_, b), (c, _) = _square(rows)
    if not b + c:
        return {}
    tail = sum(math.comb(b + c, i) for i in range(min(b, c) + 1)) / 2 ** (b + c)
    return {"paired": {"n": int(rows["count"].sum()), "p": min(1.0, 2 * tail)}}


def _kappa_by_hand(rows: pd.DataFrame, options: Options) -> Lines:
    (a, b), (c, d) = _square(rows)
    n = a + b + c + d
    chance = ((a + b) * (a + c) + (c + d) * (b + d)) / n**2 if n else 1.0
    return {"agreement": {"kappa": ((a + d) / n - chance) / (1 - chance)}} if chance < 1 else {}


BY_HAND: dict[str, Callable[[pd.DataFrame, Options], Lines]] = {
    "kaplan_meier": _curves_by_hand,
    "log_rank": _log_rank_by_hand,
    "cumulative_incidence": _incidences_by_hand,
    "restricted_mean": _means_by_hand,
    "rates": _rates_by_hand,
    "mcnemar": _paired_by_hand,
    "kappa": _kappa_by_hand,
}


# What agrees


def agrees(expected: float | None, computed: float | None) -> bool:
    """Tell whether two numbers agree; no number agrees with no number only."""
    if expected is None or computed is None:
        return expected is computed
    return abs(expected - computed) <= DIGITS * max(1.0, abs(expected)) and (
        abs(expected) >= 1e-6 or math.isclose(expected, computed, rel_tol=1e-6, abs_tol=1e-15)
    )


def _shown(numbers: Numbers) -> str:
    if len(numbers) > 6:
        return f"{len(numbers)} numbers"
    return ", ".join(f"{k} {'-' if v is None else format(v, '.6g')}" for k, v in numbers.items())


def _worded(line: str, labels: Mapping[str, str]) -> str:
    return ", ".join(
        " ".join(labels.get(word, word) for word in _words(part, labels))
        for part in line.split(", ")
    )


def _words(part: str, labels: Mapping[str, str]) -> list[str]:
    return [part] if part in labels else part.split(" ")


def compared(proof: Mapping[str, Any], rows: pd.DataFrame) -> tuple[int, int]:
    """Print every line of one computation, and return how many numbers there are and how many agree."""
    options, expected = proof["options"], proof["expected"]
    ways = [RECOMPUTED[proof["kind"]](rows, options)]
    if proof["kind"] in BY_HAND and len(rows) <= MOST_BY_HAND:
        ways.append(BY_HAND[proof["kind"]](rows, options))
    n = n_agree = 0
    for line, numbers in expected.items():
        first = {key: ways[0].get(line, {}).get(key) for key in numbers}
        good = [agrees(value, first[key]) for key, value in numbers.items()]
        twice = ways[1].get(line, {}) if len(ways) > 1 else {}
        good = [ok and (key not in twice or agrees(numbers[key], twice[key]))
                for ok, key in zip(good, numbers, strict=True)]  # fmt: skip
        n, n_agree = n + len(good), n_agree + sum(good)
        said = "agree" if all(good) else "DIFFER"
        by_hand = ", also by hand" if set(twice) & set(numbers) and all(good) else ""
        print(f"  {_worded(line, options.get('labels', {}))}: expected {_shown(numbers)}; "
              f"computed {_shown(first)}: {said}{by_hand}")  # fmt: skip
        for key, ok in zip(numbers, good, strict=True):
            if not ok and len(numbers) > 6:
                print(
                    f"    {key}: expected {numbers[key]}, computed {first[key]}, by hand {twice.get(key)}"
                )
    return n, n_agree


def read(path: Path, options: Options) -> pd.DataFrame:
    """Return the rows of a file; what is text stays text."""
    texts = dict.fromkeys(options.get("texts", ()), "str")
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])


def main(folder: Path) -> int:
    """Check every computation in a folder; 0 where all numbers agree and no file was changed."""
    whole = json.loads((folder / "expected.json").read_text("utf-8"))
    changed = [name for name, digest in whole["sha256"].items()
               if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest]  # fmt: skip
    n = n_agree = 0
    for proof in whole["proofs"]:
        print(f"{proof['title']} ({proof['exhibit']})")
        try:
            got, right = compared(proof, read(folder / proof["data"], proof["options"]))
        except (ValueError, KeyError) as error:
            print(f"  cannot be computed from these rows: {type(error).__name__}: {error}")
            got, right = sum(map(len, proof["expected"].values())), 0
        n, n_agree = n + got, n_agree + right
    for each in whole["not_recomputed"]:
        print(f"Not recomputed here: {each['what']} ({each['exhibit']}): {each['why']}")
    for name in changed:
        print(f"{name} is not the file that was written.")
    print(f"{n_agree} of {n} numbers agree")
    return int(bool(changed) or n_agree < n)


if __name__ == "__main__":
    # Labels may have signs that a terminal lacks.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(main(Path(__file__).resolve().parent))
