"""Integer instructions of PTX, executed, against Python's integers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from tests.ptx.snippets import results

EDGES = [0, 1, 2, 31, 32, 33, 63, 64, 65, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
EDGES += [
    0x100000000,
    0x123456789ABCDEF0,
    0x7FFFFFFFFFFFFFFF,
    0x8000000000000000,
    0xFFFFFFFFFFFFFFFE,
    0xFFFFFFFFFFFFFFFF,
]
REGISTER = {16: "rs", 32: "r", 64: "rd"}


def unsigned(value: int, bits: int) -> int:
    return value % 2**bits


def signed(value: int, bits: int) -> int:
    value %= 2**bits
    return value - 2**bits if value >= 2 ** (bits - 1) else value


def divided(a: int, b: int) -> int:
    """Towards zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


TWO: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda a, b, bits: a + b,
    "sub": lambda a, b, bits: a - b,
    "mul.lo": lambda a, b, bits: a * b,
    "mul.hi": lambda a, b, bits: a * b >> bits,
    "div": lambda a, b, bits: divided(a, b) if b else -1,
    "rem": lambda a, b, bits: a - divided(a, b) * b if b else -1,
    "min": lambda a, b, bits: min(a, b),
    "max": lambda a, b, bits: max(a, b),
}


@pytest.mark.parametrize("sign", "us")
@pytest.mark.parametrize("bits", REGISTER)
@pytest.mark.parametrize("name", TWO)
def test_two_operands(name: str, bits: int, sign: str) -> None:
    number, r = {"u": unsigned, "s": signed}[sign], REGISTER[bits]
    pairs = list(product(EDGES, EDGES))
    found = results(f"{name}.{sign}{bits} %{r}0, %{r}1, %{r}2;", pairs)
    assert found == [unsigned(TWO[name](number(a, bits), number(b, bits), bits), bits) for a, b in pairs]


@pytest.mark.parametrize("sign", "us")
@pytest.mark.parametrize("bits", [16, 32])
def test_products_of_twice_the_width(bits: int, sign: str) -> None:
    number, r, wide = {"u": unsigned, "s": signed}[sign], REGISTER[bits], REGISTER[2 * bits]
    pairs = list(product(EDGES, EDGES))
    expected = [number(a, bits) * number(b, bits) for a, b in pairs]
    found = results(f"mul.wide.{sign}{bits} %{wide}0, %{r}1, %{r}2;", pairs)
    assert found == [unsigned(each, 2 * bits) for each in expected]
    added = results(f"mad.wide.{sign}{bits} %{wide}0, %{r}1, %{r}2, %{wide}1;", pairs)
    assert added == [unsigned(each + a, 2 * bits) for each, (a, _) in zip(expected, pairs, strict=True)]


@pytest.mark.parametrize("bits", REGISTER)
def test_products_and_sums(bits: int) -> None:
    r, triples = REGISTER[bits], list(product(EDGES[::3], repeat=3))
    found = results(f"mad.lo.s{bits} %{r}0, %{r}1, %{r}2, %{r}3;", triples)
    assert found == [unsigned(a * b + c, bits) for a, b, c in triples]


@pytest.mark.parametrize("bits", REGISTER)
def test_bitwise(bits: int) -> None:
    r, pairs = REGISTER[bits], list(product(EDGES, EDGES))
    for name, law in {"and": int.__and__, "or": int.__or__, "xor": int.__xor__}.items():
        assert results(f"{name}.b{bits} %{r}0, %{r}1, %{r}2;", pairs) == [unsigned(law(a, b), bits) for a, b in pairs]
        assert results(f"{name}.pred %p0, %p1, %p2;", pairs) == [law(int(a != 0), int(b != 0)) for a, b in pairs]
    ones = [(a,) for a in EDGES]
    assert results(f"not.b{bits} %{r}0, %{r}1;", ones) == [unsigned(~a, bits) for a in EDGES]
    assert results(f"neg.s{bits} %{r}0, %{r}1;", ones) == [unsigned(-a, bits) for a in EDGES]
    assert results(f"abs.s{bits} %{r}0, %{r}1;", ones) == [unsigned(abs(signed(a, bits)), bits) for a in EDGES]
    assert results("not.pred %p0, %p1;", ones) == [int(a == 0) for a in EDGES]


@pytest.mark.parametrize("bits", REGISTER)
def test_shifts_clamp_their_count(bits: int) -> None:
    r, pairs = REGISTER[bits], list(product(EDGES, EDGES))
    counts = [b % 2**32 for _, b in pairs]
    left = results(f"shl.b{bits} %{r}0, %{r}1, %r2;", pairs)
    assert left == [
        unsigned(a << min(count, 64), bits) if count < bits else 0 for (a, _), count in zip(pairs, counts, strict=True)
    ]
    right = results(f"shr.u{bits} %{r}0, %{r}1, %r2;", pairs)
    assert right == [unsigned(a, bits) >> min(count, 64) for (a, _), count in zip(pairs, counts, strict=True)]
    arithmetic = results(f"shr.s{bits} %{r}0, %{r}1, %r2;", pairs)
    assert arithmetic == [
        unsigned(signed(a, bits) >> min(count, 64), bits) for (a, _), count in zip(pairs, counts, strict=True)
    ]


def test_funnel_shifts_take_their_count_modulo_32() -> None:
    triples = list(product(EDGES[10:], EDGES[10:], EDGES))
    low_high = [(unsigned(a, 32) | unsigned(b, 32) << 32, c % 32) for a, b, c in triples]
    left = results("shf.l.wrap.b32 %r0, %r1, %r2, %r3;", triples)
    assert left == [unsigned(both << count >> 32, 32) for both, count in low_high]
    right = results("shf.r.wrap.b32 %r0, %r1, %r2, %r3;", triples)
    assert right == [unsigned(both >> count, 32) for both, count in low_high]


@pytest.mark.parametrize("bits", [32, 64])
def test_bits_are_inserted(bits: int) -> None:
    r, places = REGISTER[bits], [0, 1, 8, 31, 32, 63, 64, 255, 256]
    sets = list(product(EDGES[-4:], EDGES[-5:], places, places))

    def inserted(a: int, b: int, start: int, length: int) -> int:
        mask = ((1 << length % 256) - 1) << start % 256
        return unsigned(b & ~mask | a << start % 256 & mask, bits)

    found = results(f"bfi.b{bits} %{r}0, %{r}1, %{r}2, %r3, %r4;", sets)
    assert found == [inserted(*each) for each in sets]


@pytest.mark.parametrize("bits", REGISTER)
def test_comparisons(bits: int) -> None:
    r, pairs = REGISTER[bits], list(product(EDGES, EDGES))
    laws = {"eq": int.__eq__, "ne": int.__ne__, "lt": int.__lt__, "le": int.__le__, "gt": int.__gt__, "ge": int.__ge__}
    for (name, law), (sign, number) in product(laws.items(), (("u", unsigned), ("s", signed))):
        found = results(f"setp.{name}.{sign}{bits} %p0, %{r}1, %{r}2;", pairs)
        assert found == [int(law(number(a, bits), number(b, bits))) for a, b in pairs]
    chosen = results(f"selp.b{bits} %{r}0, %{r}1, %{r}2, %p3;", [(*pair, k % 2) for k, pair in enumerate(pairs)])
    assert chosen == [unsigned(pair[1 - k % 2], bits) for k, pair in enumerate(pairs)]


@pytest.mark.parametrize("sign", "us")
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_conversions_of_width(bits: int, sign: str) -> None:
    """The old type's sign fills the new type, the new type's its register."""
    for (to_sign, to), (old, new) in product(
        (("u", unsigned), ("s", signed)), [(bits, each) for each in (8, 16, 32, 64)]
    ):
        source, out = REGISTER[max(old, 16)], REGISTER[max(new, 16)]
        found = results(f"cvt.{to_sign}{new}.{sign}{old} %{out}0, %{source}1;", [(a,) for a in EDGES])
        number = {"u": unsigned, "s": signed}[sign]
        assert found == [unsigned(to(number(a, old), new), max(new, 16)) for a in EDGES], (to_sign, new)
