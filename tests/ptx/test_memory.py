"""Loads, stores, atomic operations, branches and threads of PTX, executed; and what is refused."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.ptx.parse import UnknownPtxError, entries
from tests.ptx.snippets import kernel, results
from tests.ptx.translate import call, programs

PATTERN = 0x8F9EADBC7F6E5D4C


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_loads_extend_by_their_type_and_stores_keep_low_bits(bits: int) -> None:
    memory = (ctypes.c_uint64 * 2)()
    at, register = ctypes.addressof(memory), {8: "rs", 16: "rs", 32: "r", 64: "rd"}[bits]
    for offset in range(0, 16 - bits // 8, bits // 8):
        memory[:] = [PATTERN, ~PATTERN % 2**64]
        plain = int.from_bytes(bytes(memory)[offset : offset + bits // 8], "little")
        signed = plain - 2**bits * (plain >> bits - 1)
        for kind, expected in (("u", plain), ("b", plain), ("s", signed % 2**64)):
            assert results(f"ld.global.{kind}{bits} %rd0, [%rd1+{offset}];", [(at,)]) == [expected]
        memory[:] = [0, 0]
        results(f"st.global.b{bits} [%rd1+{offset}], %{register}2;\nmov.b64 %rd0, 0;", [(at, PATTERN)])
        assert int.from_bytes(bytes(memory), "little") == PATTERN % 2**bits << 8 * offset
    assert results("ld.global.u64 %rd0, [%rd1+-8];", [(at + 8,)]) == [memory[0]]


def test_a_float_goes_through_registers_of_either_kind() -> None:
    memory = (ctypes.c_double * 2)(0.1, 0)
    at = ctypes.addressof(memory)
    results(
        "ld.global.f64 %fd4, [%rd1];\nmov.b64 %rd4, %fd4;\nst.global.f64 [%rd1+8], %rd4;\nmov.b64 %rd0, 0;", [(at,)]
    )
    assert memory[1] == 0.1


ATOMIC: dict[str, Callable[[int, int], int]] = {
    "add.u32": lambda old, new: (old + new) % 2**32,
    "min.s32": lambda old, new: min(old, new, key=lambda x: x - 2**32 * (x >> 31)),
    "min.u32": min,
    "max.s32": lambda old, new: max(old, new, key=lambda x: x - 2**32 * (x >> 31)),
    "max.u32": max,
    "and.b32": int.__and__,
    "or.b32": int.__or__,
    "xor.b32": int.__xor__,
    "exch.b32": lambda old, new: new,
}


@pytest.mark.parametrize("name", ATOMIC)
@pytest.mark.parametrize("scope", ["", ".relaxed.sys", ".relaxed.gpu"])
def test_atomic_operations_give_the_value_before(name: str, scope: str) -> None:
    for old in (0, 5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        for new in (0, 7, 0x80000001, 0xFFFFFFFE):
            memory = ctypes.c_uint32(old)
            found = results(f"atom{scope}.global.{name} %r0, [%rd1], %r2;", [(ctypes.addressof(memory), new)])
            assert (found, memory.value) == ([old], ATOMIC[name](old, new))


def test_compare_and_swap() -> None:
    memory = ctypes.c_uint64(5)
    body = "atom.global.cas.b64 %rd0, [%rd1], %rd2, %rd3;"
    assert results(body, [(ctypes.addressof(memory), 4, 9)]) == [5] and memory.value == 5
    assert results(body, [(ctypes.addressof(memory), 5, 9)]) == [5] and memory.value == 9


COUNTING = kernel("atom.global.add.u64 %rd0, [%rd1], %rd2;", 2)


def test_atomic_sums_of_several_host_threads_lose_nothing() -> None:
    (program,) = programs(COUNTING).values()
    total, threads, blocks = ctypes.c_uint64(), 4, 40_000
    together = Barrier(threads)

    def share(_: int) -> None:
        unused = ctypes.c_uint64()
        together.wait()
        call(program, [ctypes.addressof(unused), ctypes.addressof(total), 3], blocks, 128)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(share, range(threads)))
    assert total.value == 3 * threads * blocks * 128


def test_constants_of_the_module() -> None:
    table = ".global .align 4 .b8 table[12] = {1, 0, 0, 0, 254, 255, 255, 255, 7, 0, 0, 0};"
    body = "mov.u64 %rd4, table;\nadd.s64 %rd5, %rd4, %rd1;\nld.global.s32 %rd0, [%rd5];"
    assert results(body, [(0,), (4,), (8,)], constants=table) == [1, 2**64 - 2, 7]
    assert results("ld.const.u32 %r0, [table+8];", [(0,)], constants=table.replace(".global", ".const")) == [7]


def test_branches_and_predicates() -> None:
    """A loop, a guarded instruction of either sense, and a jump over code."""
    body = """
        mov.u64 %rd0, 0;
        mov.u64 %rd4, 0;
        $again:
        setp.ge.u64 %p4, %rd4, %rd1;
        @%p4 bra $end;
        add.s64 %rd0, %rd0, %rd4;
        add.s64 %rd4, %rd4, 1;
        bra.uni $again;
        add.s64 %rd0, %rd0, 1000;
        $end:
        @%p2 add.s64 %rd0, %rd0, 100;
        @!%p2 add.s64 %rd0, %rd0, 200;
    """
    assert results(body, [(0, 1), (5, 1), (5, 0)]) == [100, 110, 210]


PLACES = """
.version 8.0
.target sm_80
.address_size 64
.visible .entry places(.param .u64 out) .maxntid 128, 1, 1
{
	.reg .b32 	%r<9>;
	.reg .b64 	%rd<9>;
	ld.param.u64 	%rd1, [out];
	mov.u32 	%r1, %tid.x;
	mov.u32 	%r2, %ctaid.x;
	mov.u32 	%r3, %ntid.x;
	mov.u32 	%r4, %nctaid.x;
	mad.lo.s32 	%r5, %r2, %r3, %r1;
	mul.wide.u32 	%rd2, %r5, 4;
	add.s64 	%rd3, %rd1, %rd2;
	mad.lo.s32 	%r6, %r4, 1000, %r5;
	st.global.u32 	[%rd3], %r6;
	ret;
}
"""


def test_every_thread_of_a_share_runs_once() -> None:
    (program,) = programs(PLACES).values()
    out = (ctypes.c_uint32 * 20)()
    call(program, [ctypes.addressof(out)], 4, 5, range(1, 3))
    assert list(out) == [0] * 5 + [4000 + k for k in range(5, 15)] + [0] * 5


@pytest.mark.parametrize(
    "line",
    [
        "bar.sync 0;",
        "ld.shared.u64 %rd0, [%rd1];",
        "add.f32 %rd0, %rd1, %rd1;",
        "add.rz.f64 %fd0, %fd1, %fd1;",
        "mul.f64 %fd0, %fd1, %fd1;",
        "fma.f64 %fd0, %fd1, %fd1, %fd1;",
        "cvt.rn.f64.f32 %fd0, %r1;",
        "cvt.f64.s64 %fd0, %rd1;",
        "add.sat.s32 %r0, %r1, %r1;",
        "min.s16x2 %rs0, %rs1, %rs1;",
        "add.s64 %rd0, %r1, %rd1;",
        "add.s64 %rd0, %rd1;",
        "add.s32 %rd0, %r1, %r1;",
        "mov.u32 %r0, %clock;",
        "add.s64 %rd0, %rd1, other;",
        "add.s32 %r0, %r1, 4294967296;",
        "st.global.u64 [%rd1], %r1;",
        "ld.param.u64 %rd0, [in2];",
        "call.uni f, (%rd1);",
        "setp.lt.and.s64 %p0, %rd1, %rd1, %p1;",
        "atom.global.add.f64 %fd0, [%rd1], %fd1;",
        "@%p99 mov.u64 %rd0, 0;",
        ".shared .align 8 .b8 room[8];",
    ],
)
def test_what_is_not_known_is_refused(line: str) -> None:
    with pytest.raises(UnknownPtxError) as refused:
        programs(kernel(f"{line}\nmov.u64 %rd0, %rd1;", 1))
    assert refused.value.instruction == line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (".address_size 64", ".address_size 32"),
        (".visible .entry", ".func f()\n{\n\tret;\n}\n.visible .entry"),
        (".param .u64 in1", ".param .align 8 .b8 in1[24]"),
        (".reg .b64 	%rd<12>;", ".reg .b128 	%rd<12>;"),
        (".reg .pred 	%p<9>;", ".reg .pred 	%p<9>;\n	.reg .b32 	%p<9>;"),
    ],
)
def test_texts_of_another_form_are_refused(old: str, new: str) -> None:
    sound = kernel("mov.u64 %rd0, %rd1;", 1)
    assert len(entries(sound)) == 1 and old in sound
    with pytest.raises(UnknownPtxError):
        programs(sound.replace(old, new))
