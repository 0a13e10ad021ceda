"""T15: dispersion of counts, autocorrelation and mean of fields, and distribution of offsets, against their laws.

Counts: in each octave of mu, the mean of (N - mu)^2 / (mu + mu^2 / kappa) is 1. Fields: the factor's median is
exp(-sigma^2 / 2) whatever the clip, and the signs about it agree at lag k with probability 1/2 + asin(rho^k) / pi, rho =
exp(-1 / L) (the orthant probability of a Gaussian process); half of all values lie within 0.6745 sigma. Signs are used
because clipping does not touch them. Groups are independent, so the scatter across groups gives the standard error. What
the clip takes from the mean factor of a class is known exactly, and the observed mean is held to the rest.
Offsets: given the counts, instants within a bucket are uniform (time rescaling), so their distribution function is the
diagonal (Kolmogorov-Smirnov); under ``linear_v1`` it is the mean of those of the cells, each counting as its arrivals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from seg5b.explain.facts import scene_of
from seg5b.part_scan import OFFSET_BINS
from seg5b.run_tables.cell_kappa import cell_spread
from seg5b.run_tables.subject import Subject
from seg5b.twin.laws import FieldLaw
from seg5b.twin.merchants import Place, Traits
from seg5b.validation.clipped_factor import SKEWED_SE, path_moments
from seg5b.validation.placement import heights_by_hour
from seg5b.validation.records import Finding
from seg5b.validation.shared_paths import own_parts

LEAST_ROWS = 500
LEAST_ARRIVALS = 500.0
LEAST_GROUPS = 8
LAGS = (1, 24)
ALLOWED_SE = (5.0, 4.0)
ALLOWED_RATIO = (0.02, 0.01)
ALLOWED_SHARE = (0.005, 0.0025)
KS_FACTOR = (2.5, 2.2)
_HOUR_BINS, _OF_HOURS = 64, 5.0 / 6.0
_HALF_OF_NORMAL = 0.6744897501960817


@dataclass(frozen=True, slots=True)
class Statistic:
    """A statistic beside what its law says, with its standard error and what is allowed beyond it at B and B+;
    ``judged`` false where there is too little."""

    name: str
    value: float
    expected: float
    se: float
    rows: int
    judged: bool
    allowed: tuple[float, float] = ALLOWED_RATIO

    def within(self, grade: int) -> bool:
        """Whether it agrees at grade 0 (B) or 1 (B+)."""
        gap = abs(self.value - self.expected)
        return gap <= ALLOWED_SE[grade] * self.se + self.allowed[grade]


def dispersion(subject: Subject) -> Finding:
    """Variance ratio of every octave of mu, and the overall mean."""
    octaves = subject.rows(
        f"""SELECT floor(log2(mu))::INTEGER AS octave, count(*), sum(mu), avg(z), avg(z * z), avg(kurtosis),
                  sum(count_N - mu), sum(var)
           FROM (SELECT mu, count_N, {cell_spread("kappa", "mu")} AS spread, mu + mu * mu * spread AS var,
                        pow(count_N - mu, 2) / var AS z, 1 + spread AS w,
                        2 + pow(w, 4) + 2 * pow(w, 3) + 3 * w * w - 6 + 1 / var AS kurtosis
                 FROM (SELECT position, mu, count_N FROM counts WHERE mu > greatest($zero_eps, 1e-9))
                 JOIN (SELECT k, kappa FROM series) ON k = position // $buckets)
           GROUP BY octave ORDER BY octave"""
    )
    found = [_octave(*row[:6]) for row in octaves]
    gap, variance = sum(row[6] for row in octaves), sum(row[7] for row in octaves)
    rows = sum(row[1] for row in octaves)
    if variance > 0:
        # in units of its own standard error, so that 0 +- 1 is expected
        found.append(Statistic("mean count, in standard errors", gap / math.sqrt(variance), 0.0, 1.0, rows, True))
    return _finding(found, rows)


def _octave(octave: int, rows: int, arrivals: float, ratio: float, square: float, kurtosis: float) -> Statistic:
    """The standard error is the sample's or the law's, whichever is larger: a few rows do not show a heavy tail. The law's
    takes the kurtosis of the lognormal mixture, w^4 + 2 w^3 + 3 w^2 - 6 with w = 1 + 1 / kappa, and of the Poisson part."""
    se = math.sqrt(max(square - ratio * ratio, kurtosis, 0.0) / rows)
    judged = rows >= LEAST_ROWS and arrivals >= LEAST_ARRIVALS
    return Statistic(f"variance / law, mu in [2^{octave}, 2^{octave + 1})", ratio, 1.0, se, rows, judged)


def memory(subject: Subject) -> Finding:
    """Agreement of signs at each lag, the share of values within 0.6745 sigma, and the mean factor of each class, over all
    groups. Facts ``mean_taken_by_clip``: what the clip takes from the mean of each class, which the law would have at one."""
    if subject.policies.lgcp.latent_model_id == "none":
        return Finding(skipped="the latent model is none")
    traits = _traits(subject)
    laws, factors = _laws_and_factors(subject, traits, _paths(subject, len(traits)))
    sigma = np.array([law.sigma for law in laws])[:, None]
    rho = np.array([math.exp(-1.0 / law.length) if law.length > 0 else 0.0 for law in laws])
    latent = np.log(factors) + sigma**2 / 2.0
    found = []
    for lag in LAGS:
        if lag < factors.shape[1]:
            positive = latent > 0.0
            agree = (positive[:, lag:] == positive[:, :-lag]).mean(axis=1)
            found.append(_over_groups(f"sign agreement at lag {lag}", agree, 0.5 + np.arcsin(rho**lag) / math.pi))
    inside = (np.abs(latent) < _HALF_OF_NORMAL * sigma).mean(axis=1)
    found.append(_over_groups("share within 0.6745 sigma", inside, np.full(inside.size, 0.5)))
    means, taken = _means_by_class(traits, laws, factors)
    finding = _finding([*found, *means], factors.size)
    return replace(finding, facts={**finding.facts, "mean_taken_by_clip": taken})


def _laws_and_factors(
    subject: Subject, traits: Sequence[Traits], factors: np.ndarray
) -> tuple[Sequence[FieldLaw], np.ndarray]:
    """The law of one path of each group, and its factors; under ``log_gaussian_two_level_v1`` of the own path of a series, with
    the paths of its country and zone, derived again, taken out: what is left is independent of what is left of others."""
    scene = scene_of(subject)
    if not scene.readings.has_levels:
        return [scene.field_law(each) for each in traits], factors
    places = subject.rows(
        """SELECT s.merchant_id, s.zone_representation, s.channel_group, f.country
           FROM (SELECT min(k) AS k FROM series GROUP BY group_id) JOIN series s USING (k)
                LEFT JOIN first_countries f ON f.merchant_id = s.merchant_id AND f.tzid = s.zone_representation
           ORDER BY s.group_id"""
    )
    named = [Place(merchant, zone, channel, str(country)) for merchant, zone, channel, country in places]
    return own_parts(scene, [scene.level_law(each) for each in traits], named, factors)


def _means_by_class(
    traits: Sequence[Traits], laws: Sequence[FieldLaw], factors: np.ndarray
) -> tuple[list[Statistic], dict[str, float]]:
    """Mean factor of each class beside that of the clipped law, every group counting alike."""
    moments = {law: path_moments(law, factors.shape[1]) for law in set(laws)}
    found, taken = [], {}
    for name in sorted({each.demand_class for each in traits}):
        own = [group for group, each in enumerate(traits) if each.demand_class == name]
        mean, variance, third = np.array([moments[laws[group]] for group in own]).sum(axis=0)
        error = math.sqrt(variance)
        more = SKEWED_SE * abs(third) / variance / len(own) if variance else 0.0
        value, expected = float(factors[own].mean()), float(mean) / len(own)
        found.append(Statistic(f"mean factor, {name}", value, expected, error / len(own), len(own), True, (more, more)))
        taken[name] = 1.0 - expected
    return found, taken


def _over_groups(name: str, value: np.ndarray, expected: np.ndarray) -> Statistic:
    gap = value - expected
    se = float(gap.std(ddof=1) / math.sqrt(gap.size)) if gap.size > 1 else 0.0
    enough = gap.size >= LEAST_GROUPS
    return Statistic(name, float(value.mean()), float(expected.mean()), se, gap.size, enough, ALLOWED_SHARE)


def _traits(subject: Subject) -> list[Traits]:
    rows = subject.rows(
        """SELECT DISTINCT group_id, demand_class, channel_group, virtual_band, scenario_band FROM grouping
           ORDER BY group_id"""
    )
    return [Traits(*row) for row in rows]


def _paths(subject: Subject, groups: int) -> np.ndarray:
    """Factors float64 [G, H], groups ascending by id, from the first series of each."""
    columns = subject.database.arrays(
        f"""SELECT lambda_random_component AS factor
            FROM (SELECT position, bucket_index, lambda_random_component FROM intensity)
            JOIN (SELECT group_id, min(k) AS k FROM series GROUP BY group_id)
                 ON k = position // {int(subject.constants["buckets"] or 1)}
            ORDER BY group_id, bucket_index"""
    )
    return np.asarray(columns["factor"], np.float64).reshape(groups, -1)


def offsets(subject: Subject) -> Finding:
    """Kolmogorov-Smirnov distance of all in-bucket offsets from what the law of placement expects, at 4096 places: uniform, or
    under ``linear_v1`` the mixture of the densities of all cells that have arrivals, and of those of each hour of the day."""
    counts = np.zeros(OFFSET_BINS, np.int64)
    for place, arrivals in subject.rows("SELECT bin, arrivals FROM offset_bins"):
        counts[place] = arrivals
    total = int(counts.sum())
    distance = 1.0
    if total and subject.policies.readings.follows_intensity:
        distance = _distance_by_hour(subject, counts)
    elif total:
        distance = ks_distance(counts, np.arange(1, OFFSET_BINS + 1) / OFFSET_BINS)
    limits = [factor / math.sqrt(max(total, 1)) for factor in KS_FACTOR]
    facts = {"ks_distance": distance, "limit_b": limits[0], "limit_bplus": limits[1], "arrivals": total}
    return Finding(int(not distance <= limits[0]), () if distance <= limits[0] else (facts,), total, facts)


def _distance_by_hour(subject: Subject, counts: np.ndarray) -> float:
    """The larger of the distance of all and of those by hour of the day, at 64 places: over a whole day densities that rise
    make up for those that fall. An hour's counts 5/6 of itself, for there are 24, and as for its own number of arrivals."""
    heights = heights_by_hour(subject)
    distance = ks_distance(counts, np.cumsum(heights.together().shares(OFFSET_BINS)[0]))
    rows = subject.arrays("FROM offset_hours ORDER BY hour, bin")
    hours = np.zeros((24, _HOUR_BINS))
    hours[rows["hour"], rows["bin"]] = rows["arrivals"]
    for own, expected in zip(hours, np.cumsum(heights.shares(_HOUR_BINS), axis=1), strict=True):
        if own.sum():
            distance = max(distance, _OF_HOURS * ks_distance(own, expected) * math.sqrt(own.sum() / counts.sum()))
    return distance


def ks_distance(counts: np.ndarray, expected: np.ndarray) -> float:
    """Largest gap, at the upper edges of bins, between the distribution function of ``counts`` and an ``expected`` one."""
    steps = np.cumsum(counts) / counts.sum()
    return float(np.abs(steps - expected).max())


def _finding(found: Sequence[Statistic], rows: int) -> Finding:
    wrong = [each for each in found if each.judged and not each.within(0)]
    facts: dict[str, Any] = {
        "measured": [{**asdict(each), "b": each.within(0), "bplus": each.within(1)} for each in found]
    }
    return Finding(len(wrong), tuple(asdict(each) for each in wrong[:10]), rows, facts)
