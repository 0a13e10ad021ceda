"""The workers of a Dask cluster make the same bytes, whoever of them is lost, and refuse to work on what is not theirs."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import LocalCluster

from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.engines import open_engine
from seg5b.engines.dask import DaskEngine
from seg5b.errors import EngineError, InputError, SystemRefusal
from seg5b.options import EngineOptions, Options
from seg5b.parts import making
from seg5b.pipeline import run_states
from seg5b.resources import code_versions
from seg5b.runs.root import RunRoot
from tests.long import LONG
from tests.worlds import copy_run

ALL = ("S0", "S1", "S2", "S3", "S4", "S5")
KILLS = 2


@pytest.fixture
def world(tiny_world: Path, tmp_path: Path) -> RunRoot:
    """An unrealised copy of the tiny world."""
    return copy_run(tiny_world, tmp_path)


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Address of the scheduler of a cluster whose lost workers are replaced."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 20}),
        LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None) as made,
    ):
        yield str(made.scheduler_address)


def realise(root: RunRoot, engine: EngineOptions) -> dict[str, str]:
    """Run S0-S5 on an engine; the digests of what it made."""
    contracts = ContractSource.packaged()
    run_states(root, contracts, ALL, options=Options(engine=engine))
    return dataset_digests(root, contracts)


@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=LONG)])
def test_workers_make_the_same_bytes(world: RunRoot, tiny_digests: dict[str, str], workers: int) -> None:
    assert realise(world, EngineOptions("dask", workers=workers, backend="cpu")) == tiny_digests


def test_lost_workers_are_made_up_for(
    world: RunRoot, tiny_digests: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each of S2 to S5 workers die while they make a part or look at one."""
    kills = tmp_path / "kills"
    kills.mkdir()
    run, seed = DaskEngine.run, int(os.environ.get("SEG5B_KILL_SEED", "1"))

    def deadly(engine: DaskEngine, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        return run(engine, Deadly(function, kills, seed), items)

    monkeypatch.setattr(DaskEngine, "run", deadly)
    with cluster(3) as address:
        assert realise(world, EngineOptions("dask", address, backend="cpu")) == tiny_digests
    expected = {f"{state} {number}" for state in ("S2", "S3", "S4", "S5") for number in range(1, KILLS + 1)}
    assert {file.name for file in kills.iterdir()} == expected


@dataclass(frozen=True)
class Deadly:
    """A function whose first calls of each state cost their worker its life, at a moment of chance: before it is done,
    or after and before the scheduler hears of it. ``kills``: a folder with a file for each."""

    function: Callable[[Any], Any]
    kills: Path
    seed: int

    def __call__(self, item: Any) -> Any:
        state = item.assignment.state if isinstance(item, making.PartTask) else "S5"
        for number in range(1, KILLS + 1):
            with suppress(FileExistsError):
                (self.kills / f"{state} {number}").touch(exist_ok=False)
                moment = random.Random(f"{self.seed} {state} {number}").uniform(0.0, 0.5)
                threading.Timer(moment, os.kill, (os.getpid(), signal.SIGKILL)).start()
                self.function(item)
                threading.Event().wait()
        return self.function(item)


def test_a_worker_with_other_packages_refuses(world: RunRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    known = code_versions()
    monkeypatch.setattr("seg5b.engines.dask.code_versions", lambda: {**known, "numpy": "1.0"})
    with pytest.raises(EngineError) as failure:
        realise(world, EngineOptions("dask", backend="cpu"))
    assert failure.value.code == "5B.ENGINE.WORKER_DIFFERS"
    assert f"numpy {known['numpy']} instead of 1.0" in failure.value.what


def test_a_worker_that_sees_another_gate_refuses(world: RunRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    assigned = making._assignment

    def elsewhere(*arguments: Any) -> making.Assignment:
        return replace(assigned(*arguments), gate_digest="0" * 64)

    monkeypatch.setattr(making, "_assignment", elsewhere)
    with pytest.raises(EngineError) as failure:
        realise(world, EngineOptions("dask", backend="cpu"))
    assert failure.value.code == "5B.ENGINE.WORKER_DIFFERS" and "another gate" in failure.value.what


def test_a_failure_of_a_part_arrives_as_it_was(world: RunRoot) -> None:
    """The error of a worker has code, place and remedy, as if it had happened here."""
    contracts = ContractSource.packaged()
    run_states(world, contracts, ALL[:3])
    for file in world.path.rglob("*s2_realised_intensity*.parquet"):
        file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError) as failure:
        run_states(world, contracts, ("S3",), options=Options(engine=EngineOptions("dask", backend="cpu")))
    assert failure.value.code == "5B.S3.S2_OUTPUT_MISSING" and failure.value.remedy


def full(_: int) -> int:
    raise OSError(28, "No space left on device")


def test_a_worker_whose_disk_is_full_is_not_a_lost_scheduler() -> None:
    with (
        open_engine(EngineOptions("dask", backend="cpu"), threads=1) as engine,
        pytest.raises(SystemRefusal) as failure,
    ):
        list(engine.run(full, [1]))
    assert failure.value.code == "5B.ENGINE.DISK_FULL" and "No space left" in failure.value.what


def test_no_scheduler_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    from seg5b.engines import dask

    monkeypatch.setattr(dask, "_CONNECT_S", 1)
    options = EngineOptions("dask", "tcp://127.0.0.1:9")
    with pytest.raises(EngineError) as failure, open_engine(options, threads=1):
        pass
    assert failure.value.code == "5B.ENGINE.UNAVAILABLE" and failure.value.where == options.scheduler
