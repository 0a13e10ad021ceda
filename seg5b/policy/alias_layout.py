"""Alias layout policy of segment 2B: how alias blobs are encoded (docs/laws#layer1-policies)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.reading import PolicyFile


@dataclass(frozen=True, slots=True)
class AliasLayoutPolicy:
    """Encoding of a blob: byte order (``little`` or ``big``), bits of a stored probability, slice alignment in
    bytes."""

    endianness: str
    prob_qbits: int
    alignment_bytes: int

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> AliasLayoutPolicy:
        """Read ``alias_layout_policy_v1``. Raises `PolicyError` ``5B.S4.RNG_POLICY_INVALID``."""
        file = PolicyFile.read(path, contracts, "alias_layout_policy_v1", code="5B.S4.RNG_POLICY_INVALID")
        return cls(
            endianness=file.text("endianness"),
            prob_qbits=file.integer("record_layout.prob_qbits"),
            alignment_bytes=file.integer("alignment_bytes"),
        )
