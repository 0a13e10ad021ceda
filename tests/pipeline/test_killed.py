"""A killed process leaves nothing half-published, and the next run goes on (law L12)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.errors import RunError
from seg5b.pipeline import run_states
from seg5b.runs.lock import exclusive
from seg5b.runs.root import RunRoot, open_root

ALL = ("S0", "S1", "S2", "S3", "S4")


@pytest.fixture
def world(tiny_world: Path, tmp_path: Path) -> RunRoot:
    shutil.copytree(tiny_world, tmp_path / "runs")
    return open_root(tmp_path / "runs")


def _published(root: RunRoot) -> set[str]:
    return {path.parent.name for path in root.path.glob("data/layer2/5B/*/*") if path.is_dir()}


def test_a_killed_run_publishes_nothing_by_halves_and_goes_on(world: RunRoot, tiny_world: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "seg5b", "run", "--to", "S4", "--runs-root", str(world.path.parent)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list((world.path / "tmp").glob("S[234]_*")):
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list((world.path / "tmp").iterdir()), "it was killed at work"
    assert "arrival_events" not in _published(world)
    contracts = ContractSource.packaged()
    run_states(world, contracts, ALL)
    assert not list((world.path / "tmp").iterdir())
    shutil.copytree(tiny_world, tmp_path / "untouched")
    untouched = open_root(tmp_path / "untouched")
    run_states(untouched, contracts, ALL)
    assert dataset_digests(world, contracts) == dataset_digests(untouched, contracts)


def test_one_writer_at_a_time(world: RunRoot) -> None:
    with exclusive(world), pytest.raises(RunError, match=r"5B\.RUN\.BUSY"):
        run_states(world, ContractSource.packaged(), ("S0",))
