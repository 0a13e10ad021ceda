"""Laws L5 and L6 with the standard library and scipy: equal to the kernels up to rounding."""

from __future__ import annotations

import math

from scipy.stats import norm

from tests.oracle.randomness import World, uniform


def latent_path(world: World, group_id: str, sigma: float, length: float, buckets: int) -> list[float]:
    """OU field of one group."""
    return _ou_path(world, f"group_id={group_id}", sigma, length, buckets)


def _ou_path(world: World, domain: str, sigma: float, length: float, buckets: int) -> list[float]:
    phi = math.exp(-1.0 / length)
    path: list[float] = []
    for t in range(buckets):
        word0, word1 = world.words("S2.latent_vector.v1", domain, t)
        z = math.sqrt(-2.0 * math.log(uniform(word0))) * math.cos(2.0 * math.pi * uniform(word1))
        path.append(sigma * z if t == 0 else phi * path[-1] + sigma * math.sqrt(1.0 - phi * phi) * z)
    return path


def level_factors(
    world: World,
    country: str,
    series: tuple[int, str, str],
    sigma: float,
    shares: tuple[float, float],
    lengths: tuple[float, float, float],
    buckets: int,
) -> list[float]:
    """Factors of one series (merchant, zone, channel) under ``log_gaussian_two_level_v1``: each level a path of its own
    variance, exp(sum - half the sum of the variances)."""
    merchant, zone, channel = series
    domains = (
        f"level=country|country={country}",
        f"level=zone|zone={zone}",
        f"level=own|merchant_id={merchant}|zone={zone}|channel={channel}",
    )
    sigmas = [sigma * math.sqrt(share) for share in (*shares, 1.0 - sum(shares))]
    paths = [
        _ou_path(world, domain, own, length, buckets)
        for domain, own, length in zip(domains, sigmas, lengths, strict=True)
    ]
    return [
        math.exp(math.fsum(values) - math.fsum(own**2 for own in sigmas) / 2.0) for values in zip(*paths, strict=True)
    ]


def factor(z: float, sigma: float) -> float:
    """Mean-one factor, clipped to the shipped bounds."""
    return min(max(math.exp(z - sigma * sigma / 2.0), 0.2), 5.0)


def nb2_count(world: World, merchant: int, zone: str, bucket: int, mu: float, kappa: float) -> int:
    """Count of one bucket under the shipped policy."""
    domain = f"merchant_id={merchant}|zone={zone}|bucket_index={bucket}"
    word0, word1 = world.words("S3.bucket_count.v1", domain, 0)
    variance = math.log1p(1.0 / kappa)
    mean = math.exp(math.log(mu) - variance / 2.0 + math.sqrt(variance) * norm.ppf(uniform(word0)))
    u = uniform(word1)
    if mean > 50.0:
        return min(max(math.floor(mean + math.sqrt(mean) * norm.ppf(u) + 0.5), 0), 50_000)
    n, term = 0, math.exp(-mean)
    total = term
    while total < u:
        n += 1
        term *= mean / n
        total += term
    return n
