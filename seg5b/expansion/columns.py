"""Realised arrivals as the columns of ``arrival_events_5B``."""

from __future__ import annotations

import numpy as np
from seg5b_kernels.routing import Arrivals

from seg5b.context import ScenarioWork
from seg5b.expansion.world import RoutingWorld
from seg5b.policy import RoutingPolicy
from seg5b.tables import Coded, Constant, Masked, Moments, TableFormat
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import ARRIVAL_EVENTS

CLOCKS = ("primary", "settlement", "operational")


class ArrivalColumns:
    """Names, types and constants of one scenario's arrivals. ``form``: the format with the optional columns that the
    policy asks for."""

    def __init__(self, work: ScenarioWork, world: RoutingWorld, policy: RoutingPolicy) -> None:
        dropped = [] if policy.carry_lambda else ["lambda_realised"]
        dropped += [] if policy.carry_tz_group else ["tz_group_id"]
        self.form: TableFormat = ARRIVAL_EVENTS.without(*dropped)
        self._zones, self._channels = text_values(world.cache.tzids), text_values(work.axis.channels)
        self._constants: dict[str, Column] = {
            **work.identity_columns(),
            "routing_universe_hash": Constant(world.universe_hash),
        }

    def of(self, out: Arrivals, intensity: np.ndarray | None) -> dict[str, Column]:
        """Columns of some arrivals on the host; ``intensity`` float64: realised intensity of each one's bucket, or
        None."""
        physical = out.is_virtual == 0
        columns: dict[str, Column] = {
            **self._constants,
            "merchant_id": out.merchant_id,
            "zone_representation": Coded(out.zone, self._zones),
            "channel_group": Coded(out.channel, self._channels),
            "bucket_index": out.bucket,
            "arrival_seq": out.arrival_seq,
            "ts_utc": Moments(out.ts_utc),
            "is_virtual": out.is_virtual,
            "site_id": Masked(out.site_id, physical),
            "edge_id": Masked(out.edge_id, ~physical),
            "tz_group_id": Coded(out.group_zone, self._zones),
        }
        for clock in CLOCKS:
            columns[f"tzid_{clock}"] = Coded(getattr(out, f"zone_{clock}"), self._zones)
            columns[f"ts_local_{clock}"] = Moments(getattr(out, f"local_{clock}"))
            columns[f"utc_offset_min_{clock}"] = getattr(out, f"offset_min_{clock}")
        if intensity is not None:
            columns["lambda_realised"] = intensity
        return columns
