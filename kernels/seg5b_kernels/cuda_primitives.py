"""The primitives of kernels for CUDA: importing this module registers them with numba-cuda.

Only `seg5b_kernels.cuda` imports it. numba-cuda may be missing, broken or too old, and takes long to import, none of
which concerns a process that computes on the CPU.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import config, cuda

from seg5b_kernels.sha256 import compress, scalar_compress
from seg5b_kernels.targets import bits_float, fetch_add, fetch_min, float_bits, mul_high, product


def _register() -> None:
    from numba.cuda import libdevice
    from numba.cuda.extending import overload

    on_cuda = partial(overload, target="cuda")

    @on_cuda(product)
    def _product(a, b):
        return lambda a, b: libdevice.dmul_rn(a, b)

    @on_cuda(mul_high)
    def _mul_high(a, b):
        # libdevice types the result int64; unsigned again, or the next xor would turn into float64.
        return lambda a, b: np.uint64(libdevice.umul64hi(a, b))

    @on_cuda(float_bits)
    def _float_bits(x):
        return lambda x: libdevice.double_as_longlong(x)

    @on_cuda(bits_float)
    def _bits_float(bits):
        return lambda bits: libdevice.longlong_as_double(bits)

    @on_cuda(fetch_add)
    def _fetch_add(counters, index, amount):
        return lambda counters, index, amount: cuda.atomic.add(counters, index, amount)

    @on_cuda(fetch_min)
    def _fetch_min(values, index, value):
        return lambda values, index, value: cuda.atomic.min(values, index, value)

    @on_cuda(compress)
    def _compress(state, words):
        return lambda state, words: scalar_compress(state, words)


if not config.ENABLE_CUDASIM:  # the simulator runs the plain functions and has no libdevice
    _register()
