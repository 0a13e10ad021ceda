"""The readers of frames, over each place on the backend."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kernels"))  # the stand-in arrays live there

from simulated import SimulatedArrays, by_cpu

from seg5b.backends.choose import cuda_obstacle
from seg5b.backends.cpu import CpuBackend
from seg5b.frames.arrow import ArrowFrames
from seg5b.frames.cudf import CudfFrames, load_cudf
from tests.frames.fake_cudf import FakeCudf
from tests.frames.readers import Reader


@pytest.fixture
def simulated() -> Any:
    """`CudaBackend` over stand-in arrays, its launches run by the CPU's loops."""
    pytest.importorskip("numba_cuda", reason="the CUDA backend needs numba-cuda")
    from seg5b.backends.cuda import CudaBackend

    return CudaBackend("test", arrays=SimulatedArrays(run=by_cpu))


@pytest.fixture
def library() -> FakeCudf:
    return FakeCudf()


@pytest.fixture
def by_cudf(simulated: Any, library: FakeCudf) -> CudfFrames:
    """cudf's reader over the fake package."""
    return CudfFrames(simulated, "test", library)


def _on_device() -> Reader:
    obstacle = cuda_obstacle()
    if obstacle:
        pytest.skip(obstacle)
    from seg5b.backends.cuda import CudaBackend

    backend = CudaBackend("test")
    found = load_cudf(backend)
    if isinstance(found, str):
        pytest.skip(found)
    return Reader(CudfFrames(backend, "test", found), backend)


_READERS: dict[str, Callable[[pytest.FixtureRequest], Reader]] = {
    "arrow on the CPU": lambda _: Reader(ArrowFrames(cpu := CpuBackend(), "test"), cpu),
    "arrow for CUDA": lambda of: Reader(ArrowFrames(cuda := of.getfixturevalue("simulated"), "test"), cuda),
    "cudf": lambda of: Reader(of.getfixturevalue("by_cudf"), of.getfixturevalue("simulated")),
    "cudf on a device": lambda _: _on_device(),
}


@pytest.fixture(params=[*list(_READERS)[:-1], pytest.param(list(_READERS)[-1], marks=pytest.mark.gpu)])
def reader(request: pytest.FixtureRequest) -> Reader:
    """Every reader, for what all of them must do alike."""
    return _READERS[request.param](request)
