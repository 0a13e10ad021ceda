"""Laws L5 and L6 for one group or bucket: latent path, factor, count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seg5b.twin.numbers import cos_turn, exp, log, normal_quantile
from seg5b.twin.randomness import Draw, Stream

FLOOR_LIMIT = 2.0**62
LEAST_RATIO = 2.0**-1022


@dataclass(frozen=True, slots=True)
class FieldLaw:
    """Parameters of a group's field: ``sigma`` of the log factor, ``length`` in buckets (0 for independent buckets), clip
    of the factor."""

    sigma: float
    length: float
    min_factor: float
    max_factor: float

    @property
    def phi(self) -> float:
        """Correlation of neighbouring buckets."""
        return exp(-1.0 / self.length) if self.length > 0.0 else 0.0

    def factor(self, latent: float) -> float:
        """Mean-one factor exp(Z - sigma^2 / 2), clipped."""
        return min(max(exp(latent - 0.5 * (self.sigma * self.sigma)), self.min_factor), self.max_factor)


def latent_path(stream: Stream, law: FieldLaw, buckets: int) -> list[float]:
    """Z of buckets 0 .. ``buckets`` - 1. Consumes one block each."""
    phi = law.phi
    later = law.sigma * math.sqrt(max(1.0 - phi * phi, 0.0))
    path: list[float] = []
    z = 0.0
    for t in range(buckets):
        scale = later if t else law.sigma
        z = phi * z + scale * standard_normal(stream.draw(t))
        path.append(z)
    return path


def standard_normal(draw: Draw) -> float:
    """Box-Muller, the cosine branch."""
    return math.sqrt(-2.0 * log(draw.u0)) * cos_turn(draw.u1)


@dataclass(frozen=True, slots=True)
class LevelLaw:
    """Parameters of a series' field under ``log_gaussian_two_level_v1``: ``sigma`` of the log factor; of each level, from the
    country over the zone to the series' own path, its share of the variance and its length in buckets."""

    sigma: float
    shares: tuple[float, float, float]
    lengths: tuple[float, float, float]

    @property
    def paths(self) -> tuple[FieldLaw, ...]:
        """The law of each level's path, which has variance one."""
        return tuple(FieldLaw(1.0, length, 0.0, math.inf) for length in self.lengths)

    def log_factor(self, levels: Sequence[float]) -> float:
        """Logarithm of the mean-one factor of a bucket, from the values of its three paths there."""
        country, zone, own = (math.sqrt(share) * value for share, value in zip(self.shares, levels, strict=True))
        return self.sigma * ((country + zone) + own) - 0.5 * (self.sigma * self.sigma)

    def factor(self, levels: Sequence[float]) -> float:
        """The mean-one factor of a bucket; no clip."""
        return exp(self.log_factor(levels))


@dataclass(frozen=True, slots=True)
class VolumeLaw:
    """How the dispersion of a cell follows its mean mu: that of its group times (mu / ``reference_mean``)^``power``, within
    ``least`` and ``most``; a smaller part of the reference mean than 2^-1022 counts as that."""

    reference_mean: float
    power: float
    least: float
    most: float

    def kappa(self, of_group: float, mu: float) -> float:
        """Dispersion of a cell of mean ``mu``."""
        scaled = of_group * exp(self.power * log(max(mu / self.reference_mean, LEAST_RATIO)))
        return min(max(scaled, self.least), self.most)


@dataclass(frozen=True, slots=True)
class CountParameters:
    """``law`` ``poisson`` or ``nb2`` with dispersion ``kappa`` of the group (None for poisson), which that of a cell equals or
    follows by ``volume``; means up to ``exact_max`` are inverted term by term, at most ``term_cap`` terms; ``cap`` bounds the
    count."""

    law: str
    kappa: float | None
    exact_max: float
    term_cap: int
    cap: int
    volume: VolumeLaw | None = None

    def kappa_at(self, mu: float) -> float | None:
        """Dispersion of a cell of mean ``mu``; None for poisson."""
        if self.kappa is None or self.volume is None:
            return self.kappa
        return self.volume.kappa(self.kappa, mu)


@dataclass(frozen=True, slots=True)
class DrawnCount:
    """A count, the Poisson mean it was drawn with, and whether the cap cut it."""

    count: int
    mean: float
    capped: bool


def draw_count(draw: Draw, mu: float, law: CountParameters) -> DrawnCount:
    """Count of a bucket with mean ``mu`` above the zero rule. Consumes one word (poisson) or two (nb2)."""
    mean, u = mu, draw.u0
    if law.law == "nb2":
        kappa = law.kappa_at(mu)
        assert kappa is not None
        mean, u = mixed_mean(mu, kappa, draw.u0), draw.u1
    drawn = poisson_by_terms(mean, u, law.term_cap) if mean <= law.exact_max else poisson_by_normal(mean, u)
    return DrawnCount(min(drawn, law.cap), mean, drawn > law.cap)


def mixed_mean(mu: float, kappa: float, u: float) -> float:
    """Lognormal mean of mean ``mu`` and variance ``mu``^2 / ``kappa``."""
    variance = log(1.0 + 1.0 / kappa)
    return exp((log(mu) - 0.5 * variance) + math.sqrt(variance) * normal_quantile(u))


def poisson_by_terms(mean: float, u: float, most: int) -> int:
    """Smallest n whose distribution function reaches ``u``, as far as terms still change the sum."""
    term = exp(-mean)
    total, n = term, 0
    while total < u and n < most:
        term = term * mean / (n + 1.0)
        if total + term == total:
            break
        total, n = total + term, n + 1
    return n


def poisson_by_normal(mean: float, u: float) -> int:
    """floor(mean + sqrt(mean) Phi^-1(u) + 1/2), at least 0."""
    drawn = mean + math.sqrt(mean) * normal_quantile(u) + 0.5
    return max(math.floor(min(drawn, FLOOR_LIMIT)), 0)
