"""The intensity surface, block by block: shape of the class in the zone's local week, or pattern of a user's table, times
volume, times overlay.

Its rows are the `seg5b.world.channels.ChannelRows` of the world.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world.own_patterns import OwnPatterns
from seg5b.world.shares import unique_keys
from seg5b.world.templates import HOURS, VARIANTS, all_shapes, variant_of
from seg5b.world.vocabulary import CLASSES
from seg5b.world.world import BuiltWorld

_BLOCK_VALUES = 1 << 20
_MOST_ROWS = 256
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows ``start`` to ``stop`` of one scenario, each with all buckets: ``lambda_`` and ``overlay`` float32
    [rows, buckets], expected arrivals per bucket and the factor that is already in them."""

    start: int
    stop: int
    lambda_: NDArray[np.float32]
    overlay: NDArray[np.float32]


class Surface:
    """Intensity of every row of a world; blocks are made on demand, so memory does not grow with the world."""

    def __init__(self, world: BuiltWorld, parameter_hash: str) -> None:
        self._world = world
        rows, channels = world.rows, world.channels
        self._weekly = channels.weekly
        self._zone, self._class_code = rows.zone[channels.row], rows.class_code[channels.row]
        self.shapes = all_shapes(world.plan)
        self.variant = self._variants(parameter_hash)
        self._shapes = self.shapes.reshape(-1, self.week_buckets)
        self._shape = self._class_code.astype(np.int64) * VARIANTS + self.variant
        self._zones, self._zone_place = np.unique(self._zone, return_inverse=True)
        self._week_bucket = np.array([self._local_buckets(int(zone)) for zone in self._zones])
        self._own, self._pattern = self._patterns()

    def block_rows(self) -> int:
        """Rows in each block but the last; one block is one row group of the written surfaces."""
        return max(1, _BLOCK_VALUES // self._world.plan.buckets)

    def baseline(self, start: int, stop: int) -> NDArray[np.float64]:
        """Intensity by bucket of the local week, float64 [rows, buckets of a week], of a normal week; of rows with a pattern,
        their mean in it."""
        week = np.asarray(self._weekly[start:stop, None] * self._shapes[self._shape[start:stop]])
        for place in np.flatnonzero(self._pattern[start:stop] >= 0).tolist():
            row = start + place
            local = self._week_bucket[self._zone_place[row]]
            part = np.bincount(local, self._normal(np.array([row]))[0], self.week_buckets)
            mean = part / np.bincount(local, minlength=self.week_buckets).clip(min=1)
            week[place] = mean * (self._weekly[row] / mean.sum()) if mean.sum() > 0 else 0.0
        return week

    def largest(self) -> float:
        """No bucket expects more arrivals than this in normal weeks."""
        peak = float(self._weekly.max() * self.shapes[np.unique(self._class_code)].max())
        own = np.flatnonzero(self._pattern >= 0)
        blocks = np.array_split(own, -(-own.size // self.block_rows())) if own.size else []
        return max(peak, *(float(self._normal(rows).max()) for rows in blocks)) if blocks else peak

    def of_rows(self, scenario_id: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Intensity of some rows in a scenario, float64 [rows, buckets]."""
        channels, geography = self._world.channels, self._world.geography
        calendar = self._world.calendars[scenario_id]
        base = self._normal(rows)
        for place, row in enumerate(rows.tolist()):
            country = geography.countries[self._world.rows.country[channels.row[row]]]
            names = (geography.tzids[self._zone[row]], CLASSES[self._class_code[row]])
            base[place] *= calendar.factors(country, *names, channels.names[channels.channel[row]])
        return np.asarray(base)

    def expected_between(self, tzid: str, start_s: int, end_s: int, row_factor: NDArray[np.float64]) -> float:
        """Arrivals that a zone expects between two instants of the horizon, in whole buckets and all scenarios, each row's
        times its factor (float64 [rows of the surface]); of many rows, some stand for all."""
        plan = self._world.plan
        rows = np.flatnonzero(self._zone == self._world.geography.tzids.index(tzid))
        some = rows[:: max(1, rows.size // _MOST_ROWS)]
        weight = self._weekly[rows].sum() / self._weekly[some].sum()
        first, last = ((moment - int(plan.start_utc.timestamp())) // plan.bucket_seconds for moment in (start_s, end_s))
        expected = [
            (self.of_rows(scenario_id, some)[:, max(0, first) : last] * row_factor[some, None]).sum()
            for scenario_id in plan.scenarios
        ]
        return float(math.fsum(expected) * weight)

    @property
    def week_buckets(self) -> int:
        """Buckets of a week."""
        return int(self.shapes.shape[2])

    def blocks(self, scenario_id: str) -> Iterator[Block]:
        """All rows of one scenario, in order."""
        factors, place = self._overlays(scenario_id)
        count = self._weekly.size
        for start in range(0, count, self.block_rows()):
            stop = min(start + self.block_rows(), count)
            overlay = factors[place[start:stop]]
            yield Block(start, stop, self._intensity(start, stop, overlay), overlay)

    def _intensity(self, start: int, stop: int, overlay: NDArray[np.float32]) -> NDArray[np.float32]:
        active = np.flatnonzero(self._weekly[start:stop] > 0)
        intensity = np.zeros(overlay.shape, np.float32)
        intensity[active] = self._normal(start + active) * overlay[active]
        return intensity

    def _normal(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Intensity of some rows by bucket of the horizon, float64 [rows, buckets], in normal weeks."""
        shape = self._shapes[self._shape[rows, None], self._week_bucket[self._zone_place[rows]]]
        shape *= self._weekly[rows, None]
        own = np.flatnonzero(self._pattern[rows] >= 0)
        if own.size and self._own:
            plan, volume = self._world.plan, self._weekly[rows[own], None]
            shape[own] = self._own.shares(self._pattern[rows[own]], plan.buckets) * (volume * (plan.hours / HOURS))
        return np.asarray(shape)

    def _patterns(self) -> tuple[OwnPatterns | None, NDArray[np.int64]]:
        """Patterns of a user's table, and the one of each row, -1 where it has none."""
        channels, table = self._world.channels, self._world.plan.own_surface
        if table is None:
            return None, np.full(self._weekly.size, -1)
        own = OwnPatterns(table, self._world.geography.tzids, channels.names)
        return own, own.of(self._world.rows.merchant[channels.row], self._zone, channels.channel)

    def _local_buckets(self, zone: int) -> NDArray[np.int64]:
        """Bucket of the local week of each UTC bucket; zones off its length fall to the bucket that holds them."""
        world, plan = self._world, self._world.plan
        start_s = int(plan.start_utc.timestamp())
        instants_s = start_s + plan.bucket_seconds * np.arange(plan.buckets)
        offset_min = world.cache.offsets_min(world.geography.tzids[zone], instants_s)
        buckets = (instants_s + 60 * offset_min) // plan.bucket_seconds
        return (buckets + 24 * plan.buckets_per_hour * _EPOCH_WEEKDAY) % (HOURS * plan.buckets_per_hour)

    def _overlays(self, scenario_id: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Overlay of each distinct set of events, float32 [sets, buckets], and the set of each row."""
        channels, geography = self._world.channels, self._world.geography
        country = self._world.rows.country[channels.row]
        kinds, place = unique_keys(country, self._zone, self._class_code, channels.channel)
        calendar = self._world.calendars[scenario_id]
        sets: dict[tuple[int, ...], int] = {}
        of_kind = []
        for land, zone, code, channel in zip(*(column.tolist() for column in kinds), strict=True):
            names = (geography.countries[land], geography.tzids[zone], CLASSES[code], channels.names[channel])
            of_kind.append(sets.setdefault(calendar.matching(*names), len(sets)))
        factors = np.empty((len(sets), self._world.plan.buckets), np.float32)
        for index, positions in enumerate(sets):
            factors[index] = calendar.factors_of(positions)
        return factors, np.array(of_kind)[place]

    def _variants(self, parameter_hash: str) -> NDArray[np.int64]:
        """Template variant of each row, int64 [rows]; hashed once per class, channel and zone."""
        channels, tzids = self._world.channels, self._world.geography.tzids
        kinds, place = unique_keys(self._zone, self._class_code, channels.channel)
        variants = [
            variant_of(CLASSES[code], channels.names[channel], tzids[zone], parameter_hash)
            for zone, code, channel in zip(*(column.tolist() for column in kinds), strict=True)
        ]
        return np.array(variants)[place]
