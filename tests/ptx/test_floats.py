"""Instructions of PTX on float64, executed, against exact fractions."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import pytest

from tests.ptx.snippets import results

TINY = 5e-324
NUMBERS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    1.5,
    2.5,
    -2.5,
    0.1,
    1 / 3,
    1 + 2**-52,
    1 - 2**-53,
    2.0**53 - 1,
    2.0**53 + 2,
    1e300,
    -1e300,
]
NUMBERS += [1.7976931348623157e308, TINY, -3 * TINY, 2.2250738585072014e-308, 1e-200, 4.35e15, -123456789.123, math.pi]
NANS = [math.nan]
INFINITE = [math.inf, -math.inf]


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def number(word: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", word))[0])


def rounded(exact: Fraction, zero: float = 0.0) -> float:
    """To nearest, ties to even; ``zero``: what an exact zero is."""
    if exact == 0:
        return zero
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def same(found: list[int], expected: list[float]) -> bool:
    """Bit for bit; what is no number is one value."""
    return all(
        math.isnan(number(word)) if math.isnan(value) else word == bits(value)
        for word, value in zip(found, expected, strict=True)
    )


EXACT: dict[str, Callable[[float, float], float]] = {
    "add.rn.f64": lambda a, b: rounded(Fraction(a) + Fraction(b), a + b),
    "add.f64": lambda a, b: rounded(Fraction(a) + Fraction(b), a + b),
    "sub.f64": lambda a, b: rounded(Fraction(a) - Fraction(b), a - b),
    "mul.rn.f64": lambda a, b: rounded(Fraction(a) * Fraction(b), math.copysign(0, a) * math.copysign(1, b)),
    "div.rn.f64": lambda a, b: (
        rounded(Fraction(a) / Fraction(b), math.copysign(0, a) * math.copysign(1, b))
        if b
        else (math.copysign(math.inf, a) * math.copysign(1, b) if a else math.nan)
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_one_rounding(name: str) -> None:
    pairs = list(product(NUMBERS, NUMBERS))
    found = results(f"{name} %fd0, %fd1, %fd2;", [(bits(a), bits(b)) for a, b in pairs])
    assert same(found, [EXACT[name](a, b) for a, b in pairs])


def test_a_fused_operation_rounds_once() -> None:
    triples = list(product(NUMBERS[2:], NUMBERS[2:], NUMBERS[2::2]))
    found = results("fma.rn.f64 %fd0, %fd1, %fd2, %fd3;", [tuple(map(bits, each)) for each in triples])
    expected = [rounded(Fraction(a) * Fraction(b) + Fraction(c)) for a, b, c in triples]
    assert same(found, expected)


@pytest.mark.parametrize("optimisation", [0, 1, 2])
def test_a_product_and_a_sum_round_twice(optimisation: int) -> None:
    """LLVM joins nothing, at no level, whatever this machine could."""
    triples = list(product(NUMBERS[2:14], NUMBERS[2:14], NUMBERS[2:14]))
    body = "mul.rn.f64 %fd4, %fd1, %fd2;\nadd.f64 %fd0, %fd4, %fd3;"
    found = results(body, [tuple(map(bits, each)) for each in triples], optimisation=optimisation)
    twice = [
        rounded(Fraction(rounded(Fraction(a) * Fraction(b))) + Fraction(c)) for a, b, c in triples if abs(a * b) < 1e308
    ]
    assert same([each for each, (a, b, _) in zip(found, triples, strict=True) if abs(a * b) < 1e308], twice)
    once = [rounded(Fraction(a) * Fraction(b) + Fraction(c)) for a, b, c in triples if abs(a * b) < 1e308]
    assert once != twice, "the numbers tell one rounding from two"


def test_roots_and_reciprocals() -> None:
    positive = [abs(value) for value in NUMBERS if value]
    for word, value in zip(results("sqrt.rn.f64 %fd0, %fd1;", [(bits(x),) for x in positive]), positive, strict=True):
        root = number(word)
        below, above = (Fraction(root) + Fraction(math.nextafter(root, to)) for to in (0, math.inf))
        assert below**2 / 4 <= Fraction(value) <= above**2 / 4  # no float64 is nearer
    assert math.isnan(number(results("sqrt.rn.f64 %fd0, %fd1;", [(bits(-1.0),)])[0]))
    found = results("rcp.rn.f64 %fd0, %fd1;", [(bits(x),) for x in positive])
    assert same(found, [rounded(1 / Fraction(x)) for x in positive])


def test_the_least_and_the_greatest() -> None:
    """A number wins over what is none; minus zero is less than plus zero."""
    values = [*NUMBERS, *NANS, *INFINITE]
    pairs = list(product(values, values))

    def chosen(pick: Callable[..., float], a: float, b: float) -> float:
        if math.isnan(a) or math.isnan(b):
            return b if math.isnan(a) else a
        return pick(a, b, key=lambda value: (value, math.copysign(1, value)))

    for name, pick in (("min", min), ("max", max)):
        found = results(f"{name}.f64 %fd0, %fd1, %fd2;", [(bits(a), bits(b)) for a, b in pairs])
        assert same(found, [chosen(pick, a, b) for a, b in pairs])


def test_signs() -> None:
    values = [*NUMBERS, *INFINITE]
    assert same(results("neg.f64 %fd0, %fd1;", [(bits(x),) for x in values]), [-x for x in values])
    assert same(results("abs.f64 %fd0, %fd1;", [(bits(x),) for x in values]), [abs(x) for x in values])


ORDERED: dict[str, Callable[[float, float], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a < b or a > b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "num": lambda a, b: True,
}


@pytest.mark.parametrize("name", [*ORDERED, *(f"{name}u" for name in ORDERED if name != "num"), "nan"])
def test_comparisons(name: str) -> None:
    """Without ``u``, false where either is no number; with it, true."""
    values = [*NUMBERS, *NANS, *INFINITE]
    pairs = list(product(values, values))

    def holds(a: float, b: float) -> bool:
        if math.isnan(a) or math.isnan(b):
            return name.endswith("u") or name == "nan"
        return name != "nan" and ORDERED[name.removesuffix("u")](a, b)

    found = results(f"setp.{name}.f64 %p0, %fd1, %fd2;", [(bits(a), bits(b)) for a, b in pairs])
    assert found == [int(holds(a, b)) for a, b in pairs]


@pytest.mark.parametrize("width", [16, 32, 64])
def test_integers_become_numbers(width: int) -> None:
    words = [0, 1, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**53 + 3, 2**63 - 1, 2**63, 2**63 + 1025, 2**64 - 1]
    register = {16: "rs", 32: "r", 64: "rd"}[width]
    low = [word % 2**width for word in words]
    for sign, value_of in (("u", int), ("s", lambda word: word - 2**width * (word >> width - 1))):
        found = results(f"cvt.rn.f64.{sign}{width} %fd0, %{register}1;", [(word,) for word in words])
        assert same(found, [float(value_of(word)) for word in low])


ROUND: dict[str, Callable[[float], float | int]] = {
    "rni": round,
    "rzi": math.trunc,
    "rmi": math.floor,
    "rpi": math.ceil,
}


@pytest.mark.parametrize("how", ROUND)
def test_numbers_become_integers(how: str) -> None:
    """At most the ends of the range; what is no number, the highest bit."""
    values = [
        *NUMBERS,
        *INFINITE,
        0.5,
        -0.5,
        1.5,
        3.5,
        2.0**31 - 0.5,
        2.0**31,
        -(2.0**31) - 0.5,
        2.0**63,
        -(2.0**63),
        2.0**64,
    ]
    for sign, width in product("su", (32, 64)):
        least, most = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if sign == "s" else (0, 2**width - 1)
        register = {32: "r", 64: "rd"}[width]
        code = f"cvt.{how}.{sign}{width}.f64 %{register}0, %fd1;"
        expected = [
            (most if x > 0 else least) if math.isinf(x) else min(max(int(ROUND[how](x)), least), most) for x in values
        ]
        assert results(code, [(bits(x),) for x in values]) == [value % 2**width for value in expected]
        assert results(code, [(bits(math.nan),)]) == [2 ** (width - 1)]
    finite = [x for x in values if not math.isinf(x)]
    found = results(f"cvt.{how}.f64.f64 %fd0, %fd1;", [(bits(x),) for x in finite])
    assert [number(word) for word in found] == [float(ROUND[how](x)) for x in finite]
