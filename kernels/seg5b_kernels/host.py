"""The loop that only the CPU backend needs: prefix sums. On CUDA the array library has them."""

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
