"""``--devices``: a worker for each device, which sees no other; lists that are none, and what is missing, are typed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from seg5b.cli import main
from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.engines import devices as named
from seg5b.engines import open_engine, parse_devices
from seg5b.engines.dask import DaskEngine
from seg5b.engines.devices import visible_devices
from seg5b.errors import BackendError, EngineError
from seg5b.options import EngineOptions, Options, Tuning
from seg5b.pipeline import run_states
from tests.worlds import copy_run

TWO = EngineOptions("dask", devices=("0", "MIG-41b36325"), backend="cpu")


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("all", ("all",)),
        ("0", ("0",)),
        ("1,00", ("1", "0")),
        ("GPU-8932f937-d72c,MIG-GPU-8932/1/0,3", ("GPU-8932f937-d72c", "MIG-GPU-8932/1/0", "3")),
    ],
)
def test_lists_of_devices(text: str, devices: tuple[str, ...]) -> None:
    assert parse_devices(text) == devices


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "'' is neither"),
        ("0,", "'' is neither"),
        ("0,all", "'all' is neither"),
        ("-1", "'-1' is neither"),
        ("٣", "'٣' is neither"),
        ("gpu0", "'gpu0' is neither"),
        ("GPU-", "'GPU-' is neither"),
        ("0,1,0", "0 is named twice"),
        ("1,01", "1 is named twice"),
        ("GPU-89,GPU-8932", "GPU-89 and GPU-8932 are the same device"),
    ],
)
def test_lists_that_are_none(text: str, what: str) -> None:
    with pytest.raises(EngineError) as failure:
        parse_devices(text)
    assert failure.value.code == "5B.ENGINE.DEVICES_INVALID" and failure.value.what.startswith(what)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that shows three devices."""
    monkeypatch.setattr(named, "cuda_obstacle", lambda n: None if n < 3 else f"there is no CUDA device {n}: shows 3")


@pytest.mark.usefixtures("three")
def test_numbers_count_what_this_process_sees() -> None:
    assert visible_devices(("all",), cuda=True, environ={}) == ("0", "1", "2")
    seen = {"CUDA_VISIBLE_DEVICES": "5, GPU-77,MIG-3"}
    assert visible_devices(("all",), cuda=True, environ=seen) == ("5", "GPU-77", "MIG-3")
    assert visible_devices(("2", "GPU-99"), cuda=True, environ=seen) == ("MIG-3", "GPU-99")
    with pytest.raises(BackendError, match="there is no CUDA device 3"):
        visible_devices(("0", "3"), cuda=True, environ={})
    with pytest.raises(EngineError, match="CUDA_VISIBLE_DEVICES names 1"):
        visible_devices(("1",), cuda=True, environ={"CUDA_VISIBLE_DEVICES": "5"})


def where(number: int) -> tuple[str | None, int, int]:
    time.sleep(0.05)  # long enough for every worker to get some
    return os.environ.get("CUDA_VISIBLE_DEVICES"), os.getpid(), number


def test_each_worker_sees_its_device_and_each_item_is_done_once() -> None:
    with open_engine(TWO, threads=5) as engine:
        done = [result for _, result in engine.run(where, range(20))]
        told = engine.describe()
    assert sorted(number for _, _, number in done) == list(range(20))
    pids = {device: {pid for seen, pid, _ in done if seen == device} for device in TWO.devices}
    assert all(len(each) == 1 for each in pids.values()) and len({device for device, _, _ in done}) == 2
    assert os.getpid() not in set.union(*pids.values())
    assert told.items() >= {"engine": "dask", "workers": 2, "devices": "0,MIG-41b36325"}.items()


def test_workers_share_the_threads_that_were_asked_for() -> None:
    with open_engine(TWO, threads=5) as engine:
        assert isinstance(engine, DaskEngine)
        assert list(engine._client.nthreads().values()) == [2, 2]


def test_states_that_draw_are_the_workers_and_bytes_are_the_same(
    tiny_world: Path, tiny_digests: dict[str, str], tmp_path: Path
) -> None:
    root, contracts = copy_run(tiny_world, tmp_path), ContractSource.packaged()
    options = Options(engine=TWO, tuning=Tuning(threads=2))
    result = run_states(root, contracts, ("S0", "S1", "S2", "S3", "S4"), options=options)
    assert dataset_digests(root, contracts) == tiny_digests
    for state in result.states:
        made_by = state.record["backend"]
        if state.state in ("S0", "S1"):
            assert made_by["engine"] == "local" and "devices" not in made_by
        else:
            expected = {"devices": "0,MIG-41b36325", "workers_backend": "cpu", "backend": "cpu"}
            assert made_by.items() >= {**expected, "reason": "the devices are the workers'"}.items()


def test_whoever_draws_nothing_starts_no_worker(tiny_world: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_world, tmp_path)
    everything = EngineOptions("dask", devices=("all",))
    result = run_states(root, ContractSource.packaged(), ("S0", "S1"), options=Options(engine=everything))
    assert {each.record["backend"]["engine"] for each in result.states} == {"local"}


def test_devices_that_are_not_there_are_told_before_anything_is_done(
    tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seg5b.backends.devices._has_driver", lambda: False)
    root = copy_run(tiny_world, tmp_path)
    done = CliRunner().invoke(main, ["run", "--devices", "0,1", "--runs-root", str(root.path.parent)])
    assert done.exit_code == 1 and len(done.stderr.strip().splitlines()) == 1
    assert "5B.BACKEND.CUDA_UNAVAILABLE" in done.stderr and "[at --devices]" in done.stderr
    assert not list(root.path.rglob("segment_state_runs*.jsonl"))


def test_devices_need_dask_and_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "seg5b.engines.dask", raising=False)
    with pytest.raises(EngineError) as failure, open_engine(TWO, threads=1):
        pass
    assert failure.value.code == "5B.ENGINE.UNAVAILABLE" and failure.value.where == "--devices"
    assert "seg5b[dask]" in failure.value.remedy


def test_devices_belong_to_dask_s_workers_here() -> None:
    for options in (EngineOptions(devices=("0",)), EngineOptions("dask", "tcp://127.0.0.1:9", devices=("0",))):
        with pytest.raises(EngineError, match="DEVICES_INVALID"), open_engine(options, threads=1):
            pass


@pytest.mark.parametrize(
    "more",
    [["--device", "1"], ["--workers", "2"], ["--engine", "dask", "--scheduler", "tcp://h:1"], ["--backend", "cpu"]],
)
def test_choices_that_do_not_go_together_are_wrong_usage(tiny_world: Path, more: list[str]) -> None:
    done = CliRunner().invoke(main, ["s2", "--devices", "0,1", *more, "--runs-root", str(tiny_world)])
    assert done.exit_code == 2 and "--devices" in done.stderr
