"""What is added up of counts and latent paths is what plain Python adds up, and has the moments that are claimed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from seg5b.part_scan import LATENT, SCATTER, part_files
from tests.part_scan.cells import BUCKETS, FACTS, LIMITS, SERIES, scan, sound

CAPPED = LIMITS["count_cap"] / 4


def cumulants(mu: float, spread: float) -> tuple[float, float, float]:
    """Variance, third and fourth cumulant of a Poisson count with a log-normal mean, from the raw moments of the mean."""
    w = 1.0 + spread
    raw = [mu**k * w ** (k * (k - 1) / 2) for k in range(5)]
    factorial = [1.0, raw[1], raw[2], raw[3], raw[4]]  # factorial moments of the count are raw moments of its mean
    stirling = {1: (1,), 2: (1, 1), 3: (1, 3, 1), 4: (1, 7, 6, 1)}
    m1, m2, m3, m4 = (sum(s * factorial[j + 1] for j, s in enumerate(stirling[k])) for k in range(1, 5))
    second = m2 - m1**2
    third = m3 - 3 * m2 * m1 + 2 * m1**3
    fourth = m4 - 4 * m3 * m1 - 3 * m2**2 + 12 * m2 * m1**2 - 6 * m1**4
    return second, third, fourth


def by_series(found: Any, name: str, columns: tuple[str, ...]) -> np.ndarray:
    rows = duckdb.execute(f"SELECT {', '.join(columns)} FROM '{found.tables[name]}' ORDER BY k").fetchall()
    return np.array(rows, float)


def test_counts(tmp_path: Path) -> None:
    intensities, counts = sound()
    means = np.random.default_rng(5).gamma(2.0, 2.0, len(counts))
    means[[3, 30]] = CAPPED * 1.01, 0.0
    counts = counts.set_column(counts.column_names.index("mu"), "mu", pa.array(means))
    found = part_files(scan(tmp_path, intensities, counts))
    numbers = counts.column("count_N").to_numpy()
    expected, buckets = [], np.zeros((BUCKETS, 4))
    for k, (*_, kappa, _, _) in enumerate(SERIES):
        total, block, block_squares = np.zeros(3), np.zeros(5), []
        for b in range(BUCKETS):
            mu, n = means[k * BUCKETS + b], numbers[k * BUCKETS + b]
            if mu > CAPPED:
                continue
            spread = 1 / kappa if kappa else 0.0
            variance, third, fourth = cumulants(mu, spread) if mu > 0 else (0.0, 0.0, 0.0)
            gap = n - mu if mu > 0 else 0.0
            total += gap, variance, third
            buckets[b] += gap, variance, third, fourth
            block += mu, gap, variance, third, fourth
            if block[0] >= 25:
                z2, k3, k4 = block[1] ** 2 / block[2], block[3] / block[2] ** 1.5, block[4] / block[2] ** 2
                block_squares.append((z2 - 1, min(z2, 16) - 1, 2 + k4, 8 + 12 * k4 + 10 * k3**2 + 30 * k4**2))
                block = np.zeros(5)
        late = lateness(means[k * BUCKETS : (k + 1) * BUCKETS], numbers[k * BUCKETS : (k + 1) * BUCKETS], spread)
        expected.append([*total, *np.sum(block_squares, axis=0), *late])
    np.testing.assert_allclose(by_series(found, "count_series", SCATTER), expected, rtol=1e-9, atol=1e-9)
    table = duckdb.execute(
        f"SELECT gap, variance, third, fourth FROM '{found.tables['count_buckets']}' ORDER BY bucket_index"
    )
    np.testing.assert_allclose(np.array(table.fetchall(), float), buckets[buckets[:, 1] > 0], rtol=1e-9)


def lateness(means: np.ndarray, numbers: np.ndarray, spread: float) -> np.ndarray:
    total = np.zeros(3)
    for b in range(1, BUCKETS - 1):
        if max(means[b - 1 : b + 2]) > CAPPED or means[b - 1 : b + 2].sum() == 0:
            continue
        weight = (means[b - 1] - means[b + 1]) / means[b - 1 : b + 2].sum() / (1 + means[b] * spread)
        variance, third, _ = cumulants(means[b], spread)
        gap = numbers[b] - means[b] if means[b] else 0.0
        total += weight * gap, weight**2 * variance, weight**3 * third
    return total


def test_wide_laws_are_left_out(tmp_path: Path) -> None:
    """Below a dispersion of 2 no bound that is used here holds."""
    intensities, counts = sound()
    series = tuple((*each[:3], 1.9, *each[4:]) for each in SERIES)
    found = part_files(scan(tmp_path, intensities, counts, replace(FACTS, series=series)))
    assert not by_series(found, "count_series", SCATTER).any()


def path_of(sigma: float, phi: float, steps: np.ndarray) -> np.ndarray:
    """Factors of a path with these steps, clipped."""
    latent, values = 0.0, []
    for t, step in enumerate(steps):
        latent = sigma * step if t == 0 else phi * latent + sigma * math.sqrt(1 - phi * phi) * step
        values.append(math.exp(latent - sigma * sigma / 2))
    return np.clip(values, LIMITS["least_factor"], LIMITS["most_factor"])


def test_steps_are_found_again(tmp_path: Path) -> None:
    intensities, counts = sound()
    rng = np.random.default_rng(7)
    steps = rng.standard_normal((len(SERIES), BUCKETS))
    factors = np.concatenate([path_of(each[4] or 0.3, each[5] or 0.0, steps[k]) for k, each in enumerate(SERIES)])
    place = intensities.column_names.index("lambda_random_component")
    found = part_files(
        scan(tmp_path, intensities.set_column(place, "lambda_random_component", pa.array(factors)), counts)
    )
    rows = by_series(found, "intensity_series", LATENT)
    for k, (*_, sigma, _) in enumerate(SERIES):
        n, total, squares, pairs, products = rows[k]
        if sigma is None:
            assert not rows[k].any()
        elif sigma < 1:
            assert n > BUCKETS / 2
        if k == 0:  # memory 0.9: steps are small, and none is near the clip
            assert (n, pairs) == (BUCKETS, BUCKETS - 1)
            np.testing.assert_allclose((total, squares), (steps[0].sum(), (steps[0] ** 2).sum()), rtol=1e-9)
            np.testing.assert_allclose(products, (steps[0, 1:] * steps[0, :-1]).sum(), rtol=1e-9)
        if k == 4:  # so wide that a step might always be cut
            assert n == 0


@pytest.mark.parametrize(("sigma", "phi"), [(0.3, 0.0), (0.6, 0.95), (0.9, 0.98)])
def test_steps_near_the_clip_do_not_shift_the_law(tmp_path: Path, sigma: float, phi: float) -> None:
    """Over many paths, some of which meet the clip, steps that are looked at have mean 0 and variance 1."""
    rng = np.random.default_rng(11)
    intensities, _ = sound()
    place = intensities.column_names.index("lambda_random_component")
    series = tuple((*each[:4], sigma, phi) for each in SERIES)
    total = np.zeros(5)
    for _ in range(60):
        factors = np.concatenate([path_of(sigma, phi, rng.standard_normal(BUCKETS)) for _ in SERIES])
        table = intensities.set_column(place, "lambda_random_component", pa.array(factors))
        found = part_files(scan(tmp_path, table, None, replace(FACTS, series=series)))
        total += by_series(found, "intensity_series", LATENT).sum(axis=0)
    n, first, squares, pairs, products = total
    assert n > 1000
    assert (
        abs(first) < 5 * math.sqrt(n)
        and abs(squares - n) < 5 * math.sqrt(2 * n)
        and abs(products) < 5 * math.sqrt(pairs)
    )
