"""How many buckets should have so many arrivals: against sums and integrals that are made otherwise."""

from __future__ import annotations

import math
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seg5b.validation.count_chances import Chance, Means, at_least

MEANS = (1e-6, 0.03, 1.0, 7.5, 49.0, 51.0, 400.0)
NORMAL = NormalDist()


def of_law(law: str, most: int = 50_000) -> Any:
    policy = SimpleNamespace(count_law_id=law, poisson_exact_lambda_max=50.0, max_count_per_bucket=most)
    return SimpleNamespace(policies=SimpleNamespace(count=policy))


def one(mean: float, kappa: float, rows: float = 1.0) -> Means:
    return Means(np.array([kappa]), np.array([mean]), np.array([rows]))


def poisson(mean: float, least: int) -> float:
    """Chance of ``least`` or more as S3 draws: a sum of terms, and the normal quantile above 50."""
    if mean > 50.0:
        return 1.0 - NORMAL.cdf((least - 0.5 - mean) / math.sqrt(mean))
    return 1.0 - math.fsum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(least))


@pytest.mark.parametrize("least", [1, 2, 9, 60, 420])
@pytest.mark.parametrize("mean", MEANS)
def test_poisson(mean: float, least: int) -> None:
    chance = at_least(of_law("poisson"), one(mean, math.nan, 1000.0), least)
    p = poisson(mean, least)
    assert chance.expected == pytest.approx(1000.0 * p, abs=1e-5)
    assert chance.variance == pytest.approx(1000.0 * p * (1 - p), abs=1e-5)


@pytest.mark.parametrize("least", [1, 4, 60])
@pytest.mark.parametrize("kappa", [2.0, 40.0])
@pytest.mark.parametrize("mean", MEANS)
def test_nb2_is_poisson_with_a_lognormal_mean(mean: float, kappa: float, least: int) -> None:
    points = 4000
    s2 = math.log(1.0 + 1.0 / kappa)
    drawn = (
        math.exp(math.log(mean) - s2 / 2 + math.sqrt(s2) * NORMAL.inv_cdf((place + 0.5) / points))
        for place in range(points)
    )
    expected = math.fsum(poisson(m, least) for m in drawn) / points
    assert at_least(of_law("nb2"), one(mean, kappa), least).expected == pytest.approx(expected, abs=3e-4)


def test_nothing_is_counted_above_the_cap() -> None:
    assert at_least(of_law("poisson", most=300), one(400.0, math.nan), 301) == Chance(0.0, 0.0)


def test_slack() -> None:
    assert Chance(0.0, 0.0).allows(0, 0)
    assert Chance(0.02, 0.02).allows(3, 100)  # few rows: a sound one is no fault
    wide = Chance(289_107.6, 362.5**2)
    assert wide.allows(289_465, 1_034_208) and wide.allows(287_000, 1_034_208)  # the limit is 2,320
    assert not wide.allows(286_750, 1_034_208) and not wide.allows(291_450, 1_034_208)
    assert not Chance(math.nan, 1.0).allows(5, 10)
