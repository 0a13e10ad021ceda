"""Virtual arrivals of hybrid merchants: the coin of each arrival decides, so their number per bucket row is known only
once the row was realised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from seg5b_kernels.arrivals import HYBRID, VIRTUAL

from seg5b.expansion.realise import RowCounts


@dataclass(frozen=True, slots=True)
class HybridRows:
    """Bucket rows of hybrid merchants: ``row`` int64 (series * H + bucket) and ``virtual`` int32 arrivals [R]."""

    row: np.ndarray
    virtual: np.ndarray

    @staticmethod
    def among(rows: RowCounts, mode: np.ndarray, bucket_count: int) -> HybridRows:
        """Those of some bucket rows that belong to hybrid merchants. ``mode`` uint8 [n]: virtual mode by series."""
        chosen = mode[rows.series] == HYBRID
        row = rows.series[chosen].astype(np.int64) * bucket_count + rows.bucket[chosen]
        return HybridRows(row, rows.virtual[chosen])

    @staticmethod
    def joined(pieces: Iterable[HybridRows]) -> HybridRows:
        """All pieces as one."""
        held = list(pieces)
        if not held:
            return HybridRows(np.zeros(0, np.int64), np.zeros(0, np.int32))
        return HybridRows(np.concatenate([p.row for p in held]), np.concatenate([p.virtual for p in held]))

    def content(self) -> bytes:
        """The rows as bytes: both columns, one after the other."""
        return self.row.astype("<i8").tobytes() + self.virtual.astype("<i4").tobytes()

    @staticmethod
    def of(content: bytes) -> HybridRows:
        """The rows that `content` was made from."""
        rows = len(content) // 12
        return HybridRows(np.frombuffer(content, "<i8", rows), np.frombuffer(content, "<i4", rows, 8 * rows))


class VirtualCounts:
    """Virtual arrivals of each bucket row, by series and bucket.

    Only a hybrid merchant's have to be remembered; they lie in a sparse file, so that memory does not grow with rows.
    ``mode`` uint8 [n]: virtual mode by series.
    """

    def __init__(self, file: Path, mode: np.ndarray, bucket_count: int) -> None:
        self._mode, self._buckets = mode, bucket_count
        self._held = np.memmap(file, np.int32, "w+", shape=(mode.size * bucket_count,))

    def keep(self, rows: HybridRows) -> None:
        """Enter the virtual arrivals of some bucket rows."""
        self._held[rows.row] = rows.virtual

    def of(self, series: np.ndarray, bucket: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Virtual arrivals of rows with ``count`` arrivals, int64."""
        mode = self._mode[series]
        virtual: np.ndarray = np.where(mode == VIRTUAL, count, 0)
        hybrid = mode == HYBRID
        virtual[hybrid] = self._held[series[hybrid].astype(np.int64) * self._buckets + bucket[hybrid]]
        return virtual
