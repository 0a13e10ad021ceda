"""Publishing the gate, or accepting an equal one that is already there (law L12, docs/laws#gate-writing).

Order: content, inputs, receipt. The receipt is the commit: a process killed before it leaves a gate that is
still closed, and the next run finds equal documents and goes on. Everything that exists is compared before
anything is written, so that a conflict publishes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from seg5b.canonical_json import canonical_json
from seg5b.contracts import ContractSource
from seg5b.errors import GateError, PublishError
from seg5b.gate.documents import CONTENT, INPUTS, RECEIPT, Document, document
from seg5b.gate.files import DamageError, may_exist, read_json
from seg5b.gate.sealed_digest import row_order, sealed_inputs_digest
from seg5b.publish import Outcome, publish_bytes
from seg5b.runs import RunRoot

_CONFLICT = "5B.S0.IO_WRITE_CONFLICT"
_RESEAL = "nothing was written; restore the inputs, or set the old gate and its outputs aside: `seg5b s0 --reseal`"
_MICROS: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class GateDraft:
    """A complete gate that is not published yet. ``receipt`` lacks only ``created_utc``."""

    content: dict[str, Any]
    rows: list[dict[str, Any]]
    receipt: dict[str, Any]


def check_draft(root: RunRoot, contracts: ContractSource, draft: GateDraft) -> None:
    """Check a draft against its contracts.

    Raises `GateError` ``5B.S0.SEALED_INPUTS_SCHEMA_INVALID``, ``5B.S0.GATE_RECEIPT_SCHEMA_INVALID``.
    """
    content, inputs, receipt = (document(root, contracts, name) for name in (CONTENT, INPUTS, RECEIPT))
    content.validate(draft.content, code="5B.S0.SEALED_INPUTS_SCHEMA_INVALID", error=GateError)
    inputs.validate(draft.rows, code="5B.S0.SEALED_INPUTS_SCHEMA_INVALID", error=GateError)
    payload = {**draft.receipt, "created_utc": _now()}
    receipt.validate(payload, code="5B.S0.GATE_RECEIPT_SCHEMA_INVALID", error=GateError)


def publish_gate(root: RunRoot, contracts: ContractSource, draft: GateDraft) -> Outcome:
    """Publish a gate, or accept the equal one that is there (`Outcome.UNCHANGED`).

    Raises `PublishError` ``5B.S0.IO_WRITE_CONFLICT`` when another gate or half of one is there,
    ``5B.S0.IO_WRITE_FAILED`` when the disk refuses; `GateError` ``5B.S0.GATE_RECEIPT_DIGEST_MISMATCH`` when
    only the receipt differs.
    """
    content, inputs, receipt = (document(root, contracts, name) for name in (CONTENT, INPUTS, RECEIPT))
    sealed, moment = may_exist(inputs.path), _now()
    if sealed:
        _accept_rows(inputs, draft.rows)
    if may_exist(content.path):
        _accept_content(content, draft.content)
    if may_exist(receipt.path):
        if not sealed:
            raise _conflict(receipt, "the receipt is there, but not the sealed inputs that it belongs to")
        moment = _accept_receipt(receipt, draft.receipt)
    payload = {**draft.receipt, "created_utc": moment}
    pending = ((content, draft.content), (inputs, draft.rows), (receipt, payload))
    outcomes = [_write(root, target, value) for target, value in pending if not may_exist(target.path)]
    return Outcome.WRITTEN if outcomes else Outcome.UNCHANGED


def accept_gate(root: RunRoot, contracts: ContractSource, draft: GateDraft) -> None:
    """Raise where the published gate is not this one: `GateError` ``5B.S0.GATE_INCOMPLETE`` for a document that is missing,
    else as `publish_gate`."""
    content, inputs, receipt = (document(root, contracts, name) for name in (CONTENT, INPUTS, RECEIPT))
    for target in (content, inputs, receipt):
        if not may_exist(target.path):
            what = f"{target.document_id} is not there"
            raise GateError("5B.S0.GATE_INCOMPLETE", what, where=str(target.path), remedy="run S0 again")
    _accept_rows(inputs, draft.rows)
    _accept_content(content, draft.content)
    _accept_receipt(receipt, draft.receipt)


def _write(root: RunRoot, target: Document, value: object) -> Outcome:
    try:
        return publish_bytes(canonical_json(value), target.path, scratch=root.tmp(), state="S0")
    except OSError as cause:
        raise PublishError(
            "5B.S0.IO_WRITE_FAILED",
            f"could not stage {target.document_id}: {cause.strerror or cause}",
            where=str(root.path),
            remedy="free space or fix permissions, then run S0 again",
        ) from cause


def _accept_rows(inputs: Document, rows: list[dict[str, Any]]) -> None:
    present = _read(inputs, list)
    try:
        equal = sealed_inputs_digest(sorted(present, key=row_order)) == sealed_inputs_digest(rows)
    except (TypeError, KeyError, AttributeError):
        raise _conflict(inputs, "the sealed inputs on disk are not rows") from None
    if not equal:
        changed = _changed(present, rows, lambda row: row["artifact_id"])
        raise _conflict(inputs, f"the inputs are not those that were sealed; different: {changed}")


def _accept_content(content: Document, payload: dict[str, Any]) -> None:
    present = _read(content, dict)
    if present != payload:
        entries = present.get("entries")
        usable = isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
        changed = _changed(entries if usable else [], payload["entries"], lambda entry: entry.get("path"))
        raise _conflict(content, f"the bytes are not those that were sealed; different files: {changed}")


def _accept_receipt(receipt: Document, payload: dict[str, Any]) -> str:
    """``created_utc`` of the receipt on disk, when the rest of it equals ``payload``."""
    try:
        present = read_json(receipt.path)
    except DamageError as cause:
        raise _receipt_differs(receipt, str(cause)) from cause
    fields = present if isinstance(present, dict) else {}
    moment = fields.get("created_utc")
    if not isinstance(moment, str) or not _MICROS.fullmatch(moment):
        raise _receipt_differs(receipt, "has no usable created_utc")
    wanted = {**payload, "created_utc": moment}
    if fields != wanted:
        keys = sorted(key for key in fields.keys() | wanted.keys() if fields.get(key) != wanted.get(key))
        raise _receipt_differs(receipt, f"differs in {', '.join(keys)}")
    return moment


def _receipt_differs(receipt: Document, reason: str) -> GateError:
    return GateError(
        "5B.S0.GATE_RECEIPT_DIGEST_MISMATCH",
        f"the receipt on disk {reason}",
        where=str(receipt.path),
        remedy=_RESEAL,
    )


def _read(target: Document, shape: type) -> Any:
    try:
        present = read_json(target.path)
    except DamageError as cause:
        raise _conflict(target, f"{target.path.name} {cause}") from cause
    if not isinstance(present, shape):
        raise _conflict(target, f"{target.path.name} holds {type(present).__name__}, not {shape.__name__}")
    return present


def _changed(old: list[Any], new: list[Any], name: Callable[[Any], Any]) -> str:
    """Names of the items that differ, the first three of them."""
    before, after = {str(name(item)): item for item in old}, {str(name(item)): item for item in new}
    names = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _conflict(target: Document, what: str) -> PublishError:
    return PublishError(_CONFLICT, what, where=str(target.path), remedy=_RESEAL)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
