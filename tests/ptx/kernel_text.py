"""PTX of every kernel for every target, made without a device, and how it is run here.

What is compiled stays for the process: tests that need it are in one file, which one worker of pytest runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from inspect import signature
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from cuda.bindings import nvjitlink
from numba import cuda
from numba.cuda.cudadrv import nvrtc
from numba.cuda.typing.typeof import typeof
from seg5b_kernels.cuda import THREADS_PER_BLOCK, blocks_for, thread_function
from seg5b_kernels.registry import Kernel

from tests.ptx.programs import Case, kernel_cases
from tests.ptx.translate import Program, call, programs

# What is compiled for these devices: A100; H100 and H200, whose kernels numba compiles for the ``a`` of 9.0; B200;
# and the workstation cards of the same generation. From 10.0 on NVVM writes another dialect of PTX.
_LETTER = ("a",) if len(signature(nvrtc.get_arch_option).parameters) > 2 else ()  # older numba-cuda knows no letters
TARGETS: dict[str, tuple[Any, ...]] = {
    "8.0": (8, 0),
    "9.0a": (9, 0, *_LETTER),
    "10.0a": (10, 0, *_LETTER),
    "12.0a": (12, 0, *_LETTER),
}


def architecture(target: str) -> str:
    """As PTX and the linker call it: ``sm_90a``."""
    return f"sm_{''.join(map(str, TARGETS[target]))}"


# What NVVM writes, and what the linker makes of NVVM's code: numba-cuda optimises while linking, so the second is what a
# device runs, and the first what most people look at.
TEXTS = ("compiled", "linked")


def ptx_of(function: Callable[..., None], arguments: tuple[Any, ...], target: str, text: str = "compiled") -> str:
    """PTX of a kernel's function for such arguments; ``text``: one of `TEXTS`."""
    # Device functions ask the current device for its capability.
    device = SimpleNamespace(compute_capability=TARGETS[target][:2])
    given, capability = tuple(typeof(value) for value in arguments), TARGETS[target]
    with mock.patch("numba.cuda.dispatcher.get_current_device", lambda: device):
        if text == "compiled":
            ptx, _ = cuda.compile_ptx(function, given, cc=capability)
            return str(ptx)
        code, _ = cuda.compile(function, given, cc=capability, device=False, abi="numba", output="ltoir")
    return linked(nvjitlink.InputType.LTOIR, code, target, "-lto", "-ptx").rstrip(b"\0").decode()


def linked(kind: Any, code: bytes, target: str, *options: str) -> bytes:
    """What the linker makes of a piece of code: PTX if ``-ptx`` is among the options, else machine code."""
    handle = nvjitlink.create(1 + len(options), [f"-arch={architecture(target)}", *options])
    try:
        nvjitlink.add_data(handle, kind, code, len(code), "kernel")
        nvjitlink.complete(handle)
        form = "ptx" if "-ptx" in options else "cubin"
        found = bytearray(getattr(nvjitlink, f"get_linked_{form}_size")(handle))
        getattr(nvjitlink, f"get_linked_{form}")(handle, found)
        return bytes(found)
    finally:
        nvjitlink.destroy(handle)


@cache
def kernel_ptx(kernel: Kernel, target: str, text: str = "linked") -> str:
    """PTX of a kernel of the registry."""
    case = next(case for case in kernel_cases(40) if case.kernel is kernel)
    return ptx_of(thread_function(kernel), (case.n, case.inputs, case.outputs), target, text)


@cache
def kernel_program(kernel: Kernel, target: str, text: str = "linked") -> Program:
    """The translated kernel."""
    return program_of(kernel_ptx(kernel, target, text))


def program_of(ptx: str) -> Program:
    """The one kernel of a PTX text, translated. Raises `UnknownPtxError`."""
    (found,) = programs(ptx).values()
    return found


def run(program: Program, case: Case, share: range | None = None) -> None:
    """Fill the outputs of a case, or let a share of the blocks do what is theirs."""
    values = [case.n, *_flat(case.inputs), *_flat(case.outputs)]
    call(program, values, blocks_for(case.n), THREADS_PER_BLOCK, share)


def _flat(value: Any) -> list[int | float]:
    """Parameters as numba's compiled code takes them. An array is two words that are 0, its size, the size of an item,
    its address, its shape and its strides."""
    found: list[int | float] = []
    for each in value:
        if isinstance(each, tuple):
            found += _flat(each)
        elif isinstance(each, np.ndarray):
            found += [0, 0, each.size, each.itemsize, each.ctypes.data, *each.shape, *each.strides]
        else:
            found.append(each)
    return found


# ----------------------------------------------------------------------------------------------- what the text shows

FLOAT = r"\.f(?:16|32|64)\b"
WRONG = {
    "fused": re.compile(r"\b(?:fma|mad)\.[\w.]*f(?:16|32|64)\b"),
    "may be fused by the assembler": re.compile(rf"\bmul{FLOAT}"),
    "approximate": re.compile(r"\.approx\b|\.full\.f|\.ftz\b|\b(?:ex2|lg2|sin|cos|tanh|rsqrt)\."),
    "single precision": re.compile(r"\b(?:add|sub|mul|div|sqrt)\.[\w.]*f(?:16|32)\b"),
    "call": re.compile(r"\bcall\b|\.extern"),
    "local memory": re.compile(r"\.local\b"),
}


def faults(ptx: str) -> dict[str, str]:
    """What is wrong with a kernel's code: kind and first line."""
    found: dict[str, str] = {}
    for line in ptx.splitlines():
        instruction = line.split("//")[0]
        for kind, pattern in WRONG.items():
            if pattern.search(instruction):
                found.setdefault(kind, instruction.strip())
    return found


def parameter_bytes(ptx: str) -> int:
    """Size of the entry's parameters, each aligned to its size."""
    header = ptx[ptx.index(".visible .entry") : ptx.index("{", ptx.index(".visible .entry"))]
    total = 0
    for bits in re.findall(r"\.param \.[a-z](\d+) ", header):
        size = int(bits) // 8
        total = -(-total // size) * size + size
    return total
