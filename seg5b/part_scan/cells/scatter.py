"""How counts scatter about their means, and how latent paths step: sums whose law is known exactly (docs/laws#law-tests).

Counts of different cells are independent given their means, so that a sum over any cells that were chosen without looking at
the counts has the mean, variance and third cumulant that are added up beside it. The cumulants of a Poisson count of log-normal
mean M (mean mu, variance mu^2 / kappa) are those of M, and with c = 1 / kappa, v = mu^2 c:

- variance mu + v; third cumulant mu + 3 v + mu v c (c + 3);
- fourth mu + 7 v + 6 mu v c (c + 3) + v^2 (w^4 + 2 w^3 + 3 w^2 - 6), w = 1 + c.

A step of a path is what its value adds to the value before, in its standard deviation: independent standard normal numbers.
Which steps are looked at depends on values before them only, which leaves that law as it is: those that a clip would cut are
left out where the value before lies so near to the clip that this might happen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seg5b.part_scan._compiled import inlined
from seg5b.part_scan.counting import longer

BLOCK_MEAN = 25.0
"""Expected arrivals from which on consecutive buckets of a series make a block."""
_FREE = (
    4.5  # standard deviations between an expected step and the clip: beyond it lie 3.4e-6 of the steps on either side
)
LEAST_KAPPA = 2.0
"""Counts of a wider law than this are left out: their sums are too far from normal for the bounds that judge them."""
_MOST_SQUARE = 16.0
GAP, VARIANCE, THIRD, SQUARES, CUT_SQUARES, SQUARES_VARIANCE, SQUARES_THIRD, LATE, LATE_VARIANCE, LATE_THIRD = range(10)
_FOURTH = 3
STEPS, SUM, SUM_OF_SQUARES, PAIRS, PRODUCTS = range(5)


class Scatter(NamedTuple):
    """Of counts N with mean mu. ``series`` float64 [room, 10] by stretch: sum of N - mu with its variance and third cumulant;
    sum of z^2 - 1 over blocks of at least `BLOCK_MEAN` expected arrivals, z the block's gap in its standard deviation, the same
    with z^2 at most 16, and variance and third moment; and ``late``, the sum of N - mu weighted by how much larger the mean
    before is than the mean after, which grows when counts come a bucket late, with variance and third cumulant. ``buckets``
    float64 [H, 4]: gap, variance, third and fourth cumulant by bucket. ``block`` float64 [5]: mean, gap, variance, third and
    fourth so far; ``last`` float64 [4]: cells in a row, the two means before, the last gap."""

    series: np.ndarray
    buckets: np.ndarray
    block: np.ndarray
    last: np.ndarray


class Paths(NamedTuple):
    """Of latent paths. ``series`` float64 [room, 5] by stretch: steps, their sum and sum of squares, pairs of consecutive
    steps, and the sum of their products. ``last`` float64 [3]: value before, whether the clip left it alone, step before (not
    a number: not looked at)."""

    series: np.ndarray
    last: np.ndarray


def empty_scatter(buckets: int) -> Scatter:
    """Nothing counted yet, over a grid of ``buckets``."""
    return Scatter(np.empty((0, 10)), np.zeros((buckets, 4)), np.zeros(5), np.zeros(4))


def longer_scatter(scatter: Scatter, used: int, rows: int) -> Scatter:
    """The same with room for ``rows`` more stretches."""
    return scatter._replace(series=longer(scatter.series, used, rows))


def empty_paths() -> Paths:
    """Nothing walked yet."""
    return Paths(np.empty((0, 5)), np.zeros(3))


def longer_paths(paths: Paths, used: int, rows: int) -> Paths:
    """The same with room for ``rows`` more stretches."""
    return paths._replace(series=longer(paths.series, used, rows))


@inlined
def add_count(scatter, at, new, bucket, number, mu, kappa, counted, limits):
    """A count of stretch ``at``; ``counted``: it has a mean and a bucket. Means that the cap might cut are left out."""
    own, block, last = scatter.series, scatter.block, scatter.last
    if new:
        own[at, :] = 0.0
        block[:] = 0.0
        last[0] = 0.0
    wide = kappa < LEAST_KAPPA
    if not counted or wide or not 0.0 <= mu <= limits.count_cap / 4.0 or not 0 <= bucket < scatter.buckets.shape[0]:
        last[0] = 0.0
        return
    spread = 1.0 / kappa if kappa > 0.0 else 0.0
    variance, third, fourth = _cumulants(mu, spread)
    gap = np.float64(number) - mu
    if mu <= limits.zero_eps:
        gap, variance, third, fourth = 0.0, 0.0, 0.0, 0.0
    own[at, GAP] += gap
    own[at, VARIANCE] += variance
    own[at, THIRD] += third
    of_bucket = scatter.buckets
    of_bucket[bucket, GAP] += gap
    of_bucket[bucket, VARIANCE] += variance
    of_bucket[bucket, THIRD] += third
    of_bucket[bucket, _FOURTH] += fourth
    block[0] += mu
    block[1] += gap
    block[2] += variance
    block[3] += third
    block[4] += fourth
    if block[0] >= BLOCK_MEAN:
        _end_block(own, at, block)
    if last[0] >= 2.0:
        _add_late(own, at, last, mu, spread)
    last[0] += 1.0
    last[1], last[2], last[3] = last[2], mu, gap


@inlined
def _cumulants(mu, spread):
    """Variance, third and fourth cumulant of a count of mean ``mu``; ``spread`` is 1 / kappa."""
    mixed = mu * mu * spread
    skew = mu * mixed * spread * (spread + 3.0)
    w = 1.0 + spread
    peak = mixed * mixed * (w * w * w * w + 2.0 * w * w * w + 3.0 * w * w - 6.0)
    return mu + mixed, mu + 3.0 * mixed + skew, mu + 7.0 * mixed + 6.0 * skew + peak


@inlined
def _end_block(own, at, block):
    """z^2 - 1 of a block: mean 0, variance 2 + k4, third moment 8 + 12 k4 + 10 k3^2 + k6, where k3, k4, k6 are the cumulants
    of z; k6 is taken as 30 k4^2, as of a gamma law. Cut at 16 the term has no larger mean, variance or third moment, and that
    is at most 15 times the variance: so it is judged above, where a log-normal tail is long, and the whole term below."""
    variance = block[2]
    k3, k4 = block[3] / (variance * np.sqrt(variance)), block[4] / (variance * variance)
    square = block[1] * block[1] / variance
    own[at, SQUARES] += square - 1.0
    own[at, CUT_SQUARES] += min(square, _MOST_SQUARE) - 1.0
    own[at, SQUARES_VARIANCE] += 2.0 + k4
    own[at, SQUARES_THIRD] += 8.0 + 12.0 * k4 + 10.0 * k3 * k3 + 30.0 * k4 * k4
    block[:] = 0.0


@inlined
def _add_late(own, at, last, after, spread):
    """The cell before this one, whose neighbours are now known."""
    before, mu, gap = last[1], last[2], last[3]
    around = before + mu + after
    if not around > 0.0:
        return
    weight = (before - after) / around / (1.0 + mu * spread)
    variance, third, _ = _cumulants(mu, spread)
    own[at, LATE] += weight * gap
    own[at, LATE_VARIANCE] += weight * weight * variance
    own[at, LATE_THIRD] += weight * weight * weight * third


@inlined
def add_factor(paths, at, new, bucket, factor, sigma, phi, limits):
    """A factor of stretch ``at``, bucket by bucket; ``sigma`` not a number: the path is not measured here."""
    own, last = paths.series, paths.last
    if new:
        own[at, :] = 0.0
        last[1], last[2] = 0.0, np.nan
    if not sigma > 0.0:
        return
    if not 0.0 < factor < np.inf:
        last[1], last[2] = 0.0, np.nan
        return
    half = 0.5 * sigma * sigma
    value = np.log(factor) + half
    low, high = np.log(limits.least_factor) + half, np.log(limits.most_factor) + half
    expected = 0.0 if bucket == 0 else phi * last[0]
    scale = sigma if bucket == 0 else sigma * np.sqrt(max(1.0 - phi * phi, 0.0))
    known = bucket == 0 or last[1] == 1.0
    if known and scale > 0.0 and expected - low > _FREE * scale and high - expected > _FREE * scale:
        step = (value - expected) / scale
        own[at, STEPS] += 1.0
        own[at, SUM] += step
        own[at, SUM_OF_SQUARES] += step * step
        if last[2] == last[2]:
            own[at, PAIRS] += 1.0
            own[at, PRODUCTS] += last[2] * step
        last[2] = step
    else:
        last[2] = np.nan
    last[0] = value
    last[1] = 1.0 if limits.least_factor < factor < limits.most_factor else 0.0
