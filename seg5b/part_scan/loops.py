"""Compiled expressions and loops that the walks share."""

from __future__ import annotations

import numpy as np

from seg5b.part_scan._compiled import compiled, inlined

NAMED = 10
"""Offending rows that are remembered of each condition."""
LIMB = 1 << 32
"""A sum in wide arithmetic is three numbers: high * LIMB^2 + middle * LIMB + low."""


@compiled
def translate(codes, numbers, out):
    """``out[r] = numbers[codes[r]]``, and the last of ``numbers`` for a code below 0."""
    for r in range(codes.size):
        code = codes[r]
        out[r] = numbers[code if code >= 0 else numbers.size - 1]


@inlined
def count_faults(bits, place, rows, places):
    """Count a row at ``place`` under each condition whose bit is set: ``rows`` int64 [conditions] how many, ``places`` int64
    [conditions, 10] the first of them."""
    condition = 0
    while bits:
        if bits & 1:
            found = rows[condition]
            if found < NAMED:
                places[condition, found] = place
            rows[condition] = found + 1
        bits >>= 1
        condition += 1


@inlined
def exceeds(one, other):
    """``one > other`` as SQL orders numbers: not a number is the greatest, and equal to itself."""
    return one > other or (one != one and other == other)


@inlined
def differs(one, other):
    """``one <> other`` as SQL compares numbers."""
    return one != other and (one == one or other == other)


@inlined
def add_wide(sums, whole):
    """Add a float64 that is an integer of less than 2^94 to three int64, exactly."""
    above = np.floor(whole / LIMB)
    high = np.floor(above / LIMB)
    sums[0] += np.int64(high)
    sums[1] += np.int64(above - high * LIMB)
    sums[2] += np.int64(whole - above * LIMB)
