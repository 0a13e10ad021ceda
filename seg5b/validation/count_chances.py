"""How many buckets should have at least some number of arrivals, by their means and the count law (docs/laws#count-laws)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.run_tables.subject import Subject

Array = NDArray[np.float64]

_BINS_PER_UNIT = 64
"""Means are taken together in bins of the square root, in which every chance is smooth; a square root is the same number on
every machine. What that adds to a share is less than `_BINNING`."""
_BINNING = 2e-5
_KAPPA_BINS_PER_UNIT = 256
"""Where dispersion follows the mean of a cell it is taken together in bins of its square root."""
_LOG_ODDS = 20.0
_NODES = np.arange(-48, 49) / 6.0
_WEIGHTS = np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()
"""The standard normal law as a sum over points a sixth of a deviation apart, exact to the last digits for what is smooth."""
_TABLE = np.linspace(-9.0, 9.0, 1 << 15)
_BELOW = np.array([0.5 * math.erfc(-x / math.sqrt(2.0)) for x in _TABLE])


@dataclass(frozen=True, slots=True)
class Means:
    """Rows of counts by dispersion and mean: ``kappa`` (not a number under ``poisson``), ``mean`` and ``rows``, float64
    [bins] each. Rows at or below the zero rule are not among them: they have no arrivals."""

    kappa: Array
    mean: Array
    rows: Array


@dataclass(frozen=True, slots=True)
class Chance:
    """Rows that should have at least so many arrivals, and the variance of their number."""

    expected: float
    variance: float

    def allows(self, found: int, of: int) -> bool:
        """Whether ``found`` rows among ``of`` may be chance. Rows are independent, so that by Bernstein's inequality a sound
        run is beyond this once in 240 million times, however few rows there are."""
        slack = _LOG_ODDS / 3
        slack += math.sqrt(slack**2 + 2 * _LOG_ODDS * self.variance)
        return abs(found - self.expected) <= slack + _BINNING * of


def read_means(subject: Subject) -> Means:
    """The means of a scenario's counts. Sums are of integers: the order of threads cannot show."""
    dispersion, kappa = "kappa", "any_value(kappa)"
    if subject.policies.readings.volume_law:
        dispersion = f"floor(sqrt(kappa) * {_KAPPA_BINS_PER_UNIT})::BIGINT"
        kappa = "sum((kappa * 1e9)::HUGEINT)::DOUBLE / 1e9 / count(*)"
    found = subject.rows(
        f"""SELECT {kappa}, count(*), sum((mu * 1e9)::HUGEINT)::DOUBLE
            FROM (SELECT mu, kappa, {dispersion} AS own, floor(sqrt(mu) * {_BINS_PER_UNIT})::BIGINT AS bin FROM counts
                  WHERE mu > $zero_eps AND mu < 1e9)
            GROUP BY own, bin ORDER BY own, bin"""
    )
    kappas, rows, billionths = (np.array([row[place] for row in found], np.float64) for place in range(3))
    return Means(kappas, billionths / 1e9 / np.maximum(rows, 1), rows)


def at_least(subject: Subject, means: Means, least: int) -> Chance:
    """Of the rows behind ``means``, those with ``least`` arrivals or more (at least 1)."""
    policy = subject.policies.count
    chance = np.zeros_like(means.mean)
    for first in range(0, means.mean.size, 1 << 12):
        some = slice(first, first + (1 << 12))
        if policy.count_law_id == "nb2":
            variance = np.log1p(1.0 / means.kappa[some])[:, np.newaxis]
            middle = np.log(means.mean[some])[:, np.newaxis] - variance / 2
            drawn = np.exp(middle + np.sqrt(variance) * _NODES)
            chance[some] = _poisson_at_least(drawn, least, policy.poisson_exact_lambda_max) @ _WEIGHTS
        else:
            chance[some] = _poisson_at_least(means.mean[some], least, policy.poisson_exact_lambda_max)
    if least > policy.max_count_per_bucket:
        chance[:] = 0.0
    return Chance(float(means.rows @ chance), float(means.rows @ (chance * (1 - chance))))


def _poisson_at_least(mean: Array, least: int, exact_up_to: float) -> Array:
    """Chance of ``least`` or more under the Poisson law, above ``exact_up_to`` under the normal one that is drawn there."""
    exact = np.minimum(mean, exact_up_to)
    term = np.exp(-exact)
    below = np.zeros_like(term)
    for n in range(least):
        below += term
        term = term * exact / (n + 1)
        if float(term.max(initial=0.0)) < 1e-18 and n > exact_up_to:  # nothing more to add for any mean
            break
    far = (least - 0.5 - mean) / np.sqrt(np.maximum(mean, 1e-300))
    return np.where(mean > exact_up_to, 1.0 - np.interp(far, _TABLE, _BELOW), np.maximum(1.0 - below, 0.0))
