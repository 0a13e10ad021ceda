"""Bounds are bounds: never below the probability that they stand for, and not far above it where it matters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from seg5b.validation import CHECKS, tails
from seg5b.validation.trials import CHECKS_OF_LAWS, FALSE_ALARM, Trial, grouped, judge, of_sums

LOG_RARE = math.log(1e-9)


def two_sided(log_tail: np.ndarray) -> np.ndarray:
    return np.minimum(log_tail + math.log(2), 0.0)


@pytest.mark.parametrize(("n", "p"), [(1, 0.1), (30, 0.35), (1000, 0.004), (10**7, 0.35)])
def test_binomial(n: int, p: float) -> None:
    law = stats.binom(n, p)
    width = 8 * math.sqrt(n * p * (1 - p)) + 5
    k = np.unique(np.clip(np.round(np.linspace(n * p - width, n * p + width, 200)), 0, n))
    exact = np.where(k >= n * p, law.logsf(k - 1), law.logcdf(k))
    found = tails.binomial(k, n, p)
    assert (found >= two_sided(exact) - 1e-9).all()
    rare = exact < math.log(1e-6)
    assert (found[rare] - exact[rare] < math.log(80)).all()
    assert tails.binomial(0, 0, p) == 0.0 and tails.binomial(1, 5, 0.0) < -1e5


def test_poisson_above() -> None:
    for mean in (0.001, 3.0, 400.0):
        k = np.arange(0, int(mean + 9 * math.sqrt(mean) + 9))
        assert (tails.poisson_above(k, mean) >= np.minimum(stats.poisson(mean).logsf(k - 1), 0.0) - 1e-9).all()
    assert tails.poisson_above(3, 3.0) == 0.0 and tails.poisson_above(1, 0.0) < -1e5


@pytest.mark.parametrize("n", [1, 20, 5000])
def test_squares(n: int) -> None:
    law = stats.chi2(n)
    x = np.linspace(max(n - 8 * math.sqrt(2 * n), 0.01), n + 10 * math.sqrt(2 * n), 300)
    exact = np.where(x > n, law.logsf(x), law.logcdf(x))
    assert (tails.squares(x, n) >= two_sided(exact) - 1e-9).all()
    assert tails.squares(2 * 5000, 5000) < -500 and tails.squares(0.0, 3) < -1e5


def test_products_of_neighbours() -> None:
    n, rng = 150, np.random.default_rng(2)
    steps = rng.standard_normal((300_000, n))
    log_p = tails.products((steps[:, 1:] * steps[:, :-1]).sum(axis=1), n)
    for q in (0.3, 0.03, 0.003):
        assert (log_p < math.log(q)).mean() < q
    assert tails.products(80.0, 1000) == pytest.approx(math.log(2) - 80**2 / 2000, rel=0.02)  # a normal law, for many


@pytest.mark.parametrize(
    ("mu", "kappa", "cells"), [(0.05, 4.8, 400), (1.0, 12.0, 100), (20.0, 4.8, 50), (3.0, 2.0, 300)]
)
def test_sums_of_counts(mu: float, kappa: float, cells: int) -> None:
    """Log-normal mixtures have longer tails than the gamma law that stands for them: down to one in 10^5 it does not show."""
    rng, spread = np.random.default_rng(3), 1 / kappa
    width = math.sqrt(math.log1p(spread))
    means = np.zeros(300_000)
    for _ in range(cells):
        means += mu * np.exp(width * rng.standard_normal(means.size, dtype=np.float32) - width**2 / 2)
    mixed = mu * mu * spread
    variance, third = mu + mixed, mu + 3 * mixed + mu * mixed * spread * (spread + 3)
    assert cells * third < 0.3 * (cells * variance) ** 1.5
    log_p = tails.sums(rng.poisson(means) - cells * mu, cells * variance, cells * third)
    for q in (0.1, 1e-2, 1e-3, 1e-4):
        assert (log_p < math.log(q)).mean() < q


def test_sums_without_variance() -> None:
    assert tails.sums(0.0, 0.0) == 0.0 and tails.sums(1.0, 0.0) < -1e5
    np.testing.assert_allclose(tails.sums([6.0, -6.0], 1.0, 0.0), math.log(2) - 18)
    long, short = tails.sums([6.0, -6.0], 1.0, 0.25)
    assert short < long < 0


def test_small_sums_are_judged_together() -> None:
    gap, variance, third = np.array([9.0, 1.0, 1.0]), np.array([100.0, 1.0, 1.0]), np.array([100.0, 1.0, 1.0])
    whole, *rest = of_sums("x", {"k": np.array([1, 2, 3])}, gap, variance, third)
    assert list(whole.keys["k"]) == [1] and rest == []  # two of skewness 1 have 0.7 together: not judged
    many = np.ones(40)
    (rest_only,) = of_sums("x", {"k": np.arange(40)}, many, many, many)
    assert rest_only.name == "x, small ones together" and rest_only.shown["gap"] == 40


def test_grouped_sums() -> None:
    (first, second), (total,) = grouped(
        [np.array(["b", "a", "b"], object), np.array([1, 1, 1])], [np.array([1.0, 2.0, 4.0])]
    )
    assert dict(zip(first, total, strict=True)) == {"a": 2.0, "b": 5.0} and list(second) == [1, 1]


class _Subject:
    class gate:  # noqa: N801
        scenarios = (1, 2)


def test_each_kind_has_its_share_of_the_limit() -> None:
    allowed = math.log(FALSE_ALARM / CHECKS_OF_LAWS / 2)
    one = Trial("of one", {}, np.array([allowed - math.log(2) - 0.01]))
    many = Trial("of many", {"k": np.arange(1000)}, np.full(1000, allowed - math.log(2 * 1000) + 0.01))
    found = judge(_Subject, [one, many])  # type: ignore[arg-type]
    assert found.violations == 1 and found.keys[0]["statistic"] == "of one" and found.rows == 1001
    assert judge(_Subject, [Trial("odd", {}, np.array([math.nan]))]).violations == 0  # type: ignore[arg-type]
    assert judge(_Subject, []).facts["p_least"] == 1.0  # type: ignore[arg-type]


def test_the_false_alarms_are_shared_by_all_checks_of_laws() -> None:
    certain = {"law.paths_differ"}  # no chance in it
    assert (
        len([each for each in CHECKS if each.check_id.startswith("law.") and each.check_id not in certain])
        == CHECKS_OF_LAWS
    )
