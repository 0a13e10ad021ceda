"""Latent fields and intensities: a scalar oracle, the law of the Ornstein-Uhlenbeck process, and the edges.

Statistics use fixed seeds and thresholds of five standard errors, which a sound kernel passes for all but one of some
hundred seeds; an error of eight standard errors, given with each test, is found with a probability above 0.998.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import kstest
from seg5b_kernels import registry
from seg5b_kernels.derivation import Streams
from seg5b_kernels.latent import FieldInputs, Fields, Intensities, IntensityInputs, standard_normal

from seg5b.backends.cpu import CpuBackend
from tests.oracle import randomness as oracle

TOPMOST_WORD = 2**64 - 1
SIGMA, LENGTH = 0.45, 12.0
GROUPS, BUCKETS = 20_000, 30


def fields(
    backend: CpuBackend,
    streams: Streams,
    buckets: int,
    sigma: float = SIGMA,
    length: float = LENGTH,
    clip: tuple[float, float] = (0.0, math.inf),
) -> Fields:
    n = streams.key.size
    out = Fields(np.zeros((n, buckets)), np.zeros((n, buckets)), *np.full((2, n), -1))
    inputs = FieldInputs(streams, np.full(n, sigma), np.full(n, length), *clip)
    backend.launch(registry.LATENT_FIELD, n, inputs, out)
    return out


def random_streams(n: int, seed: int) -> Streams:
    return Streams(*np.random.default_rng(seed).integers(0, 2**64, (3, n), np.uint64))


@pytest.fixture(scope="module")
def sample(cpu: CpuBackend) -> Fields:
    return fields(cpu, random_streams(GROUPS, 7), BUCKETS)


@pytest.mark.parametrize("length", [0.0, 0.5, 12.0, 400.0])
def test_fields_equal_the_law_step_by_step(cpu: CpuBackend, length: float) -> None:
    """The recursion in Python floats with libm's functions: equal but for the last digits."""
    streams = random_streams(3, 2)
    streams.counter_lo[0] = TOPMOST_WORD - 3
    made = fields(cpu, streams, 40, length=length)
    phi = math.exp(-1.0 / length) if length else 0.0
    for group in range(3):
        stream = int(streams.key[group]), int(streams.counter_hi[group]) << 64 | int(streams.counter_lo[group])
        z = 0.0
        for bucket in range(40):
            u1, u2 = map(oracle.uniform, oracle.words(stream, bucket))
            normal = math.sqrt(-2.0 * math.log(u1)) * math.cos(2.0 * math.pi * u2)
            z = phi * z + (SIGMA if bucket == 0 else SIGMA * math.sqrt(1.0 - phi * phi)) * normal
            assert made.latent[group, bucket] == pytest.approx(z, rel=1e-11, abs=1e-12)
            assert made.factor[group, bucket] == pytest.approx(math.exp(z - SIGMA**2 / 2.0), rel=1e-11)


def test_every_bucket_has_mean_zero_and_the_stationary_variance(sample: Fields) -> None:
    """Groups are independent: found are means off by 0.06 sd and variances off by 8 %, in any single bucket."""
    means = sample.latent.mean(axis=0) / (SIGMA / math.sqrt(GROUPS))
    variances = (sample.latent.var(axis=0) / SIGMA**2 - 1.0) / math.sqrt(2.0 / GROUPS)
    assert np.abs(means).max() < 5.0
    assert np.abs(variances).max() < 5.0


@pytest.mark.parametrize("bucket", [0, 1, BUCKETS - 1])
def test_values_are_normal(sample: Fields, bucket: int) -> None:
    """Kolmogorov-Smirnov over 20,000 groups: a distribution that is off by 0.025 anywhere is found with a power of
    0.99."""
    assert kstest(sample.latent[:, bucket] / SIGMA, "norm").pvalue > 1e-3


@pytest.mark.parametrize("lag", [1, 2, 6, 24])
def test_correlations_follow_the_ou_law(sample: Fields, lag: int) -> None:
    """rho(lag) = exp(-lag / length) between the same two buckets of all groups; found is an error of 0.06."""
    rho = math.exp(-lag / LENGTH)
    for first in (0, 1, BUCKETS - 1 - lag):
        seen = np.corrcoef(sample.latent[:, first], sample.latent[:, first + lag])[0, 1]
        assert abs(seen - rho) < 5.0 * (1.0 - rho**2) / math.sqrt(GROUPS)


def test_without_a_length_buckets_are_independent(cpu: CpuBackend) -> None:
    made = fields(cpu, random_streams(GROUPS, 8), 4, length=0.0).latent
    for lag in (1, 2, 3):
        assert abs(np.corrcoef(made[:, 0], made[:, lag])[0, 1]) < 5.0 / math.sqrt(GROUPS)
    assert np.abs(made.var(axis=0) / SIGMA**2 - 1.0).max() < 5.0 * math.sqrt(2.0 / GROUPS)


def test_the_factor_has_mean_one(sample: Fields) -> None:
    """E exp(Z - sigma^2 / 2) = 1, with variance exp(sigma^2) - 1; found is a bias of 2.7 %."""
    error = math.sqrt(math.expm1(SIGMA**2) / GROUPS)
    assert np.abs(sample.factor.mean(axis=0) - 1.0).max() < 5.0 * error


def test_groups_are_independent(sample: Fields) -> None:
    neighbours = np.corrcoef(sample.latent[:-1, 0], sample.latent[1:, 0])[0, 1]
    assert abs(neighbours) < 5.0 / math.sqrt(GROUPS)


def test_clips_are_counted(cpu: CpuBackend) -> None:
    streams = random_streams(50, 9)
    free, clipped = fields(cpu, streams, 60), fields(cpu, streams, 60, clip=(0.7, 1.6))
    assert (clipped.latent == free.latent).all()
    assert (clipped.factor == free.factor.clip(0.7, 1.6)).all()
    assert (clipped.clipped_low == (free.factor < 0.7).sum(axis=1)).all()
    assert (clipped.clipped_high == (free.factor > 1.6).sum(axis=1)).all()
    assert clipped.clipped_low.sum() and clipped.clipped_high.sum()


def test_a_longer_horizon_begins_with_the_shorter_one(cpu: CpuBackend) -> None:
    streams = random_streams(5, 10)
    assert (fields(cpu, streams, 100).latent[:, :60] == fields(cpu, streams, 60).latent).all()


@pytest.mark.parametrize("word0", [0, 1, TOPMOST_WORD])
@pytest.mark.parametrize("word1", [0, 2**62, 2**63, 3 * 2**62, TOPMOST_WORD])
def test_the_rarest_words_give_finite_normals(word0: int, word1: int) -> None:
    z = standard_normal(np.uint64(word0), np.uint64(word1))
    u1, u2 = oracle.uniform(word0), oracle.uniform(word1)
    assert abs(z) <= 9.5
    assert z == pytest.approx(math.sqrt(-2.0 * math.log(u1)) * math.cos(2.0 * math.pi * u2), rel=1e-9, abs=1e-14)


def test_normals_are_the_pinned_ones(known_answers: Callable[[str], list[list[str]]]) -> None:
    for word0, word1, z in known_answers("normal"):
        assert float(standard_normal(np.uint64(int(word0, 16)), np.uint64(int(word1, 16)))).hex() == z, (word0, word1)


def test_intensities_add_countries_in_order(cpu: CpuBackend) -> None:
    """Sums in float64 and in the order given: 1e16 + 1 + 1 is not 1e16 + (1 + 1)."""
    surface = np.array([[1.0, 4.0], [0.5, 0.25], [1e16, 2.0], [1.0, 3.0]])  # as the file holds them
    component, start = np.array([2, 3, 0, 1], np.int32), np.array([0, 3, 4], np.int32)
    factor = np.array([[1.0, 2.0], [3.0, 0.5]])
    out = Intensities(*np.zeros((3, 4)))
    inputs = IntensityInputs(surface, component, start, np.array([1, 0], np.int32), factor, 5.0)
    cpu.launch(registry.REALISED_INTENSITY, 4, inputs, out)
    assert out.baseline.tolist() == [(1e16 + 1.0) + 1.0, 9.0, 0.5, 0.25]
    assert out.random.tolist() == [3.0, 0.5, 1.0, 2.0]
    assert out.realised.tolist() == [5.0, 4.5, 0.5, 0.5]


def test_intensities_are_not_bounded_without_a_bound(cpu: CpuBackend) -> None:
    one = np.zeros(1, np.int32)
    out = Intensities(*np.zeros((3, 1)))
    inputs = IntensityInputs(np.array([[1e300]]), one, np.array([0, 1], np.int32), one, np.array([[1e9]]), math.inf)
    cpu.launch(registry.REALISED_INTENSITY, 1, inputs, out)
    assert out.realised[0] == math.inf
