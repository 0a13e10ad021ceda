"""The elementary functions of law L9 in plain floats, written apart from the kernels and equal to them bit for bit.

Every operation is one correctly rounded ``+ - * / sqrt`` or an exact scaling, in the order that the law fixes. Sources:
fdlibm (exp, log, sin, cos) and Wichura's AS 241 (normal quantile).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
PER_LN2 = 1.44269504088896338700
FULL_TURN = 6.283185307179586
# Mantissas from here on are halved, so that the logarithm's argument stays near 1.
HALVE_FROM = 2.0 - 0x00095F6400000000 / 2.0**52

EXP = (
    4.13813679705723846039e-08,
    -1.65339022054652515390e-06,
    6.61375632143793436117e-05,
    -2.77777777770155933842e-03,
    1.66666666666666019037e-01,
)
LOG_ODD = (1.531383769920937332e-01, 2.222219843214978396e-01, 3.999999999940941908e-01)
LOG_EVEN = (
    1.479819860511658591e-01,
    1.818357216161805012e-01,
    2.857142874366239149e-01,
    6.666666666666735130e-01,
)
COS = (
    -1.13596475577881948265e-11,
    2.08757232129817482790e-09,
    -2.75573143513906633035e-07,
    2.48015872894767294178e-05,
    -1.38888888888741095749e-03,
    4.16666666666666019037e-02,
)
SIN = (
    1.58969099521155010221e-10,
    -2.50507602534068634195e-08,
    2.75573137070700676789e-06,
    -1.98412698298579493134e-04,
    8.33333333332248946124e-03,
    -1.66666666666666324348e-01,
)
CENTRE = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
NEAR_TAIL = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258e0,
        3.64784832476320460504e0,
        5.76949722146069140550e0,
        4.63033784615654529590e0,
        1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940e0,
        2.05319162663775882187e0,
        1.0,
    ),
)
FAR_TAIL = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580e0,
        5.46378491116411436990e0,
        6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ),
)


def exp(x: float) -> float:
    """e**x, the argument clamped to [-745, 709]."""
    x = min(max(x, -745.0), 709.0)
    power = round(x * PER_LN2)
    high, low = x - power * LN2_HIGH, power * LN2_LOW
    rest = high - low
    square = rest * rest
    c = rest - square * _polynomial(EXP, square)
    y = 1.0 - ((low - (rest * c) / (2.0 - c)) - high)
    half = power >> 1
    return math.ldexp(math.ldexp(y, half), power - half)


def log(x: float) -> float:
    """Natural logarithm of a positive normal number."""
    mantissa, exponent = math.frexp(x)
    mantissa, exponent = 2.0 * mantissa, exponent - 1
    if mantissa >= HALVE_FROM:
        mantissa, exponent = mantissa / 2.0, exponent + 1
    f = mantissa - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd, even = w * _polynomial(LOG_ODD, w), z * _polynomial(LOG_EVEN, w)
    half_square = 0.5 * f * f
    tail = s * (half_square + (even + odd)) + exponent * LN2_LOW
    return exponent * LN2_HIGH - ((half_square - tail) - f)


def cos_turn(u: float) -> float:
    """cos(2 pi u) for ``u`` in [0, 1]."""
    quarters = round(4.0 * u)
    angle = (u - quarters * 0.25) * FULL_TURN
    z = angle * angle
    if quarters % 2:
        value = angle + (z * angle) * _polynomial(SIN, z)
    else:
        half = 0.5 * z
        head = 1.0 - half
        value = head + (((1.0 - head) - half) + (z * z) * _polynomial(COS, z))
    return -value if quarters % 4 in (1, 2) else value


def normal_quantile(p: float) -> float:
    """Inverse of the normal distribution function for ``p`` in (0, 1)."""
    q = p - 0.5
    if abs(q) <= 0.425:
        above, below = CENTRE
        r = 0.180625 - q * q
        return q * _polynomial(above, r) / _polynomial(below, r)
    r = math.sqrt(-log(p if q < 0.0 else 1.0 - p))
    (above, below), r = (NEAR_TAIL, r - 1.6) if r <= 5.0 else (FAR_TAIL, r - 5.0)
    value = _polynomial(above, r) / _polynomial(below, r)
    return -value if q < 0.0 else value


def _polynomial(coefficients: Sequence[float], x: float) -> float:
    """Horner's scheme, highest power first, two roundings per step."""
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
