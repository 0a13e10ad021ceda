"""Policies: each sealed policy file as one frozen record of checked numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from seg5b.contracts import ContractSource
from seg5b.policy import bundle_layout, count, grouping, lgcp, placement, rng, routing, validation
from seg5b.policy.additions import Additions
from seg5b.policy.alias_layout import AliasLayoutPolicy
from seg5b.policy.bundle_layout import BundleLayoutPolicy, EvidenceGroup, EvidenceMember
from seg5b.policy.count import CountPolicy
from seg5b.policy.grouping import GroupingPolicy
from seg5b.policy.lgcp import LgcpPolicy
from seg5b.policy.placement import PlacementPolicy
from seg5b.policy.rng import RngFamily, RngPolicy
from seg5b.policy.routing import EdgeTemper, RoutingPolicy
from seg5b.policy.time_grid import TimeGridPolicy
from seg5b.policy.validation import ValidationPolicy
from seg5b.policy.version import policy_version, policy_version_matches

__all__ = [
    "ADDITIONS",
    "RECORDS",
    "Additions",
    "AliasLayoutPolicy",
    "BundleLayoutPolicy",
    "CountPolicy",
    "EdgeTemper",
    "EvidenceGroup",
    "EvidenceMember",
    "GroupingPolicy",
    "LgcpPolicy",
    "Loadable",
    "PlacementPolicy",
    "RngFamily",
    "RngPolicy",
    "RoutingPolicy",
    "TimeGridPolicy",
    "ValidationPolicy",
    "load_policy",
    "policy_version",
    "policy_version_matches",
]

_Policy = TypeVar("_Policy", covariant=True)


class Loadable(Protocol[_Policy]):
    """A policy record that can read itself."""

    def load(self, path: Path, contracts: ContractSource) -> _Policy:
        """The record that the file at ``path`` holds. Raises `PolicyError`, `ContractError`."""
        ...


def load_policy(kind: Loadable[_Policy], path: Path, contracts: ContractSource) -> _Policy:
    """The record ``kind`` from a policy file; the same as ``kind.load(path, contracts)``."""
    return kind.load(path, contracts)


RECORDS: Final[Mapping[str, Loadable[Any]]] = {
    "time_grid_policy_5B": TimeGridPolicy,
    "grouping_policy_5B": GroupingPolicy,
    "arrival_lgcp_config_5B": LgcpPolicy,
    "arrival_rng_policy_5B": RngPolicy,
    "arrival_count_config_5B": CountPolicy,
    "arrival_time_placement_policy_5B": PlacementPolicy,
    "arrival_routing_policy_5B": RoutingPolicy,
    "alias_layout_policy_v1": AliasLayoutPolicy,
    "validation_policy_5B": ValidationPolicy,
    "bundle_layout_policy_5B": BundleLayoutPolicy,
}
"""The record of every policy, by its id."""

ADDITIONS: Final[Mapping[str, Additions]] = {
    "time_grid_policy_5B": Additions(),
    "grouping_policy_5B": grouping.ADDITIONS,
    "arrival_lgcp_config_5B": lgcp.ADDITIONS,
    "arrival_rng_policy_5B": rng.ADDITIONS,
    "arrival_count_config_5B": count.ADDITIONS,
    "arrival_time_placement_policy_5B": placement.ADDITIONS,
    "arrival_routing_policy_5B": routing.ADDITIONS,
    "validation_policy_5B": validation.ADDITIONS,
    "bundle_layout_policy_5B": bundle_layout.ADDITIONS,
}
"""What each policy of 5B may state beyond the reference engine's, by its id."""
