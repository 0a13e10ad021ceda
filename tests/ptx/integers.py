"""Integer instructions. Arithmetic wraps; shift counts are clamped, not taken modulo the width."""

from __future__ import annotations

from tests.ptx.rules import rule
from tests.ptx.writing import Writer, bits, llvm_type

Operands = tuple[str, ...]


@rule(r"(add|sub)\.([su](?:16|32|64))")
@rule(r"(mul)\.lo\.([su](?:16|32|64))")
@rule(r"(and|or|xor)\.(b16|b32|b64|pred)")
def _plain(w: Writer, operands: Operands, operation: str, kind: str) -> None:
    out, a, b = operands
    t = llvm_type(kind)
    w.write(out, w.value(f"{operation} {t} {w.read(a, t)}, {w.read(b, t)}"), t)


@rule(r"mad\.lo\.([su](?:16|32|64))")
def _multiply_add(w: Writer, operands: Operands, kind: str) -> None:
    out, a, b, c = operands
    t = llvm_type(kind)
    product = w.value(f"mul {t} {w.read(a, t)}, {w.read(b, t)}")
    w.write(out, w.value(f"add {t} {product}, {w.read(c, t)}"), t)


def _whole_product(w: Writer, a: str, b: str, kind: str) -> tuple[str, str]:
    """Type and value of the product in twice the width."""
    t = llvm_type(kind)
    wide = f"i{2 * bits(t)}"
    x, y = (w.cast(_extension(kind), w.read(each, t), t, wide) for each in (a, b))
    return wide, w.value(f"mul {wide} {x}, {y}")


def _extension(kind: str) -> str:
    return "sext" if kind[0] == "s" else "zext"


@rule(r"mul\.wide\.([su](?:16|32))")
def _multiply_wide(w: Writer, operands: Operands, kind: str) -> None:
    out, a, b = operands
    wide, product = _whole_product(w, a, b, kind)
    w.write(out, product, wide)


@rule(r"mad\.wide\.([su](?:16|32))")
def _multiply_wide_add(w: Writer, operands: Operands, kind: str) -> None:
    out, a, b, c = operands
    wide, product = _whole_product(w, a, b, kind)
    w.write(out, w.value(f"add {wide} {product}, {w.read(c, wide)}"), wide)


@rule(r"mul\.hi\.([su](?:16|32|64))")
def _multiply_high(w: Writer, operands: Operands, kind: str) -> None:
    out, a, b = operands
    t = llvm_type(kind)
    wide, product = _whole_product(w, a, b, kind)
    high = w.value(f"lshr {wide} {product}, {bits(t)}")
    w.write(out, w.value(f"trunc {wide} {high} to {t}"), t)


@rule(r"(div|rem)\.u(16|32|64)")
def _divide_unsigned(w: Writer, operands: Operands, operation: str, width: str) -> None:
    """PTX leaves division by zero to the machine, which gives all ones; LLVM must not see it."""
    out, a, b = operands
    t = f"i{width}"
    x, y = w.read(a, t), w.read(b, t)
    by_zero = w.value(f"icmp eq {t} {y}, 0")
    divisor = w.value(f"select i1 {by_zero}, {t} 1, {t} {y}")
    found = w.value(f"u{operation} {t} {x}, {divisor}")
    w.write(out, w.value(f"select i1 {by_zero}, {t} -1, {t} {found}"), t)


@rule(r"(div|rem)\.s(16|32|64)")
def _divide_signed(w: Writer, operands: Operands, operation: str, width: str) -> None:
    """As above; and the least number divided by -1 wraps, where LLVM has no answer."""
    out, a, b = operands
    t = f"i{width}"
    x, y = w.read(a, t), w.read(b, t)
    by_zero, by_minus_one = w.value(f"icmp eq {t} {y}, 0"), w.value(f"icmp eq {t} {y}, -1")
    special = w.value(f"or i1 {by_zero}, {by_minus_one}")
    divisor = w.value(f"select i1 {special}, {t} 1, {t} {y}")
    found = w.value(f"s{operation} {t} {x}, {divisor}")
    negated = w.value(f"sub {t} 0, {x}") if operation == "div" else "0"
    found = w.value(f"select i1 {by_minus_one}, {t} {negated}, {t} {found}")
    w.write(out, w.value(f"select i1 {by_zero}, {t} -1, {t} {found}"), t)


@rule(r"neg\.s(16|32|64)")
def _negate(w: Writer, operands: Operands, width: str) -> None:
    out, a = operands
    w.write(out, w.value(f"sub i{width} 0, {w.read(a, f'i{width}')}"), f"i{width}")


@rule(r"abs\.s(16|32|64)")
def _absolute(w: Writer, operands: Operands, width: str) -> None:
    out, a = operands
    t = f"i{width}"
    x = w.read(a, t)
    negative, negated = w.value(f"icmp slt {t} {x}, 0"), w.value(f"sub {t} 0, {x}")
    w.write(out, w.value(f"select i1 {negative}, {t} {negated}, {t} {x}"), t)


@rule(r"(min|max)\.([su])(16|32|64)")
def _choose(w: Writer, operands: Operands, which: str, sign: str, width: str) -> None:
    out, a, b = operands
    t = f"i{width}"
    x, y = w.read(a, t), w.read(b, t)
    first = w.value(f"icmp {sign}{'lt' if which == 'min' else 'gt'} {t} {x}, {y}")
    w.write(out, w.value(f"select i1 {first}, {t} {x}, {t} {y}"), t)


@rule(r"not\.(b16|b32|b64|pred)")
def _invert(w: Writer, operands: Operands, kind: str) -> None:
    out, a = operands
    t = llvm_type(kind)
    w.write(out, w.value(f"xor {t} {w.read(a, t)}, {'true' if t == 'i1' else -1}"), t)


@rule(r"shl\.b(16|32|64)")
def _shift_left(w: Writer, operands: Operands, width: str) -> None:
    _shift(w, operands, "shl", width)


@rule(r"shr\.([sub])(16|32|64)")
def _shift_right(w: Writer, operands: Operands, sign: str, width: str) -> None:
    _shift(w, operands, "ashr" if sign == "s" else "lshr", width)


def _shift(w: Writer, operands: Operands, operation: str, width: str) -> None:
    """By a count of 32 bits: beyond the width nothing is left, or the sign."""
    out, a, count = operands
    t, most = f"i{width}", int(width) - 1
    x, by = w.read(a, t), w.read(count, "i32")
    beyond = w.value(f"icmp ugt i32 {by}, {most}")
    clamped = w.value(f"select i1 {beyond}, i32 {most}, i32 {by}")
    found = w.value(f"{operation} {t} {x}, {w.cast('zext' if most > 31 else 'trunc', clamped, 'i32', t)}")
    if operation != "ashr":
        found = w.value(f"select i1 {beyond}, {t} 0, {t} {found}")
    w.write(out, found, t)


@rule(r"shf\.([lr])\.wrap\.b32")
def _funnel(w: Writer, operands: Operands, side: str) -> None:
    """A shift of 64 bits, of which 32 are kept; the count is taken modulo 32."""
    out, low, high, count = operands
    pair = w.value(f"shl i64 {w.cast('zext', w.read(high, 'i32'), 'i32', 'i64')}, 32")
    pair = w.value(f"or i64 {pair}, {w.cast('zext', w.read(low, 'i32'), 'i32', 'i64')}")
    by = w.cast("zext", w.value(f"and i32 {w.read(count, 'i32')}, 31"), "i32", "i64")
    shifted = w.value(f"{'shl' if side == 'l' else 'lshr'} i64 {pair}, {by}")
    if side == "l":
        shifted = w.value(f"lshr i64 {shifted}, 32")
    w.write(out, w.value(f"trunc i64 {shifted} to i32"), "i32")


@rule(r"bfi\.b(32|64)")
def _insert(w: Writer, operands: Operands, width: str) -> None:
    """``length`` low bits of the first operand take the place of bits from ``start`` on; counts are bytes."""
    out, a, b, start, length = operands
    t = f"i{width}"
    first, many = (w.value(f"and i32 {w.read(each, 'i32')}, 255") for each in (start, length))
    ones = _left(w, "-1", many, t)
    mask = _left(w, w.value(f"xor {t} {ones}, -1"), first, t)
    there = _left(w, w.read(a, t), first, t)
    kept = w.value(f"and {t} {w.read(b, t)}, {w.value(f'xor {t} {mask}, -1')}")
    w.write(out, w.value(f"or {t} {kept}, {w.value(f'and {t} {there}, {mask}')}"), t)


def _left(w: Writer, value: str, count: str, t: str) -> str:
    """``value`` shifted by a count of 32 bits, zero from the width on."""
    beyond = w.value(f"icmp uge i32 {count}, {bits(t)}")
    clamped = w.value(f"select i1 {beyond}, i32 0, i32 {count}")
    shifted = w.value(f"shl {t} {value}, {w.cast('zext', clamped, 'i32', t)}")
    return w.value(f"select i1 {beyond}, {t} 0, {t} {shifted}")
