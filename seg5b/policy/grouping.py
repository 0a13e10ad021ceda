"""Grouping policy: which series share one latent path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.additions import Additions
from seg5b.policy.reading import PolicyFile

ADDITIONS = Additions(
    keys={"realism_targets.min_multi_member_fraction": 0.70},
    values={"zone_group_buckets": 16, "in_stratum_buckets": 32},
)
"""What this policy may state beyond the reference engine's (docs/laws#policy-additions)."""


@dataclass(frozen=True, slots=True)
class GroupingPolicy:
    """Hash buckets and the realism targets that every scenario's grouping must meet.

    ``max_single_group_share`` and ``min_multi_member_fraction`` are shares in [0, 1].
    """

    zone_group_buckets: int
    in_stratum_buckets: int
    min_groups: int
    max_groups: int
    min_group_members_median: float
    max_single_group_share: float
    min_multi_member_fraction: float

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> GroupingPolicy:
        """Read ``grouping_policy_5B``.

        Raises `PolicyError` ``5B.S1.GROUPING_POLICY_MISSING``, ``5B.S1.GROUPING_POLICY_SCHEMA_INVALID``.
        """
        file = PolicyFile.read(
            path,
            contracts,
            "grouping_policy_5B",
            code="5B.S1.GROUPING_POLICY_SCHEMA_INVALID",
            missing_code="5B.S1.GROUPING_POLICY_MISSING",
            additions=ADDITIONS,
        )
        policy = cls(
            zone_group_buckets=file.integer("zone_group_buckets"),
            in_stratum_buckets=file.integer("in_stratum_buckets"),
            min_groups=file.integer("realism_targets.min_groups_per_scenario"),
            max_groups=file.integer("realism_targets.max_groups_per_scenario"),
            min_group_members_median=file.number("realism_targets.min_group_members_median"),
            max_single_group_share=file.number("realism_targets.max_single_group_share"),
            min_multi_member_fraction=file.number("realism_targets.min_multi_member_fraction"),
        )
        if policy.min_groups > policy.max_groups:
            raise file.fault(
                "realism_targets.min_groups_per_scenario",
                f"is {policy.min_groups}, above max_groups_per_scenario {policy.max_groups}",
                "order the two targets",
            )
        return policy
