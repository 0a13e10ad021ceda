"""What a world will come to, before it is made: rows, bytes, seconds and memory.

The population is made, which also finds what the specification alone does not show; surfaces and arrivals are not.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from seg5b.costs import run_bytes, run_memory, run_seconds
from seg5b.world.largest_places import PlaceShare, largest_places
from seg5b.world.vocabulary import CLASSES
from seg5b.world.world import BuiltWorld

# Measured as the costs of a run (seg5b/costs.py).
_WORLD_BYTES: Final = 1.0e6
_WORLD_BYTES_PER_CELL: Final = 5.0
_WORLD_BYTES_PER_IDLE_CELL: Final = 0.5
_WORLD_SECONDS: Final = 1.5
_WORLD_SECONDS_PER_MERCHANT: Final = 1.0e-4
_WORLD_SECONDS_PER_SITE: Final = 1.5e-5
_WORLD_SECONDS_PER_CELL: Final = 1.3e-7
"""Idle or not, of the horizon or of the normal week."""
_SAMPLED_ROWS: Final = 256


@dataclass(frozen=True, slots=True)
class Forecast:
    """Rows: ``merchants``, ``sites``, ``series`` (merchant, zone, channel), ``cells`` (series x buckets x scenarios),
    ``arrivals`` expected in all scenarios of one seed. ``world_bytes`` and ``run_bytes`` on disk; ``world_seconds`` and
    ``run_seconds`` (S0-S5) on two cores; ``memory_bytes`` at most. These five are rough: within a factor of two.
    ``largest_places``, ten of them, as made, asked and public."""

    merchants: int
    sites: int
    series: int
    buckets: int
    scenarios: int
    cells: int
    arrivals: int
    world_bytes: int
    run_bytes: int
    world_seconds: float
    run_seconds: float
    memory_bytes: int
    largest_places: tuple[PlaceShare, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, without places."""
        return {name: value for name, value in asdict(self).items() if name != "largest_places"}


def forecast(world: BuiltWorld) -> Forecast:
    """What a made population will come to."""
    plan = world.plan
    rows = len(world.channels)
    per_row = plan.buckets * len(plan.scenarios)
    cells, active = rows * per_row, int((world.channels.weekly > 0).sum()) * per_row
    arrivals = expected_arrivals(world)
    return Forecast(
        merchants=plan.merchants,
        sites=int(world.sites.row.size),
        series=rows,
        buckets=plan.buckets,
        scenarios=len(plan.scenarios),
        cells=cells,
        arrivals=round(arrivals),
        world_bytes=round(
            _WORLD_BYTES + _WORLD_BYTES_PER_CELL * active + _WORLD_BYTES_PER_IDLE_CELL * (cells - active)
        ),
        run_bytes=round(run_bytes(cells, cells - active, arrivals)),
        world_seconds=round(
            _WORLD_SECONDS
            + _WORLD_SECONDS_PER_MERCHANT * plan.merchants
            + _WORLD_SECONDS_PER_SITE * world.sites.row.size
            + _WORLD_SECONDS_PER_CELL * (cells + rows * 168 * plan.buckets_per_hour * len(plan.scenarios)),
            1,
        ),
        run_seconds=round(run_seconds(cells, arrivals), 1),
        memory_bytes=round(run_memory(cells, rows)),
        largest_places=tuple(largest_places(world)),
    )


def expected_arrivals(world: BuiltWorld) -> float:
    """Weekly volume times weeks, times the mean overlay of rows spread over the world; the hour of the week at which a
    horizon ends is not looked at."""
    channels, rows = world.channels, world.rows
    step = max(1, len(channels) // _SAMPLED_ROWS)
    sampled = np.arange(0, len(channels), step)
    total = 0.0
    for calendar in world.calendars.values():
        factor = [
            calendar.factors(
                world.geography.countries[rows.country[row]],
                world.geography.tzids[rows.zone[row]],
                CLASSES[rows.class_code[row]],
                channels.names[channel],
            ).mean()
            for row, channel in zip(channels.row[sampled], channels.channel[sampled], strict=True)
        ]
        weight = channels.weekly[sampled]
        mean = float((np.array(factor) * weight).sum() / weight.sum()) if weight.sum() > 0 else 1.0
        total += float(channels.weekly.sum()) * world.plan.hours / 168 * mean
    return total
