"""The loops over a range of intensities and of counts.

Nothing here assumes that rows are what their position says: a badly ordered file gives longer lists and the same sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seg5b.part_scan._compiled import compiled, inlined
from seg5b.part_scan.cells import columns as c
from seg5b.part_scan.cells.conditions import (
    UNLIKE_INTENSITY,
    Cell,
    cell_kappa,
    unlike_intensity,
    violated_by_count,
    violated_by_intensity,
)
from seg5b.part_scan.cells.scatter import Paths, Scatter, add_count, add_factor
from seg5b.part_scan.counting import Counts, count
from seg5b.part_scan.loops import add_wide, count_faults

SMALL_COUNTS = 4096
"""Counts below this are counted in an array."""
LARGEST = 8
"""Rows of the largest means that are remembered."""
_PRIME = 1_000_003
_BILLION, _MILLION = 1e9, 1e6
_LEAST_MEAN = 1e-9
_MOST_FACTOR, _MOST_RESIDUAL = 1e18, 1e11  # what the wide sums can hold; sound files are far from them
_MOST_MOMENT, _MOST_GAP = 1e21, 1e10
_FAR_FROM_CAP = 32.0
_NEW = 0xC2B2AE3D27D4EB4F

# Places in ``state`` of both walks.
ROWS, STRETCHES = 0, 1
UNSUMMED = 2
JUDGED, MEASURED, DRAWN, FIRST_DRAWN, LAST_DRAWN, LARGE, LAWFUL = range(2, 9)
# Places of a stretch: series of the position, key, nulls, rows; of counts also arrivals and rows that drew.
SERIES, MERCHANT, ZONE, CHANNEL, NULLS, LENGTH, ARRIVALS, DRAWS = range(8)


class Series(NamedTuple):
    """The series that a range of rows must have: numbers int64 and int32 [n] as in the rows, ``kappa`` float64 [n] (not a
    number: the policy has none), ``sigma`` and ``phi`` float64 [n] of its latent path (not a number: it has none that is
    measured here); ``first``: number of the first; ``buckets``: H; ``salt``: of the weights of `weight`."""

    first: int
    buckets: int
    salt: int
    merchant: np.ndarray
    zone: np.ndarray
    channel: np.ndarray
    kappa: np.ndarray
    sigma: np.ndarray
    phi: np.ndarray


class IntensityWalk(NamedTuple):
    """What the walk over intensities has found. ``state`` int64 [3]; ``fault_rows``, ``fault_places`` as `count_faults`;
    ``factor`` int64 [3] sum of the factors in billionths (`add_wide`); ``bounds`` float64 [2] of the factors; ``stretches``
    int64 [room, 6] of rows of one key and position, with ``sums`` float64 [room, 2] of baselines and of baselines times
    the `weight` of their bucket, and ``paths`` uint64 [room], a digest of the factors by bucket; ``constants`` int64
    [combinations] rows; ``latent``: steps of the latent paths, by stretch."""

    state: np.ndarray
    fault_rows: np.ndarray
    fault_places: np.ndarray
    factor: np.ndarray
    bounds: np.ndarray
    stretches: np.ndarray
    sums: np.ndarray
    paths: np.ndarray
    constants: np.ndarray
    latent: Paths


class CountWalk(NamedTuple):
    """What the walk over counts has found. ``state`` int64 [9]; ``fault_rows``, ``fault_places``, ``constants`` as in
    `IntensityWalk`; ``residuals`` int64 [6, 3]: sums of r = (N - mu) / sqrt(mu) and of its square, and, over rows that the
    moments of the count law hold for, of the square, of its expectation and variance, and of the squared gap between the
    square and its expectation, all in millionths;
    ``stretches`` int64 [room, 8]; ``large`` int64 [8] places of the largest means, ``means`` float64 [8], unordered;
    ``small`` int64 [4096] and ``others``: rows by count; ``scatter``: counts against their means, by stretch and bucket."""

    state: np.ndarray
    fault_rows: np.ndarray
    fault_places: np.ndarray
    constants: np.ndarray
    residuals: np.ndarray
    stretches: np.ndarray
    large: np.ndarray
    means: np.ndarray
    small: np.ndarray
    others: Counts
    scatter: Scatter


@inlined
def _cell(series, k, bucket):
    known = 0 <= k < series.merchant.size
    at = k if known else 0  # there is always one: `scan` sees to it
    return Cell(known, series.merchant[at], series.zone[at], series.channel[at], bucket, series.kappa[at])


@compiled
def walk_intensities(rows, start, series, limits, walk):
    """Walk a stretch of rows behind those walked before; ``start``: position of the first in the whole dataset."""
    k, bucket = start // series.buckets, start % series.buckets - 1
    for i in range(rows.nulls.size):
        bucket += 1
        if bucket == series.buckets:
            k, bucket = k + 1, 0
        cell = _cell(series, k - series.first, bucket)
        count_faults(violated_by_intensity(rows, i, cell, limits), start + i, walk.fault_rows, walk.fault_places)
        walk.state[ROWS] += 1
        walk.constants[rows.constants[i]] += 1
        at, new = _stretch(rows, i, k, walk)
        if new:
            walk.sums[at, 0], walk.sums[at, 1], walk.paths[at] = 0.0, 0.0, np.uint64(0)
        nulls, baseline, factor = rows.nulls[i], rows.baseline[i], rows.factor[i]
        if not nulls & c.BASELINE:
            walk.sums[at, 0] += baseline
            if not nulls & c.BUCKET:
                walk.sums[at, 1] += baseline * weight(rows.bucket[i], series.salt)
        own = k - series.first
        if cell.known:
            add_factor(walk.latent, at, new, bucket, factor, series.sigma[own], series.phi[own], limits)
        walk.paths[at] ^= _mixed(rows.bucket[i], factor, nulls & (c.BUCKET | c.FACTOR))
        if not nulls & c.FACTOR:
            _add_factor(factor, walk)


@compiled
def walk_counts(rows, start, series, limits, walk):
    """Walk a stretch of rows of counts, as `walk_intensities`."""
    k, bucket = start // series.buckets, start % series.buckets - 1
    for i in range(rows.nulls.size):
        bucket += 1
        if bucket == series.buckets:
            k, bucket = k + 1, 0
        cell = _cell(series, k - series.first, bucket)
        count_faults(violated_by_count(rows, i, cell, limits), start + i, walk.fault_rows, walk.fault_places)
        walk.state[ROWS] += 1
        walk.constants[rows.constants[i]] += 1
        at, new = _stretch(rows, i, k, walk)
        if new:
            walk.stretches[at, ARRIVALS], walk.stretches[at, DRAWS] = 0, 0
        nulls, number, mu = rows.nulls[i], rows.number[i], rows.mu[i]
        if not nulls & c.COUNT:
            walk.stretches[at, ARRIVALS] += number
            if 0 <= number < SMALL_COUNTS:
                walk.small[number] += 1
            else:
                count(walk.others, (np.int64(0),), (number,))
        if not nulls & c.MU and mu > limits.zero_eps:
            _draw(start + i, mu, at, walk)
        counted = not nulls & (c.MU | c.COUNT | c.BUCKET)
        kappa = cell_kappa(cell.kappa, mu, limits)
        add_count(walk.scatter, at, new, rows.bucket[i], number, mu, kappa, counted, limits)
        if limits.threshold < 0 or ((start + i) % _PRIME * 611953 + 65537) % _PRIME < limits.threshold:
            walk.state[JUDGED] += 1
            if not nulls & (c.MU | c.COUNT):
                _add_residual(np.float64(number), mu, kappa if cell.known else np.nan, limits, walk)


@compiled
def compare(counts, intensities, start, walk):
    """Compare a stretch of counts with the same rows of intensities."""
    for i in range(counts.nulls.size):
        if unlike_intensity(counts, intensities, i):
            count_faults(UNLIKE_INTENSITY, start + i, walk.fault_rows, walk.fault_places)


@inlined
def weight(bucket, salt):
    """A number in [0, 1) that depends on a bucket without pattern: a sum of baselines times it changes when any of them
    does. `seg5b.run_tables.inputs` states the same in SQL."""
    mixed = (((bucket + 1) & 0x7FFFFFFF) * 2654435761 + salt) & 0xFFFFFFFF
    mixed = ((mixed ^ mixed >> 16) * 73244475) & 0xFFFFFFFF
    mixed ^= mixed >> 15
    return np.float64(mixed) / 4294967296.0


@inlined
def _stretch(rows, i, k, walk):
    """The place of the row's stretch (consecutive rows of one key that lie where one series should), and whether it is new."""
    merchant, zone, channel = rows.merchant[i], np.int64(rows.zone[i]), np.int64(rows.channel[i])
    missing = np.int64(rows.nulls[i]) & c.MERCHANT
    at, own = walk.state[STRETCHES] - 1, walk.stretches
    new = (
        at < 0
        or own[at, SERIES] != k
        or own[at, MERCHANT] != merchant
        or own[at, ZONE] != zone
        or own[at, CHANNEL] != channel
        or own[at, NULLS] != missing
    )
    if new:
        at += 1
        walk.state[STRETCHES] = at + 1
        own[at, SERIES], own[at, MERCHANT], own[at, ZONE], own[at, CHANNEL] = k, merchant, zone, channel
        own[at, NULLS], own[at, LENGTH] = missing, 0
    own[at, LENGTH] += 1
    return at, new


@inlined
def _mixed(bucket, factor, missing):
    """64 bits of a bucket and its factor; equal factors give equal bits, whatever the sign of zero."""
    whole = np.float64(factor + 0.0).view(np.uint64)
    mixed = (np.uint64(bucket) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(missing)
    mixed = (mixed ^ mixed >> np.uint64(29)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ whole) * np.uint64(0x94D049BB133111EB)
    mixed = (mixed ^ mixed >> np.uint64(32)) * np.uint64(_NEW)
    return mixed ^ mixed >> np.uint64(29)


@inlined
def _add_factor(factor, walk):
    """Sum and bounds of the factors; not a number counts as the greatest, as in SQL."""
    if factor != factor or factor > walk.bounds[1]:
        walk.bounds[1] = factor
    if factor < walk.bounds[0]:
        walk.bounds[0] = factor
    if abs(factor) < _MOST_FACTOR:
        add_wide(walk.factor, np.rint(factor * _BILLION))
    else:
        walk.state[UNSUMMED] += 1


@inlined
def _draw(place, mu, at, walk):
    """A row whose count was drawn."""
    if not walk.state[DRAWN]:
        walk.state[FIRST_DRAWN] = place
    walk.state[LAST_DRAWN] = place
    walk.state[DRAWN] += 1
    walk.stretches[at, DRAWS] += 1
    if walk.state[LARGE] < LARGEST:
        walk.large[walk.state[LARGE]], walk.means[walk.state[LARGE]] = place, mu
        walk.state[LARGE] += 1
        return
    least = 0
    for place_of in range(1, LARGEST):  # of equal means the first row stays
        lower = walk.means[place_of] < walk.means[least]
        if lower or (walk.means[place_of] == walk.means[least] and walk.large[place_of] > walk.large[least]):
            least = place_of
    if mu > walk.means[least]:
        walk.large[least], walk.means[least] = place, mu


@inlined
def _add_residual(number, mu, kappa, limits, walk):
    """One residual of T9, and what the count law says of its square (docs/laws#T9)."""
    if not mu > _LEAST_MEAN:
        return
    residual = (number - mu) / np.sqrt(mu)
    if not abs(residual) < _MOST_RESIDUAL:
        return
    square = residual * residual
    walk.state[MEASURED] += 1
    add_wide(walk.residuals[0], np.rint(residual * _MILLION))
    add_wide(walk.residuals[1], np.rint(square * _MILLION))
    spread = 1.0 / kappa if kappa > 0.0 else 0.0
    expected, variance = 1.0 + mu * spread, _variance_of_square(mu, spread)
    if mu > limits.zero_eps and mu * _FAR_FROM_CAP <= limits.count_cap and variance < _MOST_MOMENT:
        gap = min(abs(square - expected), _MOST_GAP)
        walk.state[LAWFUL] += 1
        add_wide(walk.residuals[2], np.rint(square * _MILLION))
        add_wide(walk.residuals[3], np.rint(expected * _MILLION))
        add_wide(walk.residuals[4], np.rint(variance * _MILLION))
        add_wide(walk.residuals[5], np.rint(gap * gap * _MILLION))


@inlined
def _variance_of_square(mu, spread):
    """Variance of (N - mu)^2 / mu for a Poisson count whose mean is lognormal with mean mu and variance mu^2 ``spread``,
    from the factorial moments mu^k (1 + spread)^(k (k - 1) / 2), without the terms that cancel."""
    s = spread
    quartic = s * s * (2.0 + s * (16.0 + s * (15.0 + s * (6.0 + s))))
    cubic = s * (4.0 + s * (18.0 + 6.0 * s))
    return mu * (mu * quartic + cubic) + 2.0 + 7.0 * s + 1.0 / mu
