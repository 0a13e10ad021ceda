"""How much the days of a series scatter, by its size: what is left once its level and its weekdays are removed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.page.facts.scene import DAY_US, Scene

LEAST_WEEKS = 3
_LEAST_A_DAY = 2.0


@dataclass(frozen=True, slots=True)
class SizeScatter:
    """Series of like size: ``low`` and ``high`` arrivals a day between which they lie, how many there are, their ``mean``
    arrivals a day and the ``variation``, mean of their squared coefficients of variation."""

    low: float
    high: float
    series: int
    mean: float
    variation: float


def measure_scatter_of_days(scene: Scene) -> tuple[SizeScatter, ...]:
    """Sizes in steps of a factor of 2, smallest first, from the tables of `open_scene`; none where the horizon has less than
    `LEAST_WEEKS` whole weeks (UTC)."""
    first = -(-scene.start_us // DAY_US)
    days = (scene.end_us // DAY_US - first) // 7 * 7
    if days < 7 * LEAST_WEEKS or scene.thinning > 1:
        return ()
    found = scene.arrays(
        f"""SELECT k, ($start_us + bucket::BIGINT * $bucket_us) // $day_us - {first} AS day, sum(arrivals)::BIGINT AS arrivals
            FROM cells WHERE k > 0 GROUP BY ALL HAVING day >= 0 AND day < {days} ORDER BY ALL"""
    )
    keys, place = np.unique(found["k"], return_inverse=True)
    counts = np.zeros((keys.size, days))
    counts[place, found["day"].astype(np.int64)] = found["arrivals"]
    return _by_size(counts.reshape(keys.size, days // 7, 7))


def _by_size(counts: np.ndarray) -> tuple[SizeScatter, ...]:
    """``counts``: float64 [series, weeks, 7]."""
    weeks = counts.shape[1]
    mean = counts.mean(axis=(1, 2))
    counts, mean = counts[mean >= _LEAST_A_DAY], mean[mean >= _LEAST_A_DAY]
    of_weekday = counts.mean(axis=1, keepdims=True)
    left = counts - of_weekday
    variance = (left**2).sum(axis=(1, 2)) / (7 * (weeks - 1))
    variation = variance / mean**2
    step = np.floor(np.log2(mean)).astype(np.int64)
    sizes = []
    for power in np.unique(step).tolist():
        here = step == power
        about = (float(mean[here].mean()), float(variation[here].mean()))
        sizes.append(SizeScatter(2.0**power, 2.0 ** (power + 1), int(here.sum()), *about))
    return tuple(sizes)
