"""What the law of the latent field says of the mean of all factors, the clip included (docs/laws#latent-field).

The factor exp(Z - sigma^2 / 2) has mean one, its clip to [lo, hi] has not: it takes mean away above and gives some below.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seg5b.explain.facts import WITH_COUNTRY, scene_of
from seg5b.run_tables.subject import Subject
from seg5b.twin.laws import FieldLaw
from seg5b.twin.merchants import Traits
from seg5b.twin.readings import SHARED
from seg5b.twin.scene import Scene

ALLOWED_SE = 6.0
SKEWED_SE = (ALLOWED_SE**2 - 1.0) / 6.0
"""Standard errors more for a skewness of one: the second term of the Cornish-Fisher expansion at `ALLOWED_SE`."""


@dataclass(frozen=True, slots=True)
class ClassMean:
    """Expected mean factor of a demand class, over ``series`` series; ``sigmas`` the least and the greatest of its groups."""

    demand_class: str
    series: int
    expected: float
    sigmas: tuple[float, float]


@dataclass(frozen=True, slots=True)
class FactorMean:
    """Expected mean of all factors of a scenario, its standard error and skewness (bounds from above), and the classes."""

    expected: float
    standard_error: float
    skewness: float
    classes: tuple[ClassMean, ...]

    @property
    def allowed(self) -> float:
        """How far the mean of a lawful run lies from `expected` at most."""
        return (ALLOWED_SE + SKEWED_SE * abs(self.skewness)) * self.standard_error


def expected_factor_mean(subject: Subject) -> FactorMean:
    """The law's mean of all factors of a scenario, every series counting alike. Raises `PolicyError` for a name that the
    field policy does not know."""
    groups = [
        (Traits(*row[:5]), int(row[5]))
        for row in subject.rows(
            """SELECT group_id, demand_class, channel_group, virtual_band, scenario_band, count(*) FROM grouping
               GROUP BY ALL ORDER BY ALL"""
        )
    ]
    if not groups:
        return FactorMean(1.0, 0.0, 0.0, ())
    scene = scene_of(subject)
    laws = [scene.field_law(traits) for traits, _ in groups]
    if scene.readings.has_levels:
        return _of_levels(subject, scene, groups, laws)
    buckets = int(subject.constants["buckets"] or 1)
    moments = {law: path_moments(law, buckets) for law in set(laws)}
    total = sum(series for _, series in groups)
    expected = math.fsum(moments[law][0] * series for law, (_, series) in zip(laws, groups, strict=True)) / total
    variance = math.fsum(moments[law][1] * series**2 for law, (_, series) in zip(laws, groups, strict=True)) / total**2
    third = math.fsum(moments[law][2] * series**3 for law, (_, series) in zip(laws, groups, strict=True)) / total**3
    error = math.sqrt(variance)
    return FactorMean(expected, error, third / error**3 if error else 0.0, _classes(groups, laws, moments))


def _of_levels(
    subject: Subject, scene: Scene, groups: Sequence[tuple[Traits, int]], laws: Sequence[FieldLaw]
) -> FactorMean:
    """The same under ``log_gaussian_two_level_v1``: the mean is one, and series of one country or zone vary together.

    Two factors whose log factors have the covariance c have the covariance exp(c) - 1, at most c times (exp(s^2) - 1) / s^2
    where c is at most s^2. So the variance is at most that of the sum of the log factors times this ratio, s the greatest
    sigma; and c adds up level by level, over the series that share a path. The skewness is that of a lognormal number of this
    variance.
    """
    sigma_of = {traits.group_id: law.sigma for (traits, _), law in zip(groups, laws, strict=True)}
    length_of = {traits.group_id: law.length for (traits, _), law in zip(groups, laws, strict=True)}
    sums: dict[tuple[str, str], float] = defaultdict(float)
    rows = subject.rows(
        f"SELECT group_id, country, zone_representation, count(*) FROM {WITH_COUNTRY} GROUP BY ALL ORDER BY ALL"
    )
    for group_id, country, zone, series in rows:
        for name in (("country", str(country)), ("zone", zone)):
            sums[name] += sigma_of[group_id] * series
    buckets, n = int(subject.constants["buckets"] or 1), sum(row[3] for row in rows)
    levels = dict(zip(SHARED, scene.readings.shared_levels, strict=True))
    variances = [
        levels[level][0] * _mean_correlation(levels[level][1], buckets) * total**2 for (level, _), total in sums.items()
    ]
    own = 1.0 - sum(share for share, _ in levels.values())
    variances += [own * _mean_correlation(length_of[row[0]], buckets) * sigma_of[row[0]] ** 2 * row[3] for row in rows]
    greatest = max(sigma_of.values()) ** 2
    variance = math.fsum(variances) / n**2 * math.expm1(greatest) / greatest
    ones = dict.fromkeys(laws, (1.0, 0.0, 0.0))
    return FactorMean(1.0, math.sqrt(variance), math.sqrt(variance) * (3.0 + variance), _classes(groups, laws, ones))


def _mean_correlation(length: float, buckets: int) -> float:
    """Mean of exp(-lag / length) over all pairs of buckets: the variance of the mean of a path of variance one."""
    lags = np.arange(1, buckets)
    return (buckets + 2.0 * math.fsum(((buckets - lags) * np.exp(-lags / length)).tolist())) / buckets**2


def _classes(
    groups: Sequence[tuple[Traits, int]], laws: Sequence[FieldLaw], moments: dict[FieldLaw, tuple[float, float, float]]
) -> tuple[ClassMean, ...]:
    found: dict[str, list[tuple[FieldLaw, int]]] = defaultdict(list)
    for law, (traits, series) in zip(laws, groups, strict=True):
        found[traits.demand_class].append((law, series))
    return tuple(
        ClassMean(
            name,
            sum(series for _, series in own),
            math.fsum(moments[law][0] * series for law, series in own) / sum(series for _, series in own),
            (min(law.sigma for law, _ in own), max(law.sigma for law, _ in own)),
        )
        for name, own in sorted(found.items())
    )


def clipped_moment(law: FieldLaw, power: int) -> float:
    """E[min(max(F, lo), hi)^power] of the factor F = exp(Z - sigma^2 / 2), Z normal with deviation sigma."""
    sigma = law.sigma
    if law.min_factor == 0.0 and math.isinf(law.max_factor):
        return math.exp((power * power - power) * sigma * sigma / 2.0)
    low, high = (math.log(bound) / sigma + sigma / 2.0 for bound in (law.min_factor, law.max_factor))
    between = _normal_cdf(high - power * sigma) - _normal_cdf(low - power * sigma)
    return (
        law.min_factor**power * _normal_cdf(low)
        + law.max_factor**power * _normal_cdf(-high)
        + math.exp((power * power - power) * sigma * sigma / 2.0) * between
    )


def path_moments(law: FieldLaw, buckets: int) -> tuple[float, float, float]:
    """Mean, variance and third central moment of the mean of a path of ``buckets`` clipped factors; the last two are bounds
    from above, and near the truth where the clip acts seldom.

    Two factors whose Z correlate by rho have a covariance of at most exp(sigma^2 rho) - 1, which is the unclipped factors',
    because the clip is nowhere steeper than 1; and of at most rho times the variance, because no power of rho in its
    expansion by Hermite polynomials is larger.
    """
    mean, square, cube = (clipped_moment(law, power) for power in (1, 2, 3))
    variance = square - mean * mean
    covariance = 0.0
    if law.length > 0.0:
        lags = np.arange(1, buckets)
        rho = np.exp(-lags / law.length)
        bound = np.minimum(np.expm1(law.sigma**2 * rho), rho * variance)
        covariance = 2.0 * math.fsum(((buckets - lags) * bound).tolist()) / buckets**2
    of_path = variance / buckets + covariance
    third = cube - 3.0 * mean * square + 2.0 * mean**3
    return mean, of_path, third * (of_path / variance) ** 1.5 if variance > 0.0 else 0.0


def _normal_cdf(x: float) -> float:
    return math.erfc(-x / math.sqrt(2.0)) / 2.0
