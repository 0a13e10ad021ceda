"""Equal inputs give equal bytes: any thread count, chunk size or SIMD level, states run singly or together (law L9)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest
from seg5b_kernels import registry
from seg5b_kernels.registry import Kernel

from seg5b.api import Run
from seg5b.backends.cpu import CpuBackend
from seg5b.contracts import ContractSource
from seg5b.digests import DATASETS, dataset_digests
from seg5b.errors import BackendError
from seg5b.options import Options, Tuning
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from tests.long import LONG

ALL = ("S0", "S1", "S2", "S3", "S4")


@pytest.fixture(scope="module")
def expected(demo_run: Run) -> dict[str, str]:
    digests = dataset_digests(demo_run.root, demo_run.contracts)
    assert set(digests) == set(DATASETS) - {"s2_latent_field_5B"}
    return digests


@pytest.mark.parametrize(("threads", "chunk"), [(1, 1 << 20), (2, 1000), (2, 77_777)])
def test_threads_and_chunks_do_not_show(
    fresh_world: RunRoot, expected: dict[str, str], threads: int, chunk: int
) -> None:
    contracts = ContractSource.packaged()
    backend = CpuBackend("test")
    run_states(
        fresh_world,
        contracts,
        ALL,
        backend=backend,
        options=Options(tuning=Tuning(chunk_arrivals=chunk, threads=threads)),
    )
    assert dataset_digests(fresh_world, contracts) == expected


@LONG  # tests/kernels/test_targets.py has the kernels
def test_states_run_singly_on_a_generic_cpu(world: RunRoot, tiny_digests: dict[str, str]) -> None:
    """Each state in a process of its own, compiled for a CPU without vector extensions."""
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-m", "seg5b"]
    where = ["--runs-root", str(world.path.parent), "--json"]
    for state in ALL:
        done = subprocess.run(
            [*command, state.lower(), *where], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "PASS"
    assert dataset_digests(world, ContractSource.packaged()) == tiny_digests


class SmallDevice(CpuBackend):
    """Runs out of memory above ``most`` arrivals at a time, as a CUDA device would."""

    most = 100_000

    def launch(self, kernel: Kernel, n: int, inputs: NamedTuple, outputs: NamedTuple) -> None:
        if kernel is registry.DRAW_ARRIVAL and n > self.most:
            raise BackendError("5B.BACKEND.OUT_OF_MEMORY", f"{n} arrivals do not fit", remedy="smaller chunks")
        super().launch(kernel, n, inputs, outputs)


def test_short_device_memory_shrinks_the_chunk(fresh_world: RunRoot, expected: dict[str, str]) -> None:
    contracts = ContractSource.packaged()
    run_states(fresh_world, contracts, ALL, backend=SmallDevice("test"))
    assert dataset_digests(fresh_world, contracts) == expected


def test_a_device_too_small_for_anything_is_a_typed_error(fresh_world: RunRoot) -> None:
    backend = SmallDevice("test")
    backend.most = 0
    with pytest.raises(BackendError, match="OUT_OF_MEMORY"):
        run_states(fresh_world, ContractSource.packaged(), ALL, backend=backend)
    assert not list(fresh_world.path.glob("data/layer2/5B/arrival_*"))
