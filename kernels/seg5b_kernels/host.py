"""Loops that only the CPU backend needs: prefix sums and their inverse. On CUDA the array library has them."""

from __future__ import annotations

import numpy as np

from seg5b_kernels.targets import cpu_loop


@cpu_loop
def exclusive_sum(counts, out):
    """``out[0] = 0``, ``out[k + 1] = counts[0] + .. + counts[k]``; ``counts`` integer [n], ``out`` integer [n + 1]."""
    total = np.int64(0)
    out[0] = total
    for k in range(np.uint64(counts.size)):
        total += counts[k]
        out[k + np.uint64(1)] = total


@cpu_loop
def spread(row_start, out):
    """``out[row_start[r] : row_start[r + 1]] = r``; ``row_start`` int32 [R + 1] ascending from 0, ``out`` int32 [slots]."""
    for row in range(row_start.size - 1):
        for slot in range(row_start[row], row_start[row + 1]):
            out[slot] = row


@cpu_loop
def total(values):
    """Sum of an array of integers, int64."""
    found = np.int64(0)
    for k in range(np.uint64(values.size)):
        found += np.int64(values[k])
    return found
