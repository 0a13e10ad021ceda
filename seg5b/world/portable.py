"""Elementary functions that give the same bits on every CPU.

numpy's own exp, log and cos change their last bits with the vector instructions at hand; a world must not. These use
only + - * / sqrt and exact scaling, each a separate correctly rounded operation. Relative error is below 1e-13, which
is plenty for a calibration.

`seg5b_kernels.portable` has functions of the same names and its own constants. They are not shared: a world must not
change when a kernel does, and a fault of the kernels' functions must not hide in the data that tests them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

_LN2 = 0.6931471805599453
_PI = 3.141592653589793
_EXP_TERMS = 14
_LOG_TERMS = 17
_COS_TERMS = 15


def exp(x: F64) -> F64:
    """e^x elementwise; float64 in, float64 out; ``x`` within about +-700."""
    x = np.asarray(x, np.float64)
    halvings = np.rint(x / _LN2)
    rest = x - halvings * _LN2
    total = np.ones_like(rest)
    for term in range(_EXP_TERMS, 0, -1):
        total = 1.0 + rest * total / term
    return np.ldexp(total, halvings.astype(np.int64))


def log(x: F64) -> F64:
    """Natural logarithm elementwise; ``x`` > 0. Series of 2 artanh((m - 1) / (m + 1)), m within [0.7, 1.4]."""
    mantissa, exponent = np.frexp(np.asarray(x, np.float64))
    low = mantissa < 0.7071067811865476
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    exponent = np.where(low, exponent - 1, exponent)
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square = ratio * ratio
    total = np.zeros_like(ratio)
    for term in range(_LOG_TERMS, -1, -1):
        total = 1.0 / (2 * term + 1) + square * total
    return exponent * _LN2 + 2.0 * ratio * total


def power(base: F64, exponent: F64 | float) -> F64:
    """base^exponent for positive bases."""
    return exp(log(base) * exponent)


def cos(radians: F64) -> F64:
    """Cosine for angles within [-2 pi, 2 pi]."""
    angle = np.abs(np.asarray(radians, np.float64))
    angle = np.where(angle > _PI, 2 * _PI - angle, angle)
    square = angle * angle
    total = np.ones_like(square)
    for term in range(_COS_TERMS, 0, -1):
        total = 1.0 - square * total / ((2 * term - 1) * (2 * term))
    return total


def sin(radians: F64) -> F64:
    """Sine for angles within [-1.5 pi, 1.5 pi]."""
    return cos(np.asarray(radians, np.float64) - _PI / 2)


def interpolate(x: F64, known_x: F64, known_y: F64) -> F64:
    """Straight lines between known points in ascending ``known_x``, flat outside. (numpy's own may fuse its multiply
    and add on some processors.)"""
    inside = np.clip(x, known_x[0], known_x[-1])
    left = np.clip(np.searchsorted(known_x, inside, side="right") - 1, 0, known_x.size - 2)
    slope = (known_y[left + 1] - known_y[left]) / (known_x[left + 1] - known_x[left])
    return np.asarray(known_y[left] + slope * (inside - known_x[left]))


def normal(u1: F64, u2: F64) -> F64:
    """Standard normal from two uniforms in (0, 1), by Box and Muller's cosine branch."""
    return np.sqrt(-2.0 * log(u1)) * cos(2 * _PI * (np.asarray(u2, np.float64) - 0.5))
