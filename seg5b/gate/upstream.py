"""All seven upstream segments in order: 1A, 1B, 2A, 2B, 3A, 3B, 5A; the first that fails stops the gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from seg5b.contracts import ContractSource
from seg5b.errors import GateError
from seg5b.gate.bundles import Bundle, Depth, locate, verify_upstream_bundle
from seg5b.gate.catalogue import BY_ID, SEGMENTS
from seg5b.gate.laws import LAWS
from seg5b.gate.policies import PolicyOrigin
from seg5b.runs import RunRoot

Status = Literal["PASS", "FAIL", "MISSING"]


@dataclass(frozen=True, slots=True)
class UpstreamSegment:
    """Verdict on one segment, as the receipt carries it. ``bundle_digest`` is None unless the status is
    PASS."""

    status: Status
    bundle_path: str
    flag_path: str
    spec_version: str
    bundle_digest: str | None

    def as_json(self) -> dict[str, Any]:
        """Receipt form; without ``bundle_digest`` where none is known."""
        fields: dict[str, Any] = {
            "status": self.status,
            "bundle_path": self.bundle_path,
            "flag_path": self.flag_path,
            "spec_version": self.spec_version,
        }
        return fields if self.bundle_digest is None else {**fields, "bundle_digest": self.bundle_digest}


@dataclass(slots=True)
class GateProgress:
    """What S0 has verified so far. It is filled while the gate runs, so that the run record of a failed gate has these
    fields too. ``packaged_contracts``: datasets that the contracts in use do not know, so that the packaged ones describe
    them."""

    upstream: dict[str, UpstreamSegment] = field(default_factory=dict)
    scenario_ids: tuple[str, ...] = ()
    rows: list[dict[str, Any]] = field(default_factory=list)
    sealed_inputs_digest: str | None = None
    gate_digest: str | None = None
    policies: tuple[PolicyOrigin, ...] = ()
    packaged_contracts: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Gate fields of the run record (docs/laws#run-record); segments not reached count as MISSING."""
        segments = {
            segment: self.upstream[segment].as_json() if segment in self.upstream else {"status": "MISSING"}
            for segment in SEGMENTS
        }
        statuses = [fields["status"] for fields in segments.values()]
        sealed = [row["status"] for row in self.rows]
        roles = [row["role"] for row in self.rows]
        return {
            "scenario_set": list(self.scenario_ids),
            "upstream_total": len(SEGMENTS),
            "upstream_pass_count": statuses.count("PASS"),
            "upstream_fail_count": statuses.count("FAIL"),
            "upstream_missing_count": statuses.count("MISSING"),
            "upstream_segments": segments,
            "sealed_inputs_row_count_total": len(sealed),
            "sealed_inputs_row_count_required": sealed.count("REQUIRED"),
            "sealed_inputs_row_count_optional": sealed.count("OPTIONAL"),
            "sealed_inputs_row_count_internal": sealed.count("INTERNAL"),
            "sealed_inputs_row_count_ignored": sealed.count("IGNORED"),
            "sealed_inputs_count_dataset": roles.count("dataset"),
            "sealed_inputs_count_config": roles.count("policy"),
            "sealed_inputs_count_validation": sum(role.startswith("validation_") for role in roles),
            "sealed_inputs_absent": sorted(BY_ID.keys() - {row["artifact_id"] for row in self.rows})
            if self.rows
            else [],
            "sealed_inputs_digest": self.sealed_inputs_digest,
            "gate_digest": self.gate_digest,
            "policies": [origin.as_json() for origin in self.policies],
            "packaged_contracts": list(self.packaged_contracts),
        }


def verify_upstream(
    root: RunRoot,
    contracts: ContractSource,
    depth: Depth,
    progress: GateProgress,
    note: Callable[[str], None],
) -> None:
    """Verify every segment and record each verdict in ``progress.upstream``.

    Raises `GateError` as `verify_upstream_bundle`, after recording FAIL or MISSING for the segment that stopped it.
    """
    for law in LAWS:
        bundle = locate(root, contracts, law)
        try:
            verified = verify_upstream_bundle(bundle, contracts, depth)
        except GateError as failure:
            status: Status = "MISSING" if failure.code.endswith("_MISSING") else "FAIL"
            progress.upstream[law.segment] = _verdict(bundle, contracts, status, None)
            raise
        progress.upstream[law.segment] = _verdict(bundle, contracts, "PASS", verified.digest)
        note(f"{law.segment}: bundle holds ({verified.listed} members listed, {verified.compared} digests compared)")
        note(f"{law.segment}: {bundle.bundle_path} has digest {verified.digest}, as {bundle.flag_path} says")


def _verdict(bundle: Bundle, contracts: ContractSource, status: Status, digest: str | None) -> UpstreamSegment:
    version = spec_version(contracts, bundle.law.segment)
    return UpstreamSegment(status, bundle.bundle_path, bundle.flag_path, version, digest)


def spec_version(contracts: ContractSource, segment: str) -> str:
    """Version of an upstream segment's specification: registry semver of its bundle, else its schema pack's
    version, else ``unknown`` (docs/laws#gate-receipt)."""
    semver = contracts.registry("5B").artifact(f"validation_bundle_{segment}").semver
    if not is_placeholder(semver):
        return semver
    return contracts.pack_version(segment) or "unknown"


def is_placeholder(version: str) -> bool:
    """Whether a version text names no version (docs/laws#policy-version)."""
    return version.strip().lower() in ("", "tbd", "null", "unknown") or "{" in version or "}" in version
