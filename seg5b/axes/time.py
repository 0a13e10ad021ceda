"""The time axis: H equally long half-open buckets of UTC. Written by S1, read back here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg5b.errors import DomainError
from seg5b.tables.reading import Kind, numbers, read_columns

MICROSECONDS = 1_000_000
DAY_US = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class TimeGrid:
    """H half-open buckets: bucket b covers [start_us + b * bucket_us, start_us + (b + 1) * bucket_us), UTC epoch
    microseconds. ``band`` is ``baseline`` or ``stress``."""

    start_us: int
    bucket_us: int
    bucket_count: int
    band: str

    @property
    def end_us(self) -> int:
        """End of the horizon, exclusive."""
        return self.start_us + self.bucket_count * self.bucket_us

    @property
    def first_day(self) -> int:
        """UTC epoch day of the start."""
        return self.start_us // DAY_US

    @property
    def days(self) -> int:
        """UTC days that the horizon touches."""
        return (self.end_us - 1) // DAY_US - self.first_day + 1

    def day_of_bucket(self) -> np.ndarray:
        """UTC day on which each bucket starts, counted from `first_day`, int32 [H]."""
        starts = self.start_us + np.arange(self.bucket_count, dtype=np.int64) * self.bucket_us
        days: np.ndarray = (starts // DAY_US - self.first_day).astype(np.int32)
        return days

    @property
    def bucket_seconds(self) -> int:
        """Length of a bucket in seconds."""
        return self.bucket_us // MICROSECONDS


def read_time_grid(file: Path, *, code: str) -> TimeGrid:
    """The grid of a scenario. Raises `InputError` ``code`` when unreadable, `DomainError` ``code`` when its buckets
    are not contiguous from 0, half-open and equally long."""
    kinds = {
        "bucket_index": Kind.INTEGER,
        "bucket_start_utc": Kind.MOMENT,
        "bucket_end_utc": Kind.MOMENT,
        "scenario_is_baseline": Kind.FLAG,
    }
    columns = read_columns([file], kinds, code=code)
    index, start, end = (numbers(columns, name) for name in ("bucket_index", "bucket_start_utc", "bucket_end_utc"))
    if not index.size:
        raise DomainError(code, "the time grid has no bucket", where=str(file), remedy="run S1 again")
    length = int(end[0] - start[0])
    expected = int(start[0]) + np.arange(index.size) * length
    sound = length > 0 and (index == np.arange(index.size)).all()
    if not (sound and (start == expected).all() and (end == expected + length).all()):
        raise DomainError(code, "the time grid has gaps or overlaps", where=str(file), remedy="run S1 again")
    band = "baseline" if bool(numbers(columns, "scenario_is_baseline")[0]) else "stress"
    return TimeGrid(int(start[0]), length, index.size, band)
