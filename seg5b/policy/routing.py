"""Routing policy: physical or virtual, which zone law, which clock is primary (law L7.routing)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.reading import PolicyFile


@dataclass(frozen=True, slots=True)
class EdgeTemper:
    """Redirection of virtual arrivals away from the ``top_k`` busiest zones, each with probability ``redirect_p``."""

    enabled: bool
    top_k: int
    redirect_p: float


def _profile(file: PolicyFile) -> dict[str, float]:
    """Probabilities by channel; none where the policy has no profile."""
    key = "hybrid_policy.virtual_share_profile"
    if "virtual_share_profile" not in file.value("hybrid_policy"):
        return {}
    return {channel: file.number(f"{key}.{channel}") for channel in file.value(key)}


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """How an arrival finds its site or edge.

    ``p_virtual_hybrid``: probability in [0, 1) that an arrival of a hybrid merchant is virtual;
    ``virtual_share_profile``: those of some channels, in [0, 1], which are others. ``tz_group_law``:
    ``zone_pinned_v1``, ``group_weights_v1`` or ``group_weights_or_zone_v1``. ``on_missing_site_table``: ``abort``,
    ``merchant_sites`` or ``merchant_or_made_up_sites``.
    ``primary_clock``: ``operational`` or ``settlement``, for virtual arrivals. ``carry_lambda``, ``carry_tz_group``:
    whether the arrivals carry the columns ``lambda_realised`` and ``tz_group_id``.
    """

    p_virtual_hybrid: float
    use_group_weights: bool
    tz_group_law: str
    on_missing_site_table: str
    primary_clock: str
    carry_lambda: bool
    carry_tz_group: bool
    edge_temper: EdgeTemper
    virtual_share_profile: Mapping[str, float]

    def p_virtual(self, channel: str) -> float:
        """Probability that an arrival of a hybrid merchant in a channel is virtual."""
        return self.virtual_share_profile.get(channel, self.p_virtual_hybrid)

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> RoutingPolicy:
        """Read ``arrival_routing_policy_5B``. Raises `PolicyError` ``5B.S4.ROUTING_POLICY_INVALID``."""
        file = PolicyFile.read(path, contracts, "arrival_routing_policy_5B", code="5B.S4.ROUTING_POLICY_INVALID")
        policy = cls(
            p_virtual_hybrid=file.number("hybrid_policy.p_virtual_hybrid"),
            use_group_weights=file.switch("physical.use_group_weights"),
            tz_group_law=file.text("physical.tz_group_law"),
            on_missing_site_table=file.text("physical.on_missing_site_table"),
            primary_clock=file.text("virtual.primary_clock"),
            carry_lambda=file.switch("optional_columns.lambda_realised"),
            carry_tz_group=file.switch("optional_columns.tz_group_id"),
            edge_temper=file.block("virtual.edge_temper", EdgeTemper),
            virtual_share_profile=_profile(file),
        )
        policy._check(file)
        return policy

    def _check(self, file: PolicyFile) -> None:
        low, high = file.bounds("hybrid_policy.p_virtual_hybrid_bounds")
        if not low <= self.p_virtual_hybrid <= high:
            raise file.fault(
                "hybrid_policy.p_virtual_hybrid",
                f"is {self.p_virtual_hybrid}, outside [{low}, {high}]",
                "move it inside p_virtual_hybrid_bounds",
            )
        if self.tz_group_law != "zone_pinned_v1" and not self.use_group_weights:
            raise file.fault(
                "physical.tz_group_law",
                f"is {self.tz_group_law} while use_group_weights is false",
                "switch the weights on, or use zone_pinned_v1",
            )
