"""Which backend is chosen, and what is said where it cannot be CUDA."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from simulated import Functions, SimulatedArrays, by_cpu

from seg5b.backends import devices
from seg5b.backends.choose import choose_backend, cuda_facts, cuda_obstacle, first_failure
from seg5b.backends.cuda import CudaBackend
from seg5b.errors import BackendError


def test_cpu_is_what_was_asked_for() -> None:
    chosen = choose_backend("cpu")
    assert chosen.describe().items() >= {"backend": "cpu", "reason": "requested"}.items()


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
            importlib.util, "find_spec", lambda name, missing=missing: None if name == missing else object()
        )
        assert f"package {package} is not installed: pip install" in (cuda_obstacle() or "")


def test_a_backend_that_computes_wrongly_is_not_chosen(hosted: CudaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg5b.backends.choose.cuda_obstacle", lambda device: None)
    monkeypatch.setattr("seg5b.backends.cuda.CupyArrays", lambda device: SimulatedArrays(run=by_cpu))
    assert choose_backend("auto").name == "cuda"
    monkeypatch.setattr(Functions, "cumsum", lambda self, a, dtype, out: None)
    assert choose_backend("auto").describe()["reason"] == "auto: a trial on CUDA device 0 failed: prefix sums"
    with pytest.raises(BackendError, match="trial on CUDA device 1 failed"):
        choose_backend("cuda", device=1)


@pytest.mark.parametrize(
    ("operation", "named"),
    [("exclusive_sum", "prefix sums"), ("take", "picking"), ("launch", "a kernel")],
)
def test_the_trial_notices_every_operation(
    hosted: CudaBackend, monkeypatch: pytest.MonkeyPatch, operation: str, named: str
) -> None:
    assert first_failure(hosted) is None
    wrong = None if operation == "launch" else hosted.zeros(3, np.int32)
    monkeypatch.setattr(CudaBackend, operation, lambda *_: wrong)
    assert named in (first_failure(hosted) or "")


def test_a_trial_that_dies_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(device: int) -> None:
        raise RuntimeError("no kernel image\nis available")

    monkeypatch.setattr("seg5b.backends.choose.cuda_obstacle", lambda device: None)
    monkeypatch.setattr("seg5b.backends.cuda.CupyArrays", die)
    reason = str(choose_backend("auto").describe()["reason"])
    assert reason.endswith("failed: RuntimeError: no kernel image is available")


def test_a_trial_that_the_device_refuses_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: int) -> None:
        raise RuntimeError("CUDA_ERROR_DEVICE_UNAVAILABLE: CUDA-capable device(s) is/are busy or unavailable")

    monkeypatch.setattr("seg5b.backends.choose.cuda_obstacle", lambda device: None)
    monkeypatch.setattr("seg5b.backends.cuda.CupyArrays", refuse)
    reason = choose_backend("auto").reason
    assert "busy or unavailable" in reason and "others have the device" in reason and "--device" in reason


def test_a_backend_that_cannot_be_imported_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seg5b.backends.choose.cuda_obstacle", lambda device: None)
    monkeypatch.setitem(sys.modules, "seg5b.backends.cuda", None)
    assert "failed: ModuleNotFoundError: " in choose_backend("auto").reason


def test_facts_for_the_doctor() -> None:
    facts = cuda_facts()
    assert facts["packages"]["numba-cuda"]
    assert (facts["obstacle"] is None) <= bool(facts["devices"])


def test_the_simulator_is_not_taken_for_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba import config

    monkeypatch.setattr(devices, "_has_driver", lambda: True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(config, "ENABLE_CUDASIM", 1)
    assert "simulator" in (cuda_obstacle() or "")
