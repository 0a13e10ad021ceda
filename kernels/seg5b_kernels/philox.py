"""Philox2x64-10 and 128-bit counters.

Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11;
multiplier and Weyl constant as published there. Law L4.
"""

from __future__ import annotations

import numpy as np

from seg5b_kernels.targets import mul_high, scalar

MULTIPLIER = np.uint64(0xD2B74407B1CE6E93)
WEYL = np.uint64(0x9E3779B97F4A7C15)
ROUNDS = 10


@scalar
def philox2x64(counter_lo, counter_hi, key):
    """One block: two uint64 words from a 128-bit counter and a 64-bit key.

    Parameters: ``counter_lo``, ``counter_hi``, ``key`` uint64. Returns (draw 0, draw 1), uint64 each.
    """
    x0 = np.uint64(counter_lo)
    x1 = np.uint64(counter_hi)
    k = np.uint64(key)
    for _ in range(ROUNDS):
        high = np.uint64(mul_high(MULTIPLIER, x0))
        low = np.uint64(MULTIPLIER * x0)
        x0 = np.uint64(high ^ k ^ x1)
        x1 = low
        k = np.uint64(k + WEYL)
    return x0, x1


@scalar
def counter_add(counter_lo, counter_hi, blocks):
    """``counter + blocks`` mod 2^128 on a (lo, hi) pair of uint64; ``blocks`` uint64."""
    lo = np.uint64(counter_lo + blocks)
    carry = np.uint64(1) if lo < blocks else np.uint64(0)
    return lo, np.uint64(counter_hi + carry)


@scalar
def counter_wraps(counter_lo, counter_hi, blocks):
    """True if drawing ``blocks`` blocks from this counter would pass 2^128 (the policy's ``abort_on_wrap``).

    The last block drawn has counter + blocks - 1; reaching 2^128 exactly afterwards is a wrap too, since the
    counter after the event could not be distinguished from a fresh one.
    """
    lo = np.uint64(counter_lo + blocks)
    return lo < blocks and counter_hi == np.uint64(0xFFFFFFFFFFFFFFFF)
