"""Arithmetic with one meaning on every target, and the decorators of kernels.

LLVM and the CUDA compiler may turn ``a * b + c`` on float64 into one fused operation with one rounding instead of
two; the CPU does not. A product that feeds an addition is therefore written `product`, which both targets round
on its own. Everything else that kernels use (``+ - * / sqrt``, comparisons, integer arithmetic of explicit width) is
correctly rounded, or exact, on both.

Each primitive is a plain Python function (the meaning), with one implementation per target behind it: the CPU's are
here, CUDA's in `seg5b_kernels.cuda_primitives`, so that no process imports numba's CUDA unless it computes there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload

from seg5b_kernels._cache import kept

# What a primitive takes where its docstring says which width: Python's integers, or numpy's.
Integer = int | np.integer[Any]

# Kernels allocate nothing, so reference counting (atomic, for each array of an input tuple) is switched off.
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def scalar(function: Callable[..., Any]) -> Any:
    """Decorate a scalar function of kernels: callable from CPU loops, CUDA kernels and Python.

    Always inlined: a call would pass every array of the input tuples on the stack, for each item.
    """
    return kept(njit(forceinline=True, **_OPTIONS), function)


def cpu_loop(function: Callable[..., Any]) -> Any:
    """Decorate the CPU loop over an element function, ``(start, stop, inputs, outputs)``. It releases the GIL, so that
    threads of the host run loops over different arrays side by side."""
    return kept(njit(**_OPTIONS), function)


# ---------------------------------------------------------------------------------------------- primitives


def product(a: float, b: float) -> float:
    """``a * b`` rounded to float64 on its own, never fused with a following addition."""
    return a * b


def mul_high(a: Integer, b: Integer) -> int:
    """High 64 bits of the 128-bit product of two uint64."""
    return (int(a) * int(b)) >> 64


def float_bits(x: float) -> int:
    """The 64 bits of a float64, as int64."""
    return cast(int, struct.unpack("<q", struct.pack("<d", x))[0])


def bits_float(bits: Integer) -> float:
    """The float64 with these 64 bits (int64)."""
    return cast(float, struct.unpack("<d", struct.pack("<q", bits))[0])


def fetch_add(counters: np.ndarray, index: Integer, amount: Integer) -> int:
    """Add ``amount`` to ``counters[index]`` (int32 or int64); return the value before. Atomic on CUDA, where a launch has
    many threads; a CPU loop is one thread's, over arrays of its own. Use only where the order in which items arrive
    cannot show in any output."""
    before = int(counters[index])
    counters[index] += amount
    return before


def fetch_min(values: np.ndarray, index: Integer, value: Integer) -> int:
    """Lower ``values[index]`` (int64) to ``value`` if it is larger (atomically on CUDA); return the value before. How
    kernels report: whichever item is looked at first, the smallest that has a fault is what remains."""
    before = int(values[index])
    values[index] = min(before, value)
    return before


# ---------------------------------------------------------------------------------------------- CPU


def cpu_has(feature: str) -> bool:
    """Whether the CPU that numba compiles for has a feature, by LLVM's name for it (``sha`` names one of x86 only).

    That need not be the CPU that is here: ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` choose. numba's cache keeps
    the code of each choice apart.
    """
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return f"+{feature}" in features.split(",")


@intrinsic
def _mul_high_cpu(_context, a, b):
    def emit(_target, builder, _signature, arguments):
        wide = ir.IntType(128)
        full = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        return builder.trunc(builder.lshr(full, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), emit


@intrinsic
def _float_bits_cpu(_context, x):
    def emit(_target, builder, _signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), emit


@intrinsic
def _bits_float_cpu(_context, bits):
    def emit(_target, builder, _signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), emit


@overload(product)
def _product_on_cpu(a, b):
    return lambda a, b: a * b


@overload(mul_high)
def _mul_high_on_cpu(a, b):
    return lambda a, b: _mul_high_cpu(a, b)


@overload(float_bits)
def _float_bits_on_cpu(x):
    return lambda x: _float_bits_cpu(x)


@overload(bits_float)
def _bits_float_on_cpu(bits):
    return lambda bits: _bits_float_cpu(bits)


@overload(fetch_add)
def _fetch_add_on_cpu(counters, index, amount):
    def add(counters, index, amount):
        before = counters[index]
        counters[index] = before + amount
        return before

    return add


@overload(fetch_min)
def _fetch_min_on_cpu(values, index, value):
    def lower(values, index, value):
        before = values[index]
        values[index] = min(before, value)
        return before

    return lower
