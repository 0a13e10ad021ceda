"""Canonical JSON, in which documents are hashed and published, and strict reading of JSON (docs/laws#canonical-json).

Sorted keys, separators ``,`` and ``:``, ASCII, no final newline. Formats that differ by law stay with their owners: the
rows of `seg5b.gate.sealed_digest` keep the contracted order of keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn

_DEEPEST: Final = 64


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
