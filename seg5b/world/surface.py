"""The intensity surface, block by block: shape of the class in the zone's local week, times volume, times overlay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.world.templates import HOURS, all_shapes, variant_of
from seg5b.world.vocabulary import CHANNELS, CLASSES, channel_code
from seg5b.world.world import World

_BLOCK_VALUES = 1 << 20
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

    def __init__(self, world: World, parameter_hash: str) -> None:
        self._world = world
        rows = world.rows
        self.shapes = all_shapes()
        self.variant = _variants(world, parameter_hash)
        self._shape_of_row = self.shapes[rows.class_code, self.variant]
        self._zones, self._zone_place = np.unique(rows.zone, return_inverse=True)
        self._hour_of_week = np.array([self._local_hours(int(zone)) for zone in self._zones])

    def block_rows(self) -> int:
        """Rows in each block but the last; one block is one row group of the written surfaces."""
        return max(1, _BLOCK_VALUES // self._world.preset.buckets)

    def baseline(self, start: int, stop: int) -> NDArray[np.float64]:
        """Intensity by hour of the local week, float64 [rows, 168], of a normal week."""
        return np.asarray(self._world.rows.weekly[start:stop, None] * self._shape_of_row[start:stop])

    def blocks(self, scenario_id: str) -> Iterator[Block]:
        """All rows of one scenario, in order."""
        factors, place = self._overlays(scenario_id)
        count = len(self._world.rows)
        for start in range(0, count, self.block_rows()):
            stop = min(start + self.block_rows(), count)
            overlay = factors[place[start:stop]]
            yield Block(start, stop, self._intensity(start, stop, overlay), overlay)

    def _intensity(self, start: int, stop: int, overlay: NDArray[np.float32]) -> NDArray[np.float32]:
        active = np.flatnonzero(self._world.rows.weekly[start:stop] > 0)
        intensity = np.zeros(overlay.shape, np.float32)
        hours = self._hour_of_week[self._zone_place[start:stop][active]]
        weekly = self._world.rows.weekly[start:stop][active]
        base = np.take_along_axis(self._shape_of_row[start:stop][active] * weekly[:, None], hours, axis=1)
        intensity[active] = base * overlay[active]
        return intensity

    def _local_hours(self, zone: int) -> NDArray[np.int64]:
        """Hour of the local week of each UTC bucket; zones off the full hour fall to the hour that holds them."""
        world = self._world
        start_s = int(world.preset.start_utc.timestamp())
        instants_s = start_s + 3600 * np.arange(world.preset.buckets)
        offset_min = world.cache.offsets_min(world.geography.tzids[zone], instants_s)
        hours = (instants_s + 60 * offset_min) // 3600
        return (hours + 24 * _EPOCH_WEEKDAY) % HOURS

    def _overlays(self, scenario_id: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Overlay of each distinct (country, zone, class), float32 [kinds, buckets], and each row's kind."""
        rows, geography = self._world.rows, self._world.geography
        keys = np.stack([rows.country, rows.zone, rows.class_code.astype(np.int64)], axis=1)
        kinds, place = np.unique(keys, axis=0, return_inverse=True)
        calendar = self._world.calendars[scenario_id]
        factors = np.empty((len(kinds), self._world.preset.buckets), np.float32)
        for index, (country, zone, code) in enumerate(kinds.tolist()):
            factors[index] = calendar.factors(geography.countries[country], geography.tzids[zone], CLASSES[code])
        return factors, place.ravel()


def _variants(world: World, parameter_hash: str) -> NDArray[np.int64]:
    """Template variant of each row, int64 [rows]; hashed once per class and zone."""
    rows = world.rows
    keys, place = np.unique(rows.zone * 100 + rows.class_code, return_inverse=True)
    variants = []
    for zone, code in zip(*np.divmod(keys, 100), strict=True):
        name = CLASSES[code]
        channel = CHANNELS[channel_code(name)]
        variants.append(variant_of(name, channel, world.geography.tzids[zone], parameter_hash))
    return np.array(variants)[place]
