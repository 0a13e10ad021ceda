"""The sealed policies of a run."""

from __future__ import annotations

from dataclasses import dataclass

from seg5b.contracts import ContractSource
from seg5b.gate import Gate
from seg5b.policy import (
    AliasLayoutPolicy,
    BundleLayoutPolicy,
    CountPolicy,
    GroupingPolicy,
    LgcpPolicy,
    PlacementPolicy,
    RngPolicy,
    RoutingPolicy,
    TimeGridPolicy,
    ValidationPolicy,
)
from seg5b.resources import resource_root
from seg5b.twin.readings import Readings, read_policies

LAYOUT = "bundle_layout_policy_5B"
_SHIPPED = f"config/layer2/5B/{LAYOUT}.yaml"


@dataclass(frozen=True, slots=True)
class RunPolicies:
    """Every sealed policy that a published run is read and judged by. ``readings``: the numbers that it was made with, read a
    second time; what a run is judged by comes from there."""

    validation: ValidationPolicy
    layout: BundleLayoutPolicy
    time_grid: TimeGridPolicy
    grouping: GroupingPolicy
    lgcp: LgcpPolicy
    count: CountPolicy
    placement: PlacementPolicy
    routing: RoutingPolicy
    rng: RngPolicy
    alias: AliasLayoutPolicy
    readings: Readings


def load_policies(gate: Gate, contracts: ContractSource) -> RunPolicies:
    """Policies behind an open gate, which has compared their bytes with what was sealed. The layout of the bundle is optional:
    a gate without one gets the shipped one's.

    Raises `PolicyError` with the code of the policy that is wrong; `GateError` when one is not sealed.
    """
    return RunPolicies(
        validation=ValidationPolicy.load(gate.path("validation_policy_5B"), contracts),
        layout=BundleLayoutPolicy.load(
            gate.path(LAYOUT) if gate.has(LAYOUT) else resource_root() / _SHIPPED, contracts
        ),
        time_grid=TimeGridPolicy.load(gate.path("time_grid_policy_5B"), contracts),
        grouping=GroupingPolicy.load(gate.path("grouping_policy_5B"), contracts),
        lgcp=LgcpPolicy.load(gate.path("arrival_lgcp_config_5B"), contracts),
        count=CountPolicy.load(gate.path("arrival_count_config_5B"), contracts),
        placement=PlacementPolicy.load(gate.path("arrival_time_placement_policy_5B"), contracts),
        routing=RoutingPolicy.load(gate.path("arrival_routing_policy_5B"), contracts),
        rng=RngPolicy.load(gate.path("arrival_rng_policy_5B"), contracts),
        alias=AliasLayoutPolicy.load(gate.path("alias_layout_policy_v1"), contracts),
        readings=read_policies(gate.path),
    )
