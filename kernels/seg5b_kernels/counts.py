"""Bucket counts: Poisson and negative binomial (lognormal-mixed Poisson) by inversion. Law L6."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.derivation import draw_words
from seg5b_kernels.portable import exp, log, normal_quantile
from seg5b_kernels.targets import cpu_loop, product, scalar
from seg5b_kernels.uniform import unit_open

POISSON, NB2 = 0, 1
# math.floor makes an int64; beyond its range the result would differ between targets. Any policy's cap is far below.
LARGEST_FLOOR = 2.0**62


class CountInputs(NamedTuple):
    """n buckets with positive mean.

    ``stream``: `seg5b_kernels.derivation.Streams` [n]. ``mu`` float64 [n]: mean arrivals in the bucket.
    ``kappa`` float64 [n]: dispersion (nb2 only). ``law``: `POISSON` or `NB2`. ``exact_lambda_max``: means up to
    this are inverted term by term, larger ones by the normal approximation. ``n_cap_exact``: bound of the
    term-by-term walk. ``max_count``: cap of the result.
    """

    stream: Any
    mu: Any
    kappa: Any
    law: int
    exact_lambda_max: float
    n_cap_exact: int
    max_count: int


class Counts(NamedTuple):
    """``count`` int64 [n]; ``capped`` uint8 [n]: 1 where ``max_count`` cut the draw."""

    count: Any
    capped: Any


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
def mixed_mean(mu, kappa, u):
    """Lognormal stand-in for the Gamma mixture of nb2: mean ``mu``, variance mu^2 / kappa."""
    variance = log(1.0 + 1.0 / kappa)
    location = log(mu) - product(0.5, variance)
    return exp(location + product(math.sqrt(variance), normal_quantile(u)))


@scalar
def bucket_count(i, inputs, counts):
    """Element: the count of bucket ``i``. Consumes one block: word 0 for poisson; word 0 for the mixed mean and
    word 1 for the count under nb2."""
    word0, word1 = draw_words(inputs.stream, i, np.uint64(0))
    mean = inputs.mu[i]
    u = unit_open(word0)
    if inputs.law == NB2:
        mean = mixed_mean(mean, inputs.kappa[i], u)
        u = unit_open(word1)
    cap = np.float64(inputs.max_count)
    if mean <= inputs.exact_lambda_max:
        drawn = np.float64(poisson_exact(mean, u, inputs.n_cap_exact))
    else:
        drawn = poisson_normal(mean, u)
    counts.count[i] = np.int64(min(drawn, cap))
    counts.capped[i] = np.uint8(1 if drawn > cap else 0)


@cpu_loop
def bucket_counts_cpu(start, stop, inputs, counts):
    """CPU loop of `bucket_count`."""
    for i in range(start, stop):
        bucket_count(i, inputs, counts)
