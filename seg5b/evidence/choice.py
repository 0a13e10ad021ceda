"""Which events: of some merchants, zones and a stretch of time (docs/laws#rng-events)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seg5b.axes import SeriesAxis, TimeGrid


@dataclass(frozen=True, slots=True)
class EventChoice:
    """Events of series of ``merchants`` and ``zones`` (of all, where there are none), in buckets that share an instant with
    [``since_us``, ``until_us``), UTC epoch microseconds, either of which may be open."""

    merchants: frozenset[int] = frozenset()
    zones: frozenset[str] = frozenset()
    since_us: int | None = None
    until_us: int | None = None

    def series(self, axis: SeriesAxis) -> np.ndarray:
        """Whether each series is chosen, bool [n]."""
        chosen = np.ones(len(axis), bool)
        if self.merchants:
            chosen &= np.isin(axis.merchant_id, np.array(sorted(self.merchants), np.uint64))
        if self.zones:
            chosen &= np.array([zone in self.zones for zone in axis.zones], bool)[axis.zone]
        return chosen

    def buckets(self, grid: TimeGrid) -> range:
        """The buckets chosen."""
        first, stop = 0, grid.bucket_count
        if self.since_us is not None:
            first = max((self.since_us - grid.start_us) // grid.bucket_us, 0)
        if self.until_us is not None:
            stop = min(-((grid.start_us - self.until_us) // grid.bucket_us), stop)
        return range(first, max(stop, first))

    def cells(self, axis: SeriesAxis, grid: TimeGrid, series: np.ndarray, bucket: np.ndarray) -> np.ndarray:
        """Which of some cells, given by series and bucket [R], are chosen: bool [R]."""
        buckets = self.buckets(grid)
        chosen: np.ndarray = self.series(axis)[series] & (bucket >= buckets.start) & (bucket < buckets.stop)
        return chosen


EVERY_EVENT = EventChoice()
