"""Time grid policy: how S1 cuts a scenario horizon into buckets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.reading import PolicyFile


@dataclass(frozen=True, slots=True)
class TimeGridPolicy:
    """Bucket length in seconds (900, 1800 or 3600), columns to carry, local annotations and guardrails.

    ``weekend_days`` are ISO weekdays (1 Monday .. 7 Sunday); horizons are in days, both ends included.
    """

    bucket_duration_seconds: int
    carry_required: tuple[str, ...]
    carry_optional: tuple[str, ...]
    emit_local: bool
    weekend_days: tuple[int, ...]
    min_horizon_days: int
    max_horizon_days: int
    max_buckets_per_scenario: int

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> TimeGridPolicy:
        """Read ``time_grid_policy_5B``.

        Raises `PolicyError` ``5B.S1.TIME_GRID_POLICY_MISSING``, ``5B.S1.TIME_GRID_POLICY_SCHEMA_INVALID``.
        """
        file = PolicyFile.read(
            path,
            contracts,
            "time_grid_policy_5B",
            code="5B.S1.TIME_GRID_POLICY_SCHEMA_INVALID",
            missing_code="5B.S1.TIME_GRID_POLICY_MISSING",
        )
        policy = cls(
            bucket_duration_seconds=file.integer("bucket_duration_seconds"),
            carry_required=file.names("carry_scenario_fields.required"),
            carry_optional=file.names("carry_scenario_fields.optional"),
            emit_local=file.switch("local_annotations.emit"),
            weekend_days=file.integers("local_annotations.weekend_days"),
            min_horizon_days=file.integer("guardrails.min_horizon_days"),
            max_horizon_days=file.integer("guardrails.max_horizon_days"),
            max_buckets_per_scenario=file.integer("guardrails.max_buckets_per_scenario"),
        )
        policy._check(file)
        return policy

    def _check(self, file: PolicyFile) -> None:
        if self.min_horizon_days > self.max_horizon_days:
            raise file.fault(
                "guardrails.min_horizon_days",
                f"is {self.min_horizon_days}, above max_horizon_days {self.max_horizon_days}",
                "order the two guardrails",
            )
        absent = {"scenario_is_baseline", "scenario_is_stress"} - set(self.carry_required)
        if absent:
            raise file.fault(
                "carry_scenario_fields.required",
                f"lacks {', '.join(sorted(absent))}",
                "S2 and S3 read both flags from the grid; list them",
            )
