"""Bucket counts: Poisson and negative binomial (lognormal-mixed Poisson) by inversion. Law L6."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.derivation import DomainTemplates, digit_count, stream_of, words_at
from seg5b_kernels.portable import exp, log, normal_quantile
from seg5b_kernels.targets import cpu_loop, fetch_min, product, scalar
from seg5b_kernels.uniform import unit_open

POISSON, NB2 = 0, 1
# math.floor makes an int64; beyond its range the result would differ between targets. Any policy's cap is far below.
LARGEST_FLOOR = 2.0**62
LEAST_RATIO = 2.0**-1022
"""A mean that is less than this part of the reference mean counts as this part of it: `log` takes normal numbers."""
_LAST = np.uint64(2**64 - 1)


class VolumePower(NamedTuple):
    """How the dispersion of a cell follows its mean mu (docs/laws#cell-kappa): that of its group times
    (mu / ``reference_mean``)^``power``, clamped to ``least`` .. ``most``; a ``power`` of 0 leaves it as it is.
    ``reference_mean``: arrivals per bucket."""

    reference_mean: float
    power: float
    least: float
    most: float


SAME_KAPPA = VolumePower(1.0, 0.0, 0.0, np.inf)
"""All cells of a group have its dispersion."""


class CountLaw(NamedTuple):
    """How a mean becomes a count.

    ``law``: `POISSON` or `NB2`. ``zero_eps``: means up to this draw nothing. ``exact_lambda_max``: means up to this are
    inverted term by term, larger ones by the normal approximation. ``n_cap_exact``: bound of the term-by-term walk.
    ``max_count``: cap of the result. ``volume``: what the dispersion of nb2 depends on besides the group.
    """

    law: int
    zero_eps: float
    exact_lambda_max: float
    n_cap_exact: int
    max_count: int
    volume: VolumePower = SAME_KAPPA


class CountInputs(NamedTuple):
    """Rows ``first_row`` .. of a dataset on the axes: row r is series r // H, bucket r % H.

    ``templates``: of the series ``first_series`` .., ``digits_max`` rows each. ``mu`` float64 [rows]: mean arrivals in
    the bucket. ``kappa`` float64 [n]: dispersion of every series (nb2 only). ``bucket_count``: H.
    """

    templates: DomainTemplates
    mu: Any
    kappa: Any
    law: CountLaw
    first_row: int
    first_series: int
    bucket_count: int
    digits_max: int


class Counts(NamedTuple):
    """``count`` int64 [rows]; ``capped`` uint8 [rows]: 1 where ``max_count`` cut the draw; ``kappa`` float64 [rows]: dispersion
    of the cell, 0 where it has no mean, written only where the law has a power of volume, else of any length. int64 [1] each,
    the smallest row in which: ``no_mean``, the mean is negative or not finite; ``wraps``, the counter would pass 2^128."""

    count: Any
    capped: Any
    kappa: Any
    no_mean: Any
    wraps: Any


@scalar
def poisson_exact(mean, u, n_cap):
    """Smallest n with F(n) >= u, walking up from 0; stops early where the next term no longer changes the sum, or
    at ``n_cap``."""
    term = exp(-mean)
    total = term
    n = 0
    while total < u and n < n_cap:
        term = product(term, mean) / (n + 1.0)
        grown = total + term
        if grown == total:
            break
        total = grown
        n += 1
    return n


@scalar
def poisson_normal(mean, u):
    """floor(mean + sqrt(mean) Phi^-1(u) + 1/2), at least 0 (float64: the caller caps before converting)."""
    drawn = mean + product(math.sqrt(mean), normal_quantile(u)) + 0.5
    return max(math.floor(min(drawn, LARGEST_FLOOR)), 0.0)


@scalar
def cell_kappa(kappa, mu, volume):
    """Dispersion of a cell of mean ``mu`` (finite, not negative), whose group has ``kappa``."""
    if volume.power == 0.0:
        return kappa
    ratio = max(mu / volume.reference_mean, LEAST_RATIO)
    scaled = product(kappa, exp(product(volume.power, log(ratio))))
    return min(max(scaled, volume.least), volume.most)


@scalar
def mixed_mean(mu, kappa, u):
    """Lognormal stand-in for the Gamma mixture of nb2: mean ``mu``, variance mu^2 / kappa."""
    variance = log(1.0 + 1.0 / kappa)
    location = log(mu) - product(0.5, variance)
    return exp(location + product(math.sqrt(variance), normal_quantile(u)))


@scalar
def drawn_count(mean, kappa, law, word0, word1):
    """The count before the cap, float64: word 0 for poisson; word 0 for the mixed mean and word 1 for the count under
    nb2."""
    u = unit_open(word0)
    if law.law == NB2:
        mean = mixed_mean(mean, kappa, u)
        u = unit_open(word1)
    if mean <= law.exact_lambda_max:
        return np.float64(poisson_exact(mean, u, law.n_cap_exact))
    return poisson_normal(mean, u)


@scalar
def bucket_count(i, inputs, counts):
    """Element: the count of row ``i``. Consumes one block of the bucket's stream where the mean exceeds ``zero_eps``,
    nothing elsewhere."""
    drawn, kappa = 0.0, 0.0
    mean = inputs.mu[i]
    row = inputs.first_row + i
    series = row // inputs.bucket_count
    if not (mean >= 0.0 and mean < np.inf):
        fetch_min(counts.no_mean, np.int64(0), np.int64(i))
    else:
        kappa = cell_kappa(inputs.kappa[series], mean, inputs.law.volume)
        if mean > inputs.law.zero_eps:
            bucket = row - series * inputs.bucket_count
            digits = digit_count(bucket)
            template = (series - inputs.first_series) * inputs.digits_max + digits - 1
            key, high, low = stream_of(inputs.templates, template, bucket, digits)
            if high == _LAST and low == _LAST:
                fetch_min(counts.wraps, np.int64(0), np.int64(i))
            word0, word1 = words_at(key, high, low, np.uint64(0))
            drawn = drawn_count(mean, kappa, inputs.law, word0, word1)
    if inputs.law.volume.power > 0.0:
        counts.kappa[i] = kappa
    cap = np.float64(inputs.law.max_count)
    counts.count[i] = np.int64(min(drawn, cap))
    counts.capped[i] = np.uint8(1 if drawn > cap else 0)


@cpu_loop
def bucket_counts_cpu(start, stop, inputs, counts):
    """CPU loop of `bucket_count`."""
    for i in range(start, stop):
        bucket_count(i, inputs, counts)
