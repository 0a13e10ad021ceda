"""Time placement policy: how arrivals are spread over a bucket, its limits, and the shape of the arrival files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.additions import Additions
from seg5b.policy.reading import PolicyFile

UNIFORM_LAW, LINEAR_LAW = "uniform_within_bucket_v1", "linear_v1"
CODE = "5B.S4.TIME_POLICY_INVALID"
ADDITIONS = Additions(
    keys={"files.arrivals_per_row_group": 1048576, "files.row_groups_per_part": 4},
    values={"placement_kind": {LINEAR_LAW: UNIFORM_LAW}},
)
"""What this policy may state beyond the reference engine's (docs/laws#policy-additions)."""


@dataclass(frozen=True, slots=True)
class PlacementPolicy:
    """``law``: `UNIFORM_LAW` or `LINEAR_LAW` (law L17). Guardrails (arrivals and seconds per bucket) and file shape (arrivals
    per row group, row groups per part)."""

    law: str
    max_arrivals_per_bucket: int
    max_bucket_duration_seconds: int
    arrivals_per_row_group: int
    row_groups_per_part: int

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> PlacementPolicy:
        """Read ``arrival_time_placement_policy_5B``. Raises `PolicyError` ``5B.S4.TIME_POLICY_INVALID``."""
        file = PolicyFile.read(path, contracts, "arrival_time_placement_policy_5B", code=CODE, additions=ADDITIONS)
        return cls(
            law=file.text("placement_kind"),
            max_arrivals_per_bucket=file.integer("guardrails.max_arrivals_per_bucket"),
            max_bucket_duration_seconds=file.integer("guardrails.max_bucket_duration_seconds"),
            arrivals_per_row_group=file.integer("files.arrivals_per_row_group"),
            row_groups_per_part=file.integer("files.row_groups_per_part"),
        )
