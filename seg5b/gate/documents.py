"""The three documents of the gate: where they lie and which contract describes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from seg5b.contracts import ContractSource
from seg5b.errors import PublishError, Seg5bError
from seg5b.runs import RunRoot

DocumentId = Literal["sealed_content_5B", "sealed_inputs_5B", "s0_gate_receipt_5B"]
CONTENT: Final = "sealed_content_5B"
INPUTS: Final = "sealed_inputs_5B"
RECEIPT: Final = "s0_gate_receipt_5B"


@dataclass(frozen=True, slots=True)
class Document:
    """One gate document: ``path`` of its file and ``rendered`` for messages."""

    document_id: DocumentId
    path: Path
    rendered: str
    schema_ref: str
    contracts: ContractSource

    def validate(self, payload: Any, *, code: str, error: type[Seg5bError], remedy: str = "") -> None:
        """Check a payload against the document's schema; raises ``error`` with ``code``."""
        self.contracts.validate(self.schema_ref, payload, code=code, where=str(self.path), error=error, remedy=remedy)


def document(root: RunRoot, contracts: ContractSource, document_id: DocumentId) -> Document:
    """Place and contract of a gate document. Raises `PublishError` ``5B.S0.IO_WRITE_CONFLICT`` for a path that is not
    partitioned by manifest fingerprint."""
    entry = contracts.dictionary("5B").entry(document_id)
    rendered = entry.render(root.identity.tokens())
    if f"manifest_fingerprint={root.identity.manifest_fingerprint}" not in rendered.split("/"):
        raise PublishError(
            "5B.S0.IO_WRITE_CONFLICT",
            f"the path of {document_id} is not partitioned by manifest_fingerprint",
            where=entry.path,
            remedy="repair the dictionary entry",
        )
    return Document(document_id, root.resolve(rendered), rendered, entry.schema_ref, contracts)
