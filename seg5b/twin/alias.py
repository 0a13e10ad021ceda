"""Alias tables (docs/laws#alias-tables): construction, the slices of 3B's blob, and a pick that keeps its intermediate
values."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

Table = list[tuple[float, int]]
"""(probability of keeping the slot, alias) per entry."""


@dataclass(frozen=True, slots=True)
class Pick:
    """How a uniform picked ``entry``: ``scaled`` = u n falls into ``slot``, whose remainder is compared with
    ``probability``."""

    u: float
    entries: int
    scaled: float
    slot: int
    probability: float
    alias: int
    entry: int


def vose(weights: Sequence[float]) -> Table:
    """Table of non-negative weights with a positive sum."""
    size, total = len(weights), 0.0
    for weight in weights:  # left to right: the built-in sum compensates on newer Pythons
        total += weight
    keep = [float(size) * (weight / total) for weight in weights]
    alias = list(range(size))
    small = [entry for entry in range(size) if keep[entry] < 1.0]
    large = [entry for entry in range(size) if not keep[entry] < 1.0]
    while small and large:
        short, donor = small.pop(), large.pop()
        alias[short] = donor
        keep[donor] = (keep[donor] + keep[short]) - 1.0
        (small if keep[donor] < 1.0 else large).append(donor)
    for left in (*small, *large):
        keep[left], alias[left] = 1.0, left
    return list(zip(keep, alias, strict=True))


def pick(table: Table, u: float) -> Pick:
    """Entry that ``u`` in (0, 1) picks."""
    size = len(table)
    scaled = u * float(size)
    slot = min(int(scaled), size - 1)
    probability, alias = table[slot]
    entry = slot if size == 1 or scaled - slot < probability else alias
    return Pick(u, size, scaled, slot, probability, alias, entry)


def blob_slice(raw: bytes, endianness: str) -> Table:
    """A slice of 3B's alias blob: header of four words (entries, bits, 0, 0), then (probability, alias) pairs. Raises
    `ValueError` for bytes that are not that."""
    order = "<" if endianness == "little" else ">"
    entries, bits = struct.unpack_from(f"{order}2I", raw) if len(raw) >= 16 else (0, 0)
    if not entries or len(raw) != 16 + 8 * entries or bits > 32:
        raise ValueError(f"{len(raw)} bytes are no slice of {entries} entries of {bits} bits")
    words = struct.unpack_from(f"{order}{2 * entries}I", raw, 16)
    if max(words[1::2]) >= entries:
        raise ValueError(f"alias {max(words[1::2])} of {entries} entries")
    return [(words[2 * entry] / 2.0**bits, words[2 * entry + 1]) for entry in range(entries)]
