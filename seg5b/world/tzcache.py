"""The time zone cache ``tz_cache_v1.bin`` and its manifest (docs/laws#tz-cache)."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.errors import WorldError
from seg5b.tzdb import Tzdb
from seg5b.world.tzif import SENTINEL_S, Transition, read_zone

LAST_YEAR = 2037
"""Transitions are compiled through the end of this year; offsets repeat by footer rule after it."""

_MAX_OFFSET_MIN = 900
Steps = tuple[tuple[int, int], ...]
"""(Unix seconds, offset in minutes) of each change, the first at -2^63."""


@dataclass(frozen=True, slots=True)
class CompiledZones:
    """Offset steps of every zone, keyed by tzid."""

    steps: Mapping[str, Steps]

    def offsets_min(self, tzid: str, instants_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """UTC offset in minutes at each instant (Unix seconds): that of the last step at or before it."""
        steps = self.steps[tzid]
        starts = np.array([start for start, _ in steps], np.int64)
        offsets = np.array([offset for _, offset in steps], np.int64)
        return np.asarray(offsets[np.searchsorted(starts, instants_s, side="right") - 1])


def compile_cache(database: Tzdb, tzids: Iterable[str], last_year: int = LAST_YEAR) -> CompiledZones:
    """Offset steps of the zones, each offset rounded to whole minutes."""
    steps = {tzid: minute_steps(tzid, read_zone(database, tzid, last_year)) for tzid in sorted(set(tzids))}
    return CompiledZones(steps)


def minute_steps(tzid: str, transitions: Iterable[Transition]) -> Steps:
    """Steps in minutes (ties to even), without those that change nothing.

    Raises `WorldError` ``5B.WORLD.OFFSET_RANGE`` for a later offset beyond 15 hours.
    """
    steps: list[tuple[int, int]] = []
    for item in transitions:
        offset_min = round(item.offset_s / 60)
        if item.instant_s != SENTINEL_S and abs(offset_min) > _MAX_OFFSET_MIN:
            raise WorldError(
                "5B.WORLD.OFFSET_RANGE",
                f"offset of {offset_min} minutes",
                where=tzid,
                remedy="choose another release of the time-zone database",
            )
        if not steps or steps[-1][1] != offset_min:
            steps.append((item.instant_s, offset_min))
    return tuple(steps)


def encode_cache(steps: Mapping[str, Steps]) -> bytes:
    """Bytes of ``tz_cache_v1.bin``: magic, version, zones in ascending order, all little-endian."""
    parts = [b"TZC1", struct.pack("<HI", 1, len(steps))]
    for tzid in sorted(steps):
        name = tzid.encode("ascii")
        parts += [struct.pack("<H", len(name)), name, struct.pack("<I", len(steps[tzid]))]
        parts += [struct.pack("<qi", start, offset) for start, offset in steps[tzid]]
    return b"".join(parts)


def cache_manifest(database: Tzdb, blob: bytes, manifest_fingerprint: str, created_utc: str) -> bytes:
    """Bytes of ``tz_timetable_cache.json``. ``tzdb_archive_sha256`` is that of ``tzdata.zi``, the
    compact source that its files are compiled from."""
    manifest = {
        "manifest_fingerprint": manifest_fingerprint,
        "tzdb_release_tag": database.release,
        "tzdb_archive_sha256": database.sha256(),
        "tz_index_digest": hashlib.sha256(blob).hexdigest(),
        "rle_cache_bytes": len(blob),
        "created_utc": created_utc,
    }
    return json.dumps(manifest, sort_keys=True).encode("ascii")
