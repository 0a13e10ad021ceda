"""What is looked for in PTX is found where it is: kernels with a fault each.

Two things could break equality (engineering notes 1): fused multiply-adds that the source does not spell, which the
compiler makes from ``a * b + c`` and the assembler from a ``mul`` without a rounding mode; and library functions or
approximations. Both show in the PTX text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="kernels compile for CUDA by the package numba-cuda")
from numba import cuda
from seg5b_kernels.targets import product

from tests.ptx.kernel_text import faults, parameter_bytes, ptx_of


def _multiply_add(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = x[i] * x[i + 1] + x[i + 2]


def _product_add(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = product(x[i], x[i + 1]) + x[i + 2]


def _plain_product(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = x[i] * x[i + 1]


def _library(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = math.exp(x[i])


def _single(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = np.float32(x[i]) + np.float32(x[i + 1])


def _scratch(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    memory = cuda.local.array(64, np.float64)
    for k in range(64):
        memory[(i * k) % 64] = x[k]
    if i < n:
        out[i] = memory[i % 64]


@pytest.mark.parametrize(
    ("kernel", "kinds"),
    [
        (_multiply_add, {"fused"}),
        (_product_add, set()),
        (_plain_product, {"may be fused by the assembler"}),
        (_library, {"fused"}),
        (_single, {"single precision"}),
        (_scratch, {"local memory"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_detector_sees_planted_faults(kernel: Callable[..., None], kinds: set[str]) -> None:
    ptx = ptx_of(kernel, (5, np.zeros(9), np.zeros(9)), "9.0a")
    assert kinds <= faults(ptx).keys()
    assert kinds or not faults(ptx)


def test_parameters_are_counted() -> None:
    """A one-dimensional array is seven words of eight bytes."""
    assert parameter_bytes(ptx_of(_product_add, (5, np.zeros(9), np.zeros(9)), "9.0a")) == 8 + 2 * 56
