"""Backends for tests of CUDA: over stand-in arrays everywhere, and on a device where there is one.

A test that takes ``on_cuda`` runs twice with the same body: without a mark over stand-ins whose launches the CPU's
loops execute, and with the mark ``gpu`` on a device, where it skips and says why if none can be used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("numba_cuda", reason="the CUDA backend needs numba-cuda")

# The scenario of the kernels' tests and the inputs of the benchmarks are plain modules, not packages.
REPOSITORY = Path(__file__).parents[2]
SHARED = [REPOSITORY / "tests/kernels", REPOSITORY / "bench"]
sys.path[:0] = [str(folder) for folder in SHARED if str(folder) not in sys.path]

from simulated import PLENTY, SimulatedArrays, by_cpu  # noqa: E402

from seg5b.backends.base import Backend  # noqa: E402
from seg5b.backends.choose import cuda_obstacle  # noqa: E402
from seg5b.backends.cpu import CpuBackend  # noqa: E402
from seg5b.backends.cuda import CudaBackend  # noqa: E402


def simulator_environment() -> dict[str, str]:
    """Of a process whose launches run in numba's simulator, and which finds what is shared."""
    search = [*map(str, SHARED), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.pathsep.join(filter(None, search))}


ON_CUDA = ["hosted", pytest.param("device", marks=pytest.mark.gpu)]


@pytest.fixture(scope="session")
def cpu() -> CpuBackend:
    return CpuBackend()


@pytest.fixture
def hosted_with() -> Callable[[int], CudaBackend]:
    """``hosted_with(capacity)``: `CudaBackend` over that many bytes of stand-in memory, its launches run by the CPU's
    loops."""
    return lambda capacity: CudaBackend("test", arrays=SimulatedArrays(capacity, by_cpu))


@pytest.fixture
def hosted(hosted_with: Callable[[int], CudaBackend]) -> CudaBackend:
    """`CudaBackend` over stand-in arrays, as much memory as wanted."""
    return hosted_with(PLENTY)


@pytest.fixture(scope="session")
def device() -> CudaBackend:
    """`CudaBackend` on device 0."""
    obstacle = cuda_obstacle()
    if obstacle:
        pytest.skip(obstacle)
    return CudaBackend("test")


@pytest.fixture(params=ON_CUDA)
def on_cuda(request: pytest.FixtureRequest) -> Backend:
    """The CUDA backend, over stand-ins and on a device."""
    found: Backend = request.getfixturevalue(request.param)
    return found
