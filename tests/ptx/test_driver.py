"""The stand-in driver answers as a driver would, counts, and fails when it is told to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numba_cuda", reason="what calls the driver comes with the package numba-cuda")

from tests.ptx.elf import obstacle
from tests.ptx.on_standin import on_standin

needs_a_library = pytest.mark.skipif(bool(obstacle()), reason=str(obstacle()))


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    found: dict[str, Any] = on_standin("driver")
    return found


@needs_a_library
def test_it_says_what_it_is(seen: dict[str, Any]) -> None:
    assert (seen["version"], seen["capability"]) == (13000, [12, 0])
    assert seen["no such device"] == "CUDA_ERROR_INVALID_DEVICE"
    assert seen["words"] == ["uncorrectable ECC error encountered", "CUDA_ERROR_LAUNCH_FAILED"]
    assert "cuGraphCreate" in seen["unknown"]


@needs_a_library
def test_a_context_is_current_in_one_thread(seen: dict[str, Any]) -> None:
    assert seen["before"] == seen["elsewhere"] == "CUDA_ERROR_INVALID_CONTEXT"
    assert seen["here"] == "CUDA_SUCCESS"
    assert seen["popped"] == [True, "CUDA_ERROR_INVALID_CONTEXT"]


@needs_a_library
def test_memory_and_copies(seen: dict[str, Any]) -> None:
    assert seen["unwritten"] == [93]
    assert seen["copied"] == [7] * 10 + [10, 11]
    assert seen["too much"] == "CUDA_ERROR_OUT_OF_MEMORY" and seen["used at the end"] == 0
    assert seen["elapsed"]


@needs_a_library
def test_it_counts(seen: dict[str, Any]) -> None:
    rose = seen["rose"]
    assert (rose["copies"], rose["bytes_to_device"], rose["bytes_to_host"]) == (3, 100, 140)
    assert rose["synchronisations"] == 2, "a stream, and a copy that waits"
    assert (rose["events"], rose["launches"]) == (2, 0)


@needs_a_library
def test_it_fails_once_or_for_good(seen: dict[str, Any]) -> None:
    assert seen["fails"] == ["CUDA_SUCCESS", *["CUDA_ERROR_LAUNCH_FAILED"] * 3]
    assert seen["works"] == "CUDA_SUCCESS"


@needs_a_library
def test_failures_reach_the_backend_in_the_driver_s_words() -> None:
    found = on_standin("failures")
    assert found["sound"] is None and found["sound again"] is None
    launches = [found[name] for name in ("cuLaunchKernel", "cuLaunchKernelEx") if found[name][0]]
    assert len(launches) == 1, "one of the two launches"
    for said in launches[0]:
        assert "ILLEGAL_ADDRESS" in said or "illegal memory access" in said
    assert "uncorrectable ECC error" in found["cuMemcpyDtoHAsync"][0]
    assert "5B.BACKEND.OUT_OF_MEMORY" in found["memory"][0]
    assert found["filled"] == [False, True] and found["launches of nothing"] == 1, "counted, not run"


def test_elsewhere_it_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "sparc")
    assert "sparc" in str(obstacle()) or "x86-64 and aarch64" in str(obstacle())


def test_a_process_that_has_a_driver_gets_no_second(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.ptx import driver

    monkeypatch.setattr(driver, "obstacle", lambda: None)
    monkeypatch.setitem(sys.modules, "numba.cuda", sys)
    with pytest.raises(RuntimeError, match="has looked for a driver"):
        driver.load()
    monkeypatch.delitem(sys.modules, "numba.cuda")
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: "7f00 /usr/lib/libcuda.so.1")
    with pytest.raises(RuntimeError, match="a CUDA driver already"):
        driver.load()
