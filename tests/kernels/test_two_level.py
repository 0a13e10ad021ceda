"""The field of two shared levels and an own path: the law step by step, its moments, and the scalar twin's bits.

Statistics use fixed seeds and thresholds of five standard errors, as in `test_latent`.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from seg5b_kernels import registry
from seg5b_kernels.derivation import Streams
from seg5b_kernels.latent import FieldInputs, Fields, LevelFactors, LevelInputs

from seg5b.backends.cpu import CpuBackend
from seg5b.twin.laws import LevelLaw, latent_path
from seg5b.twin.randomness import Origin
from tests.oracle import randomness as oracle

SIGMA = 0.3
SHARES = (0.15, 0.12, 1.0 - (0.15 + 0.12))
LENGTHS = (30.0, 20.0, 15.0)
SERIES, BUCKETS = 20_000, 170


def unit_paths(cpu: CpuBackend, streams: Streams, length: float, buckets: int) -> np.ndarray:
    """Paths of variance one, as S2 draws those of the shared levels."""
    n = streams.key.size
    out = Fields(np.zeros((n, buckets)), np.zeros((n, buckets)), *np.full((2, n), -1))
    inputs = FieldInputs(streams, np.ones(n), np.full(n, length), 0.0, math.inf)
    cpu.launch(registry.LATENT_FIELD, n, inputs, out)
    latent: np.ndarray = out.latent
    return latent


def factors(
    cpu: CpuBackend,
    streams: Streams,
    country: np.ndarray,
    zone: np.ndarray,
    shared: np.ndarray,
    shares: tuple[float, ...] = SHARES,
) -> np.ndarray:
    n = streams.key.size
    weights = [math.sqrt(share) for share in shares]
    inputs = LevelInputs(
        streams,
        np.full(n, SIGMA),
        np.full(n, LENGTHS[2]),
        country.astype(np.int32),
        zone.astype(np.int32),
        shared,
        *weights,
    )
    out = LevelFactors(np.zeros((n, shared.shape[1])))
    cpu.launch(registry.TWO_LEVEL_FACTOR, n, inputs, out)
    factor: np.ndarray = out.factor
    return factor


def random_streams(n: int, seed: int) -> Streams:
    return Streams(*np.random.default_rng(seed).integers(0, 2**64, (3, n), np.uint64))


@pytest.fixture(scope="module")
def apart(cpu: CpuBackend) -> np.ndarray:
    """Log factors of series each of which has a country and a zone of its own, in standard deviations: independent."""
    n = SERIES // 4
    shared = np.concatenate(
        [unit_paths(cpu, random_streams(n, 21 + place), LENGTHS[place], BUCKETS) for place in (0, 1)]
    )
    made = factors(cpu, random_streams(n, 20), np.arange(n), np.arange(n, 2 * n), shared)
    standard: np.ndarray = (np.log(made) + SIGMA**2 / 2.0) / SIGMA
    return standard


def test_factors_equal_the_law_step_by_step(cpu: CpuBackend) -> None:
    """In Python floats with libm's functions: equal but for the last digits."""
    streams, shared = random_streams(3, 2), np.random.default_rng(3).standard_normal((4, 40))
    streams.counter_lo[0] = 2**64 - 4
    country, zone = np.array([0, 1, 1]), np.array([2, 2, 3])
    made = factors(cpu, streams, country, zone, shared)
    phi = math.exp(-1.0 / LENGTHS[2])
    for series in range(3):
        stream = int(streams.key[series]), int(streams.counter_hi[series]) << 64 | int(streams.counter_lo[series])
        own = 0.0
        for bucket in range(40):
            u1, u2 = map(oracle.uniform, oracle.words(stream, bucket))
            normal = math.sqrt(-2.0 * math.log(u1)) * math.cos(2.0 * math.pi * u2)
            own = normal if bucket == 0 else phi * own + math.sqrt(1.0 - phi * phi) * normal
            levels = (shared[country[series], bucket], shared[zone[series], bucket], own)
            whole = sum(SIGMA * math.sqrt(share) * level for share, level in zip(SHARES, levels, strict=True))
            variances = sum(SIGMA**2 * share for share in SHARES)
            assert made[series, bucket] == pytest.approx(math.exp(whole - variances / 2.0), rel=1e-11)


def test_the_twin_has_the_bits_of_the_kernels(cpu: CpuBackend) -> None:
    origin = Origin("5B.rng.v1", "a" * 64, "b" * 64, 42, "baseline_v1")
    keys = ("level=country|country=GB", "level=zone|zone=Europe/London", "level=own|merchant_id=7|zone=x|channel=y")
    of_levels = [origin.stream("S2.latent_vector.v1", key) for key in keys]
    law = LevelLaw(SIGMA, SHARES, LENGTHS)
    paths = [latent_path(stream, path, 500) for stream, path in zip(of_levels, law.paths, strict=True)]
    streams = [
        Streams(*(np.array([word], np.uint64) for word in (each.key, each.base >> 64, each.base & (1 << 64) - 1)))
        for each in of_levels
    ]
    shared = np.concatenate([unit_paths(cpu, streams[level], LENGTHS[level], 500) for level in (0, 1)])
    assert shared.tolist() == paths[:2]
    made = factors(cpu, streams[2], np.array([0]), np.array([1]), shared)
    assert made[0].tolist() == [law.factor(levels) for levels in zip(*paths, strict=True)]


def test_every_bucket_has_mean_zero_and_variance_one(apart: np.ndarray) -> None:
    """Found are means off by 0.11 sd and variances off by 16 %, in any single bucket."""
    n = apart.shape[0]
    assert np.abs(apart.mean(axis=0)).max() < 5.0 / math.sqrt(n)
    assert np.abs(apart.var(axis=0) - 1.0).max() < 5.0 * math.sqrt(2.0 / n)


def test_the_factor_has_mean_one(apart: np.ndarray) -> None:
    """No clip takes anything: E exp(sigma X - sigma^2 / 2) = 1, found is a bias of 3.5 % in a bucket, 0.2 % over all."""
    factor = np.exp(SIGMA * apart - SIGMA**2 / 2.0)
    error = math.sqrt(math.expm1(SIGMA**2) / apart.shape[0])
    assert np.abs(factor.mean(axis=0) - 1.0).max() < 5.0 * error
    assert abs(factor.mean() - 1.0) < 5.0 * error * math.sqrt(2.0 * max(LENGTHS) / BUCKETS)


def test_nothing_is_clipped(cpu: CpuBackend) -> None:
    """A path of seven standard deviations: far outside of today's clip."""
    shared = np.array([[7.0], [-7.0]]) / SIGMA
    made = factors(cpu, random_streams(1, 4), np.array([0]), np.array([0]), shared, (1.0, 0.0, 0.0))
    assert made[0, 0] == pytest.approx(math.exp(7.0 - SIGMA**2 / 2.0), rel=1e-12)


@pytest.mark.parametrize("lag", [1, 6, 24, 168])
def test_correlations_in_time_are_the_mixture_of_the_levels(apart: np.ndarray, lag: int) -> None:
    """rho(lag) = sum of share exp(-lag / length); found is an error of 0.11."""
    rho = sum(share * math.exp(-lag / length) for share, length in zip(SHARES, LENGTHS, strict=True))
    for first in (0, 1):
        seen = np.corrcoef(apart[:, first], apart[:, first + lag])[0, 1]
        assert abs(seen - rho) < 5.0 * (1.0 - rho**2) / math.sqrt(apart.shape[0])


@pytest.mark.parametrize(
    ("same", "expected"),
    [("nothing", 0.0), ("country", SHARES[0]), ("zone", SHARES[1]), ("both", SHARES[0] + SHARES[1])],
)
def test_correlations_between_series_are_the_shares_of_what_they_share(
    cpu: CpuBackend, same: str, expected: float
) -> None:
    """Pairs of series, each pair with shared paths of its own; found is an error of 0.08 in the worst case."""
    n = SERIES // 2
    shared = np.random.default_rng(5).standard_normal((4 * n, 1))
    pair = np.arange(n)
    country = pair, pair if same in ("country", "both") else pair + n
    zone = pair + 2 * n, pair + 2 * n if same in ("zone", "both") else pair + 3 * n
    one, other = (
        np.log(factors(cpu, random_streams(n, 30 + place), country[place], zone[place], shared))[:, 0]
        for place in (0, 1)
    )
    seen = np.corrcoef(one, other)[0, 1]
    assert abs(seen - expected) < 5.0 * (1.0 - expected**2) / math.sqrt(n)


def test_every_series_has_a_path_of_its_own(cpu: CpuBackend) -> None:
    """Series of one country and zone share no factor."""
    made = factors(cpu, random_streams(50, 6), np.zeros(50, int), np.zeros(50, int), np.zeros((1, 30)))
    assert np.unique(made).size == made.size


def test_a_longer_horizon_begins_with_the_shorter_one(cpu: CpuBackend) -> None:
    streams, shared, none = random_streams(5, 10), np.random.default_rng(9).standard_normal((1, 100)), np.zeros(5, int)
    long, short = (factors(cpu, streams, none, none, shared[:, :stop]) for stop in (100, 60))
    assert (long[:, :60] == short).all()


@pytest.mark.parametrize("damage", ["country_weight", "zone_weight", "own_weight", "sigma", "length_buckets", "shared"])
def test_everything_that_is_given_enters(cpu: CpuBackend, damage: str) -> None:
    streams, shared = random_streams(1, 11), np.ones((1, 5))
    zero = np.zeros(1, np.int32)
    inputs = LevelInputs(streams, np.full(1, SIGMA), np.full(1, 15.0), zero, zero, shared, 0.4, 0.3, 0.85)
    changed = inputs._replace(**{damage: getattr(inputs, damage) * 1.01})
    made = [LevelFactors(np.zeros((1, 5))) for _ in range(2)]
    for out, own in zip(made, (inputs, changed), strict=True):
        cpu.launch(registry.TWO_LEVEL_FACTOR, 1, own, out)
    assert (made[0].factor[:, 1:] != made[1].factor[:, 1:]).all()
