"""Canonical JSON, in which documents are hashed and published (docs/laws#canonical-json); `seg5b.foreign_json` reads.

Sorted keys, separators ``,`` and ``:``, ASCII, no final newline. Formats that differ by law stay with their owners: the
rows of `seg5b.gate.sealed_digest` keep the contracted order of keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any


def canonical_json(value: object, *, default: Callable[[Any], Any] | None = None) -> bytes:
    """Bytes of the canonical form. ``default`` turns what JSON does not know into what it knows.

    Raises `ValueError` for numbers that are not finite, `TypeError` for what JSON does not know.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=default)
    return text.encode("ascii")


def plain(value: Any) -> Any:
    """A value as JSON knows it: numbers that are not finite become None, anything unknown its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)
