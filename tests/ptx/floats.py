"""Instructions on float64. Each rounds once, to nearest; an operation that the assembler might join with another is
refused, and so is any other rounding."""

from __future__ import annotations

from tests.ptx.rules import rule
from tests.ptx.writing import Writer, llvm_type

Operands = tuple[str, ...]
DOUBLE = "double"
_NAN = "0x7FFFFFFFFFFFFFFF"


# An addition without a rounding is joined with a product only if that has none either, and such products are refused.
@rule(r"(add|sub)(?:\.rn)?\.f64")
@rule(r"(mul|div)\.rn\.f64")
def _arithmetic(w: Writer, operands: Operands, operation: str) -> None:
    out, a, b = operands
    w.write(out, w.value(f"f{operation} double {w.read(a, DOUBLE)}, {w.read(b, DOUBLE)}"), DOUBLE)


@rule(r"fma\.rn\.f64")
def _fused(w: Writer, operands: Operands) -> None:
    out, *factors = operands
    if len(factors) != 3:
        raise ValueError("three operands are added and multiplied")
    w.write(out, w.call(DOUBLE, "llvm.fma.f64", *((DOUBLE, w.read(each, DOUBLE)) for each in factors)), DOUBLE)


@rule(r"rcp\.rn\.f64")
def _reciprocal(w: Writer, operands: Operands) -> None:
    out, a = operands
    w.write(out, w.value(f"fdiv double 1.0, {w.read(a, DOUBLE)}"), DOUBLE)


@rule(r"(sqrt)\.rn\.f64")
@rule(r"(abs)\.f64")
def _by_intrinsic(w: Writer, operands: Operands, operation: str) -> None:
    out, a = operands
    name = {"sqrt": "llvm.sqrt.f64", "abs": "llvm.fabs.f64"}[operation]
    w.write(out, w.call(DOUBLE, name, (DOUBLE, w.read(a, DOUBLE))), DOUBLE)


@rule(r"neg\.f64")
def _negate(w: Writer, operands: Operands) -> None:
    out, a = operands
    w.write(out, w.value(f"fneg double {w.read(a, DOUBLE)}"), DOUBLE)


@rule(r"(min|max)\.f64")
def _choose(w: Writer, operands: Operands, which: str) -> None:
    """What is no number loses against a number; minus zero is less than plus zero."""
    out, a, b = operands
    x, y = w.read(a, DOUBLE), w.read(b, DOUBLE)
    first = w.value(f"fcmp {'olt' if which == 'min' else 'ogt'} double {x}, {y}")
    found = w.value(f"select i1 {first}, double {x}, double {y}")
    # Equal numbers differ at most in the sign of zero: with it for the least, without it for the greatest.
    low, high = (w.value(f"bitcast double {each} to i64") for each in (x, y))
    joined = w.value(f"{'or' if which == 'min' else 'and'} i64 {low}, {high}")
    equal = w.value(f"fcmp oeq double {x}, {y}")
    found = w.value(f"select i1 {equal}, double {w.value(f'bitcast i64 {joined} to double')}, double {found}")
    no_x, no_y = w.value(f"fcmp uno double {x}, {x}"), w.value(f"fcmp uno double {y}, {y}")
    found = w.value(f"select i1 {no_y}, double {x}, double {found}")
    found = w.value(f"select i1 {no_x}, double {y}, double {found}")
    neither = w.value(f"and i1 {no_x}, {no_y}")
    w.write(out, w.value(f"select i1 {neither}, double {_NAN}, double {found}"), DOUBLE)


# ------------------------------------------------------------------------------------------------------- comparisons

# Ordered comparisons are false where either side is no number, those with ``u`` are true.
_FLOAT_TESTS = {name: f"o{name}" for name in ("eq", "ne", "lt", "le", "gt", "ge")}
_FLOAT_TESTS |= {f"{name}u": f"u{name}" for name in _FLOAT_TESTS} | {"num": "ord", "nan": "uno"}


@rule(r"setp\.(\w+)\.f64")
def _compare_floats(w: Writer, operands: Operands, test: str) -> None:
    out, a, b = operands
    if test not in _FLOAT_TESTS:
        raise w.refuse(f"comparison {test}")
    w.write(out, w.value(f"fcmp {_FLOAT_TESTS[test]} double {w.read(a, DOUBLE)}, {w.read(b, DOUBLE)}"), "i1")


@rule(r"setp\.(eq|ne|lt|le|gt|ge)\.([su](?:16|32|64))")
@rule(r"setp\.(eq|ne)\.(b(?:16|32|64))")
def _compare(w: Writer, operands: Operands, test: str, kind: str) -> None:
    out, a, b = operands
    t = llvm_type(kind)
    signed = "" if test in ("eq", "ne") else kind[0]
    w.write(out, w.value(f"icmp {signed}{test} {t} {w.read(a, t)}, {w.read(b, t)}"), "i1")


@rule(r"selp\.([sub](?:16|32|64)|f64)")
def _select(w: Writer, operands: Operands, kind: str) -> None:
    out, a, b, chosen = operands
    t = llvm_type(kind)
    w.write(out, w.value(f"select i1 {w.read(chosen, 'i1')}, {t} {w.read(a, t)}, {t} {w.read(b, t)}"), t)


# ------------------------------------------------------------------------------------------------------- conversions


@rule(r"cvt\.rn\.f64\.([su])(16|32|64)")
def _to_float(w: Writer, operands: Operands, sign: str, width: str) -> None:
    out, a = operands
    w.write(out, w.value(f"{sign}itofp i{width} {w.read(a, f'i{width}', wider=True)} to double"), DOUBLE)


_ROUND = {"ni": "llvm.rint.f64", "zi": "llvm.trunc.f64", "mi": "llvm.floor.f64", "pi": "llvm.ceil.f64"}


@rule(r"cvt\.r([nzmp]i)\.f64\.f64")
def _to_whole(w: Writer, operands: Operands, how: str) -> None:
    out, a = operands
    w.write(out, w.call(DOUBLE, _ROUND[how], (DOUBLE, w.read(a, DOUBLE))), DOUBLE)


@rule(r"cvt\.r([nzmp]i)\.([su])(32|64)\.f64")
def _to_integer(w: Writer, operands: Operands, how: str, sign: str, width: str) -> None:
    """Beyond the range the nearest end of it; what is no number becomes the highest bit alone."""
    out, a = operands
    t, x = f"i{width}", w.read(a, DOUBLE)
    whole = w.call(DOUBLE, _ROUND[how], (DOUBLE, x))
    found = w.call(t, f"llvm.fpto{sign}i.sat.{t}.f64", (DOUBLE, whole))
    nothing = w.value(f"fcmp uno double {x}, {x}")
    w.write(out, w.value(f"select i1 {nothing}, {t} {-(1 << int(width) - 1)}, {t} {found}"), t)


@rule(r"cvt\.([su])(8|16|32|64)\.([su])(8|16|32|64)")
def _resize(w: Writer, operands: Operands, sign: str, width: str, from_sign: str, from_width: str) -> None:
    """Low bits are kept; the sign of the old type fills the new one, and that of the new one its register."""
    out, a = operands
    old, new = f"i{from_width}", f"i{width}"
    x = w.read(a, old, wider=True)
    if int(width) > int(from_width):
        x = w.value(f"{_extension(from_sign)} {old} {x} to {new}")
    elif int(width) < int(from_width):
        x = w.value(f"trunc {old} {x} to {new}")
    w.write(out, x, new, _extension(sign))


def _extension(sign: str) -> str:
    return "sext" if sign == "s" else "zext"
