"""Steps of the own paths of series, what they share with others taken out (docs/laws#law-tests, docs/laws#two-level-field)."""

from __future__ import annotations

import numpy as np

from seg5b.explain.facts import scene_of
from seg5b.run_tables.subject import Subject
from seg5b.validation.rederived.series import SeriesTable, load_series, plain
from seg5b.validation.shared_paths import own_paths

_CELLS = 1 << 21
"""Cells that are looked at at a time, about."""


def own_steps(subject: Subject) -> dict[str, np.ndarray]:
    """``group_id`` and ``demand_class`` of the series whose factors are all there and above zero, and of each the sums
    ``steps``, ``step_sum``, ``step_squares``, ``pairs`` and ``pair_products``, float64 [n] (`seg5b.part_scan.LATENT`).

    A step is what the value of the own path adds to the value before, in its standard deviation; the first value is one too.
    Under the law steps are independent standard normal numbers. Raises as what it reads.
    """
    table, found = load_series(subject), []
    for first in range(0, len(table.traits), max(_CELLS // max(table.buckets, 1), 1)):
        stop = min(first + max(_CELLS // max(table.buckets, 1), 1), len(table.traits))
        found.append(_sums(subject, table, np.arange(first, stop)))
    numbers, sums = (np.concatenate(each, axis=-1) for each in zip(*found, strict=True))
    traits = [table.traits[k] for k in numbers.tolist()]
    names = {name: np.array([getattr(each, name) for each in traits], object) for name in ("group_id", "demand_class")}
    return {**names, **dict(zip(("steps", "step_sum", "step_squares", "pairs", "pair_products"), sums, strict=True))}


def _sums(subject: Subject, table: SeriesTable, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the series that can be judged, int64 [n], and their sums, float64 [5, n]."""
    factors = _factors(subject, table, series)
    judged = ((factors > 0.0) & (factors < np.inf)).all(axis=1)
    series, factors = series[judged], factors[judged]
    if not series.size:
        return series, np.zeros((5, 0))
    scene, own = scene_of(subject), series.tolist()
    laws, places = [scene.level_law(table.traits[k]) for k in own], [table.places[k] for k in own]
    steps = own_paths(scene, laws, places, factors)
    phi = np.array([law.paths[2].phi for law in laws])[:, None]
    steps[:, 1:] = (steps[:, 1:] - phi * steps[:, :-1]) / np.sqrt(1.0 - phi * phi)
    whole = np.full(series.size, float(table.buckets))
    products = (steps[:, 1:] * steps[:, :-1]).sum(axis=1)
    return series, np.array([whole, steps.sum(axis=1), (steps * steps).sum(axis=1), whole - 1.0, products])


def _factors(subject: Subject, table: SeriesTable, series: np.ndarray) -> np.ndarray:
    """Published factors of neighbouring series, float64 [n, H]; 0 where there is none."""
    first, stop = int(series[0]) * table.buckets, (int(series[-1]) + 1) * table.buckets
    rows = subject.database.arrays(
        f"""SELECT position::BIGINT AS position, lambda_random_component::DOUBLE AS factor FROM intensity
            WHERE position BETWEEN {first} AND {stop - 1}"""
    )
    factors = np.zeros(stop - first)
    factors[plain(rows["position"], first) - first] = plain(rows["factor"], 0.0)
    return factors.reshape(series.size, table.buckets)
