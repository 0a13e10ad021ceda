"""From random words to numbers in the open unit interval. Law L4."""

from __future__ import annotations

import numpy as np

from seg5b_kernels.targets import product, scalar

TWO_TO_MINUS_64 = 5.421010862427522e-20
LARGEST_BELOW_ONE = 1.0 - 2.0**-53


@scalar
def unit_open(word):
    """u = min((float64(word) + 0.5) * 2^-64, 1 - 2^-53) for a uint64 ``word``.

    Smallest value 2^-65, largest 1 - 2^-53: neither 0 nor 1 can occur.
    """
    u = product(np.float64(np.uint64(word)) + 0.5, TWO_TO_MINUS_64)
    return min(u, LARGEST_BELOW_ONE)
