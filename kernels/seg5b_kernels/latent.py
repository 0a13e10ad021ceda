"""Latent log-Gaussian fields and the intensities they modulate. Law L5."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.derivation import draw_words
from seg5b_kernels.portable import cos_turn, exp, log
from seg5b_kernels.targets import cpu_loop, product, scalar
from seg5b_kernels.uniform import unit_open


class FieldInputs(NamedTuple):
    """Groups of latent fields.

    ``stream``: `seg5b_kernels.derivation.Streams` [G]. ``sigma`` float64 [G]: stationary standard
    deviation of the log field. ``length_buckets`` float64 [G]: correlation length in buckets; 0 makes the field
    independent from bucket to bucket. ``min_factor``, ``max_factor``: clip of the factor.
    """

    stream: Any
    sigma: Any
    length_buckets: Any
    min_factor: float
    max_factor: float


class Fields(NamedTuple):
    """``latent`` float64 [G, H]: Z before the mean correction. ``factor`` float64 [G, H]: exp(Z - sigma^2/2),
    clipped. ``clipped_low``, ``clipped_high`` int64 [G]: how often the clip bit."""

    latent: Any
    factor: Any
    clipped_low: Any
    clipped_high: Any


@scalar
def standard_normal(word0, word1):
    """Box-Muller: sqrt(-2 ln u1) cos(2 pi u2), u1 from word 0 and u2 from word 1; the sine branch is not used."""
    return product(math.sqrt(product(-2.0, log(unit_open(word0)))), cos_turn(unit_open(word1)))


@scalar
def latent_field(i, inputs, fields):
    """Element: the field of group ``i`` over all H buckets, block t of its stream for bucket t.

    Z_0 = sigma z_0; Z_t = phi Z_{t-1} + sigma sqrt(1 - phi^2) z_t with phi = exp(-1 / length). Consumes H blocks,
    2 H draws.
    """
    sigma = inputs.sigma[i]
    length = inputs.length_buckets[i]
    phi = exp(-1.0 / length) if length > 0.0 else 0.0
    innovation = product(sigma, math.sqrt(max(1.0 - product(phi, phi), 0.0)))
    half_variance = product(0.5, product(sigma, sigma))
    z = 0.0
    low_count = 0
    high_count = 0
    for t in range(fields.latent.shape[1]):
        word0, word1 = draw_words(inputs.stream, i, np.uint64(t))
        scale = sigma if t == 0 else innovation
        z = product(phi, z) + product(scale, standard_normal(word0, word1))
        factor = exp(z - half_variance)
        low_count += factor < inputs.min_factor
        high_count += factor > inputs.max_factor
        fields.latent[i, t] = z
        fields.factor[i, t] = min(max(factor, inputs.min_factor), inputs.max_factor)
    fields.clipped_low[i] = low_count
    fields.clipped_high[i] = high_count


@cpu_loop
def latent_fields_cpu(start, stop, inputs, fields):
    """CPU loop of `latent_field`."""
    for i in range(start, stop):
        latent_field(i, inputs, fields)


class LevelInputs(NamedTuple):
    """S series whose log factor is a sum of three paths (docs/laws#two-level-field).

    ``stream``: `seg5b_kernels.derivation.Streams` [S] of their own paths. ``sigma`` float64 [S]: stationary standard
    deviation of the sum. ``length_buckets`` float64 [S]: correlation length of the own path in buckets, above 0.
    ``country``, ``zone`` int32 [S]: rows of ``shared`` float64 [P, H], paths of variance one that series share.
    ``country_weight``, ``zone_weight``, ``own_weight``: square roots of the shares of the variance, which add up to one.
    """

    stream: Any
    sigma: Any
    length_buckets: Any
    country: Any
    zone: Any
    shared: Any
    country_weight: float
    zone_weight: float
    own_weight: float


class LevelFactors(NamedTuple):
    """``factor`` float64 [S, H]: exp(sigma X - sigma^2 / 2), X the weighted sum of the three paths; not clipped."""

    factor: Any


@scalar
def two_level_factor(i, inputs, factors):
    """Element: the factor of series ``i`` over all H buckets, block t of its own stream for bucket t.

    Own path V_0 = z_0, V_t = phi V_{t-1} + sqrt(1 - phi^2) z_t with phi = exp(-1 / length); X = (w_country U + w_zone W) +
    w_own V with the shared paths U, W. Consumes H blocks, 2 H draws.
    """
    sigma = inputs.sigma[i]
    phi = exp(-1.0 / inputs.length_buckets[i])
    innovation = math.sqrt(max(1.0 - product(phi, phi), 0.0))
    half_variance = product(0.5, product(sigma, sigma))
    country = inputs.country[i]
    zone = inputs.zone[i]
    own = 0.0
    for t in range(factors.factor.shape[1]):
        word0, word1 = draw_words(inputs.stream, i, np.uint64(t))
        scale = 1.0 if t == 0 else innovation
        own = product(phi, own) + product(scale, standard_normal(word0, word1))
        shared = product(inputs.country_weight, inputs.shared[country, t]) + product(
            inputs.zone_weight, inputs.shared[zone, t]
        )
        whole = shared + product(inputs.own_weight, own)
        factors.factor[i, t] = exp(product(sigma, whole) - half_variance)


@cpu_loop
def two_level_factors_cpu(start, stop, inputs, factors):
    """CPU loop of `two_level_factor`."""
    for i in range(start, stop):
        two_level_factor(i, inputs, factors)


class IntensityInputs(NamedTuple):
    """A block of S series over H buckets.

    ``surface`` float64 [C, H]: expected arrivals per bucket of each country component. ``component`` int32 [C]:
    rows of ``surface`` in series order, countries ascending within a series. ``component_start`` int32 [S + 1]:
    prefix sums into ``component``. ``group`` int32 [S]: row of ``factor``. ``factor`` float64 [G, H].
    ``lambda_max``: upper bound of the result (infinity when the policy has none).
    """

    surface: Any
    component: Any
    component_start: Any
    group: Any
    factor: Any
    lambda_max: float


class Intensities(NamedTuple):
    """float64 [S * H] each, series-major: ``baseline`` (sum over countries), ``random`` (the factor), ``realised``
    (their product, at most ``lambda_max``)."""

    baseline: Any
    random: Any
    realised: Any


@scalar
def realised_intensity(i, inputs, intensities):
    """Element: bucket ``i % H`` of series ``i // H``. The sum runs in country order, in float64. No draws."""
    buckets = inputs.surface.shape[1]
    series = i // buckets
    bucket = i - series * buckets
    target = 0.0
    for position in range(inputs.component_start[series], inputs.component_start[series + 1]):
        target += inputs.surface[inputs.component[position], bucket]
    factor = inputs.factor[inputs.group[series], bucket]
    intensities.baseline[i] = target
    intensities.random[i] = factor
    intensities.realised[i] = min(product(target, factor), inputs.lambda_max)


@cpu_loop
def realised_intensities_cpu(start, stop, inputs, intensities):
    """CPU loop of `realised_intensity`."""
    for i in range(start, stop):
        realised_intensity(i, inputs, intensities)
