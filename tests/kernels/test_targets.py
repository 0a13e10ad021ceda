"""Equal bits on every target (law L9): thread counts, CPU levels, plain Python, the CUDA simulator, a device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from kernel_inputs import kernel_cases
from run_cases import UNORDERED, digest, digests
from seg5b_kernels import registry

from seg5b.backends.cpu import CpuBackend

ITEMS = 300
PROGRAM = Path(__file__).with_name("run_cases.py")
# Target of the run, and the environment that makes it: numba reads it once, at import.
ELSEWHERE = {
    "generic CPU": ("cpu", {"NUMBA_CPU_NAME": "generic"}),
    "haswell": ("cpu", {"NUMBA_CPU_NAME": "haswell"}),
    "plain Python": ("cpu", {"NUMBA_DISABLE_JIT": "1"}),
    "CUDA simulator": ("cuda", {"NUMBA_ENABLE_CUDASIM": "1"}),
    "CUDA simulator, plain Python": ("cuda", {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}),
}


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    """Digests of all kernels' outputs on this CPU."""
    return digests("cpu", ITEMS)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """One process per target, all at once: most of their time is compilation."""
    command = [sys.executable, "-W", "ignore", str(PROGRAM)]
    started = {
        name: subprocess.Popen(
            [*command, target, str(ITEMS)],
            env={**os.environ, **changes},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, (target, changes) in ELSEWHERE.items()
    }
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ELSEWHERE)
def test_every_kernel_gives_equal_bits(
    here: dict[str, str], elsewhere: dict[str, subprocess.Popen[str]], name: str
) -> None:
    if ELSEWHERE[name][0] == "cuda":
        pytest.importorskip("numba_cuda", reason="the CUDA simulator is part of numba-cuda")
    output, errors = elsewhere[name].communicate(timeout=300)
    assert elsewhere[name].returncode == 0, errors
    assert json.loads(output) == here


def test_the_comparison_covers_every_kernel(here: dict[str, str]) -> None:
    assert list(here) == [kernel.name for kernel in registry.KERNELS]


def test_the_comparison_sees_a_single_bit() -> None:
    case = kernel_cases(ITEMS)[2]
    case.kernel.cpu(0, case.n, case.inputs, case.outputs)
    before = digest(case.outputs)
    case.outputs.latent[0, 0] = np.nextafter(case.outputs.latent[0, 0], 9.0)
    assert digest(case.outputs) != before


@pytest.mark.parametrize("ranges", [1, 3, 64])
def test_ranges_do_not_show(ranges: int) -> None:
    """A launch in pieces: more items than ranges, fewer items than ranges, and none at all."""
    for items in (20_000, 40, 1):
        for split, alone in zip(kernel_cases(items), kernel_cases(items), strict=True):
            alone.kernel.cpu(0, alone.n, alone.inputs, alone.outputs)
            bounds = np.linspace(0, split.n, ranges + 1).astype(int).tolist()
            for start, stop in pairwise(bounds):
                split.kernel.cpu(start, stop, split.inputs, split.outputs)
            assert digest(split.outputs) == digest(alone.outputs), split.kernel.name


def test_loops_run_side_by_side_over_arrays_of_their_own() -> None:
    """As threads do that make different parts."""
    alone, together = kernel_cases(20_000), [kernel_cases(20_000) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for place, case in enumerate(alone):
            CpuBackend().launch(case.kernel, case.n, case.inputs, case.outputs)
            ours = [cases[place] for cases in together]
            list(pool.map(lambda each: CpuBackend().launch(each.kernel, each.n, each.inputs, each.outputs), ours))
            assert {digest(each.outputs) for each in ours} == {digest(case.outputs)}, case.kernel.name


@pytest.mark.parametrize("kernel", registry.KERNELS, ids=lambda kernel: kernel.name)
def test_no_items_do_nothing(kernel: registry.Kernel) -> None:
    case = next(case for case in kernel_cases(40) if case.kernel is kernel)
    before = [column.copy() for column in case.outputs]
    CpuBackend().launch(kernel, 0, case.inputs, case.outputs)
    assert all((old == new).all() for old, new in zip(before, case.outputs, strict=True))


def test_items_write_their_own_slots_only() -> None:
    """A range of items leaves the outputs of all other items alone."""
    for case in kernel_cases(200):
        if case.kernel in (registry.DRAW_ARRIVAL, registry.PLACE_ARRIVAL, registry.ORDER_BIN):
            continue  # these write to bins, whose items `test_arrivals` looks at
        whole, part = case.outputs, type(case.outputs)(*(column.copy() for column in case.outputs))
        first, stop = case.n // 3, case.n // 2
        case.kernel.cpu(first, stop, case.inputs, part)
        case.kernel.cpu(0, case.n, case.inputs, whole)
        for name in whole._fields:
            ours, theirs = getattr(part, name), getattr(whole, name)
            if ours.shape[0] == case.n and name != UNORDERED:
                assert (ours[first:stop] == theirs[first:stop]).all(), (case.kernel.name, name)
                assert (ours[:first] == 0).all() or name in ("digit_at", "tail_blocks"), (case.kernel.name, name)
