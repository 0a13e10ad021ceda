"""Every kernel as NVVM writes it and as the linker makes it for every target, executed here, gives the CPU's bits (law L9)."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="kernels compile for CUDA by the package numba-cuda")
from seg5b_kernels import registry
from seg5b_kernels.arrivals import bin_of
from seg5b_kernels.cuda import blocks_for
from seg5b_kernels.registry import Kernel

from tests.ptx.kernel_text import (
    TARGETS,
    TEXTS,
    architecture,
    faults,
    kernel_program,
    kernel_ptx,
    parameter_bytes,
    program_of,
    run,
)
from tests.ptx.parse import UnknownPtxError
from tests.ptx.programs import Case, digest, kernel_cases

ITEMS, SEEDS = 5000, (1, 9)
# Kernel parameters live in 4,096 bytes on devices and drivers of before 2023.
MAX_PARAMETER_BYTES = 4096

each_kernel = pytest.mark.parametrize("kernel", registry.KERNELS, ids=lambda kernel: kernel.name)
each_target = pytest.mark.parametrize("target", TARGETS)
each_text = pytest.mark.parametrize("text", TEXTS)


def case_of(kernel: Kernel, seed: int) -> Case:
    return next(case for case in kernel_cases(ITEMS, seed) if case.kernel is kernel)


@pytest.fixture(scope="module")
def expected() -> dict[tuple[str, int], str]:
    """Digests of what the CPU's loops make, by kernel and seed."""
    found = {}
    for seed in SEEDS:
        for case in kernel_cases(ITEMS, seed):
            case.kernel.cpu(0, case.n, case.inputs, case.outputs)
            found[case.kernel.name, seed] = digest(case.outputs)
    return found


@each_text
@each_target
@each_kernel
def test_the_text_is_what_the_source_spells(kernel: Kernel, target: str, text: str) -> None:
    ptx = kernel_ptx(kernel, target, text)
    assert f".target {architecture(target)}" in ptx
    assert faults(ptx) == {}
    assert parameter_bytes(ptx) <= MAX_PARAMETER_BYTES


def test_bins_are_counted_atomically() -> None:
    assert re.search(r"\batom\.[\w.]*add\.[su]32\b", kernel_ptx(registry.DRAW_ARRIVAL, "9.0a"))


@each_text
@each_target
def test_executed_it_gives_the_bits_of_the_cpu(target: str, text: str, expected: dict[tuple[str, int], str]) -> None:
    for seed in SEEDS:
        for case in kernel_cases(ITEMS, seed):
            run(kernel_program(case.kernel, target, text), case)
            assert digest(case.outputs) == expected[case.kernel.name, seed], case.kernel.name
            assert misplaced(case) == 0


def misplaced(case: Case) -> int:
    """Bins whose ranks are not 0 .. count - 1: the one output that no digest holds, for its order means nothing."""
    if case.kernel is not registry.DRAW_ARRIVAL:
        return 0
    rows, row, out = case.inputs.rows, case.inputs.slot_row, case.outputs
    targets = [
        bin_of(*each)
        for each in zip(
            out.offset_us.tolist(), rows.segment_start[row].tolist(), rows.segment_size[row].tolist(), strict=True
        )
    ]
    start = np.append(0, np.cumsum(out.bin_count))
    place = start[targets] + out.bin_rank
    return int((np.bincount(np.clip(place, 0, case.n), minlength=case.n)[: case.n] != 1).sum())


@each_kernel
def test_threads_of_the_host_may_share_the_blocks(kernel: Kernel, expected: dict[tuple[str, int], str]) -> None:
    """Blocks run in any order and beside each other; what they share, they change in one step."""
    case = case_of(kernel, SEEDS[0])
    program, blocks = kernel_program(kernel, "9.0a"), blocks_for(case.n)
    shares = [range(k * blocks // 5, (k + 1) * blocks // 5) for k in reversed(range(5))]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda share: run(program, case, share), shares))
    assert digest(case.outputs) == expected[kernel.name, SEEDS[0]]
    assert misplaced(case) == 0


# ----------------------------------------------------------------------------------------------------- planted faults


def fused(ptx: str) -> str:
    """Every product that feeds a sum becomes one operation with it, as a compiler would do it."""
    register = r"(%(?:fd|rd)\d+)"
    products = {m[1]: (m[2], m[3]) for m in re.finditer(rf"mul\.rn\.f64\s+{register}, ([^,]+), ([^;]+);", ptx)}

    def joined(found: re.Match[str]) -> str:
        out, product, term = found.groups()
        return f"fma.rn.f64 {out}, {', '.join(products[product])}, {term};" if product in products else found[0]

    return re.sub(rf"add\.f64\s+{register}, {register}, ([^;]+);", joined, ptx)


def swapped(pattern: str, replacement: str, count: int = 1) -> Callable[[str], str]:
    return lambda ptx: re.sub(pattern, replacement, ptx, count=count)


# Each changes values and no address: what is read or written elsewhere would end the process, as it ends a device's work.
FAULTS: dict[str, tuple[Kernel, Callable[[str], str]]] = {
    "products and sums are one operation": (registry.LATENT_FIELD, fused),
    "a shift is off by one": (registry.PLACE_ARRIVAL, swapped(r"(shl\.b64\s+%rd\d+, %rd\d+, )32;", r"\g<1>31;")),
    "the least for the greatest": (registry.LATENT_FIELD, swapped(r"max\.f64", "min.f64")),
    "the greatest for the least, of integers": (registry.DRAW_ARRIVAL, swapped(r"min\.s64", "max.s64")),
    "a comparison of signed for unsigned": (registry.DRAW_ARRIVAL, swapped(r"setp\.lt\.u64", "setp.lt.s64", 0)),
    "a product of signed for unsigned": (registry.DRAW_ARRIVAL, swapped(r"mul\.hi\.u64", "mul.hi.s64")),
    "a conversion of signed for unsigned": (registry.LATENT_FIELD, swapped(r"cvt\.rn\.f64\.u64", "cvt.rn.f64.s64")),
    "a conversion to the nearest": (registry.DRAW_ARRIVAL, swapped(r"cvt\.rzi\.s64\.f64", "cvt.rni.s64.f64", 0)),
    "an atomic sum gives the value after": (
        registry.DRAW_ARRIVAL,
        swapped(r"(atom[\w.]*\.add\.u32\s+)(%r\d+)(, .*?;)", r"\1\2\3\n\tadd.s32 \2, \2, 1;"),
    ),
}


@each_target
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault: str, target: str, expected: dict[tuple[str, int], str]) -> None:
    kernel, plant = FAULTS[fault]
    sound = kernel_ptx(kernel, target)
    assert plant(sound) != sound, "nothing was planted"
    program, seen = program_of(plant(sound)), False
    for seed in SEEDS:
        case = case_of(kernel, seed)
        run(program, case)
        seen |= digest(case.outputs) != expected[kernel.name, seed] or misplaced(case) > 0
    assert seen


@pytest.mark.parametrize(
    ("kernel", "pattern", "replacement"),
    [
        (registry.LATENT_FIELD, r"mul\.rn\.f64", "mul.rz.f64"),
        (registry.LATENT_FIELD, r"mul\.rn\.f64", "mul.f64"),
        (registry.LATENT_FIELD, r"add\.f64", "add.ftz.f64"),
        (registry.DERIVE_STREAM, r"shf\.l\.wrap\.b32", "shf.l.clamp.b32"),
        (registry.DRAW_ARRIVAL, r"ret;", "bar.sync 0;"),
    ],
)
def test_what_has_another_meaning_is_refused(kernel: Kernel, pattern: str, replacement: str) -> None:
    planted = re.sub(pattern, replacement, kernel_ptx(kernel, "9.0a"), count=1)
    with pytest.raises(UnknownPtxError, match=re.escape(replacement.rstrip(";").split()[0])):
        program_of(planted)
