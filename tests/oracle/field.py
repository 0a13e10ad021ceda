"""Laws L5 and L6 with the standard library and scipy: equal to the kernels up to rounding."""

from __future__ import annotations

import math

from scipy.stats import norm

from tests.oracle.randomness import World, uniform


def latent_path(world: World, group_id: str, sigma: float, length: float, buckets: int) -> list[float]:
    """OU field of one group."""
    phi = math.exp(-1.0 / length)
    path: list[float] = []
    for t in range(buckets):
        word0, word1 = world.words("S2.latent_vector.v1", f"group_id={group_id}", t)
        z = math.sqrt(-2.0 * math.log(uniform(word0))) * math.cos(2.0 * math.pi * uniform(word1))
        path.append(sigma * z if t == 0 else phi * path[-1] + sigma * math.sqrt(1.0 - phi * phi) * z)
    return path


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
