"""Realised arrivals as the columns of ``arrival_events_5B``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from seg5b_kernels.routing import Arrivals

from seg5b.context import ScenarioWork
from seg5b.expansion.world import RoutingWorld
from seg5b.policy import RoutingPolicy
from seg5b.tables import Coded, Constant, Masked, Moments, TableFormat
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import ARRIVAL_EVENTS

CLOCKS = ("primary", "settlement", "operational")
_MINUTE_US = 60_000_000
_UNPUBLISHED = ("row", "tempered")
"""What kernels tell each other, or what is published in another form."""


def wall_clock(ts_utc: np.ndarray, offset_min: np.ndarray) -> np.ndarray:
    """Wall-clock microseconds, int64 [n]: UTC plus the offset in minutes (law L7.clocks)."""
    found: np.ndarray = ts_utc + offset_min * np.int64(_MINUTE_US)
    return found


class ArrivalColumns:
    """Names, types and constants of one scenario's arrivals. ``form``: the format with the optional columns that the
    policy asks for."""

    def __init__(self, work: ScenarioWork, world: RoutingWorld, policy: RoutingPolicy) -> None:
        dropped = [] if policy.carry_lambda else ["lambda_realised"]
        dropped += [] if policy.carry_tz_group else ["tz_group_id"]
        self.form: TableFormat = ARRIVAL_EVENTS.without(*dropped)
        self._zones, self._channels = text_values(world.cache.tzids), text_values(work.axis.channels)
        self.fetched: tuple[str, ...] = tuple(
            name
            for name in Arrivals._fields
            if name not in _UNPUBLISHED and (name != "group_zone" or policy.carry_tz_group)
        )
        """Names of the columns of `Arrivals` that `of` needs."""
        self._constants: dict[str, Column] = {
            **work.identity_columns(),
            "routing_universe_hash": Constant(world.universe_hash),
        }

    def of(self, fetched: Mapping[str, np.ndarray], intensity: np.ndarray | None) -> dict[str, Column]:
        """Columns of some arrivals on the host, of which ``fetched`` has those of `ArrivalColumns.fetched`; ``intensity``
        float64: realised intensity of each one's bucket, or None."""
        physical = fetched["is_virtual"] == 0
        moment = fetched["ts_utc"]
        columns: dict[str, Column] = {
            **self._constants,
            "merchant_id": fetched["merchant_id"],
            "zone_representation": Coded(fetched["zone"], self._zones),
            "channel_group": Coded(fetched["channel"], self._channels),
            "bucket_index": fetched["bucket"],
            "arrival_seq": fetched["arrival_seq"],
            "ts_utc": Moments(moment),
            "is_virtual": fetched["is_virtual"],
            "site_id": Masked(fetched["site_id"], physical),
            "edge_id": Masked(fetched["edge_id"], ~physical),
        }
        if "group_zone" in fetched:
            columns["tz_group_id"] = Coded(fetched["group_zone"], self._zones)
        for clock in CLOCKS:
            minutes = fetched[f"offset_min_{clock}"]
            columns[f"tzid_{clock}"] = Coded(fetched[f"zone_{clock}"], self._zones)
            columns[f"ts_local_{clock}"] = Moments(wall_clock(moment, minutes))
            columns[f"utc_offset_min_{clock}"] = minutes
        if intensity is not None:
            columns["lambda_realised"] = intensity
        return columns
