"""The kernels as CUDA code: compiled without a device, and free of everything that rounds otherwise than the CPU.

Two things could break equality (engineering notes 1): fused multiply-adds that the source does not spell, which the
compiler makes from ``a * b + c`` and the assembler from a ``mul`` without a rounding mode; and library functions or
approximations. Both show in the PTX text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from kernel_inputs import kernel_cases
from seg5b_kernels import registry
from seg5b_kernels.registry import Kernel
from seg5b_kernels.targets import product

pytest.importorskip("numba_cuda", reason="kernels compile for CUDA by the package numba-cuda")
from numba import cuda
from numba.cuda.typing.typeof import typeof
from seg5b_kernels.cuda import thread_function

CAPABILITIES = [(8, 0), (9, 0)]
FLOAT = r"\.f(?:16|32|64)\b"
WRONG = {
    "fused": re.compile(r"\b(?:fma|mad)\.[\w.]*f(?:16|32|64)\b"),
    "may be fused by the assembler": re.compile(rf"\bmul{FLOAT}"),
    "approximate": re.compile(r"\.approx\b|\.full\.f|\.ftz\b|\b(?:ex2|lg2|sin|cos|tanh|rsqrt)\."),
    "single precision": re.compile(r"\b(?:add|sub|mul|div|sqrt)\.[\w.]*f(?:16|32)\b"),
    "call": re.compile(r"\bcall\b|\.extern"),
    "local memory": re.compile(r"\.local\b"),
}
# Kernel parameters live in 4,096 bytes on devices and drivers of before 2023.
MAX_PARAMETER_BYTES = 4096


@pytest.fixture(autouse=True)
def no_device(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Device functions ask the current device for its capability; a list's last entry stands in for it."""
    asked = [(9, 0)]
    monkeypatch.setattr(
        "numba.cuda.dispatcher.get_current_device", lambda: SimpleNamespace(compute_capability=asked[-1])
    )
    return asked


def ptx_of(function: Callable[..., None], arguments: tuple[Any, ...], capability: tuple[int, int]) -> str:
    text, _ = cuda.compile_ptx(function, tuple(typeof(value) for value in arguments), cc=capability)
    return str(text)


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


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda capability: f"sm_{capability[0]}{capability[1]}")
@pytest.mark.parametrize("kernel", registry.KERNELS, ids=lambda kernel: kernel.name)
def test_kernels_compile_to_what_the_source_spells(
    no_device: list[tuple[int, int]], kernel: Kernel, capability: tuple[int, int]
) -> None:
    no_device.append(capability)
    case = next(case for case in kernel_cases(40) if case.kernel is kernel)
    ptx = ptx_of(thread_function(kernel), (case.n, case.inputs, case.outputs), capability)
    assert f".target sm_{capability[0]}{capability[1]}" in ptx
    assert faults(ptx) == {}
    assert parameter_bytes(ptx) <= MAX_PARAMETER_BYTES


def test_bins_are_counted_atomically() -> None:
    case = next(case for case in kernel_cases(40) if case.kernel is registry.DRAW_ARRIVAL)
    ptx = ptx_of(thread_function(case.kernel), (case.n, case.inputs, case.outputs), (9, 0))
    assert re.search(r"\batom\.[\w.]*add\.[su]32\b", ptx)


# ------------------------------------------------------------------------------------ planted kernels: the detector sees


def _multiply_add(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = x[i] * x[i + 1] + x[i + 2]


def _product_add(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = product(x[i], x[i + 1]) + x[i + 2]


def _plain_product(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = x[i] * x[i + 1]


def _library(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = math.exp(x[i])


def _single(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = np.float32(x[i]) + np.float32(x[i + 1])


def _scratch(n: Any, x: Any, out: Any) -> None:
    i = cuda.grid(1)
    memory = cuda.local.array(64, np.float64)
    for k in range(64):
        memory[(i * k) % 64] = x[k]
    if i < n:
        out[i] = memory[i % 64]


@pytest.mark.parametrize(
    ("kernel", "kinds"),
    [
        (_multiply_add, {"fused"}),
        (_product_add, set()),
        (_plain_product, {"may be fused by the assembler"}),
        (_library, {"fused"}),
        (_single, {"single precision"}),
        (_scratch, {"local memory"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_detector_sees_planted_faults(kernel: Callable[..., None], kinds: set[str]) -> None:
    ptx = ptx_of(kernel, (5, np.zeros(9), np.zeros(9)), (9, 0))
    assert kinds <= faults(ptx).keys()
    assert kinds or not faults(ptx)


def test_parameters_are_counted() -> None:
    """A one-dimensional array is seven words of eight bytes."""
    assert parameter_bytes(ptx_of(_product_add, (5, np.zeros(9), np.zeros(9)), (9, 0))) == 8 + 2 * 56
