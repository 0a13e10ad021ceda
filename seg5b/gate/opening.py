"""Opening the gate: what every state after S0 checks before it reads anything (law L2, docs/laws#gate-opening)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.errors import GateError
from seg5b.gate.access import Gate, gate_code
from seg5b.gate.catalogue import SCENARIO_MANIFEST, SEGMENTS
from seg5b.gate.content import ContentEntry, read_content
from seg5b.gate.documents import CONTENT, INPUTS, RECEIPT, Document, DocumentId, document
from seg5b.gate.files import DamageError, may_exist, read_json
from seg5b.gate.rows import SealedRow, check_unique
from seg5b.gate.scenarios import scenarios_of_run
from seg5b.gate.sealed_digest import gate_digest, row_order, sealed_inputs_digest
from seg5b.runs import RunRoot

_IDENTITY = ("manifest_fingerprint", "parameter_hash")


def open_gate(root: RunRoot, contracts: ContractSource, *, state: str) -> Gate:
    """The gate of a run, checked for ``state`` (``S1`` .. ``S5``).

    Raises `GateError`: ``5B.S1.S0_GATE_MISSING`` or ``5B.<state>.S0_GATE_INVALID`` when a document is
    missing, damaged, of another run or does not fit the others; ``5B.<state>.UPSTREAM_NOT_PASS``;
    ``5B.<state>.SEALED_POLICY_CHANGED`` when a policy's bytes are not those that were sealed;
    ``5B.<state>.SEALED_CONTENT_CHANGED`` for the scenario manifest.
    """
    opening = _Opening(root, contracts, state)
    receipt = opening.receipt()
    rows, content = opening.rows(receipt), opening.content()
    entries = [entry.as_json() for files in (content or {}).values() for entry in files]
    gate = Gate(
        root=root,
        contracts=contracts,
        state=state,
        scenarios=(),
        spec_version=receipt["spec_version"],
        sealed_inputs_digest=receipt["sealed_inputs_digest"],
        rows=MappingProxyType({row["artifact_id"]: SealedRow.from_json(row) for row in rows}),
        content=content,
        digest=gate_digest(receipt["sealed_inputs_digest"], entries),
    )
    for row in gate.rows.values():
        if row.role == "policy":
            gate.sealed_bytes(row.artifact_id)
    return opening.with_scenarios(gate, receipt["scenario_set"])


@dataclass(frozen=True, slots=True)
class _Opening:
    """The documents of a gate, each read and checked once."""

    root: RunRoot
    contracts: ContractSource
    state: str

    def receipt(self) -> dict[str, Any]:
        """The receipt: valid, of this run, with a scenario set, a version and all upstream segments
        passed."""
        target = document(self.root, self.contracts, RECEIPT)
        receipt: dict[str, Any] = self._read(target)
        identity = self.root.identity
        self._same(target, receipt, "run_id", identity.run_id)
        self._same(target, receipt, "seed", identity.seed)
        scenarios = receipt["scenario_set"]
        if not scenarios or scenarios != sorted(set(scenarios)):
            raise self._invalid(target, f"scenario_set {scenarios} is not a sorted, non-empty set")
        if not receipt.get("spec_version"):
            raise self._invalid(target, "spec_version is empty")
        for segment in SEGMENTS:
            status = receipt["upstream_segments"].get(segment, {}).get("status")
            if status != "PASS":
                raise self._upstream(target, segment, status)
        return receipt

    def rows(self, receipt: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The sealed rows: valid, unique, of this run, and those whose digest and number the receipt holds."""
        target = document(self.root, self.contracts, INPUTS)
        rows: list[dict[str, Any]] = sorted(self._read(target), key=row_order)
        check_unique(rows, code=gate_code(self.state), error=GateError, where=str(target.path))
        digest = sealed_inputs_digest(rows)
        self._same(target, receipt, "sealed_inputs_digest", digest)
        self._same(target, receipt, "sealed_inputs_row_count", len(rows))
        return rows

    def content(self) -> Mapping[tuple[str, str], tuple[ContentEntry, ...]] | None:
        """The sealed files, grouped; None when the gate does not list them."""
        target = document(self.root, self.contracts, CONTENT)
        if not may_exist(target.path):
            return None
        payload = self._parsed(target)
        try:
            content = read_content(payload)
        except ValueError as cause:
            raise self._invalid(target, f"{target.path.name} {cause}") from cause
        self._own(target, payload)
        return content

    def with_scenarios(self, gate: Gate, scenario_set: list[str]) -> Gate:
        """The gate with the scenarios of the run by the sealed manifest, which must be those of the receipt."""
        gate.sealed_bytes(SCENARIO_MANIFEST)
        scenarios = scenarios_of_run(self.root, self.contracts, state=self.state)
        found = [scenario.scenario_id for scenario in scenarios]
        if found != scenario_set:
            target = document(self.root, self.contracts, RECEIPT)
            raise self._invalid(target, f"scenario_set is {scenario_set}, the run realises {found}")
        return replace(gate, scenarios=scenarios)

    def _read(self, target: Document) -> Any:
        """A document that exists, parses, fits its schema and carries this run's identity."""
        payload = self._parsed(target)
        target.validate(payload, code=gate_code(self.state), error=GateError, remedy=self._remedy(target.document_id))
        for item in payload if isinstance(payload, list) else [payload]:
            self._own(target, item)
        return payload

    def _parsed(self, target: Document) -> Any:
        try:
            return read_json(target.path, self.root.path)
        except DamageError as cause:
            raise self._invalid(target, f"{target.path.name} {cause}") from cause

    def _own(self, target: Document, fields: Mapping[str, Any]) -> None:
        """The document is this run's."""
        for key in _IDENTITY:
            self._same(target, fields, key, getattr(self.root.identity, key))

    def _same(self, target: Document, fields: Mapping[str, Any], key: str, expected: object) -> None:
        if fields.get(key) != expected:
            raise self._invalid(target, f"{key} is {fields.get(key)!r}, expected {expected!r}")

    def _invalid(self, target: Document, what: str) -> GateError:
        return GateError(gate_code(self.state), what, where=str(target.path), remedy=self._remedy(target.document_id))

    def _upstream(self, target: Document, segment: str, status: object) -> GateError:
        return GateError(
            f"5B.{self.state}.UPSTREAM_NOT_PASS",
            f"segment {segment} has status {status!r} in the gate receipt",
            where=str(target.path),
            remedy=f"repair segment {segment}, then run S0 again",
        )

    def _remedy(self, document_id: DocumentId) -> str:
        run_id = self.root.identity.run_id
        if not may_exist(document(self.root, self.contracts, document_id).path):
            return f"run `seg5b s0 --run-id {run_id}` first"
        return f"reseal the run: `seg5b s0 --reseal --run-id {run_id}`"
