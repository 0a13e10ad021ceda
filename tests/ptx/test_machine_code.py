"""The assembler fuses nothing either: no fused multiply-add in machine code outside division and root (law L9)."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("numba_cuda", reason="kernels compile for CUDA by the package numba-cuda")
from seg5b_kernels import registry
from seg5b_kernels.registry import Kernel

from tests.ptx.kernel_text import TARGETS, architecture, kernel_ptx
from tests.ptx.machine_code import assembled, fused, ptxas, without_division
from tests.ptx.snippets import kernel

EVERYTHING = os.environ.get("SEG5B_PTX") == "all"
ASSEMBLERS = ["nvJitLink", pytest.param("ptxas", marks=pytest.mark.skipif(not ptxas(), reason="no ptxas here"))]
BODIES = {
    "mul.rn.f64 %fd4, %fd1, %fd2;\nadd.rn.f64 %fd0, %fd4, %fd3;": 0,
    "mul.rn.f64 %fd4, %fd1, %fd2;\nadd.f64 %fd0, %fd4, %fd3;": 0,
    "mul.f64 %fd4, %fd1, %fd2;\nadd.f64 %fd0, %fd4, %fd3;": 1,
    "fma.rn.f64 %fd0, %fd1, %fd2, %fd3;": 1,
    "fma.rn.f64 %fd4, %fd1, 0d400921FB54442D18, %fd3;\nfma.rn.f64 %fd0, %fd4, %fd2, 0d3FF199999999999A;": 2,
}


def code_of(ptx: str, target: str, assembler: str) -> bytes:
    try:
        return assembled(ptx, target, assembler)
    except OSError as refused:
        pytest.skip(f"{assembler} is older than the text: {str(refused).splitlines()[0]}")


@pytest.mark.parametrize("assembler", ASSEMBLERS)
@pytest.mark.parametrize("target", TARGETS)
def test_fused_operations_are_counted(target: str, assembler: str) -> None:
    """Of known code: also what the assembler fuses by itself where a product names no rounding."""
    for body, count in BODIES.items():
        ptx = kernel(body, 3).replace("sm_80", architecture(target)).replace(".version 8.0", ".version 9.0")
        assert fused(code_of(ptx, target, assembler)) == count, body


@pytest.mark.parametrize("target", TARGETS if EVERYTHING else ["8.0", "9.0a"])
@pytest.mark.parametrize("each", registry.KERNELS, ids=lambda each: each.name)
def test_no_kernel_has_one(each: Kernel, target: str) -> None:
    assert fused(assembled(without_division(kernel_ptx(each, target)), target, "nvJitLink")) == 0


@pytest.mark.skipif(not ptxas(), reason="no ptxas here")
@pytest.mark.parametrize("target", ["9.0a"])
def test_nor_by_the_separate_assembler(target: str) -> None:
    for each in registry.KERNELS:
        assert fused(code_of(without_division(kernel_ptx(each, target)), target, "ptxas")) == 0, each.name


def test_division_and_root_are_made_of_them() -> None:
    """So the replacement above is needed, and hides nothing else."""
    for body in ("div.rn.f64 %fd0, %fd1, %fd2;", "sqrt.rn.f64 %fd0, %fd1;", "rcp.rn.f64 %fd0, %fd1;"):
        ptx = kernel(body, 3)
        assert fused(assembled(ptx, "8.0", "nvJitLink")) > 0
        assert fused(assembled(without_division(ptx), "8.0", "nvJitLink")) == 0
