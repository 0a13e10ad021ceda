"""What is wrong with a surface, found on the host once the kernel's check has said that something is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seg5b.axes.vocabulary import Vocabulary, run_starts
from seg5b.backends.base import Backend
from seg5b.errors import DomainError, NumericError
from seg5b.frames import FrameColumns
from seg5b.frames.base import array, text
from seg5b.inputs.surface_keys import NAMES
from seg5b.tables.reading import Text

Vocabularies = Sequence[Vocabulary]


class UnsortedSurfaceError(Exception):
    """The rows are not in streaming order, or there is a cell without exactly one sound row."""


class HostRows(NamedTuple):
    """Rows of a surface as numpy arrays: ``merchant`` uint64, ``country``, ``tzid``, ``channel`` int32 codes of the
    reader's vocabularies (zero where there is no channel), ``bucket`` int64, ``expected`` float64 [rows]."""

    merchant: np.ndarray
    country: np.ndarray
    tzid: np.ndarray
    channel: np.ndarray
    bucket: np.ndarray
    expected: np.ndarray

    def cut(self, start: int, stop: int) -> HostRows:
        """Rows [start, stop)."""
        return HostRows(*(column[start:stop] for column in self))

    @staticmethod
    def joined(pieces: Sequence[HostRows]) -> HostRows:
        """Several pieces one after the other."""
        return pieces[0] if len(pieces) == 1 else HostRows(*map(np.concatenate, zip(*pieces, strict=True)))


def rows_on_host(backend: Backend, columns: FrameColumns, names: Vocabularies) -> HostRows:
    """A frame's rows, its texts coded by the vocabularies of `NAMES`."""
    merchant = backend.download(array(columns, "merchant_id"))
    codes = []
    for name, vocabulary in zip(NAMES, names, strict=True):
        if name in columns:
            column = text(columns, name)
            codes.append(vocabulary.encode(Text(backend.download(column.codes), column.values)))
        else:
            codes.append(np.zeros(merchant.size, np.int32))
    values = (backend.download(array(columns, n)) for n in ("local_horizon_bucket_index", "lambda_local_scenario"))
    return HostRows(merchant, *codes, *values)


Component = tuple[int, int, int, int]  # merchant, and codes of country, tzid, channel


class Diagnosis:
    """Finds the first offenders in whole merchants, merchants ascending. ``bucket_count``: H. Errors as
    `seg5b.inputs.surface_blocks.iterate_blocks` says."""

    def __init__(self, bucket_count: int, state: str) -> None:
        self._buckets = bucket_count
        self._state = state

    def components(self, rows: HostRows, names: Vocabularies) -> list[Component]:
        """The components, in row order, if nothing is wrong."""
        merchant, country, tzid, channel = rows[:4]
        starts = run_starts(merchant, country, tzid, channel)
        components = [(int(merchant[s]), int(country[s]), int(tzid[s]), int(channel[s])) for s in starts.tolist()]
        self._check_complete(components, starts, rows.bucket, names)
        self._check_numbers(components, starts, rows.bucket, rows.expected, names)
        return components

    def _check_complete(
        self,
        components: list[Component],
        starts: np.ndarray,
        bucket: np.ndarray,
        names: Vocabularies,
    ) -> None:
        """Every component holds buckets 0 .. H-1 exactly once, in order."""
        lengths = np.diff(np.append(starts, bucket.size))
        whole = (lengths == self._buckets).all()
        if whole and (bucket.reshape(-1, self._buckets) == np.arange(self._buckets)).all():
            if len(set(components)) < len(components):
                raise UnsortedSurfaceError
            return
        inner = np.ones(bucket.size, bool)
        inner[starts] = False
        if len(set(components)) < len(components) or ((np.diff(bucket) < 0) & inner[1:]).any():
            raise UnsortedSurfaceError
        outside = np.flatnonzero((bucket < 0) | (bucket >= self._buckets))
        if outside.size:
            at = int(outside[0])
            self._fail(DomainError, "BUCKET_SET_INCONSISTENT", components, starts, at, names,
                       f"bucket index {int(bucket[at])} lies outside 0..{self._buckets - 1}")  # fmt: skip
        repeated = np.flatnonzero(np.append(False, bucket[1:] == bucket[:-1]) & inner)
        if repeated.size:
            at = int(repeated[0])
            self._fail(DomainError, "DOMAIN_ALIGN_FAILED", components, starts, at, names,
                       f"bucket {int(bucket[at])} occurs twice")  # fmt: skip
        short = int(np.flatnonzero(lengths != self._buckets)[0])
        held = bucket[starts[short] : starts[short] + lengths[short]]
        missing = np.setdiff1d(np.arange(self._buckets), held)
        what = f"bucket {int(missing[0])} is missing ({missing.size} of {self._buckets} are)"
        self._fail(DomainError, "REALISED_DOMAIN_INCOMPLETE", components, starts, int(starts[short]), names, what)

    def _check_numbers(
        self,
        components: list[Component],
        starts: np.ndarray,
        bucket: np.ndarray,
        expected: np.ndarray,
        names: Vocabularies,
    ) -> None:
        bad = np.flatnonzero(~((expected >= 0.0) & (expected < np.inf)))
        if bad.size:
            at = int(bad[0])
            what = f"lambda {float(expected[at])} in bucket {int(bucket[at])} is not a non-negative finite number"
            self._fail(NumericError, "REALISED_NUMERIC_INVALID", components, starts, at, names,
                       f"{what} ({bad.size} such values in this block)")  # fmt: skip

    def _fail(
        self,
        kind: type[DomainError] | type[NumericError],
        reason: str,
        components: list[Component],
        starts: np.ndarray,
        row: int,
        names: Vocabularies,
        what: str,
    ) -> None:
        merchant, country, tzid, _ = components[int(np.searchsorted(starts, row, side="right")) - 1]
        raise kind(
            f"5B.{self._state}.{reason}",
            what,
            where=f"merchant {merchant}, country {names[0].values[country]}, tzid {names[1].values[tzid]}",
            remedy="restore the surface of 5A: each component needs each bucket of the horizon exactly once",
        )
