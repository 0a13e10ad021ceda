"""Every kernel and the whole expansion on CUDA give the bits of the CPU: stand-ins, simulator, device."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from kernel_inputs import kernel_cases
from run_cases import digest
from seg5b_kernels import registry

from seg5b.backends.base import Backend
from seg5b.backends.cpu import CpuBackend
from tests.device.conftest import REPOSITORY, simulator_environment
from tests.device.run_scenario import digests
from tests.expansion import tiny_scenario as tiny

FIRST, STOP = 1200, 1500


def test_every_kernel_equals_the_cpu_bit_for_bit(on_cuda: Backend) -> None:
    for here, there in zip(kernel_cases(200_000), kernel_cases(200_000), strict=True):
        here.kernel.cpu(0, here.n, here.inputs, here.outputs)
        outputs = uploaded(on_cuda, there.outputs)
        on_cuda.launch(there.kernel, there.n, uploaded(on_cuda, there.inputs), outputs)
        assert digest(type(outputs)(*map(on_cuda.download, outputs))) == digest(here.outputs), here.kernel.name


def uploaded(backend: Backend, value: Any) -> Any:
    """A named tuple with its arrays uploaded."""
    if isinstance(value, tuple):
        return type(value)(*(uploaded(backend, each) for each in value))
    return backend.upload(value) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("scale", [3.0, 180.0])
def test_a_scenario_and_any_range_of_it_have_the_same_bytes(on_cuda: Backend, cpu: CpuBackend, scale: float) -> None:
    here, there = tiny.realiser(cpu, scale), tiny.realiser(on_cuda, scale)
    total = tiny.arrivals(here)
    for first, stop in ((0, total), (total // 3, total // 2), (total - 1, total)):
        assert digests(tiny.realised(there, first, stop)) == digests(tiny.realised(here, first, stop))


def test_the_simulator_realises_the_same_bytes(cpu: CpuBackend) -> None:
    output = subprocess.run(
        [sys.executable, "-m", "tests.device.run_scenario", str(FIRST), str(STOP)],
        cwd=REPOSITORY,
        env=simulator_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert output.returncode == 0, output.stderr
    assert json.loads(output.stdout) == digests(tiny.realised(tiny.realiser(cpu), FIRST, STOP))


def test_downloads_from_another_thread_see_what_was_launched_before(on_cuda: Backend) -> None:
    case = next(case for case in kernel_cases(400_000) if case.kernel is registry.DERIVE_STREAM)
    inputs = uploaded(on_cuda, case.inputs)
    with ThreadPoolExecutor(1) as pool:
        pending = []
        for _ in range(4):
            outputs = uploaded(on_cuda, case.outputs)
            on_cuda.launch(case.kernel, case.n, inputs, outputs)
            pending.append(pool.submit(on_cuda.download, outputs.key))
        fetched = [each.result() for each in pending]
    case.kernel.cpu(0, case.n, case.inputs, case.outputs)
    assert all((keys == case.outputs.key).all() for keys in fetched)
