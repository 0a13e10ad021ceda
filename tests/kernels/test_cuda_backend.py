"""The CUDA backend without a device: in numba's simulator, and over its stand-in arrays with the CPU's loops.

What only a device can show carries the mark ``gpu``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_scenario as tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_inputs import kernel_cases
from run_cases import digest
from seg5b_kernels import registry
from seg5b_kernels.arrivals import BinInputs, Ordered

from seg5b.backends import devices
from seg5b.backends.base import Backend
from seg5b.backends.choose import choose_backend, cuda_facts, cuda_obstacle, first_failure
from seg5b.backends.cpu import CpuBackend
from seg5b.errors import BackendError

pytest.importorskip("numba_cuda", reason="the CUDA backend needs numba-cuda")
from run_scenario import digests
from seg5b_kernels import cuda as kernels
from simulated import DeviceArray, Functions, SimulatedArrays

from seg5b.backends.cuda import CudaBackend

FIRST, STOP = 1200, 1500


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> CudaBackend:
    """`CudaBackend` over stand-in arrays, its launches run by the CPU's loops."""

    def launch(kernel: registry.Kernel, n: int, inputs: Any, outputs: Any, stream: Any) -> None:
        kernel.cpu(0, n, inputs, outputs)

    monkeypatch.setattr(kernels, "launch", launch)
    return CudaBackend("test", arrays=SimulatedArrays())


def test_the_simulator_realises_the_same_bytes(cpu: CpuBackend) -> None:
    program = Path(__file__).with_name("run_scenario.py")
    search = os.pathsep.join([str(program.parent), str(program.parents[2] / "bench")])
    output = subprocess.run(
        [sys.executable, str(program), str(FIRST), str(STOP)],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert output.returncode == 0, output.stderr
    assert json.loads(output.stdout) == digests(tiny.realised(tiny.realiser(cpu), FIRST, STOP))


def test_a_scenario_mixes_no_host_array_into_a_launch(hosted: CudaBackend, cpu: CpuBackend) -> None:
    """The stand-in arrays refuse every silent way between host and device."""
    total = tiny.arrivals(tiny.realiser(cpu))
    assert digests(tiny.realised(tiny.realiser(hosted), 0, total)) == digests(
        tiny.realised(tiny.realiser(cpu), 0, total)
    )


@pytest.fixture(params=["cpu", "hosted"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Both backends, for what they must do alike."""
    found: Backend = request.getfixturevalue(request.param)
    return found


def test_a_sound_backend_passes_the_trial(backend: Backend) -> None:
    assert first_failure(backend) is None


@pytest.mark.parametrize("counts", [[], [0], [3], [0, 2, 0, 0, 5, 1, 0], [1] * 100])
def test_sums_and_spreads(backend: Backend, counts: list[int]) -> None:
    expected = np.append(0, np.cumsum(counts)).astype(np.int32)
    uploaded = backend.upload(np.array(counts, np.int32))
    sums = backend.download(backend.exclusive_sum(uploaded, backend.empty(len(counts) + 1, np.int32)))
    assert sums.dtype == np.int32 and sums.tolist() == expected.tolist()
    rows = backend.download(backend.spread(backend.upload(expected), int(expected[-1])))
    assert rows.dtype == np.int32
    assert rows.tolist() == [row for row, count in enumerate(counts) for _ in range(count)]


@settings(deadline=None)
@given(counts=st.lists(st.integers(0, 5), max_size=50))
def test_spreading_is_the_same_search_on_both(counts: list[int]) -> None:
    start = np.append(0, np.cumsum(counts)).astype(np.int32)
    slots = int(start[-1])
    on_cuda, on_cpu = CudaBackend(arrays=SimulatedArrays()), CpuBackend(threads=1)
    there = on_cuda.spread(on_cuda.upload(start), slots)
    assert on_cuda.download(there).tolist() == on_cpu.spread(start, slots).tolist()


def test_arrays_keep_their_values_on_the_way_there_and_back(backend: Backend) -> None:
    for array in (np.arange(12.0).reshape(3, 4).T, np.zeros((0, 4), np.uint8), np.arange(9, dtype=np.int16)[::2]):
        there = backend.upload(array)
        assert (there.shape, there.dtype) == (array.shape, array.dtype)
        assert (backend.download(there) == array).all()
    assert not backend.download(backend.zeros((2, 3), np.int32)).any()


def test_a_host_array_in_a_launch_is_refused(hosted: CudaBackend) -> None:
    start = hosted.upload(np.zeros(2, np.int32))
    with pytest.raises(TypeError, match="upload it first"):
        hosted.launch(registry.ORDER_BIN, 1, BinInputs(start), Ordered(np.zeros(1, np.uint64)))


@pytest.mark.parametrize(
    "operation",
    [
        lambda backend: backend.empty(100, np.float64),
        lambda backend: backend.zeros((10, 10), np.float64),
        lambda backend: backend.spread(backend.upload(np.array([0, 400], np.int32)), 400),
    ],
)
def test_too_little_memory_is_a_typed_error(
    hosted: CudaBackend, monkeypatch: pytest.MonkeyPatch, operation: Callable[[Backend], Any]
) -> None:
    monkeypatch.setattr(Functions, "capacity", 100)
    with pytest.raises(BackendError) as failure:
        operation(hosted)
    assert failure.value.code == "5B.BACKEND.OUT_OF_MEMORY"
    assert "--chunk-arrivals" in failure.value.remedy
    monkeypatch.undo()
    assert operation(CudaBackend(arrays=SimulatedArrays())) is not None


@pytest.mark.parametrize("words", ["[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to", "cudaErrorMemoryAllocation: out of"])
def test_the_driver_s_own_words_for_it_count_too(
    hosted: CudaBackend, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr(kernels, "launch", fail)
    case = kernel_cases(4)[0]
    with pytest.raises(BackendError, match="4 items of absorb_template"):
        hosted.launch(case.kernel, 4, (), ())


def test_other_failures_pass_through(hosted: CudaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(kernels, "launch", fail)
    with pytest.raises(ZeroDivisionError):
        hosted.launch(registry.ORDER_BIN, 1, (), ())


def test_facts_for_the_run_report(hosted: CudaBackend) -> None:
    assert hosted.describe() == {"backend": "cuda", "reason": "test", "device_number": 0, "device": "simulator"}


def test_launch_geometry_covers_every_item() -> None:
    per_block = kernels.THREADS_PER_BLOCK
    for n in (1, per_block - 1, per_block, per_block + 1, 10 * per_block):
        blocks = kernels.blocks_for(n)
        assert (blocks - 1) * per_block < n <= blocks * per_block


def test_kernels_have_names_under_which_numba_can_cache_them() -> None:
    functions = [kernels.thread_function(kernel) for kernel in registry.KERNELS]
    assert len({function.__qualname__ for function in functions}) == len(registry.KERNELS)
    assert all(function.__closure__ is None for function in functions)


# ------------------------------------------------------------------------------------------------------------- choosing


def test_cpu_is_what_was_asked_for() -> None:
    chosen = choose_backend("cpu", threads=3)
    assert chosen.describe().items() >= {"backend": "cpu", "reason": "requested", "threads": 3}.items()


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(BackendError, match=r"5B\.BACKEND\.UNKNOWN"):
        choose_backend("tpu")


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_has_driver", lambda: False)


@pytest.mark.usefixtures("no_cuda")
def test_without_a_driver_auto_falls_back_and_says_why() -> None:
    assert choose_backend("auto").describe()["reason"] == "auto: this machine has no NVIDIA driver"


@pytest.mark.usefixtures("no_cuda")
def test_cuda_without_a_device_is_an_error_not_a_fallback() -> None:
    with pytest.raises(BackendError) as failure:
        choose_backend("cuda")
    assert failure.value.code == "5B.BACKEND.CUDA_UNAVAILABLE"
    assert "no NVIDIA driver" in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_has_driver", lambda: True)
    for missing, package in (("numba_cuda", "numba-cuda"), ("cupy", "cupy")):
        monkeypatch.setattr(
            devices.importlib.util, "find_spec", lambda name, missing=missing: None if name == missing else object()
        )
        assert f"package {package} is not installed: pip install" in (cuda_obstacle() or "")


def test_a_backend_that_computes_wrongly_is_not_chosen(hosted: CudaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg5b.backends.choose.cuda_obstacle", lambda device: None)
    monkeypatch.setattr("seg5b.backends.cuda.CupyArrays", lambda device: SimulatedArrays())
    assert choose_backend("auto").name == "cuda"
    monkeypatch.setattr(Functions, "cumsum", lambda a, dtype, out: None)
    assert choose_backend("auto").describe()["reason"] == "auto: a trial on CUDA device 0 failed: prefix sums"
    with pytest.raises(BackendError, match="trial on CUDA device 1 failed"):
        choose_backend("cuda", device=1)


def test_a_trial_that_dies_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(device: int) -> None:
        raise RuntimeError("no kernel image\nis available")

    monkeypatch.setattr("seg5b.backends.choose.cuda_obstacle", lambda device: None)
    monkeypatch.setattr("seg5b.backends.cuda.CupyArrays", die)
    reason = str(choose_backend("auto").describe()["reason"])
    assert reason.endswith("failed: RuntimeError: no kernel image is available")


def test_facts_for_the_doctor() -> None:
    facts = cuda_facts()
    assert facts["packages"]["numba-cuda"]
    assert (facts["obstacle"] is None) <= bool(facts["devices"])


def test_the_simulator_is_not_taken_for_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba import config

    monkeypatch.setattr(devices, "_has_driver", lambda: True)
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(config, "ENABLE_CUDASIM", 1)
    assert "simulator" in (cuda_obstacle() or "")


# ----------------------------------------------------------------------------------------------------------- on a device


@pytest.fixture(scope="module")
def device() -> CudaBackend:
    obstacle = cuda_obstacle()
    if obstacle:
        pytest.skip(obstacle)
    return CudaBackend("test")


@pytest.mark.gpu
def test_device_every_kernel_equals_the_cpu_bit_for_bit(device: CudaBackend) -> None:
    for here, there in zip(kernel_cases(200_000), kernel_cases(200_000), strict=True):
        here.kernel.cpu(0, here.n, here.inputs, here.outputs)
        outputs = on(device, there.outputs)
        device.launch(there.kernel, there.n, on(device, there.inputs), outputs)
        assert digest(type(outputs)(*map(device.download, outputs))) == digest(here.outputs), here.kernel.name


def on(backend: Backend, value: Any) -> Any:
    """A named tuple with its arrays uploaded."""
    if isinstance(value, tuple):
        return type(value)(*(on(backend, each) for each in value))
    return backend.upload(value) if isinstance(value, np.ndarray) else value


@pytest.mark.gpu
@pytest.mark.parametrize("scale", [3.0, 180.0])
def test_device_realises_the_same_bytes(device: CudaBackend, cpu: CpuBackend, scale: float) -> None:
    on_cpu, on_device = tiny.realiser(cpu, scale), tiny.realiser(device, scale)
    total = tiny.arrivals(on_cpu)
    assert digests(tiny.realised(on_device, 0, total)) == digests(tiny.realised(on_cpu, 0, total))
    assert digests(tiny.realised(on_device, total // 3, total // 2)) == digests(
        tiny.realised(on_cpu, total // 3, total // 2)
    )


@pytest.mark.gpu
def test_device_passes_the_trial_and_describes_itself(device: CudaBackend) -> None:
    assert first_failure(device) is None
    assert choose_backend("auto").name == "cuda"
    facts = device.describe()
    assert int(facts["memory_bytes"]) > 0 and facts["driver"] and cuda_facts()["devices"]


@pytest.mark.gpu
def test_device_downloads_from_another_thread_see_what_was_launched_before(device: CudaBackend) -> None:
    from concurrent.futures import ThreadPoolExecutor

    case = kernel_cases(1_000_000)[1]
    inputs = on(device, case.inputs)
    with ThreadPoolExecutor(1) as pool:
        pending = []
        for _ in range(4):
            outputs = on(device, case.outputs)
            device.launch(case.kernel, case.n, inputs, outputs)
            pending.append(pool.submit(device.download, outputs.key))
        fetched = [each.result() for each in pending]
    case.kernel.cpu(0, case.n, case.inputs, case.outputs)
    assert all((keys == case.outputs.key).all() for keys in fetched)


@pytest.mark.gpu
def test_device_memory_that_is_not_there_is_a_typed_error(device: CudaBackend) -> None:
    with pytest.raises(BackendError, match="OUT_OF_MEMORY"):
        device.empty(int(device.describe()["memory_bytes"]) * 2, np.uint8)
    assert first_failure(device) is None


def test_stand_in_arrays_are_as_strict_as_a_device_s() -> None:
    array = DeviceArray(np.arange(3))
    with pytest.raises(TypeError):
        np.asarray(array)
    with pytest.raises(TypeError):
        _ = array == np.arange(3)
    with pytest.raises(TypeError):
        _ = np.arange(3) + array
