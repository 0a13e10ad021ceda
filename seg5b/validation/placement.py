"""What the law of placement expects of many arrivals at once: how they lie in their buckets (laws L7.time, L17).

Under ``linear_v1`` the density in a bucket is a matter of its heights a and b at the bucket's edges, in units of the bucket's
own intensity, and everything linear in it of sums over arrivals: F(t) = w0(t) + w1(t) a + w2(t) b (`weights`). So the cells are
added up once, from counts and intensities, and no arrival is looked at. Under ``uniform_floor_us_v1`` a and b are 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.run_tables.subject import Subject
from seg5b.validation.trials import grouped

_HOUR_US = 3_600_000_000
MOST_PAIRS = 4.0 / 3.0
"""Two arrivals of a bucket share a microsecond at most so many times as often as even ones would: the largest integral of a
squared density, of heights 0, 2, 0 or 2, 0, 2."""
MOST_SPREAD = 1.0 / 8.0
"""Largest mean square distance from the middle of the bucket, in squared buckets: of heights 2, 0, 2."""

SHAPED = """
    SELECT *, CASE WHEN mu > 0 THEN least((1 + before / mu) / 2, 2 * least(before / mu, 1)) ELSE 1 END AS first,
           CASE WHEN mu > 0 THEN least((1 + after / mu) / 2, 2 * least(after / mu, 1)) ELSE 1 END AS last
    FROM (SELECT position, bucket_index, merchant_id, {columns}, {mu}::DOUBLE AS mu,
                 coalesce(lag({mu}) OVER own, {mu})::DOUBLE AS before,
                 coalesce(lead({mu}) OVER own, {mu})::DOUBLE AS after
          FROM {table} WINDOW own AS (PARTITION BY position // $buckets ORDER BY position))"""
"""Cells of ``table`` with their heights ``first`` and ``last`` under ``linear_v1``; ``mu``: its column of intensities."""


@dataclass(frozen=True, slots=True)
class Heights:
    """Sums over the arrivals of n kinds, float64 [n] each: how many (``arrivals``), heights at the ``first`` and ``last`` edge
    of their bucket, and ``slopes``, the squares of last - first."""

    arrivals: np.ndarray
    first: np.ndarray
    last: np.ndarray
    slopes: np.ndarray

    def together(self) -> Heights:
        """All kinds as one."""
        return Heights(*(np.array([each.sum()]) for each in (self.arrivals, self.first, self.last, self.slopes)))

    def shares(self, places: int) -> np.ndarray:
        """Expected share of each of ``places`` equal stretches of the bucket, float64 [n, places]; equal ones of a kind without
        arrivals."""
        some = self.arrivals > 0
        first, last = (
            np.divide(each, self.arrivals, out=np.ones_like(each), where=some)[:, None]
            for each in (self.first, self.last)
        )
        w0, w1, w2 = weights(np.arange(places + 1) / places)
        return np.diff(w0 + w1 * first + w2 * last, axis=1)

    def mean_place(self) -> tuple[float, float]:
        """Expected mean place in the bucket of all arrivals together, and its standard deviation. A place has the mean
        1/2 + (b - a) / 12 and the mean square (28 - 6 a + 10 b) / 96."""
        number, rise = float(self.arrivals.sum()), float((self.last - self.first).sum())
        squares = (28.0 * number - 6.0 * float(self.first.sum()) + 10.0 * float(self.last.sum())) / 96.0
        variance = squares - (number / 4.0 + rise / 12.0 + float(self.slopes.sum()) / 144.0)
        return 0.5 + rise / (12.0 * number), float(np.sqrt(variance)) / number


def weights(place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """w0, w1, w2 at some places in 0 to 1: the share w0 + w1 a + w2 b of a bucket's arrivals lies before the place, a and b
    being its heights at the edges and 2 - (a + b) / 2 that at the centre."""
    t, s = np.minimum(place, 0.5), np.maximum(place - 0.5, 0.0)
    return 2.0 * (t * t + s - s * s), t - 1.5 * t * t + (s * s - s) / 2.0, (-t * t - s + 3.0 * s * s) / 2.0


def heights_by_merchant(subject: Subject) -> tuple[np.ndarray, Heights]:
    """Merchants that have arrivals, ascending, and the heights of each."""
    merchant, _, columns = _sums(subject)
    (merchants,), found = grouped([merchant], columns)
    return merchants, Heights(*found)


def heights_by_hour(subject: Subject) -> Heights:
    """Heights of the arrivals of each hour of the day (UTC) that their buckets begin in, [24]."""
    _, hour, columns = _sums(subject)
    return Heights(*(np.bincount(hour, each, minlength=24) for each in columns))


def _sums(subject: Subject) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Merchant and hour of the day, and the sums of `Heights` of each pair that has arrivals."""
    key = f"placement {subject.scenario_id}"
    if key not in subject.shared:
        shaped = SHAPED.format(columns="count_N", mu="mu", table="counts")
        rows = subject.arrays(
            f"""SELECT merchant_id, ($start_us + bucket_index * $bucket_us) // {_HOUR_US} % 24 AS hour,
                       sum(count_N)::DOUBLE AS arrivals, sum(count_N * first)::DOUBLE AS first,
                       sum(count_N * last)::DOUBLE AS last, sum(count_N * (last - first) * (last - first))::DOUBLE AS slopes
                FROM ({shaped}) WHERE count_N > 0 AND merchant_id IS NOT NULL GROUP BY ALL ORDER BY ALL"""
        )
        names = ("arrivals", "first", "last", "slopes")
        subject.shared[key] = rows["merchant_id"], rows["hour"].astype(np.int64), [rows[name] for name in names]
    found: tuple[np.ndarray, np.ndarray, list[np.ndarray]] = subject.shared[key]
    return found
