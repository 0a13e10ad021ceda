"""Walker alias tables: picking, and Vose's construction. docs/laws#alias-tables."""

from __future__ import annotations

import numpy as np

from seg5b_kernels.targets import product, scalar


@scalar
def alias_pick(u, start, size, probability, alias):
    """Entry picked by a uniform ``u`` in (0, 1) from the table at ``[start, start + size)``.

    ``probability`` float64 and ``alias`` int32 are concatenated tables; aliases count from the table's own start.
    Returns the index within the table. One uniform serves for slot and coin: its integer part and its remainder.
    """
    if size <= 1:
        return 0
    scaled = product(u, np.float64(size))
    slot = min(np.int64(scaled), size - 1)
    keep = scaled - np.float64(slot) < probability[start + slot]
    return slot if keep else np.int64(alias[start + slot])


@scalar
def build_alias(weights, start, stop, probability, alias, small, large):
    """Vose's table over ``weights[start:stop]`` (float64, finite, >= 0, positive sum) into the same slice of
    ``probability`` and ``alias``; ``small`` and ``large`` int32 are scratch, at least as long as the table.

    Entries below 1 after scaling by size / sum go to the small stack, the others to the large one, both filled in
    ascending order and popped from the end; the donor keeps (p_large + p_small) - 1; leftovers keep all of their
    slot.
    """
    size = stop - start
    total = 0.0
    for k in range(start, stop):
        total += weights[k]
    n_small = 0
    n_large = 0
    for k in range(size):
        scaled = product(np.float64(size), weights[start + k] / total)
        probability[start + k] = scaled
        if scaled < 1.0:
            small[n_small] = k
            n_small += 1
        else:
            large[n_large] = k
            n_large += 1
    while n_small > 0 and n_large > 0:
        n_small -= 1
        n_large -= 1
        short, donor = small[n_small], large[n_large]
        alias[start + short] = donor
        rest = (probability[start + donor] + probability[start + short]) - 1.0
        probability[start + donor] = rest
        if rest < 1.0:
            small[n_small] = donor
            n_small += 1
        else:
            large[n_large] = donor
            n_large += 1
    for k in range(n_small):
        probability[start + small[k]] = 1.0
        alias[start + small[k]] = small[k]
    for k in range(n_large):
        probability[start + large[k]] = 1.0
        alias[start + large[k]] = large[k]


@scalar
def build_alias_tables(weights, offsets, probability, alias, small, large):
    """`build_alias` for every table ``[offsets[t], offsets[t + 1])``; ``offsets`` int64 [T + 1]."""
    for t in range(offsets.size - 1):
        build_alias(weights, offsets[t], offsets[t + 1], probability, alias, small, large)
