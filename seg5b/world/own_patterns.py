"""Patterns of a user's table of intensities: which one a row of the surface follows, and how much of a row is in each
channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seg5b.world.plan import OwnSurface


class OwnPatterns:
    """Patterns by codes of merchant, zone and channel; codes of what the table does not tell apart do not count."""

    def __init__(self, table: OwnSurface, tzids: Sequence[str], channels: Sequence[str]) -> None:
        self.table = table
        self.total = table.totals()
        self._shape = (len(tzids) if table.zone else 1, len(channels) if table.channel else 1)
        zone = np.array([tzids.index(name) for name in table.zone] or [0])
        channel = np.array([channels.index(name) for name in table.channel] or [0])
        self._keys = self._key(table.merchant, zone, channel)
        self._order = np.argsort(self._keys)

    def of(self, merchant: NDArray[np.int64], zone: NDArray[np.int64], channel: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pattern of each of some rows, -1 where it has none."""
        keys = self._key(merchant, zone, channel)
        place = self._order[np.searchsorted(self._keys, keys, sorter=self._order).clip(max=self._keys.size - 1)]
        return np.where(self._keys[place] == keys, place, -1)

    def shares(self, patterns: NDArray[np.int64], buckets: int) -> NDArray[np.float64]:
        """Part of the horizon's arrivals in each bucket, float64 [patterns, buckets], each row summing to 1."""
        dense = np.zeros((patterns.size, buckets))
        for row, pattern in enumerate(patterns.tolist()):
            span = slice(self.table.first[pattern], self.table.first[pattern + 1])
            dense[row, self.table.bucket[span]] = self.table.expected[span] / self.total[pattern]
        return dense

    def _key(
        self, merchant: NDArray[np.int64], zone: NDArray[np.int64], channel: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        zones, channels = self._shape
        of_zone = zone if zones > 1 else 0
        return np.asarray((merchant * zones + of_zone) * channels + (channel if channels > 1 else 0))
