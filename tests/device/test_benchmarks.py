"""The benchmarks run here as far as they can, so that on a device they run at the first try."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pipeline
import pytest
from kernel_inputs import kernel_cases
from pipeline import DeviceWatch, backends, variants
from seg5b_kernels import registry
from timers import DeviceTimer, Timed, Work

from kernels import S4, measure, occupied
from kernels import arrays as arrays_of
from seg5b.backends.cuda import CudaBackend
from seg5b.pipeline import STATE_IDS
from seg5b.runs.root import open_root
from tests.device.conftest import REPOSITORY


def test_kernel_times_of_the_cpu() -> None:
    command = [
        sys.executable,
        "bench/kernels.py",
        "--items",
        "2000",
        "--repeats",
        "1",
        "--backend",
        "cpu",
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    (measured,) = report["measured"]
    assert_complete(measured)
    assert report["machine"]["processor"] and "obstacle" in report["machine"]["cuda"] and report["machine"]["utc"]
    assert measured["backend"]["backend"] == "cpu"


# Whatever the machine has.
NO_DEVICE = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}


class SteadyTimer:
    """Runs the work and says that it took a millisecond."""

    def time(self, prepare: Callable[[], Work]) -> Timed:
        prepare()()
        return Timed(0.001, 0.0001)

    def copy_bytes_per_s(self, repeats: int) -> float:
        return 1e9


def test_kernel_times_of_a_stand_in_device(hosted: CudaBackend) -> None:
    cases = kernel_cases(1000)
    measured = measure(hosted, SteadyTimer(), cases, 2)
    assert_complete(measured)
    ordered = next(each for each in measured["kernels"] if each["kernel"] == "order_bin")
    case = next(case for case in cases if case.kernel is registry.ORDER_BIN)
    assert ordered["ns_per_result"] == pytest.approx(1e6 / case.results)
    occupied = sum(array.nbytes for array in arrays_of((case.inputs, case.outputs)))
    assert ordered["floor_ns_per_result"] == pytest.approx(occupied / case.results)
    assert ordered["times_floor"] == pytest.approx(1e6 / occupied)


def assert_complete(measured: dict[str, Any]) -> None:
    """A row for every kernel of the registry, and a total that holds every part of S4."""
    names = [each["kernel"] for each in measured["kernels"]]
    assert names[: len(registry.KERNELS)] == [kernel.name for kernel in registry.KERNELS]
    assert all(each["ns_per_result"] > 0 and each["floor_ns_per_result"] > 0 for each in measured["kernels"])
    totals = measured["s4"]
    assert set(totals["ns_per_arrival"]) == set(S4)
    assert totals["all_ns"] > totals["chain_ns"] > 0
    assert totals["all_floor_ns"] > totals["chain_floor_ns"] > 0
    assert totals["all_arrivals_per_s"] == pytest.approx(1e9 / totals["all_ns"])


class FakeDevice:
    """As much of cupy as `DeviceTimer` uses: a device whose clock only work moves, a millisecond for each copy."""

    def __init__(self) -> None:
        self.now_ms = 0.0
        self.copies = 0
        self.functions = self
        self.cuda = SimpleNamespace(Event=self._event, get_elapsed_time=lambda start, stop: stop.at - start.at)

    @contextmanager
    def work(self) -> Iterator[None]:
        yield

    def zeros(self, size: int, dtype: Any) -> Any:
        return SimpleNamespace(data=SimpleNamespace(copy_from_device_async=self._copy))

    empty = zeros

    def _copy(self, source: Any, size: int) -> None:
        self.copies += 1
        self.now_ms += 1.0

    def _event(self) -> SimpleNamespace:
        event = SimpleNamespace(at=None, synchronize=lambda: None)
        event.record = lambda: setattr(event, "at", self.now_ms)
        return event


def test_events_stand_behind_enough_copies_to_hide_the_asking() -> None:
    device: Any = FakeDevice()
    prepared = []

    def prepare() -> Work:
        prepared.append(device.copies)

        def work() -> None:
            time.sleep(0.010)  # asking takes as long as ten copies
            device.now_ms += 5.0

        return work

    timed = DeviceTimer(device).time(prepare)
    assert timed.seconds == pytest.approx(0.005)
    assert timed.asked_s >= 0.010
    assert len(prepared) >= 3 and device.copies - prepared[-1] > 10, "4, 8, then at least 16 copies ahead"
    assert not timed.waited
    assert DeviceTimer(device).copy_bytes_per_s(3) == pytest.approx(2 * DeviceTimer.COPIED / 0.001)


def test_work_that_waits_for_the_device_is_told_and_asks_for_few_copies() -> None:
    device: Any = FakeDevice()
    timer = DeviceTimer(device)

    def work() -> None:
        time.sleep(0.002 * timer._copies_ahead)  # longer than the copies ahead take, however many they are

    timed = timer.time(lambda: work)
    assert timed.waited and device.copies <= 2 * DeviceTimer.MOST_AHEAD


def test_device_memory_is_watched_from_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nfor mib in 500 700 2548 900; do echo $mib; done; exec sleep 60\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with DeviceWatch() as watch:
        deadline = time.monotonic() + 30
        while watch.peak_bytes != 2048 << 20 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert watch.peak_bytes == 2048 << 20


def test_without_the_driver_s_tool_no_device_memory_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with DeviceWatch() as watch:
        pass
    assert watch.peak_bytes is None


@pytest.mark.parametrize(
    ("visible", "asked"), [("GPU-0a1b,GPU-2c3d", "--id=GPU-0a1b"), ("3", "--id=3"), ("MIG-0a1b", ""), ("", "")]
)
def test_device_memory_is_asked_for_by_a_name_that_the_tool_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, asked: str
) -> None:
    """It tells nothing of a MIG instance, so nothing is claimed."""
    (tmp_path / "nvidia-smi").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho 500\nexec sleep 60\n')
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with DeviceWatch() as watch:
        pass
    told = tmp_path / "asked"
    assert (told.read_text().split()[2] if told.exists() else "") == asked
    assert watch.peak_bytes is None


@pytest.mark.parametrize("script", [["kernels.py", "--backend", "cuda"], ["machine.py", "--cuda"]])
def test_no_device_no_results(script: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *script], cwd=REPOSITORY / "bench", env=NO_DEVICE, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("no CUDA: ")


def test_a_list_of_backends() -> None:
    assert backends("cpu,cuda,cpu") == ["cpu", "cuda"]
    done = subprocess.run(
        [sys.executable, "bench/pipeline.py", "--backend", "gpu"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "'gpu' is none of auto, cpu, cuda" in done.stderr


@pytest.mark.parametrize("same", [True, False])
def test_bytes_that_differ_are_named_and_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], same: bool
) -> None:
    made = {"seconds": 1.0, "result": {"run_id": "r"}}
    published = {"cpu": {"counts": "1", "arrivals": "2"}, "cuda": {"counts": "1", "arrivals": "2" if same else "3"}}
    (tmp_path / "world").mkdir()

    def timed(command: object) -> dict[str, Any]:
        (tmp_path / "warm").mkdir(exist_ok=True)
        return made

    monkeypatch.setattr(pipeline, "timed", timed)
    ran = []

    def whole_run(root: Path, options: list[str]) -> dict[str, Any]:
        ran.append(options)
        return {"seconds": 3.0, "verdict": {}}

    def digests_of(runs_root: Path, verdict: object) -> dict[str, str]:
        return published["cpu" if runs_root.name == "whole" else runs_root.name]

    monkeypatch.setattr(pipeline, "whole_run", whole_run)
    monkeypatch.setattr(pipeline, "realise", lambda runs_root, run_id, options: {"verdict": {}})
    monkeypatch.setattr(pipeline, "digests_of", digests_of)
    monkeypatch.setattr(sys, "argv", ["pipeline.py", "--backend", "cpu,cuda", "--runs-root", str(tmp_path)])
    with nullcontext() if same else pytest.raises(SystemExit, match="bytes differ"):
        pipeline.main()
    report = json.loads(capsys.readouterr().out)
    assert report["equal"] is same and report["digests"] == published["cpu"]
    whole = {"cpu, whole": "2", "cuda, whole": "2"}
    assert report["differing"] == ({} if same else {"arrivals": {**whole, "cpu": "2", "cuda": "3"}})
    assert [options[1] for options in ran] == ["cpu", "cuda"]
    assert report["runs"]["cuda"]["whole"] == {"seconds": 3.0}


def test_a_run_for_each_reader_on_cuda() -> None:
    one = argparse.Namespace(backend=["cpu", "cuda"], frames=["cudf"])
    assert {name: chosen[-1] for name, chosen in variants(one).items()} == {"cpu": "auto", "cuda": "cudf"}
    two = argparse.Namespace(backend=["cpu", "cuda"], frames=["arrow", "cudf"])
    assert list(variants(two)) == ["cpu", "cuda_arrow", "cuda_cudf"]


def test_runs_of_the_cpu_end_to_end(
    tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real commands, on a tiny world in place of a preset."""
    root = open_root(shutil.copytree(tiny_world, tmp_path / "world"))
    made = {"seconds": 1.0, "result": {"run_id": root.identity.run_id}}
    timed = pipeline.timed

    def without_presets(command: list[str], **environment: str) -> dict[str, Any]:
        (tmp_path / "warm").mkdir(exist_ok=True)
        return made if command[0] in ("world", "demo") else timed(command, **environment)

    monkeypatch.setattr(pipeline, "timed", without_presets)
    monkeypatch.setattr(sys, "argv", ["pipeline.py", "--backend", "cpu", "--runs-root", str(tmp_path)])
    pipeline.main()
    report = json.loads(capsys.readouterr().out)
    assert report["equal"] and not (tmp_path / "whole").exists()
    run = report["runs"]["cpu"]
    assert set(run["whole"]["state_seconds"]) == set(STATE_IDS) and run["whole"]["seconds"] > 0
    assert run["states"]["s2"]["reader"] == "arrow" and run["states"]["s0"]["reader"] is None


def test_the_floor_counts_each_array_once() -> None:
    array = np.zeros(10)
    assert occupied((array, (array, 3, np.zeros(2, np.uint8)))) == 82
