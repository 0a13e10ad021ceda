"""A few lines of PTX as a kernel, run on many operands."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence

from tests.ptx.translate import call, programs

KERNEL = """
.version 8.0
.target sm_80
.address_size 64
{constants}
.visible .entry snippet(
	.param .u64 out,
{parameters}
)
{{
	.reg .pred 	%p<9>;
	.reg .b16 	%rs<9>;
	.reg .b32 	%r<9>;
	.reg .b64 	%rd<12>;
	.reg .f64 	%fd<9>;
	ld.param.u64 	%rd9, [out];
{loads}
{body}
	st.global.u64 	[%rd9], {result};
	ret;
}}
"""
LOAD = """	ld.param.u64 	%rd{k}, [in{k}];
	cvt.u32.u64 	%r{k}, %rd{k};
	cvt.u16.u64 	%rs{k}, %rd{k};
	mov.b64 	%fd{k}, %rd{k};
	setp.ne.s64 	%p{k}, %rd{k}, 0;"""
# How the register of the result, number 0, comes to be one of 64 bits.
WIDEN = {
    "%rd0": "",
    "%fd0": "	mov.b64 %rd0, %fd0;",
    "%r0": "	cvt.u64.u32 %rd0, %r0;",
    "%rs0": "	cvt.u64.u16 %rd0, %rs0;",
    "%p0": "	selp.u64 %rd0, 1, 0, %p0;",
}


def kernel(body: str, operands: int, constants: str = "") -> str:
    """PTX of a kernel: operand k is in %rd k and, its low bits, in %r k and %rs k, as a float64 in %fd k, and in %p k whether
    it differs from 0. The result is register 0 of the kind that the first line sets."""
    lines = body.strip().split("\n")
    result = next(name for name in ("%rd0", "%fd0", "%rs0", "%r0", "%p0") if name in body)
    return KERNEL.format(
        constants=constants,
        parameters=",\n".join(f"	.param .u64 in{k}" for k in range(1, operands + 1)),
        loads="\n".join(LOAD.format(k=k) for k in range(1, operands + 1)),
        body="\n".join([*(f"	{line.strip()}" for line in lines), WIDEN[result]]),
        result="%rd0",
    )


def results(body: str, operands: Iterable[Sequence[int]], *, constants: str = "", optimisation: int = 0) -> list[int]:
    """The result, 64 bits, for each of several sets of operands."""
    every = [tuple(each) for each in operands]
    (program,) = programs(kernel(body, len(every[0]), constants), optimisation).values()
    out, found = ctypes.c_uint64(), []
    for each in every:
        call(program, [ctypes.addressof(out), *each], 1, 1)
        found.append(out.value)
    return found
