"""The policies that steer S4."""

from __future__ import annotations

from dataclasses import dataclass

from seg5b.context import StateWork
from seg5b.policy import AliasLayoutPolicy, PlacementPolicy, RngPolicy, RoutingPolicy


@dataclass(frozen=True, slots=True)
class ArrivalPolicies:
    """Placement in time and cutting of files, routing, random numbers, and the layout of alias blobs."""

    placement: PlacementPolicy
    routing: RoutingPolicy
    rng: RngPolicy
    layout: AliasLayoutPolicy

    @classmethod
    def load(cls, state: StateWork) -> ArrivalPolicies:
        """The sealed policies. Raises as `StateWork.policy`."""
        return cls(
            state.policy(PlacementPolicy, "arrival_time_placement_policy_5B"),
            state.policy(RoutingPolicy, "arrival_routing_policy_5B"),
            state.policy(RngPolicy, "arrival_rng_policy_5B"),
            state.policy(AliasLayoutPolicy, "alias_layout_policy_v1"),
        )
