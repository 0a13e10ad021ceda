"""exp, log, cos(2 pi u) and the normal quantile from correctly rounded operations alone.

The C library's functions differ between CPUs and CUDA's use fused operations, so neither gives equal bits. These use
only ``+ - / sqrt``, `product` and exact bit operations, without branches on the CPU where a select will do.

Sources: the reduction and the minimax coefficients of exp, log, sin and cos are the published ones of Sun's fdlibm
(K. C. Ng, 1993); the normal quantile is M. J. Wichura, algorithm AS 241 (PPND16), Applied Statistics 37 (1988).
Largest errors against mpmath, found by `tests/kernels/test_portable.py`, are stated with each function.
"""

from __future__ import annotations

import math

import numpy as np

from seg5b_kernels.targets import bits_float, float_bits, product, scalar

LN2_HI = 6.93147180369123816490e-01  # leading 32 bits of ln 2: products with small integers are exact
LN2_LO = 1.90821492927058770002e-10
INV_LN2 = 1.44269504088896338700
TWO_PI = 6.283185307179586
EXP_MIN, EXP_MAX = -745.0, 709.0
MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
ROUND_TO_INTEGER = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits


@scalar
def horner_step(accumulated, x, coefficient):
    """``accumulated * x + coefficient`` with two roundings."""
    return product(accumulated, x) + coefficient


@scalar
def power_of_two(exponent):
    """2.0 ** exponent for an integer in [-1022, 1023]."""
    return bits_float(np.int64(np.int64(exponent + 1023) << np.int64(52)))


@scalar
def exp(x):
    """e**x for float64 ``x``; arguments are clamped to [-745, 709]. Error below 0.95 ulp for normal results."""
    x = min(max(x, EXP_MIN), EXP_MAX)
    k = (product(x, INV_LN2) + ROUND_TO_INTEGER) - ROUND_TO_INTEGER
    high = x - product(k, LN2_HI)
    low = product(k, LN2_LO)
    r = high - low
    t = product(r, r)
    p = horner_step(4.13813679705723846039e-08, t, -1.65339022054652515390e-06)
    p = horner_step(p, t, 6.61375632143793436117e-05)
    p = horner_step(p, t, -2.77777777770155933842e-03)
    p = horner_step(p, t, 1.66666666666666019037e-01)
    c = r - product(t, p)
    y = 1.0 - ((low - product(r, c) / (2.0 - c)) - high)
    # Two factors, because 2**k alone may lie below the normal range.
    half = np.int64(k) >> np.int64(1)
    return product(product(y, power_of_two(half)), power_of_two(np.int64(k) - half))


@scalar
def log(x):
    """ln x for normal, positive, finite float64 ``x``. Error below 0.9 ulp."""
    bits = float_bits(x)
    # Mantissa in [sqrt(1/2), sqrt(2)): those at or above sqrt(2) are halved and their exponent raised.
    fraction = np.int64(bits & MANTISSA)
    carry = np.int64((fraction + np.int64(0x00095F6400000000)) >> np.int64(52)) & np.int64(1)
    exponent = np.int64(bits >> np.int64(52)) - np.int64(1023) + carry
    f = bits_float(np.int64(fraction | np.int64((np.int64(1023) - carry) << np.int64(52)))) - 1.0
    s = f / (2.0 + f)
    z = product(s, s)
    w = product(z, z)
    odd = horner_step(1.531383769920937332e-01, w, 2.222219843214978396e-01)
    odd = product(w, horner_step(odd, w, 3.999999999940941908e-01))
    even = horner_step(1.479819860511658591e-01, w, 1.818357216161805012e-01)
    even = horner_step(even, w, 2.857142874366239149e-01)
    even = product(z, horner_step(even, w, 6.666666666666735130e-01))
    half_square = product(product(0.5, f), f)
    k = np.float64(exponent)
    tail = product(s, half_square + (even + odd)) + product(k, LN2_LO)
    return product(k, LN2_HI) - ((half_square - tail) - f)


@scalar
def cos_turn(u):
    """cos(2 pi u) for ``u`` in [0, 1]. Error below 1.85 ulp, absolute below 1.5e-16.

    The quarter turn is taken off before the multiplication by 2 pi, exactly, so no reduction error enters.
    """
    quarters = (product(u, 4.0) + ROUND_TO_INTEGER) - ROUND_TO_INTEGER
    angle = product(u - product(quarters, 0.25), TWO_PI)
    z = product(angle, angle)
    c = horner_step(-1.13596475577881948265e-11, z, 2.08757232129817482790e-09)
    c = horner_step(c, z, -2.75573143513906633035e-07)
    c = horner_step(c, z, 2.48015872894767294178e-05)
    c = horner_step(c, z, -1.38888888888741095749e-03)
    c = horner_step(c, z, 4.16666666666666019037e-02)
    half = product(0.5, z)
    head = 1.0 - half
    cosine = head + (((1.0 - head) - half) + product(product(z, z), c))
    s = horner_step(1.58969099521155010221e-10, z, -2.50507602534068634195e-08)
    s = horner_step(s, z, 2.75573137070700676789e-06)
    s = horner_step(s, z, -1.98412698298579493134e-04)
    s = horner_step(s, z, 8.33333333332248946124e-03)
    s = horner_step(s, z, -1.66666666666666324348e-01)
    sine = angle + product(product(angle, z), s)
    quadrant = np.int64(quarters) & np.int64(3)
    value = sine if quadrant & np.int64(1) else cosine
    return -value if quadrant == 1 or quadrant == 2 else value


@scalar
def normal_quantile(p):
    """Phi^-1(p) for ``p`` in (0, 1): AS 241, PPND16. Error below 6 ulp for p in [2^-65, 1 - 2^-53]."""
    q = p - 0.5
    if abs(q) <= 0.425:
        return _quantile_centre(q)
    tail = p if q < 0.0 else 1.0 - p
    r = math.sqrt(-log(tail))
    value = _quantile_near_tail(r - 1.6) if r <= 5.0 else _quantile_far_tail(r - 5.0)
    return -value if q < 0.0 else value


@scalar
def _quantile_centre(q):
    """|p - 1/2| <= 0.425, q = p - 1/2."""
    r = 0.180625 - product(q, q)
    n = horner_step(2.5090809287301226727e3, r, 3.3430575583588128105e4)
    n = horner_step(n, r, 6.7265770927008700853e4)
    n = horner_step(n, r, 4.5921953931549871457e4)
    n = horner_step(n, r, 1.3731693765509461125e4)
    n = horner_step(n, r, 1.9715909503065514427e3)
    n = horner_step(n, r, 1.3314166789178437745e2)
    n = horner_step(n, r, 3.3871328727963666080e0)
    d = horner_step(5.2264952788528545610e3, r, 2.8729085735721942674e4)
    d = horner_step(d, r, 3.9307895800092710610e4)
    d = horner_step(d, r, 2.1213794301586595867e4)
    d = horner_step(d, r, 5.3941960214247511077e3)
    d = horner_step(d, r, 6.8718700749205790830e2)
    d = horner_step(d, r, 4.2313330701600911252e1)
    d = horner_step(d, r, 1.0)
    return product(q, n) / d


@scalar
def _quantile_near_tail(r):
    """sqrt(-ln tail) <= 5, r = sqrt(-ln tail) - 1.6."""
    n = horner_step(7.74545014278341407640e-4, r, 2.27238449892691845833e-2)
    n = horner_step(n, r, 2.41780725177450611770e-1)
    n = horner_step(n, r, 1.27045825245236838258e0)
    n = horner_step(n, r, 3.64784832476320460504e0)
    n = horner_step(n, r, 5.76949722146069140550e0)
    n = horner_step(n, r, 4.63033784615654529590e0)
    n = horner_step(n, r, 1.42343711074968357734e0)
    d = horner_step(1.05075007164441684324e-9, r, 5.47593808499534494600e-4)
    d = horner_step(d, r, 1.51986665636164571966e-2)
    d = horner_step(d, r, 1.48103976427480074590e-1)
    d = horner_step(d, r, 6.89767334985100004550e-1)
    d = horner_step(d, r, 1.67638483018380384940e0)
    d = horner_step(d, r, 2.05319162663775882187e0)
    d = horner_step(d, r, 1.0)
    return n / d


@scalar
def _quantile_far_tail(r):
    """sqrt(-ln tail) > 5, r = sqrt(-ln tail) - 5."""
    n = horner_step(2.01033439929228813265e-7, r, 2.71155556874348757815e-5)
    n = horner_step(n, r, 1.24266094738807843860e-3)
    n = horner_step(n, r, 2.65321895265761230930e-2)
    n = horner_step(n, r, 2.96560571828504891230e-1)
    n = horner_step(n, r, 1.78482653991729133580e0)
    n = horner_step(n, r, 5.46378491116411436990e0)
    n = horner_step(n, r, 6.65790464350110377720e0)
    d = horner_step(2.04426310338993978564e-15, r, 1.42151175831644588870e-7)
    d = horner_step(d, r, 1.84631831751005468180e-5)
    d = horner_step(d, r, 7.86869131145613259100e-4)
    d = horner_step(d, r, 1.48753612908506148525e-2)
    d = horner_step(d, r, 1.36929880922735805310e-1)
    d = horner_step(d, r, 5.99832206555887937690e-1)
    d = horner_step(d, r, 1.0)
    return n / d
