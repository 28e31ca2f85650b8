"""Cox models: several covariates from rows, one grouping or several from event counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from analytics._concordance import concordance
from analytics._counts import COUNTS, ENTRY, FloatArray, IntArray, as_columns, group_codes, labels
from analytics._design import Covariate, Design, columns_of, design
from analytics._firth import penalised
from analytics._partial import Likelihood, Maximum, Rows, Ties, maximum
from analytics.events import checked_intervals

INFINITE = "no finite estimate"
COLLINEAR = "determined by the other covariates"
NO_EVENT = "no event"


@dataclass(frozen=True, eq=False)
class Cox:
    """A fitted Cox model.

    Attributes
    ----------
    terms
        ``term``, ``covariate``, ``level``, ``hazard_ratio``, ``low``, ``high`` (95%),
        ``p_value``, ``coefficient``, ``standard_error``, ``reason``; one row per column of the
        design. Where no finite ratio exists the numbers are NaN and ``reason`` says why.
    tests
        ``test``, ``statistic``, ``degrees_of_freedom``, ``p_value`` of no effect at all:
        likelihood ratio, Wald and score; with weights or clusters Wald and robust score.
    n, n_event
        Rows (patients, where counts were given) and events of the fit.
    n_missing
        Rows left out because a covariate or stratum is missing.
    n_dropped
        Rows left out because their entry is not before their time.
    loglik, loglik_null
        Log partial likelihood, or its limit where the likelihood is monotone.
    robust
        Whether the standard errors are those of the sandwich estimate.
    """

    terms: pd.DataFrame
    tests: pd.DataFrame
    n: int
    n_event: int
    n_missing: int
    n_dropped: int
    loglik: float
    loglik_null: float
    robust: bool
    _likelihood: Likelihood = field(repr=False)
    _maximum: Maximum = field(repr=False)

    @cached_property
    def concordance(self) -> float | None:
        """Harrell's concordance of the fitted risk; None where no pair can be compared.

        Notes
        -----
        Harrell and others (1982), as R's ``concordance``: within strata, ties in the risk one
        half. Under a monotone likelihood the risk is that of its limit.
        """
        return concordance(self._likelihood, self._likelihood.x @ self._maximum.position)

    def proportional_hazards(self) -> pd.DataFrame:
        """Test whether the ratios stay the same over the follow-up.

        Returns
        -------
        DataFrame
            ``term`` (a covariate, then 'GLOBAL'), ``statistic``, ``degrees_of_freedom``,
            ``p_value``; NaN where it cannot be computed. Small P values speak against one ratio
            for the whole follow-up.

        Notes
        -----
        Grambsch and Therneau (1994) as a score test on the Kaplan-Meier time scale, as
        ``cox.zph`` of R's survival 3.x.
        """
        score, remaining = _departure(self._likelihood, self._maximum)
        finite = np.isfinite(self._maximum.beta)
        rows = []
        for name in self.terms["covariate"].drop_duplicates():
            used = np.flatnonzero((self.terms["covariate"] == name).to_numpy() & finite)
            rows.append((name, *_quadratic(score[used], remaining[np.ix_(used, used)])))
        # Where no ratio exists there is nothing whose constancy could be asked.
        inner = self._maximum.directions if finite.any() else self._maximum.directions[:, :0]
        rows.append(("GLOBAL", *_quadratic(score @ inner, inner.T @ remaining @ inner)))
        columns = ["term", "statistic", "degrees_of_freedom", "p_value"]
        return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True, eq=False)
class HazardRatios:
    """Cause-specific hazard ratios against one reference level.

    Attributes
    ----------
    groups
        ``level``, ``n``, ``n_event``, ``ratio``, ``low``, ``high`` (95%), ``p_value`` (Wald),
        ``coefficient``, ``standard_error``, ``estimable``. The reference has ratio 1 without
        limits. A level that has no finite estimate, such as one without events, is NaN and
        not estimable.
    reference
        The level compared with.
    proportional_hazards_p
        Global score test of proportional hazards; small values speak against one ratio for
        the whole follow-up. None where it cannot be computed.
    """

    groups: pd.DataFrame
    reference: object
    proportional_hazards_p: float | None


def cox(
    frame: pd.DataFrame,
    *,
    time: str,
    event: str,
    covariates: Sequence[Covariate],
    strata: str | Sequence[str] = (),
    entry: str | None = None,
    ties: Ties = "efron",
    count: str | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    penalty: Literal["firth"] | None = None,
) -> Cox:
    """Fit a Cox model.

    Parameters
    ----------
    frame
        One row per patient, or per interval of a patient (counting-process rows, with `entry`),
        or per kind of patient (with `count`).
    time, event
        Columns as in :func:`analytics.events.event_table`; competing events count as censored.
    covariates
        Columns: numbers enter as they are, booleans as 0 and 1, others as indicators against
        their first level. A pair of columns is their interaction. Rows in which one is missing
        are left out and counted.
    strata
        Columns within whose levels the baseline hazard is common.
    entry
        Column with the time at which the row comes under observation.
    ties
        'efron', or 'breslow'.
    count
        Column with the number of patients that a row stands for.
    weights
        Column with positive case weights, such as those of :mod:`analytics.balance`; the
        standard errors are then robust.
    cluster
        Column whose levels (matched pairs, say) are the independent units of the robust
        standard errors.
    penalty
        'firth' for Firth's (1993) penalised likelihood, which has finite estimates where the
        plain one has none; limits and P values are of the profile penalised likelihood.

    Raises
    ------
    ValueError
        For unusable times and codes, absent columns, counts that are not whole, weights that
        are not positive, and combinations that are not defined.

    Notes
    -----
    Cox (1972), ties after Efron (1977) or Breslow (1974), as R's ``coxph``; Wald limits and P
    values. Robust variance after Lin and Wei (1989). Where a coefficient runs to infinity (no
    events in a level; separation), the others are those of the limit of the likelihood.
    """
    groups = as_columns(strata)
    optional = [name for name in (count, weights, cluster) if name is not None]
    used = [*columns_of(covariates), *groups, *optional]
    robust = weights is not None or cluster is not None
    _check_call(frame, used, robust, count, penalty)
    complete = frame[used].notna().all(axis=1).to_numpy(dtype=bool)
    rows = frame[complete]
    times, codes, entries = checked_intervals(rows, time, event, entry)
    kept = np.ones(len(rows), dtype=bool) if entries is None else entries < times
    rows, times, codes = rows[kept], times[kept], codes[kept]
    n = _counts(rows, count)
    columns = design(rows, covariates)
    stratum = np.zeros(len(rows), dtype=np.int64)
    if groups:
        stratum = rows.groupby(list(groups), observed=True).ngroup().to_numpy().astype(np.int64)
    likelihood = Likelihood(
        Rows(
            x=columns.matrix,
            time=times,
            stratum=stratum,
            n_event=np.where(codes == 1, n, 0),
            n=n,
            weight=_weights(rows, weights),
            entry=None if entries is None else entries[kept],
        ),
        ties,
    )
    return _fitted(
        likelihood,
        columns,
        robust=robust,
        units=None if cluster is None else pd.factorize(rows[cluster])[0],
        penalty=penalty,
        n_missing=int((~complete).sum()),
        n_dropped=int((~kept).sum()),
    )


def cox_from_counts(
    events: pd.DataFrame,
    *,
    covariates: Sequence[Covariate],
    strata: str | Sequence[str] = (),
    ties: Ties = "efron",
) -> Cox:
    """Fit a Cox model to an event table, whose columns are the covariates and strata.

    The same as :func:`cox` on the patients that the table counts, entries included.
    """
    return _fitted(*_of_counts(events, covariates, strata, ties))


def hazard_ratios(
    events: pd.DataFrame, *, by: str, reference: object | None = None
) -> HazardRatios:
    """Fit a Cox model with the levels of one column.

    Parameters
    ----------
    events
        Event table with the column `by`; competing events count as censored.
    by
        One grouping column.
    reference
        Level of ratio 1; the first in sort order unless given.

    Raises
    ------
    ValueError
        Where several columns are given, or the reference does not occur.

    Notes
    -----
    As :func:`cox`. Finite estimates exist only among levels of which each, directly or through
    others, had events while the other was at risk (Ford's condition); the rest are not estimable.
    """
    if len(as_columns(by)) != 1:
        raise ValueError("Hazard ratios take exactly one grouping column.")
    keys, codes = group_codes(events, by)
    levels = labels(keys)
    base = 0
    if reference is not None:
        if reference not in levels:
            raise ValueError(f"The reference {reference!r} is not among the levels {levels}.")
        base = levels.index(reference)
    first = [levels[base], *levels[:base], *levels[base + 1 :]] if levels else []
    ordered = events.assign(**{str(by): pd.Categorical(events[by], categories=first)})
    fit = cox_from_counts(ordered, covariates=(str(by),))
    found = fit.terms[list(_RATIO_COLUMNS.values())].set_axis(fit.terms["level"]).reindex(levels)
    n, n_event = (
        np.bincount(codes, counted, len(levels)).astype(np.int64, copy=False)
        for counted in (_exits(events), events["n_event"])
    )
    numbers = {name: found[column].to_numpy(np.float64) for name, column in _RATIO_COLUMNS.items()}
    if levels and n_event[base]:
        numbers["ratio"][base], numbers["coefficient"][base] = 1.0, 0.0
    counts = {"level": keys.iloc[:, 0], "n": n, "n_event": n_event}
    groups = pd.DataFrame(counts | numbers | {"estimable": ~np.isnan(numbers["ratio"])})
    p_value = float(fit.proportional_hazards()["p_value"].iloc[-1])
    return HazardRatios(
        groups, levels[base] if levels else reference, None if np.isnan(p_value) else p_value
    )


def likelihood_ratio(smaller: Cox, larger: Cox) -> tuple[float, int, float | None]:
    """Compare nested models of the same rows by twice the gain in log likelihood.

    Returns
    -------
    tuple
        Statistic, degrees of freedom, P value (None where the models have the same rank).

    Raises
    ------
    ValueError
        Where the models are not of the same number of rows and events, or are robust.
    """
    if (
        (smaller.n, smaller.n_event) != (larger.n, larger.n_event)
        or smaller.robust
        or larger.robust
    ):
        raise ValueError(
            "A likelihood ratio compares two models of the same rows, without weights. "
            "Leave the rows with a missing covariate out of both."
        )
    df = larger._maximum.rank - smaller._maximum.rank
    statistic = max(0.0, 2 * (larger.loglik - smaller.loglik))
    return statistic, df, _chi_square(statistic, df) if df > 0 else None


_RATIO_COLUMNS = {
    "ratio": "hazard_ratio",
    "low": "low",
    "high": "high",
    "p_value": "p_value",
    "coefficient": "coefficient",
    "standard_error": "standard_error",
}


def _fitted(
    likelihood: Likelihood,
    columns: Design,
    *,
    units: IntArray | None = None,
    robust: bool = False,
    penalty: str | None = None,
    n_missing: int = 0,
    n_dropped: int = 0,
) -> Cox:
    from scipy.special import ndtr, ndtri

    top = maximum(likelihood)
    covariance = top.covariance
    beta, tests = top.beta, _tests(top)
    if robust:
        covariance, tests = _sandwich(likelihood, top, units)
    error = np.sqrt(np.diag(covariance))
    reach = float(ndtri(0.975)) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * ndtr(-np.abs(beta / error))
    low, high = beta - reach, beta + reach
    reason = np.select([top.collinear, top.infinite], [COLLINEAR, INFINITE], "")
    if penalty is not None:
        firth = penalised(likelihood, np.flatnonzero(~top.collinear))
        beta, error, low, high, p_value = firth
        reason = np.where(top.collinear, COLLINEAR, "")
    if likelihood.n_points == 0:
        reason = np.full(len(beta), NO_EVENT)
    terms = columns.terms[["term", "covariate", "level"]].assign(
        hazard_ratio=np.exp(beta),
        low=np.exp(low),
        high=np.exp(high),
        p_value=p_value,
        coefficient=beta,
        standard_error=error,
        reason=reason,
    )
    return Cox(
        terms=terms,
        tests=tests,
        n=int(likelihood.n[likelihood.n > 0].sum()),
        n_event=int(likelihood.n_event.sum()),
        n_missing=n_missing,
        n_dropped=n_dropped,
        loglik=top.loglik,
        loglik_null=top.loglik_null,
        robust=robust,
        _likelihood=likelihood,
        _maximum=top,
    )


def _tests(top: Maximum) -> pd.DataFrame:
    rows = [
        ("likelihood ratio", 2 * (top.loglik - top.loglik_null)),
        ("Wald", top.wald),
        ("score", top.score),
    ]
    return _test_frame(rows, top.rank)


def _sandwich(
    likelihood: Likelihood, top: Maximum, units: IntArray | None
) -> tuple[FloatArray, pd.DataFrame]:
    """Robust covariance of the coefficients, and the tests that go with it."""
    residuals = likelihood.score_residuals(top.position) @ top.directions
    inner = _summed_squares(residuals, likelihood.n, units) / np.outer(
        top.information, top.information
    )
    covariance = top.directions @ inner @ top.directions.T
    lost = top.collinear | top.infinite
    covariance[lost] = np.nan
    covariance[:, lost] = np.nan
    wald = np.nan if top.infinite.any() else float(top.inner @ np.linalg.pinv(inner) @ top.inner)
    null = likelihood.score_residuals(np.zeros_like(top.position))
    total = likelihood.n @ null
    score = float(total @ np.linalg.pinv(_summed_squares(null, likelihood.n, units)) @ total)
    return covariance, _test_frame([("Wald", wald), ("robust score", score)], top.rank)


def _summed_squares(residuals: FloatArray, n: IntArray, units: IntArray | None) -> FloatArray:
    if units is None:
        squares: FloatArray = (residuals * n[:, None]).T @ residuals
        return squares
    together = np.zeros((int(units.max(initial=-1)) + 1, residuals.shape[1]))
    np.add.at(together, units, residuals)
    return together.T @ together


def _test_frame(rows: Sequence[tuple[str, float]], df: int) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["test", "statistic"]).astype({"statistic": "float64"})
    if df == 0:
        frame["statistic"] = np.nan
    p_values = [_chi_square(value, df) for value in frame["statistic"]]
    return frame.assign(degrees_of_freedom=df, p_value=np.array(p_values, dtype=np.float64))


def _departure(likelihood: Likelihood, top: Maximum) -> tuple[FloatArray, FloatArray]:
    """Score of coefficients that change along the time scale, and its variance."""
    along = _km_scale(likelihood)
    along = along - np.average(along, weights=likelihood.n_at_point) if along.size else along
    score, mixed = likelihood.along(top.position, along)
    _, squared = likelihood.along(top.position, along**2)
    known = top.directions / np.sqrt(top.information)
    explained = mixed @ known
    return score, squared - explained @ explained.T


def _km_scale(likelihood: Likelihood) -> FloatArray:
    """One less the survival of all strata together just before each event time."""
    times, at = np.unique(likelihood.point_time, return_inverse=True)
    deaths = np.bincount(at, likelihood.n_at_point, times.size)
    n_risk = likelihood.n_risk(times)
    survival = np.cumprod(1 - deaths / n_risk)
    scale: FloatArray = (1 - np.concatenate([[1.0], survival]))[at]
    return scale


def _quadratic(score: FloatArray, variance: FloatArray) -> tuple[float, int, float]:
    df = score.size
    if df == 0 or np.linalg.matrix_rank(variance, hermitian=True) < df:
        return np.nan, df, np.nan
    statistic = float(score @ np.linalg.solve(variance, score))
    return statistic, df, _chi_square(statistic, df)


def _chi_square(statistic: float, df: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(df, statistic)) if df > 0 else np.nan


def _of_counts(
    events: pd.DataFrame,
    covariates: Sequence[Covariate],
    strata: str | Sequence[str],
    ties: Ties,
) -> tuple[Likelihood, Design]:
    group_codes(events, [*columns_of(covariates), *as_columns(strata)])
    _, stratum = group_codes(events, strata)
    columns = design(events, covariates)
    n_event = events["n_event"].to_numpy(dtype=np.int64)
    place = [np.arange(len(events))]
    n = [_exits(events)]
    if ENTRY in events.columns:
        # Whoever enters late is taken out of the risk sets up to the entry.
        place, n = place * 2, [*n, -events[ENTRY].to_numpy(dtype=np.int64)]
    rows = np.concatenate(place)
    return (
        Likelihood(
            Rows(
                x=columns.matrix[rows],
                time=events["time"].to_numpy(dtype=np.float64)[rows],
                stratum=stratum[rows],
                n_event=np.concatenate([n_event, *(0 * n_event for _ in place[1:])]),
                n=np.concatenate(n),
                weight=np.ones(rows.size),
            ),
            ties,
        ),
        columns,
    )


def _exits(events: pd.DataFrame) -> IntArray:
    exits = np.zeros(len(events), dtype=np.int64)
    for name in COUNTS:
        exits += events[name].to_numpy(dtype=np.int64)
    return exits


def _counts(rows: pd.DataFrame, count: str | None) -> IntArray:
    if count is None:
        return np.ones(len(rows), dtype=np.int64)
    n = rows[count].to_numpy(dtype=np.float64)
    if (n < 0).any() or (n % 1 != 0).any():
        raise ValueError(f"{count}: holds counts that are negative or not whole.")
    return n.astype(np.int64)


def _weights(rows: pd.DataFrame, weights: str | None) -> FloatArray:
    if weights is None:
        return np.ones(len(rows))
    weight = rows[weights].to_numpy(dtype=np.float64)
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise ValueError(f"{weights}: holds weights that are not above 0. Leave such rows out.")
    return weight


def _check_call(
    frame: pd.DataFrame,
    columns: Sequence[str],
    robust: bool,
    count: str | None,
    penalty: str | None,
) -> None:
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise ValueError(f"The frame has no column {', '.join(map(repr, absent))}.")
    if penalty not in (None, "firth"):
        raise ValueError(f"Unknown penalty {penalty!r}: use 'firth' or None.")
    if robust and (count is not None or penalty is not None):
        raise ValueError(
            "Weights and clusters are for one row per patient and the plain likelihood: "
            "leave `count` and `penalty` out."
        )
