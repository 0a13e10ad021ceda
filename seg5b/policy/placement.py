"""Time placement policy: limits of a bucket and the shape of the arrival files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.reading import PolicyFile


@dataclass(frozen=True, slots=True)
class PlacementPolicy:
    """Guardrails (arrivals and seconds per bucket) and file shape (arrivals per row group, row groups per part)."""

    max_arrivals_per_bucket: int
    max_bucket_duration_seconds: int
    arrivals_per_row_group: int
    row_groups_per_part: int

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> PlacementPolicy:
        """Read ``arrival_time_placement_policy_5B``. Raises `PolicyError` ``5B.S4.TIME_POLICY_INVALID``."""
        file = PolicyFile.read(path, contracts, "arrival_time_placement_policy_5B", code="5B.S4.TIME_POLICY_INVALID")
        return cls(
            max_arrivals_per_bucket=file.integer("guardrails.max_arrivals_per_bucket"),
            max_bucket_duration_seconds=file.integer("guardrails.max_bucket_duration_seconds"),
            arrivals_per_row_group=file.integer("files.arrivals_per_row_group"),
            row_groups_per_part=file.integer("files.row_groups_per_part"),
        )
