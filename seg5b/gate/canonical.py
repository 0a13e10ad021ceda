"""Canonical JSON, strict JSON reading and the digest laws built on them (docs/laws#canonical-json)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

_DEEPEST: Final = 64

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


def canonical_bytes(value: object) -> bytes:
    """JSON with sorted keys, separators ``,`` and ``:``, ASCII-escaped, no trailing newline."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def sha256_hex(content: bytes) -> str:
    """SHA-256, 64 lowercase hex digits."""
    return hashlib.sha256(content).hexdigest()


def parse_json(content: bytes) -> Any:
    """Value of one UTF-8 JSON text. Raises `ValueError` for anything else, also for repeated keys, NaN,
    infinities and nesting beyond what the parser can follow."""
    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _refuse_depth(value)
    return value


def sealed_inputs_digest(rows: Iterable[Mapping[str, Any]]) -> str:
    """Digest of sealed rows in the order given: each adds one compact ASCII JSON object of the 16 keys in the
    contracted order, an absent value as ``null``, nothing between rows (docs/laws#sealed-inputs-digest)."""
    running = hashlib.sha256()
    for row in rows:
        running.update(sealed_row_bytes(row))
    return running.hexdigest()


def sealed_row_bytes(row: Mapping[str, Any]) -> bytes:
    """What one sealed row adds to the digest."""
    ordered = {key: row.get(key) for key in ROW_KEYS}
    return json.dumps(ordered, separators=(",", ":"), allow_nan=False).encode("ascii")


def row_order(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Sort key of sealed rows."""
    return row["owner_segment"], row["artifact_id"], row["role"]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"repeated key {repeated[0]!r}")
    return fields


def _refuse_depth(value: Any) -> None:
    """What validates and prints a value recurses into it; no gate document is deeper than a few levels."""
    level = [value]
    for _ in range(_DEEPEST):
        nested = (item for item in level if isinstance(item, dict | list))
        level = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
    if level:
        raise ValueError(f"nested more than {_DEEPEST} deep")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number")
