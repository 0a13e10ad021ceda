"""The alias method with lists, and 3B's slices of it."""

from __future__ import annotations

import struct

Table = list[tuple[float, int]]
"""(probability, alias) per entry."""


def vose(weights: list[float]) -> Table:
    """Vose's two stacks."""
    n, total = len(weights), 0.0
    for weight in weights:  # one after another: from Python 3.12 on, sum() rounds in another way
        total += weight
    scaled = [n * (weight / total) for weight in weights]
    alias = list(range(n))
    small = [i for i, s in enumerate(scaled) if s < 1.0]
    large = [i for i, s in enumerate(scaled) if not s < 1.0]
    while small and large:
        short, donor = small.pop(), large.pop()
        alias[short] = donor
        scaled[donor] = (scaled[donor] + scaled[short]) - 1.0
        (small if scaled[donor] < 1.0 else large).append(donor)
    for left in small + large:
        scaled[left], alias[left] = 1.0, left
    return list(zip(scaled, alias, strict=True))


def pick(table: Table, u: float) -> int:
    """Index that ``u`` picks."""
    if len(table) <= 1:
        return 0
    x = u * len(table)
    slot = min(int(x), len(table) - 1)
    probability, alias = table[slot]
    return slot if x - slot < probability else alias


def decode_blob_slice(raw: bytes) -> Table:
    """A 3B alias slice."""
    count, bits, _, _ = struct.unpack_from("<4I", raw)
    pairs = struct.unpack_from(f"<{2 * count}I", raw, 16)
    return [(pairs[2 * i] / 2.0**bits, pairs[2 * i + 1]) for i in range(count)]
