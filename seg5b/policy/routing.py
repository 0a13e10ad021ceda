"""Routing policy: physical or virtual, which zone law, which clock is primary (law L7.routing)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.policy.additions import Additions
from seg5b.policy.reading import PolicyFile

CODE = "5B.S4.ROUTING_POLICY_INVALID"
ADDITIONS = Additions(
    keys={
        "hybrid_policy.virtual_share_profile": None,
        "physical_router.tz_group_law": "zone_pinned_v1",
        "physical_router.on_missing_site_table": "abort",
        "virtual_router.primary_clock": "operational",
        "virtual_router.edge_temper.enabled": False,
        "virtual_router.edge_temper.top_k": 10,
        "virtual_router.edge_temper.redirect_p": 0.0,
        "optional_columns.lambda_realised": False,
        "optional_columns.tz_group_id": False,
    }
)
"""What this policy may state beyond the reference engine's (docs/laws#policy-additions)."""


@dataclass(frozen=True, slots=True)
class EdgeTemper:
    """Redirection of virtual arrivals away from the ``top_k`` busiest zones, each with probability ``redirect_p``."""

    enabled: bool
    top_k: int
    redirect_p: float


HOURS = 24
Hourly = tuple[float, ...]
"""One probability for each local hour of the day, 0 to 23."""


def _profile(file: PolicyFile) -> dict[str, Hourly]:
    """Probabilities by channel and hour; none where the policy has no profile."""
    key = "hybrid_policy.virtual_share_profile"
    if "virtual_share_profile" not in file.value("hybrid_policy"):
        return {}
    return {channel: _by_hour(file, f"{key}.{channel}", share) for channel, share in file.value(key).items()}


def _by_hour(file: PolicyFile, key: str, share: Any) -> Hourly:
    """A channel's probabilities, from one for all hours or a list of 24. Raises `PolicyError` for a list of another length."""
    if not isinstance(share, list):
        return (file.number(key),) * HOURS
    if len(share) != HOURS:
        what = f"has {len(share)} probabilities"
        raise file.fault(key, what, "give one for each local hour of the day, 24 of them, or a single one")
    return tuple(map(float, share))


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """How an arrival finds its site or edge.

    ``p_virtual_hybrid``: probability in [0, 1) that an arrival of a hybrid merchant is virtual;
    ``virtual_share_profile``: those of some channels, in [0, 1], which are others, for each local hour of the day.
    ``tz_group_law``: ``zone_pinned_v1``, ``group_weights_v1`` or
    ``group_weights_or_zone_v1``. ``on_missing_site_table``: ``abort``,
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
    virtual_share_profile: Mapping[str, Hourly]

    def p_virtual(self, channel: str) -> Hourly:
        """Probability that an arrival of a hybrid merchant in a channel is virtual, by local hour of the day."""
        return self.virtual_share_profile.get(channel, (self.p_virtual_hybrid,) * HOURS)

    @property
    def coins_have_hours(self) -> bool:
        """Whether the coin of any channel is another at some hour of the day."""
        return any(len(set(hours)) > 1 for hours in self.virtual_share_profile.values())

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> RoutingPolicy:
        """Read ``arrival_routing_policy_5B``. Raises `PolicyError` ``5B.S4.ROUTING_POLICY_INVALID``."""
        file = PolicyFile.read(path, contracts, "arrival_routing_policy_5B", code=CODE, additions=ADDITIONS)
        policy = cls(
            p_virtual_hybrid=file.number("hybrid_policy.p_virtual_hybrid"),
            use_group_weights=file.switch("physical_router.use_group_weights"),
            tz_group_law=file.text("physical_router.tz_group_law"),
            on_missing_site_table=file.text("physical_router.on_missing_site_table"),
            primary_clock=file.text("virtual_router.primary_clock"),
            carry_lambda=file.switch("optional_columns.lambda_realised"),
            carry_tz_group=file.switch("optional_columns.tz_group_id"),
            edge_temper=file.block("virtual_router.edge_temper", EdgeTemper),
            virtual_share_profile=_profile(file),
        )
        policy._check(file)
        return policy

    def _check(self, file: PolicyFile) -> None:
        low, high = file.bounds("realism_floors.hybrid_p_virtual_bounds")
        if not low <= self.p_virtual_hybrid <= high:
            raise file.fault(
                "hybrid_policy.p_virtual_hybrid",
                f"is {self.p_virtual_hybrid}, outside [{low}, {high}]",
                "move it inside realism_floors.hybrid_p_virtual_bounds",
            )
        if self.tz_group_law != "zone_pinned_v1" and not self.use_group_weights:
            raise file.fault(
                "physical_router.tz_group_law",
                f"is {self.tz_group_law} while use_group_weights is false",
                "switch the weights on, or use zone_pinned_v1",
            )
