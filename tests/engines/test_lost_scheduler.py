"""A run whose scheduler is lost ends in one error and loses nothing: the next run goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import distributed  # noqa: F401 - its settings must be there to be changed
import pytest

from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.errors import EngineError
from seg5b.options import EngineOptions, Options
from seg5b.pipeline import run_states
from tests.worlds import copy_run

ALL = ("S0", "S1", "S2", "S3", "S4")
PATIENCE_S = 60
RECONNECT = "distributed.comm.timeouts.connect"


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler and a worker as programs of their own: the scheduler's address and its process."""
    folder.mkdir()
    told, program = folder / "scheduler.json", [sys.executable, "-m", "dask"]
    common = ["--no-dashboard", "--scheduler-file", str(told)]
    commands = (
        [*program, "scheduler", "--host", "127.0.0.1", "--port", "0", *common],
        [*program, "worker", "--nthreads", "1", "--death-timeout", "10", *common],
    )
    with (folder / "log").open("wb") as log:
        scheduler, worker = (subprocess.Popen(command, stdout=log, stderr=log) for command in commands)
        try:
            wait_until(lambda: told.exists() and told.read_text().rstrip().endswith("}"))
            yield str(json.loads(told.read_text())["address"]), scheduler
        finally:
            for process in (worker, scheduler):
                process.terminate()
                process.wait(PATIENCE_S)


def wait_until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < end, "it never happens"
        time.sleep(0.02)


def test_what_was_finished_outlives_the_scheduler(
    tiny_world: Path, tmp_path: Path, tiny_digests: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    root, contracts = copy_run(tiny_world, tmp_path), ContractSource.packaged()
    run_states(root, contracts, ALL[:4])

    def finished() -> int:
        return len(list((root.path / "tmp").glob("kept/S4/*/*/part-*.json")))

    def kill(scheduler: subprocess.Popen[bytes]) -> None:
        wait_until(lambda: finished() > 0)
        scheduler.send_signal(signal.SIGKILL)

    with cluster(tmp_path / "first") as (address, scheduler), dask.config.set({RECONNECT: "1s"}):
        killer = threading.Thread(target=kill, args=(scheduler,))
        killer.start()
        with pytest.raises(EngineError) as failure:
            run_states(root, contracts, ("S4",), options=Options(engine=EngineOptions("dask", address, backend="cpu")))
        killer.join()
    assert failure.value.code == "5B.ENGINE.SCHEDULER_LOST"
    assert finished() and not list(root.path.glob("data/layer2/5B/arrival_events"))
    with cluster(tmp_path / "second") as (address, _), caplog.at_level("INFO", "seg5b"):
        run_states(root, contracts, ("S4",), options=Options(engine=EngineOptions("dask", address, backend="cpu")))
    assert any("were finished before" in record.getMessage() for record in caplog.records)
    assert dataset_digests(root, contracts) == tiny_digests
