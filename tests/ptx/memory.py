"""Moves, loads, stores and atomic operations. All memory is the host's; addresses are as they are."""

from __future__ import annotations

from tests.ptx.rules import rule
from tests.ptx.writing import Writer, llvm_type, pointer_to

Operands = tuple[str, ...]


@rule(r"mov\.([sub](?:16|32|64)|f64|pred)")
def _move(w: Writer, operands: Operands, kind: str) -> None:
    out, a = operands
    w.write(out, w.read(a, llvm_type(kind)), llvm_type(kind))


@rule(r"cvta(?:\.to)?\.(?:global|const)\.u64")
def _same_address(w: Writer, operands: Operands) -> None:
    out, a = operands
    w.write(out, w.read(a, "i64"), "i64")


@rule(r"ld\.param\.([sub](?:8|16|32|64)|f64)")
def _load_parameter(w: Writer, operands: Operands, kind: str) -> None:
    out, a = operands
    w.write(out, w.parameter(a, llvm_type(kind)), llvm_type(kind), "sext" if kind[0] == "s" else "zext")


@rule(r"ld\.(?:global|const)(?:\.nc)?\.([sub](?:8|16|32|64)|f64)")
def _load(w: Writer, operands: Operands, kind: str) -> None:
    out, a = operands
    t = llvm_type(kind)
    w.write(out, w.value(f"load {t}, {pointer_to(t)} {w.address(a, t)}"), t, "sext" if kind[0] == "s" else "zext")


@rule(r"st\.global\.([sub](?:8|16|32|64)|f64)")
def _store(w: Writer, operands: Operands, kind: str) -> None:
    to, a = operands
    t = llvm_type(kind)
    value = w.read(a, t, wider=True)
    w.emit(f"store {t} {value}, {pointer_to(t)} {w.address(to, t)}")


_ATOMIC = {("min", "u"): "umin", ("max", "u"): "umax", ("exch", "b"): "xchg"}


@rule(r"atom(?:\.relaxed)?(?:\.gpu|\.sys)?\.global\.(add|min|max|exch|and|or|xor)\.([sub])(32|64)")
def _atomic(w: Writer, operands: Operands, operation: str, sign: str, width: str) -> None:
    """One step for all threads; its result is the value before."""
    out, at, a = operands
    t = f"i{width}"
    named = _ATOMIC.get((operation, sign), operation)
    there = w.address(at, t)
    w.write(out, w.value(f"atomicrmw {named} {pointer_to(t)} {there}, {t} {w.read(a, t)} monotonic"), t)


@rule(r"atom(?:\.relaxed)?(?:\.gpu|\.sys)?\.global\.cas\.b(32|64)")
def _compare_and_swap(w: Writer, operands: Operands, width: str) -> None:
    out, at, expected, new = operands
    t = f"i{width}"
    there = w.address(at, t)
    pair = w.value(
        f"cmpxchg {pointer_to(t)} {there}, {t} {w.read(expected, t)}, {t} {w.read(new, t)} monotonic monotonic"
    )
    w.write(out, w.value(f"extractvalue {{ {t}, i1 }} {pair}, 0"), t)
