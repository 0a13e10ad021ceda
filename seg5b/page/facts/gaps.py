"""Times between one arrival of a merchant and its next, and how many come in bursts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.page.facts.scene import SECOND_US, Scene

MOST_ARRIVALS = 2_000_000
WINDOWS_S = (1, 10, 60)
BINS_PER_DECADE = 4
FIRST_DECADE = -3
SIZES = ("below 1 a day", "1 to 10 a day", "10 to 100 a day", "100 a day and more")
"""Classes of merchants by their mean number of arrivals."""
_BINS = BINS_PER_DECADE * 11


@dataclass(frozen=True, slots=True)
class SizeGaps:
    """Merchants of one size class that were looked at: ``arrivals`` of theirs; ``gaps`` int64 [bins] by length, a quarter
    of a decade each from a millisecond on (shorter ones are in the first); ``within`` arrivals at most so many seconds
    (`WINDOWS_S`) after the merchant's last one; ``placed``: the share that would be if all arrivals of a merchant and
    bucket were placed evenly at random in it, without those that follow one of the bucket before."""

    size: str
    merchants: int
    arrivals: int
    gaps: np.ndarray
    within: tuple[int, ...]
    placed: tuple[float, ...]


def measure_gaps(scene: Scene) -> tuple[SizeGaps, ...]:
    """Gaps of each size class that has arrivals, smallest merchants first. Above two million arrivals some merchants
    only, taken by a hash of their id."""
    scene.run(_SIZES.format(most=MOST_ARRIVALS))
    scene.run(_GAPS)
    placed = _placed(scene)
    found = []
    for size, merchants, arrivals in scene.rows(
        "SELECT size, count(*), sum(n)::BIGINT FROM sizes WHERE chosen GROUP BY ALL ORDER BY ALL"
    ):
        gaps = np.zeros(_BINS, np.int64)
        for bin_, number in scene.rows(_LENGTHS.format(size=size)):
            gaps[min(max(int(bin_) - FIRST_DECADE * BINS_PER_DECADE, 0), _BINS - 1)] += number
        within = ", ".join(f"count(*) FILTER (gap_us <= {window * SECOND_US})" for window in WINDOWS_S)
        (near,) = scene.rows(f"SELECT {within} FROM gaps WHERE size = {size}")
        found.append(SizeGaps(SIZES[size], int(merchants), int(arrivals), gaps, tuple(map(int, near)), placed[size]))
    return tuple(found)


def _placed(scene: Scene) -> dict[int, tuple[float, ...]]:
    """Of n arrivals in a bucket of length D, each has none of the others within w before it with chance (1 - w / D)^(n - 1)."""
    sums = ", ".join(
        f"sum(CAST(n * (1 - pow(1 - least({window * SECOND_US} / $bucket_us, 1), n - 1)) * 1e6 AS BIGINT))::BIGINT"
        for window in WINDOWS_S
    )
    found: dict[int, tuple[float, ...]] = dict.fromkeys(range(len(SIZES)), (0.0,) * len(WINDOWS_S))
    for size, whole, *parts in scene.rows(
        f"""SELECT size, sum(n)::BIGINT, {sums}
            FROM (SELECT merchant_id, bucket, sum(arrivals)::BIGINT AS n FROM cells JOIN series USING (k) GROUP BY ALL) AS c
            JOIN (SELECT merchant_id, size FROM sizes WHERE chosen) USING (merchant_id) GROUP BY size ORDER BY size"""
    ):
        found[int(size)] = tuple(part / 1e6 / whole for part in parts)
    return found


_SIZES = """
    CREATE OR REPLACE TABLE sizes AS
    SELECT merchant_id, n, (CASE WHEN n < days THEN 0 WHEN n < 10 * days THEN 1 WHEN n < 100 * days THEN 2 ELSE 3 END) AS size,
           sum(n) OVER (ORDER BY hash(merchant_id), merchant_id) - n < {most} AS chosen
    FROM (SELECT merchant_id, sum(arrivals)::BIGINT AS n, ($end_us - $start_us) / $day_us AS days FROM places
          GROUP BY merchant_id)"""
_GAPS = """
    CREATE OR REPLACE TABLE gaps AS
    SELECT size, gap_us
    FROM (SELECT merchant_id, epoch_us(ts_utc) - lag(epoch_us(ts_utc)) OVER (PARTITION BY merchant_id ORDER BY ts_utc) AS gap_us
          FROM arrivals WHERE merchant_id IN (SELECT merchant_id FROM sizes WHERE chosen))
    JOIN sizes USING (merchant_id) WHERE gap_us IS NOT NULL"""
_LENGTHS = f"""
    SELECT floor(log10(greatest(gap_us, 1) / 1e6) * {BINS_PER_DECADE})::BIGINT, count(*) FROM gaps WHERE size = {{size}}
    GROUP BY ALL ORDER BY ALL"""
