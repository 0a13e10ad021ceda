"""Order and digest of the sealed rows (docs/laws#sealed-inputs-digest), and of the gate as a whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

ROW_KEYS: Final = (
    "manifest_fingerprint",
    "parameter_hash",
    "owner_layer",
    "owner_segment",
    "artifact_id",
    "manifest_key",
    "role",
    "schema_ref",
    "path_template",
    "partition_keys",
    "sha256_hex",
    "status",
    "read_scope",
    "notes",
    "owner_team",
    "source_manifest",
)


def sealed_inputs_digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """Digest of sealed rows in the order given: each adds one compact ASCII JSON object of the 16 keys in the
    contracted order, an absent value as ``null``, nothing between rows (docs/laws#sealed-inputs-digest)."""
    running = hashlib.sha256()
    for row in rows:
        running.update(sealed_row_bytes(row))
    return running.hexdigest()


def gate_digest(inputs_digest: str, content: Iterable[Mapping[str, Any]]) -> str:
    """Digest of a gate as a whole: 64 hex over `sealed_inputs_digest` and the listed files in their order, one compact JSON
    object each. The former alone describes some data by its contract, and not by its bytes."""
    running = hashlib.sha256(inputs_digest.encode("ascii"))
    for entry in content:
        running.update(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode("ascii"))
    return running.hexdigest()


def sealed_row_bytes(row: Mapping[str, Any]) -> bytes:
    """What one sealed row adds to the digest."""
    ordered = {key: row.get(key) for key in ROW_KEYS}
    return json.dumps(ordered, separators=(",", ":"), allow_nan=False).encode("ascii")


def row_order(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Sort key of sealed rows."""
    return row["owner_segment"], row["artifact_id"], row["role"]
