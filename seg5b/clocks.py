"""The sealed time-zone cache: strict decoder, coverage, and the form that kernels read.

Layout: docs/laws#tz-cache. ``TZC1``, u16 version 1, u32 zones; per zone u16 name length, ASCII name, u32 changes,
then (i64 UTC seconds, i32 offset minutes) each; little-endian, nothing behind the last record.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from seg5b.errors import InputError, shown
from seg5b.foreign_json import TEXT, Maybe, read_at_most, read_json
from seg5b.refusals import pass_on_refusal

MAGIC = b"TZC1"
BEGINNING_OF_TIME_S = -(2**63)
MAX_OFFSET_MIN = 900
MAX_FIRST_OFFSET_MIN = 1440
"""Local mean time may lie further out than any offset since, as Alaska's did (+15:02)."""
MOST_CACHE_BYTES: Final = 1 << 26
MOST_ZONES: Final = 10_000
"""Some sixteen times as many as there are."""
_LONGEST_NAME = 255
_RESTORE = "restore the cache that segment 2A wrote"
_END = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,6})?)?Z?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TzCache:
    """Offsets of Z zones.

    ``tzids`` [Z] in file order; ``start`` int64 [Z + 1] prefix sums into ``second`` int64 (UTC seconds from which an
    offset holds, ascending per zone) and ``offset_min`` int32 (minutes east of UTC).
    """

    tzids: tuple[str, ...]
    start: np.ndarray
    second: np.ndarray
    offset_min: np.ndarray

    def index(self) -> dict[str, int]:
        """Zone name to position."""
        return {tzid: position for position, tzid in enumerate(self.tzids)}

    def newest_change_s(self) -> int:
        """UTC second of the newest change of any zone: how far the cache is known to reach."""
        return int(self.second.max(initial=BEGINNING_OF_TIME_S))

    def within(self, start_us: int, end_us: int) -> TzCache:
        """The same offsets for instants in [start_us, end_us) only: per zone the change that holds at the start, and
        those until the end."""
        start_s, end_s = start_us // 1_000_000, -(-end_us // 1_000_000)
        keep = np.zeros(self.second.size, bool)
        for zone in range(len(self.tzids)):
            first, stop = int(self.start[zone]), int(self.start[zone + 1])
            seconds = self.second[first:stop]
            low = first + max(int(np.searchsorted(seconds, start_s, side="right")) - 1, 0)
            high = first + max(int(np.searchsorted(seconds, end_s, side="left")), low - first + 1)
            keep[low:high] = True
        sizes = np.add.reduceat(keep, self.start[:-1]).astype(np.int64)
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return TzCache(self.tzids, start, self.second[keep], self.offset_min[keep])


def read_tz_cache(path: Path, *, code: str) -> TzCache:
    """Decode a cache file.

    Raises `InputError` ``code``: unreadable, wrong magic or version, cut short, bytes left over, a name that is not
    printable ASCII or occurs twice, a zone without changes, instants that do not ascend, an offset beyond 900 minutes (the
    first: a day), more than `MOST_CACHE_BYTES` or `MOST_ZONES`.
    """
    try:
        with path.open("rb") as file:
            return _decode(read_at_most(file, MOST_CACHE_BYTES))
    except (OSError, ValueError, struct.error) as cause:
        pass_on_refusal(cause)
        raise InputError(code, f"time-zone cache: {cause}", where=str(path), remedy=_RESTORE) from cause


def covering_cache(files: Sequence[Path], end_us: int, *, code: str) -> TzCache:
    """The cache among the files of ``tz_timetable_cache``, complete until ``end_us`` (UTC epoch microseconds, exclusive):
    until its newest change, or the end that its manifest states.

    Raises `InputError` ``code``: no binary file, one that `read_tz_cache` refuses, a manifest that cannot be read, a cache
    that ends earlier.
    """
    binaries = [file for file in files if file.suffix == ".bin"]
    named = [file for file in binaries if file.name == "tz_cache_v1.bin"] or binaries[:1]
    if not named:
        raise InputError(
            code,
            "no .bin file in the time-zone cache",
            where=str(files[0].parent),
            remedy="compile the cache of 2A again",
        )
    cache = read_tz_cache(named[0], code=code)
    reach_s = max(cache.newest_change_s(), stated_coverage_s(files, code=code))
    if end_us > reach_s * 1_000_000:
        raise InputError(
            code,
            f"the time-zone cache reaches to {np.datetime64(max(reach_s, -(2**40)), 's')}Z, the scenarios to "
            f"{np.datetime64(end_us, 'us')}Z",
            where=str(named[0]),
            remedy="compile the cache with a later horizon in 2A",
        )
    return cache


def stated_coverage_s(files: Sequence[Path], *, code: str) -> int:
    """UTC second to which the cache's manifest says it is complete; far in the past if it says nothing. Raises as
    `read_manifest`."""
    manifests = [file for file in files if file.suffix == ".json"]
    stated = [(file, read_manifest(file, code=code).get("coverage_end_utc")) for file in manifests]
    return max((_second(end, file, code) for file, end in stated if end is not None), default=-(2**62))


def read_manifest(file: Path, *, code: str) -> dict[str, Any]:
    """The manifest beside a cache: ``tzdb_release_tag`` and ``coverage_end_utc`` are texts, where it has them. Raises
    `InputError` ``code``."""
    try:
        fields: dict[str, Any] = read_json(file, {"tzdb_release_tag": Maybe(TEXT), "coverage_end_utc": Maybe(TEXT)})
    except (OSError, ValueError) as cause:
        pass_on_refusal(cause)
        raise InputError(code, f"manifest of the time-zone cache: {cause}", where=str(file), remedy=_RESTORE) from cause
    return fields


def _second(end: str, file: Path, code: str) -> int:
    try:
        if not _END.fullmatch(end):
            raise ValueError("not RFC 3339 in UTC")
        return (datetime.fromisoformat(end.rstrip("Z")).replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
    except ValueError as cause:
        what = f"coverage_end_utc {shown(end)} of the time-zone cache is no instant: {cause}"
        raise InputError(code, what, where=str(file), remedy=_RESTORE) from cause


def _decode(raw: bytes) -> TzCache:
    if len(raw) > MOST_CACHE_BYTES:
        raise ValueError(f"more than {MOST_CACHE_BYTES} bytes")
    if raw[:4] != MAGIC:
        raise ValueError(f"magic is {raw[:4]!r}, not {MAGIC!r}")
    version, zones = struct.unpack_from("<HI", raw, 4)
    if version != 1:
        raise ValueError(f"version {version} is not 1")
    if not 0 < zones <= MOST_ZONES:
        raise ValueError(f"{zones} zones, not 1 to {MOST_ZONES}")
    at = 10
    tzids: dict[str, None] = {}
    starts, seconds, offsets = [0], [], []
    for _ in range(zones):
        (length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + length].decode("ascii")
        (changes,) = struct.unpack_from("<I", raw, at + 2 + length)
        at += 6 + length
        block = np.frombuffer(raw, _CHANGE, changes, at)
        _check_zone(name, block, tzids)
        at += changes * _CHANGE.itemsize
        tzids[name] = None
        seconds.append(block["second"].astype(np.int64))
        offsets.append(block["offset_min"].astype(np.int32))
        starts.append(starts[-1] + changes)
    if at != len(raw):
        raise ValueError(f"{len(raw) - at} bytes behind the last zone")
    return TzCache(tuple(tzids), np.asarray(starts, np.int64), np.concatenate(seconds), np.concatenate(offsets))


_CHANGE = np.dtype([("second", "<i8"), ("offset_min", "<i4")])


def _check_zone(name: str, block: np.ndarray, known: Collection[str]) -> None:
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME or name in known:
        raise ValueError(f"zone name {shown(name)} is empty, not printable, too long or occurs twice")
    if not block.size:
        raise ValueError(f"zone {name} has no offset")
    if (block["second"][1:] <= block["second"][:-1]).any():
        raise ValueError(f"changes of zone {name} do not ascend")
    offsets = np.abs(block["offset_min"].astype(np.int64))
    first = block["second"] == BEGINNING_OF_TIME_S
    if (offsets > np.where(first, MAX_FIRST_OFFSET_MIN, MAX_OFFSET_MIN)).any():
        raise ValueError(
            f"zone {name} has an offset beyond {MAX_OFFSET_MIN} minutes, or a first one beyond {MAX_FIRST_OFFSET_MIN}"
        )
