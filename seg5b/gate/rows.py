"""`sealed_inputs_5B`: one row for each artefact that 5B may use (docs/laws#sealed-inputs)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seg5b.contracts import ContractSource, structural_digest
from seg5b.errors import GateError, InputError, Seg5bError
from seg5b.gate.catalogue import owner_layer
from seg5b.gate.files import DamageError, concatenated_digest
from seg5b.gate.inputs import INCOMPLETE, FoundInput, is_per_scenario
from seg5b.gate.policies import check_policy
from seg5b.gate.sealed_digest import row_order
from seg5b.gate.upstream import UpstreamSegment
from seg5b.runs import RunIdentity

_STRUCTURAL_NOTE = "structural_digest=path_template"


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One row as later states see it. ``sha256_hex`` follows the artefact's digest law in `catalogue`."""

    artifact_id: str
    role: str
    status: str
    read_scope: str
    sha256_hex: str

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> SealedRow:
        """Row of a schema-valid JSON item."""
        return cls(**{name: fields[name] for name in cls.__slots__})


def seal_rows(
    identity: RunIdentity,
    contracts: ContractSource,
    inputs: Iterable[FoundInput],
    upstream: Mapping[str, UpstreamSegment],
    scenario_ids: Sequence[str],
) -> list[dict[str, Any]]:
    """Rows for all inputs, in canonical order.

    Raises the errors of `check_policy`; `InputError` ``5B.S0.SEALED_INPUTS_INCOMPLETE`` for content that
    cannot be read.
    """
    rows = []
    for found in inputs:
        artifact = contracts.registry("5B").artifact(found.entry.id)
        if found.artefact.role == "policy":
            check_policy(found, contracts)
        digest = _digest(found, artifact.manifest_key, upstream)
        rows.append(
            {
                "manifest_fingerprint": identity.manifest_fingerprint,
                "parameter_hash": identity.parameter_hash,
                "owner_layer": owner_layer(found.entry.owner_subsegment),
                "owner_segment": found.entry.owner_subsegment,
                "artifact_id": found.entry.id,
                "manifest_key": artifact.manifest_key,
                "role": found.artefact.role,
                "schema_ref": found.entry.schema_ref,
                "path_template": found.entry.path,
                "partition_keys": list(found.entry.partitioning),
                "sha256_hex": digest,
                "status": found.artefact.status,
                "read_scope": found.artefact.scope,
                "notes": _notes(found, scenario_ids),
                "owner_team": artifact.owner_team,
            }
        )
    return sorted(rows, key=row_order)


def _digest(found: FoundInput, manifest_key: str, upstream: Mapping[str, UpstreamSegment]) -> str:
    law = found.artefact.digest
    if law == "structural":
        return structural_digest(found.entry, manifest_key)
    if law == "bundle":
        return _bundle_digest(found, upstream)
    try:
        return concatenated_digest([file for place in found.places for file in place.files()])
    except DamageError as cause:
        raise InputError(
            INCOMPLETE,
            f"{found.entry.id} {cause}",
            where=str(found.places[0].path),
            remedy="restore the file, then run S0 again",
        ) from cause


def _bundle_digest(found: FoundInput, upstream: Mapping[str, UpstreamSegment]) -> str:
    segment = found.entry.id.rpartition("_")[2]
    digest = upstream[segment].bundle_digest if segment in upstream else None
    if digest is None:
        raise GateError(
            INCOMPLETE,
            f"the digest of bundle {segment} is not known",
            where=found.entry.id,
            remedy="verify the upstream bundles first",
        )
    return digest


def _notes(found: FoundInput, scenario_ids: Sequence[str]) -> str:
    if found.artefact.digest != "structural":
        return ""
    if is_per_scenario(found.entry):
        return f"{_STRUCTURAL_NOTE};scenario_ids={','.join(scenario_ids)}"
    return _STRUCTURAL_NOTE


def check_unique(rows: Sequence[Mapping[str, Any]], *, code: str, error: type[Seg5bError], where: str) -> None:
    """Refuse two rows of one (owner_segment, artifact_id): raises ``error`` with ``code``."""
    seen: set[tuple[str, str]] = set()
    for row in rows:
        key = (row["owner_segment"], row["artifact_id"])
        if key in seen:
            raise error(
                code,
                f"sealed inputs list {key[0]}/{key[1]} twice",
                where=where,
                remedy="restore the file, or reseal the run (`seg5b s0 --reseal`)",
            )
        seen.add(key)
