"""Digests of the rows of a table: SHA-256 of each row's canonical JSON, without an object for each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seg5b.hashing import sha256_hex
from seg5b.world.identity import canon


def row_digests(constant: Mapping[str, Any], columns: Mapping[str, Iterable[str]]) -> list[str]:
    """Digest of each row (64 hex digits). ``constant``: values that all rows share, by name; ``columns``: the other values
    as JSON has them, ``str`` of an integer, ``repr`` of a finite float, a `quoted` text."""
    stated = {name: _escaped(canon(value)) for name, value in constant.items()}
    names = sorted({*constant, *columns})
    pairs = (f"{_escaped(canon(name))}:{stated.get(name, '%s')}" for name in names)
    template = "{" + ",".join(pairs) + "}"
    rows = zip(*(columns[name] for name in names if name in columns), strict=True)
    return [sha256_hex((template % row).encode("ascii")) for row in rows]


def quoted(texts: Iterable[str]) -> list[str]:
    """Texts as JSON has them."""
    return [canon(text).decode("ascii") for text in texts]


def _escaped(value: bytes) -> str:
    return value.decode("ascii").replace("%", "%%")
