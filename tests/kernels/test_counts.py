"""Bucket counts: exact inversion against scipy, the normal branch against mpmath, nb2's moments, and the edges."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from scipy.stats import chisquare, kstest, poisson
from seg5b_kernels import registry
from seg5b_kernels.counts import (
    NB2,
    POISSON,
    CountInputs,
    CountLaw,
    Counts,
    VolumePower,
    cell_kappa,
    drawn_count,
    mixed_mean,
    poisson_exact,
    poisson_normal,
)
from seg5b_kernels.derivation import DomainTemplates, Streams

from seg5b.backends.cpu import CpuBackend
from seg5b.rng.templates import padded_messages
from tests.oracle import randomness as oracle

LARGEST = 1.0 - 2.0**-53
SMALLEST = 2.0**-65
CAP = 200_000
LAWS = {"poisson": POISSON, "nb2": NB2}
TOPMOST_WORD = 2**64 - 1
ROUNDING = 1e-13  # far above the error of either cumulative sum


def templates_of(streams: Streams) -> DomainTemplates:
    """Templates whose first buckets have these streams: with no block left to hash, the state is the digest."""
    n = streams.key.size
    words = np.stack(streams, axis=1)
    halves = np.stack([words >> np.uint64(32), words & np.uint64(2**32 - 1)], axis=2).reshape(n, 6)
    state = np.concatenate([halves, np.zeros((n, 2), np.uint64)], axis=1).astype(np.uint32)
    return DomainTemplates(state, np.zeros((n, 32), np.uint32), *np.zeros((2, n), np.int32))


def outputs(n: int) -> Counts:
    """Outputs of n rows; a row that is not written must show."""
    return Counts(np.full(n, -1), np.full(n, 9, np.uint8), np.full(n, -2.0), *np.full((2, 1), n))


def drawn(backend: CpuBackend, streams: Streams, mu: float, kappa: float, law: CountLaw) -> Counts:
    """Counts of single-bucket series with these streams, by the kernel."""
    n = streams.key.size
    inputs = CountInputs(templates_of(streams), np.full(n, mu), np.full(n, kappa), law, 0, 0, 1, 1)
    counts = outputs(n)
    backend.launch(registry.BUCKET_COUNT, n, inputs, counts)
    assert counts.no_mean[0] == counts.wraps[0] == n
    return counts


def draw(
    backend: CpuBackend,
    mu: float,
    n: int,
    law: int = POISSON,
    kappa: float = 1.0,
    exact: float = 50.0,
    max_count: int = 50_000,
    seed: int = 1,
) -> Counts:
    """``n`` counts by the kernel, from random streams."""
    streams = Streams(*np.random.default_rng(seed).integers(0, 2**64, (3, n), np.uint64))
    return drawn(backend, streams, mu, kappa, CountLaw(law, 0.0, exact, CAP, max_count))


@pytest.mark.parametrize("mean", [1e-9, 1e-3, 0.1, 0.5, 1.0, 2.5, 7.0, 12.3, 20.0, 33.3, 49.9, 50.0])
def test_exact_inversion_equals_scipy(mean: float) -> None:
    rng = np.random.default_rng(1)
    us = np.concatenate([rng.random(3000), 2.0 ** -rng.uniform(1, 65, 500), 1.0 - 2.0 ** -rng.uniform(1, 44, 500)])
    expected = poisson.ppf(us, mean)
    ours = np.array([poisson_exact(mean, u, CAP) for u in us])
    # Within rounding of a step either neighbour is right; there must be few such draws.
    step = np.minimum(
        np.abs(poisson.cdf(expected, mean) - us), np.abs(poisson.cdf(np.maximum(expected - 1, 0), mean) - us)
    )
    sure = step > ROUNDING
    assert (ours == expected)[sure].all()
    assert (np.abs(ours - expected) <= 1).all()
    assert sure.mean() > 0.85


@pytest.mark.parametrize("mean", [1e-9, 0.5, 10.0, 50.0])
def test_the_tail_never_jumps_to_the_cap(mean: float) -> None:
    """Defects D5 and D6: the float sum saturates below 1, and a larger u walked on to the cap."""
    last = poisson_exact(mean, LARGEST, CAP)
    exact = poisson.isf(2.0**-53, mean)
    assert exact - 1 <= last <= exact + 2


def test_the_walk_is_bounded_by_its_cap() -> None:
    assert poisson_exact(50.0, LARGEST, 7) == 7


@pytest.mark.parametrize("mean", [0.0, 1e-300, 1e-9, 1.0, 36.0])
def test_the_smallest_uniform_gives_zero(mean: float) -> None:
    assert poisson_exact(mean, SMALLEST, CAP) == 0


def test_a_zero_mean_gives_zero_for_every_uniform() -> None:
    assert poisson_exact(0.0, LARGEST, CAP) == 0


def test_exact_inversion_up_to_the_largest_mean_a_policy_may_ask_for() -> None:
    """The schema allows 700: e^-700 is still a normal number and the walk still ends at the right count."""
    for u in (0.001, 0.3, 0.5, 0.9, 0.999):
        assert abs(poisson_exact(700.0, u, CAP) - poisson.ppf(u, 700.0)) <= 1


@pytest.mark.parametrize("mean", [50.1, 400.0, 12_345.6, 1e9])
def test_normal_branch(mean: float) -> None:
    context = mpmath.MPContext()
    context.prec = 120
    for u in np.random.default_rng(3).uniform(1e-6, 1.0 - 1e-6, 200):
        z = -context.sqrt(2) * context.erfinv(1 - 2 * context.mpf(u))
        exact = context.mpf(mean) + context.sqrt(mean) * z + context.mpf(0.5)
        if abs(exact - context.nint(exact)) > 1e-9 * math.sqrt(mean):
            assert poisson_normal(mean, u) == int(context.floor(exact))


def test_a_negative_normal_result_is_zero_without_the_flag(cpu: CpuBackend) -> None:
    """Defect D6: it was flagged as capped."""
    assert poisson_normal(50.5, SMALLEST) == 0.0
    low = draw(cpu, 2.0, 20_000, exact=1.0)
    assert (low.count == 0).sum() > 500
    assert low.count.min() == 0
    assert not low.capped.any()


def test_the_cap_cuts_and_is_flagged(cpu: CpuBackend) -> None:
    free, capped = draw(cpu, 30.0, 5000), draw(cpu, 30.0, 5000, max_count=30)
    assert (capped.count == np.minimum(free.count, 30)).all()
    assert (capped.capped == (free.count > 30)).all()
    assert 0 < capped.capped.sum() < 5000


def test_a_mean_beyond_every_integer_is_capped(cpu: CpuBackend) -> None:
    huge = draw(cpu, 1e300, 10)
    assert (huge.count == 50_000).all()
    assert huge.capped.all()


@pytest.mark.parametrize("mean", [0.3, 4.0, 48.0])
def test_poisson_counts_follow_their_law(cpu: CpuBackend, mean: float) -> None:
    """Chi-square over 200,000 draws: a mean off by 3 % (7 standard errors of the smallest mean, 26 and more of the
    others) is found with a power above 0.99."""
    count = draw(cpu, mean, 200_000, seed=21).count
    low, high = int(poisson.ppf(1e-4, mean)), int(poisson.ppf(1.0 - 1e-4, mean))
    seen = np.bincount(np.clip(count, low, high) - low, minlength=high - low + 1)
    expected = poisson.pmf(np.arange(low, high + 1), mean)
    expected[0], expected[-1] = poisson.cdf(low, mean), poisson.sf(high - 1, mean)
    assert chisquare(seen, expected * count.size).pvalue > 1e-3


@pytest.mark.parametrize(("mu", "kappa"), [(5.0, 12.0), (40.0, 2.0), (0.5, 30.0), (300.0, 20.0)])
def test_nb2_has_its_mean_and_variance(cpu: CpuBackend, mu: float, kappa: float) -> None:
    """Law of total variance: mean mu, variance mu + mu^2 / kappa, whatever the mixing law. Both within five standard
    errors of 400,000 draws, as estimated from the draws; a mean off by 2 % is at least eight of them."""
    count = draw(cpu, mu, 400_000, law=NB2, kappa=kappa, seed=31).count.astype(float)
    deviation = count - count.mean()
    variance, fourth = (deviation**2).mean(), (deviation**4).mean()
    assert abs(count.mean() - mu) < 5.0 * math.sqrt(variance / count.size)
    assert abs(variance - (mu + mu**2 / kappa)) < 5.0 * math.sqrt((fourth - variance**2) / count.size)


def test_mixed_means_are_lognormal() -> None:
    """Against the closed form with mean mu and variance mu^2 / kappa, at each quantile."""
    for mu, kappa in ((5.0, 12.0), (1e-6, 0.5), (3000.0, 80.0)):
        variance = math.log1p(1.0 / kappa)
        for u in np.random.default_rng(5).random(200):
            z = float(-mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * mpmath.mpf(u)))
            expected = mu * math.exp(-variance / 2.0 + math.sqrt(variance) * z)
            assert mixed_mean(mu, kappa, u) == pytest.approx(expected, rel=1e-13)


def test_nb2_uses_two_words_that_do_not_depend_on_each_other(cpu: CpuBackend) -> None:
    """With nearly no dispersion nb2 is poisson on word 1; with a huge mean the count tells word 0. Both are uniform."""
    n = 50_000
    narrow = draw(cpu, 4.0, n, law=NB2, kappa=1e12, seed=41).count
    plain = draw(cpu, 4.0, n, seed=41).count
    assert abs(np.corrcoef(narrow, plain)[0, 1]) < 5.0 / math.sqrt(n)
    wide = draw(cpu, 1e12, n, law=NB2, kappa=1.0, seed=41, max_count=2**62).count
    z = (np.log(wide) - math.log(1e12) + math.log(2.0) / 2.0) / math.sqrt(math.log(2.0))
    assert kstest(z, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(z, plain)[0, 1]) > 0.9
    assert abs(np.corrcoef(z, narrow)[0, 1]) < 5.0 / math.sqrt(n)


def test_counts_are_the_pinned_ones(cpu: CpuBackend, known_answers: Callable[[str], list[list[str]]]) -> None:
    for law, mu, kappa, word0, word1, count in known_answers("count"):
        made = draw_words_as_asked(cpu, [(int(word0, 16), int(word1, 16))], float(mu), float(kappa), LAWS[law])
        assert made.count.tolist() == [int(count)], (law, mu, word0)


def draw_words_as_asked(backend: CpuBackend, words: list[tuple[int, int]], mu: float, kappa: float, law: int) -> Counts:
    """Counts of streams made to draw these words."""
    counters = [oracle.counter_of(pair, 99) for pair in words]
    high, low = (np.array([value >> shift & TOPMOST_WORD for value in counters], np.uint64) for shift in (64, 0))
    streams = Streams(np.full(len(words), 99, np.uint64), high, low)
    return drawn(backend, streams, mu, kappa, CountLaw(law, 0.0, 50.0, CAP, 50_000))


@pytest.mark.parametrize("law", [POISSON, NB2])
@pytest.mark.parametrize("mean", [0.01, 10.0, 50.0, 400.0])
def test_the_rarest_words_give_plausible_counts(cpu: CpuBackend, law: int, mean: float) -> None:
    """The smallest and the largest words, with which the reference engine died or jumped to its cap."""
    ends = (0, 1, TOPMOST_WORD - 1, TOPMOST_WORD)
    counts = draw_words_as_asked(cpu, [(word0, word1) for word0 in ends for word1 in ends], mean, 30.0, law)
    # Even at both ends at once: a mixed mean of at most e^(9 sd) times mu, then a count nine deviations above.
    largest = mean * (5.2 if law == NB2 else 1.0)
    assert 0 <= counts.count.min() <= mean
    assert mean < counts.count.max() < largest + 10.0 * math.sqrt(largest) + 20.0
    assert not counts.capped.any()


@pytest.mark.parametrize("power", [0.2, 0.5, 1.0])
def test_dispersion_follows_the_mean_by_a_power(power: float) -> None:
    """Against a power of 60 digits, clamped; within a part in 10^13, of which the logarithm of a small ratio is the most."""
    volume = VolumePower(12.0, power, 0.5, 150.0)
    rng = np.random.default_rng(8)
    seen = set()
    for mu, kappa in zip(
        np.exp(rng.uniform(-30.0, 12.0, 800)).tolist(), rng.uniform(2.0, 80.0, 800).tolist(), strict=True
    ):
        with mpmath.workdps(60):
            wide = float(mpmath.mpf(kappa) * (mpmath.mpf(mu) / 12) ** mpmath.mpf(power))
        expected = min(max(wide, 0.5), 150.0)
        assert cell_kappa(kappa, mu, volume) == pytest.approx(expected, rel=1e-13)
        seen.add(expected if expected in (0.5, 150.0) else 0.0)
    assert seen == {0.0, 0.5, 150.0}
    assert cell_kappa(30.0, 12.0, volume) == 30.0
    assert cell_kappa(30.0, 0.0, volume) == cell_kappa(30.0, 5e-324, volume) == 0.5


def test_a_power_of_nothing_leaves_dispersion_as_it_is() -> None:
    assert cell_kappa(1.7, 0.003, VolumePower(12.0, 0.0, 2.0, 3.0)) == 1.7


@pytest.mark.parametrize(("mu", "power"), [(0.5, 1.0), (6.0, 1.0), (40.0, 1.0), (6.0, 0.4), (300.0, 0.4)])
def test_the_variance_follows_the_dispersion_of_the_mean(cpu: CpuBackend, mu: float, power: float) -> None:
    """Mean mu and variance mu + mu^2 / kappa(mu), within four standard errors; with a power of 1 the variance is the same
    multiple of every mean."""
    law = CountLaw(NB2, 0.0, 50.0, CAP, 50_000, VolumePower(20.0, power, 0.01, 1000.0))
    streams = Streams(*np.random.default_rng(77).integers(0, 2**64, (3, 400_000), np.uint64))
    found = drawn(cpu, streams, mu, 10.0, law)
    count, kappa = found.count.astype(float), 10.0 * (mu / 20.0) ** power
    assert found.kappa == pytest.approx(kappa, rel=1e-13)
    variance, fourth = count.var(), np.mean((count - count.mean()) ** 4)
    assert abs(count.mean() - mu) < 4.0 * math.sqrt(variance / count.size)
    expected = mu + mu**2 / kappa
    assert abs(variance - expected) < 4.0 * math.sqrt((fourth - variance**2) / count.size)
    assert power < 1.0 or expected / mu == pytest.approx(1.0 + 20.0 / 10.0)


# ------------------------------------------------------------------------------------------------- rows on the two axes

HEAD = b"\0\0\0\x095B.rng.v1" + bytes(range(70))
BUCKETS, DIGITS, FIRST_SERIES = 120, 3, 4
LAW = CountLaw(NB2, 0.02, 50.0, CAP, 40)


def prefix(series: int) -> str:
    return f"merchant_id={series * 10**series}|zone=Area/City|bucket_index="


def rows_of_series(backend: CpuBackend, mu: np.ndarray, kappa: np.ndarray, first: int, law: CountLaw = LAW) -> Counts:
    """Counts of rows ``first`` .. of an axis, whose templates begin with series `FIRST_SERIES`."""
    last = (first + mu.size - 1) // BUCKETS
    prefixes = [prefix(series) for series in range(FIRST_SERIES, last + 1)]
    messages, digit_at, tail_blocks = padded_messages(HEAD, prefixes, DIGITS)
    state, tail = (np.full((digit_at.size, words), 7, np.uint32) for words in (8, 32))
    templates = DomainTemplates(state, tail, digit_at, tail_blocks)
    backend.launch(registry.ABSORB_TEMPLATE, digit_at.size, messages, templates)
    counts = outputs(mu.size)
    inputs = CountInputs(templates, mu, kappa, law, first, FIRST_SERIES, BUCKETS, DIGITS)
    backend.launch(registry.BUCKET_COUNT, mu.size, inputs, counts)
    return counts


@pytest.fixture(scope="module")
def axis_rows() -> tuple[np.ndarray, np.ndarray, int]:
    """Means of rows from the middle of a series on to the middle of another, a third of them too small to draw."""
    rng = np.random.default_rng(9)
    mu = rng.uniform(0.03, 60.0, 5 * BUCKETS)
    mu[rng.random(mu.size) < 0.3] = LAW.zero_eps
    mu[::50] = 0.0
    return mu, rng.uniform(2.0, 80.0, 12), FIRST_SERIES * BUCKETS + 50


@pytest.mark.parametrize("volume", [None, VolumePower(9.0, 0.6, 1.5, 60.0)])
def test_each_row_draws_from_the_stream_of_its_series_and_bucket(
    cpu: CpuBackend, axis_rows: tuple[np.ndarray, np.ndarray, int], volume: VolumePower | None
) -> None:
    """Streams by hashlib, Philox by the oracle, and the law's scalar functions; quiet rows draw nothing, and have a dispersion
    where it follows the mean."""
    mu, kappa, first = axis_rows
    law = LAW._replace(volume=volume) if volume else LAW
    counts = rows_of_series(cpu, mu, kappa, first, law)
    assert counts.no_mean[0] == counts.wraps[0] == mu.size
    cut = 0
    for i, mean in enumerate(mu.tolist()):
        series, bucket = divmod(first + i, BUCKETS)
        expected, own = 0.0, cell_kappa(kappa[series], mean, law.volume)
        assert counts.kappa[i] == (own if volume else -2.0)
        if mean > LAW.zero_eps:
            key = f"{prefix(series)}{bucket}".encode()
            digest = hashlib.sha256(HEAD + len(key).to_bytes(4, "big") + key).digest()
            stream = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:24], "big")
            words = (np.uint64(word) for word in oracle.words(stream, 0))
            expected = float(drawn_count(mean, own, law, *words))
        assert counts.count[i] == min(expected, LAW.max_count), (series, bucket)
        assert counts.capped[i] == (expected > LAW.max_count)
        cut += expected > LAW.max_count
    assert cut > 20


def test_a_row_does_not_depend_on_the_block_it_lies_in(
    cpu: CpuBackend, axis_rows: tuple[np.ndarray, np.ndarray, int]
) -> None:
    mu, kappa, first = axis_rows
    whole = rows_of_series(cpu, mu, kappa, first)
    for start, stop in ((0, 1), (37, 411), (69, 71), (70, 190)):
        part = rows_of_series(cpu, mu[start:stop], kappa, first + start)
        assert (part.count == whole.count[start:stop]).all()
        assert (part.capped == whole.capped[start:stop]).all()


@pytest.mark.parametrize("bad", [-1e-300, -1.0, math.nan, math.inf, -math.inf])
def test_the_first_row_without_a_mean_is_reported(
    cpu: CpuBackend, axis_rows: tuple[np.ndarray, np.ndarray, int], bad: float
) -> None:
    mu, kappa, first = axis_rows
    damaged = mu.copy()
    damaged[[311, 97, 598]] = bad
    counts = rows_of_series(cpu, damaged, kappa, first)
    assert counts.no_mean.tolist() == [97]
    sound = rows_of_series(cpu, mu, kappa, first)
    others = np.delete(np.arange(mu.size), [311, 97, 598])
    assert (counts.count == sound.count)[others].all()


def test_the_first_counter_that_would_wrap_is_reported(cpu: CpuBackend) -> None:
    """Only the very last counter has no successor, and only a row that draws needs one (defect D8)."""
    top = TOPMOST_WORD
    high, low = (
        np.array([top, top - 1, 0, top, top, top], np.uint64),
        np.array([top - 1, top, top, top, top, 0], np.uint64),
    )
    streams = Streams(np.arange(6, dtype=np.uint64), high, low)
    law = CountLaw(POISSON, 0.02, 50.0, CAP, 50_000)
    for quiet, expected in (((), 3), ((3,), 4), ((3, 4), 6)):
        mu = np.full(6, 2.0)
        mu[list(quiet)] = 0.0
        counts = outputs(6)
        inputs = CountInputs(templates_of(streams), mu, np.ones(6), law, 0, 0, 1, 1)
        cpu.launch(registry.BUCKET_COUNT, 6, inputs, counts)
        assert (counts.wraps.tolist(), counts.no_mean.tolist()) == ([expected], [6])
