"""PTX kernels as functions of this machine: the same instructions, one by one, for each thread of a grid in turn.

A kernel becomes ``void entry(void** parameters, u32 first, u32 stop, u32 blocks, u32 threads)``: blocks ``first`` to
``stop`` - 1 of a grid of ``blocks`` blocks of ``threads`` threads, one thread after another; ``parameters`` points to each
value as the driver's launch does. Threads that meet (barriers, shared memory) are not known here.

LLVM is given no leave to change a rounding: no fast-math flags, and no fusing of operations.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm

from tests.ptx import floats, integers, memory  # noqa: F401 - their rules
from tests.ptx.parse import Entry, Instruction, Label, entries
from tests.ptx.rules import apply
from tests.ptx.writing import Writer, forget, pointer_to, registers

ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_uint32] * 4)


@dataclass(frozen=True)
class Program:
    """A translated kernel. ``parameters``: its PTX types in order; ``run``: the function above; ``address``: where it
    is; ``keep``: what has to live as long."""

    name: str
    parameters: tuple[str, ...]
    address: int
    run: Any
    keep: Any


def programs(ptx: str, optimisation: int = 0) -> dict[str, Program]:
    """Every kernel of a PTX text, by name; ``optimisation``: LLVM's level. At 0 all 15 kernels are compiled in half a
    second of one core, at 1 in three times that, and then run five times as fast. Raises `UnknownPtxError`."""
    return {entry.name: compiled(entry, optimisation) for entry in entries(ptx)}


def compiled(entry: Entry, optimisation: int = 0) -> Program:
    """A kernel, translated and compiled."""
    engine = machine_code(llvm_text(entry), optimisation)
    address = engine.get_function_address("entry")
    return Program(entry.name, tuple(entry.parameters.values()), address, ENTRY(address), engine)


def llvm_text(entry: Entry) -> str:
    """LLVM's text of a module with the function ``entry``."""
    writer = Writer(entry)
    _body(writer)
    index = {name: k for k, name in enumerate(entry.parameters)}
    constants = [
        f'@"{name}" = internal constant [{len(content)} x i8] c"{_escaped(content)}", align {max(align, 8)}'
        for name, (align, content) in entry.constants.items()
        if name in writer.constants
    ]
    return "\n".join(
        [
            *constants,
            *sorted(writer.intrinsics),
            "define void @entry(i64 %parameters, i32 %first, i32 %stop, i32 %nctaid, i32 %ntid) {",
            "start:",
            *registers(entry),
            *_parameter_loads(writer, index),
            _LOOPS_BEGIN,
            *forget(entry),
            *writer.lines,
            _LOOPS_END,
        ]
    )


_LOOPS_BEGIN = """  br label %blocks
blocks:
  %ctaid = phi i32 [ %first, %start ], [ %ctaid.next, %block.done ]
  %more = icmp ult i32 %ctaid, %stop
  br i1 %more, label %threads, label %done
threads:
  %tid = phi i32 [ 0, %blocks ], [ %tid.next, %thread.done ]
  %thread = icmp ult i32 %tid, %ntid
  br i1 %thread, label %body, label %block.done
body:"""
_LOOPS_END = """  br label %thread.done
thread.done:
  %tid.next = add i32 %tid, 1
  br label %threads
block.done:
  %ctaid.next = add i32 %ctaid, 1
  br label %blocks
done:
  ret void
}
"""


def _escaped(content: bytes) -> str:
    return "".join(f"\\{byte:02X}" for byte in content)


def _parameter_loads(writer: Writer, index: dict[str, int]) -> Iterator[str]:
    """Each parameter that is used, once for all threads."""
    for (name, kind), value in writer.parameters.items():
        yield f"  {value}.slot = add i64 %parameters, {8 * index[name]}"
        yield f"  {value}.slot.at = inttoptr i64 {value}.slot to i64*"
        yield f"  {value}.where = load i64, i64* {value}.slot.at"
        yield f"  {value}.at = inttoptr i64 {value}.where to {pointer_to(kind)}"
        yield f"  {value} = load {kind}, {pointer_to(kind)} {value}.at"


def _body(writer: Writer) -> None:
    """All instructions; every block of LLVM ends with a branch, also where the code just goes on."""
    for step in writer.entry.body:
        if isinstance(step, Label):
            writer.emit(f"br label {_label(step.name)}")
            writer.lines.append(f"{_label(step.name)[1:]}:")
            continue
        writer.instruction = step
        if step.guard is None:
            _do(writer, step)
        else:
            _guarded(writer, step)


def _guarded(writer: Writer, step: Instruction) -> None:
    chosen, other = writer.fresh("if"), writer.fresh("on")
    condition = writer.read(step.guard or "", "i1")
    ways = (other, chosen) if step.negated else (chosen, other)
    writer.emit(f"br i1 {condition}, label %{ways[0]}, label %{ways[1]}")
    writer.lines.append(f"{chosen}:")
    _do(writer, step)
    writer.emit(f"br label %{other}")
    writer.lines.append(f"{other}:")


def _do(writer: Writer, step: Instruction) -> None:
    match step.operation, step.operands:
        case (("bra" | "bra.uni"), (target,)):
            _jump(writer, _label(target))
        case (("ret" | "exit"), ()):
            _jump(writer, "%thread.done")
        case _:
            apply(writer, step)


def _jump(writer: Writer, target: str) -> None:
    writer.emit(f"br label {target}")
    writer.lines.append(f"{writer.fresh('after')}:")  # nothing comes here, but what follows needs a block


def _label(name: str) -> str:
    return f'%"to.{name}"'


def machine_code(text: str, optimisation: int = 0) -> Any:
    """An engine that holds the compiled functions of a module. Needs no compiler but LLVM's library."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(text)
    module.verify()
    features = llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=optimisation
    )
    tuning = llvm.create_pipeline_tuning_options(speed_level=optimisation)
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


def call(
    program: Program, values: Sequence[int | float], blocks: int, threads: int, share: range | None = None
) -> None:
    """Run a grid, or a ``share`` of its blocks. ``values``: one for each parameter, in eight bytes whatever its type."""
    if len(values) != len(program.parameters):
        raise TypeError(f"{program.name} takes {len(program.parameters)} parameters, not {len(values)}")
    words = b"".join(
        struct.pack("<d", v) if isinstance(v, float) else (int(v) % 2**64).to_bytes(8, "little") for v in values
    )
    room = ctypes.create_string_buffer(words, max(len(words), 1))
    start = ctypes.addressof(room)
    pointers = (ctypes.c_void_p * max(len(values), 1))(*range(start, start + len(words), 8))
    share = range(blocks) if share is None else share
    program.run(ctypes.addressof(pointers), share.start, share.stop, blocks, threads)
