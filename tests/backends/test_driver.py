"""What the driver's own library tells, asked without a context on any device."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
from click.testing import CliRunner

from seg5b.backends import devices, driver
from seg5b.backends.choose import cuda_facts, cuda_obstacle
from seg5b.cli import main

DEVICES = [(b"NVIDIA H200", (9, 0), 141 << 30), (b"NVIDIA A100-SXM4-40GB MIG 1g.5gb", (8, 0), 5 << 30)]


class StandIn:
    """The functions of the driver that are asked, for `DEVICES`. ``refused``: what they answer with an error, by name. What
    would make a context is not there."""

    def __init__(self, **refused: int) -> None:
        self.refused, self.ready = refused, False

    def __getattr__(self, name: str) -> Any:
        function = getattr(type(self), f"_{name}", None)
        if function is None:
            raise AttributeError(f"undefined symbol: {name}")
        return lambda *arguments: self.refused.get(name) or function(self, *arguments) or 0

    def _cuInit(self, _flags: int) -> int:  # noqa: N802
        self.ready = True
        return 0

    def _cuDriverGetVersion(self, answer: Any) -> None:  # noqa: N802
        answer._obj.value = 13010

    def _cuDeviceGetCount(self, answer: Any) -> int:  # noqa: N802
        answer._obj.value = len(DEVICES)
        return 0 if self.ready else 3

    def _cuDeviceGet(self, answer: Any, number: int) -> None:  # noqa: N802
        answer._obj.value = 70 + number

    def _cuDeviceGetName(self, answer: Any, length: int, device: Any) -> None:  # noqa: N802
        answer.value = DEVICES[device.value - 70][0][: length - 1]

    def _cuDeviceTotalMem_v2(self, answer: Any, device: Any) -> None:  # noqa: N802
        answer._obj.value = DEVICES[device.value - 70][2]

    def _cuDeviceGetAttribute(self, answer: Any, attribute: int, device: Any) -> None:  # noqa: N802
        answer._obj.value = DEVICES[device.value - 70][1][attribute - 75]

    def _cuGetErrorName(self, status: int, answer: Any) -> None:  # noqa: N802
        answer._obj.value = ctypes.c_char_p(b"CUDA_ERROR_NO_DEVICE" if status == 100 else b"CUDA_ERROR_UNKNOWN").value

    def _cuGetErrorString(self, _status: int, answer: Any) -> None:  # noqa: N802
        answer._obj.value = ctypes.c_char_p(b"words of the driver").value


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    found = StandIn()
    monkeypatch.setattr(driver, "library", lambda: found)
    monkeypatch.setattr("seg5b.backends.packages.missing", lambda: None)
    monkeypatch.setattr("seg5b.backends.packages.troubles", lambda runs: {})
    return found


@pytest.mark.usefixtures("stand_in")
def test_devices_as_the_driver_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A MIG instance is named as such; names in CUDA_VISIBLE_DEVICES are shown and never read as numbers."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0a1b,MIG-2c3d")
    facts = cuda_facts(1)
    assert (facts["obstacle"], facts["driver"], facts["visible"]) == (None, "13.1", "GPU-0a1b,MIG-2c3d")
    assert facts["devices"][0] == {
        "number": 0, "name": "NVIDIA H200", "compute_capability": "9.0", "memory_bytes": 141 << 30,
    }  # fmt: skip
    assert (facts["devices"][1]["name"], facts["devices"][1]["compute_capability"]) == (DEVICES[1][0].decode(), "8.0")


@pytest.mark.usefixtures("stand_in")
def test_a_device_that_is_not_there() -> None:
    assert cuda_obstacle(2) == "there is no CUDA device 2: the driver shows 2"


@pytest.mark.usefixtures("stand_in")
def test_doctor_asks_about_the_device_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0a1b,MIG-2c3d")
    told = CliRunner().invoke(main, ["doctor", "--device", "2"], env={"COLUMNS": "300"}).stdout
    assert "--backend auto takes cpu: auto: there is no CUDA device 2: the driver shows 2" in told
    assert "CUDA driver: for CUDA 13.1, CUDA_VISIBLE_DEVICES=GPU-0a1b,MIG-2c3d" in told
    assert "device 1: NVIDIA A100-SXM4-40GB MIG 1g.5gb, sm_8.0, 5.4 GB" in told


def test_a_driver_that_refuses_is_quoted(stand_in: StandIn) -> None:
    stand_in.refused["cuInit"] = 100
    words = "the CUDA driver cannot be used: cuInit: CUDA_ERROR_NO_DEVICE: words of the driver"
    assert cuda_facts()["obstacle"] == words and cuda_facts()["devices"] == []


def test_a_driver_without_a_function_is_an_obstacle(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(StandIn, "_cuDeviceGetName")
    assert "cuDeviceGetName: undefined symbol" in (cuda_obstacle() or "")


def test_a_library_that_cannot_be_loaded_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("libcuda.so.1: wrong ELF class")

    monkeypatch.setattr(driver, "library", refuse)
    assert not devices._has_driver()
    assert cuda_facts()["driver"] is None
