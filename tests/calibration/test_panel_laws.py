"""The laws that a panel of seeds is judged by, against libraries and simulated statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from seg5b.calibration.panel import LEAST_P, chi_square_tails, faults_of, together, variation
from seg5b.realism.expected import SeriesTotals, share_of
from seg5b.run_tables.scatter import Scatter
from seg5b.twin.laws import FieldLaw
from seg5b.validation.clipped_factor import clipped_moment, path_moments

SEEDS, TOTALS, PANELS = 4, 12, 3000


@pytest.mark.parametrize("freedom", [1, 3, 4, 36, 48])
@pytest.mark.parametrize("x", [1e-8, 1e-3, 0.7, 3.9, 4.1, 28.5, 60.0, 300.0])
def test_chi_square_tails(x: float, freedom: int) -> None:
    below, above = chi_square_tails(x, freedom)
    assert below == pytest.approx(stats.chi2.cdf(x, freedom), rel=1e-10)
    assert above == pytest.approx(stats.chi2.sf(x, freedom), rel=1e-10)


def test_ends_of_chi_square() -> None:
    assert chi_square_tails(0.0, 3) == (0.0, 1.0)
    assert chi_square_tails(math.inf, 3) == (1.0, 0.0)


def test_chances_of_lawful_panels_are_uniform() -> None:
    """The rate of false alarms is what the law says: every chance is below p with probability p, and the bound of them all,
    13 rows of three chances, is below one panel in 2,500."""
    random = np.random.default_rng(11)
    found: dict[str, list[float]] = {"bias_p": [], "more_p": [], "less_p": []}
    alarms = 0
    for panel in random.standard_normal((PANELS, TOTALS, SEEDS)):
        rows = [variation("s", str(number), z) for number, z in enumerate(panel.tolist())]
        whole = together(panel.tolist())
        alarms += bool(faults_of([*rows, whole]))
        for name, values in found.items():
            values += [getattr(rows[0], name), getattr(whole, name)]
    for name, values in found.items():
        assert stats.kstest(values, "uniform").pvalue > 1e-4, name
    assert (TOTALS + 1) * 3 * LEAST_P < 1 / 2500
    assert alarms <= 5, "one is expected"


@pytest.mark.parametrize(
    ("z", "words"),
    [
        ((1.3, 1.3, 1.3, 1.3), "varies less"),
        ((0.001, 0.004, 0.0, 0.002), "varies less"),
        ((4.0, 3.0, 3.5, 2.9), "is off by more"),
        ((5.0, -4.0, 0.1, 1.0), "varies more"),
    ],
)
def test_what_a_panel_notices(z: tuple[float, ...], words: str) -> None:
    assert any(words in fault for fault in variation("s", "arrivals", z).faults)


def test_many_small_excesses_are_noticed_together() -> None:
    rows = [(1.7, 1.4, -1.6, 1.8)] * 8
    assert not faults_of(variation("s", "x", z) for z in rows)
    assert "is off by more" in together(rows).faults[0]


@pytest.mark.parametrize(
    ("totals", "bias", "more", "less"), [(1, 3.2, 6.7, 0.0), (12, 1.3, 1.82, 0.47)], ids=["one total", "all"]
)
def test_power_is_what_the_page_says(totals: int, bias: float, more: float, less: float) -> None:
    """Nine panels in ten notice each of these, in standard deviations of a seed (docs/realism.md)."""
    about_zero, about_mean = totals * SEEDS, totals * (SEEDS - 1)
    assert stats.ncx2.sf(stats.chi2.isf(LEAST_P, about_zero), about_zero, about_zero * bias**2) > 0.9
    assert stats.chi2.sf(stats.chi2.isf(LEAST_P, about_mean) / more**2, about_mean) > 0.9
    if less:
        assert stats.chi2.cdf(stats.chi2.ppf(LEAST_P, about_mean) / less**2, about_mean) > 0.9


def _mixture(random: np.random.Generator, mu: np.ndarray, spread: float, runs: int) -> np.ndarray:
    """Counts [runs, n] of the nb2 law."""
    s2 = math.log1p(spread)
    return random.poisson(np.exp(np.log(mu) - s2 / 2 + math.sqrt(s2) * random.standard_normal((runs, mu.size))))


@pytest.mark.parametrize(
    ("most", "chances"), [(20.0, (1.0, 0.35, 0.0)), (4.0, (0.3, 0.35, 0.1))], ids=["counts", "coin"]
)
def test_shares_scatter_as_the_law_says(most: float, chances: tuple[float, float, float]) -> None:
    """Whether it is the counts of series of different kinds that scatter, or the coin."""
    random, spread, runs = np.random.default_rng(5), 1 / 8, 2000
    mu = most * random.random(300)
    chance = np.repeat(chances, (40, 50, 210))
    series = SeriesTotals(mu, mu + mu**2 * spread, chance, chance)
    counts = _mixture(random, mu, spread, runs)
    kinds = random.binomial(counts, chance)
    z = [share_of("x", int(k.sum()), int(n.sum()), chance, series)[0].z for n, k in zip(counts, kinds, strict=True)]
    assert abs(np.mean(z)) < 5 / math.sqrt(runs) + 0.03
    assert np.std(z) == pytest.approx(1.0, abs=0.08)
    assert share_of("x", 3, 1000, np.full(300, 1e-3), series) == [], "too few of a kind"


def test_scatter_is_as_the_law_says() -> None:
    random, spread, runs = np.random.default_rng(6), 1 / 6, 1500
    mu = np.exp(random.uniform(-5, 2, 3000))
    s = spread
    variance = mu**2 * (2 * s**2 + 16 * s**3 + 15 * s**4 + 6 * s**5 + s**6) + mu * (4 * s + 18 * s**2 + 6 * s**3)
    variance += 2 + 7 * s + 1 / mu
    expected = 1 + mu * s
    z = []
    for counts in _mixture(random, mu, spread, runs):
        square = (counts - mu) ** 2 / mu
        sums = (square, expected, variance, (square - expected) ** 2)
        scatter = Scatter(mu.size, *(round(1e6 * float(each.sum())) for each in sums))
        assert scatter.lawful()
        z.append((scatter.squares - scatter.expected) / 1e6 / math.sqrt(variance.sum()))
    assert abs(np.mean(z)) < 5 / math.sqrt(runs)
    assert np.std(z) == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize(
    ("sigma", "low", "high"), [(0.25, 0.2, 5.0), (0.64, 0.2, 5.0), (1.2, 0.2, 5.0), (0.9, 0.3, 3.0)]
)
def test_moments_of_the_clipped_factor(sigma: float, low: float, high: float) -> None:
    z = np.linspace(-12, 12, 2_000_001)
    factor = np.clip(np.exp(sigma * z - sigma**2 / 2), low, high)
    density = stats.norm.pdf(z) * (z[1] - z[0])
    for power in (1, 2, 3):
        wanted = float((factor**power * density).sum())
        assert clipped_moment(FieldLaw(sigma, 8.0, low, high), power) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(("sigma", "length"), [(0.4, 12.0), (0.7, 6.0), (0.3, 0.0)])
def test_scatter_of_the_mean_of_a_path(sigma: float, length: float) -> None:
    """The error is a bound from above, and near the truth."""
    random, buckets, paths = np.random.default_rng(8), 120, 6000
    phi = math.exp(-1 / length) if length else 0.0
    z = np.empty((paths, buckets))
    z[:, 0] = sigma * random.standard_normal(paths)
    for t in range(1, buckets):
        z[:, t] = phi * z[:, t - 1] + sigma * math.sqrt(1 - phi**2) * random.standard_normal(paths)
    means = np.clip(np.exp(z - sigma**2 / 2), 0.2, 5.0).mean(axis=1)
    mean, variance, third = path_moments(FieldLaw(sigma, length, 0.2, 5.0), buckets)
    assert means.mean() == pytest.approx(mean, abs=5 * math.sqrt(variance / paths))
    assert 0.9 < means.var() / variance < 1.06
    assert third / variance**1.5 > stats.skew(means) - 0.15
