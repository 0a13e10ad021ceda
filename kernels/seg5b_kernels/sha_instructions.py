"""SHA-256 compression by the SHA instructions of x86 CPUs, for code that is compiled for a CPU with them.

Source: FIPS 180-4, and "Intel SHA Extensions" (Intel, 2013) for what each instruction does. Vectors have four lanes of
32 bits and are named as there: ``abef`` and ``cdgh``, the two halves of the state, begin with the highest lane; message
words go up from the lowest.

- ``sha256rnds2(cdgh, abef, sums)``: abef two rounds later; cdgh is then the abef of before. Lanes 0 and 1 of ``sums``
  are the two message words plus their round constants.
- ``sha256msg1(w[t-16..], w[t-12..])``: w[t-16..] + sigma0(w[t-15..]), the first two terms of w[t..].
- ``sha256msg2(terms, w[t-4..])``: w[t..] from its other terms, by adding sigma1(w[t-2..]).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from seg5b_kernels.targets import cpu_has

LANE = ir.IntType(32)
VECTOR = ir.VectorType(LANE, 4)
STATE = types.UniTuple(types.uint32, 8)
WORDS = types.UniTuple(types.uint32, 16)


def compress_by_instructions(round_constants: Sequence[int]) -> Any:
    """`seg5b_kernels.sha256.compress` as a numba intrinsic; the compiler gives up where ``cpu_has("sha")`` is false."""

    @intrinsic
    def compress(_context, state, words):
        def emit(_target, builder, _signature, arguments):
            before, block = (cgutils.unpack_tuple(builder, each) for each in arguments)
            _leave_avx(builder)
            a, b, c, d, e, f, g, h = before
            abef, cdgh = _gather(builder, [f, e, b, a]), _gather(builder, [h, g, d, c])
            w = [_gather(builder, block[at : at + 4]) for at in range(0, 16, 4)]
            for t in range(0, 64, 4):
                k = ir.Constant(VECTOR, [ir.Constant(LANE, each) for each in round_constants[t : t + 4]])
                abef, cdgh = _four_rounds(builder, abef, cdgh, builder.add(w[0], k))
                # Words past the 63rd are dropped by the compiler.
                w = [*w[1:], _next_words(builder, *w)]
            f, e, b, a = _lanes(builder, abef)
            h, g, d, c = _lanes(builder, cdgh)
            sums = [builder.add(*each) for each in zip(before, (a, b, c, d, e, f, g, h), strict=True)]
            return cgutils.pack_array(builder, sums)

        return STATE(STATE, WORDS), emit

    return compress


def _leave_avx(builder: ir.IRBuilder) -> None:
    """Clear the upper halves of the vector registers.

    The SHA instructions have only the encoding from before AVX. While AVX code has upper halves in use, some CPUs
    take over a hundred times as long for them. The cost is about a nanosecond.
    """
    if cpu_has("avx"):
        nothing = ir.FunctionType(ir.VoidType(), [])
        builder.call(builder.module.declare_intrinsic("llvm.x86.avx.vzeroupper", (), nothing), [])


def _sha256(builder: ir.IRBuilder, name: str, *operands: ir.Value) -> ir.Value:
    """The instruction ``sha256<name>``."""
    shape = ir.FunctionType(VECTOR, [VECTOR] * len(operands))
    return builder.call(builder.module.declare_intrinsic(f"llvm.x86.sha256{name}", (), shape), operands)


def _gather(builder: ir.IRBuilder, scalars: Sequence[ir.Value]) -> ir.Value:
    """Four scalars as a vector, lowest lane first."""
    vector = ir.Constant(VECTOR, ir.Undefined)
    for at, each in enumerate(scalars):
        vector = builder.insert_element(vector, each, ir.Constant(LANE, at))
    return vector


def _lanes(builder: ir.IRBuilder, vector: ir.Value) -> list[ir.Value]:
    """The scalars of a vector, lowest lane first."""
    return [builder.extract_element(vector, ir.Constant(LANE, at)) for at in range(4)]


def _pick(builder: ir.IRBuilder, low: ir.Value, high: ir.Value, lanes: Sequence[int]) -> ir.Value:
    """Four lanes out of eight: those of ``low`` are 0-3, those of ``high`` 4-7."""
    return builder.shuffle_vector(low, high, ir.Constant(VECTOR, [ir.Constant(LANE, at) for at in lanes]))


def _four_rounds(builder: ir.IRBuilder, abef: ir.Value, cdgh: ir.Value, sums: ir.Value) -> tuple[ir.Value, ir.Value]:
    """``abef`` and ``cdgh`` four rounds later; ``sums``: message words plus round constants."""
    middle = _sha256(builder, "rnds2", cdgh, abef, sums)
    return _sha256(builder, "rnds2", abef, middle, _pick(builder, sums, sums, (2, 3, 2, 3))), middle


def _next_words(builder: ir.IRBuilder, w16: ir.Value, w12: ir.Value, w8: ir.Value, w4: ir.Value) -> ir.Value:
    """Message words t to t + 3 from the sixteen before them: ``w16`` is words t-16 to t-13, and so on."""
    w7 = _pick(builder, w8, w4, (1, 2, 3, 4))
    return _sha256(builder, "msg2", builder.add(_sha256(builder, "msg1", w16, w12), w7), w4)
