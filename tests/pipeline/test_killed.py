"""A killed process leaves nothing half-published, and the next run goes on (law L12)."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.errors import RunError
from seg5b.parts import FinishedPart, PartCheckpoints
from seg5b.pipeline import run_states
from seg5b.runs.lock import exclusive
from seg5b.runs.root import RunRoot
from tests.pipeline.halted_run import HALTED

ALL = ("S0", "S1", "S2", "S3", "S4")
REPOSITORY = Path(__file__).parents[2]


def _published(root: RunRoot) -> set[str]:
    return {path.parent.name for path in root.path.glob("data/layer2/5B/*/*") if path.is_dir()}


def test_a_killed_run_publishes_nothing_by_halves_and_goes_on(world: RunRoot, tiny_digests: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.pipeline.halted_run", "run", "--to", "S4"]
    with subprocess.Popen(
        [*command, "--runs-root", str(world.path.parent)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        halted = HALTED in (line.strip() for line in process.stdout)
        process.kill()
    assert halted, "the run ended before it could be killed"
    assert process.returncode == -signal.SIGKILL
    assert list((world.path / "tmp").glob("S4_*")), "it was killed at work"
    assert "arrival_events" not in _published(world)
    contracts = ContractSource.packaged()
    run_states(world, contracts, ALL)
    assert not list((world.path / "tmp").iterdir())
    assert dataset_digests(world, contracts) == tiny_digests


class StoppedError(BaseException):
    """The power went."""


@pytest.fixture
def stopped(world: RunRoot, monkeypatch: pytest.MonkeyPatch) -> RunRoot:
    """The world after S4 stopped when its second part was complete."""
    keep, lock = PartCheckpoints.keep, Lock()
    done: list[int] = []

    def stop(self: PartCheckpoints, number: int, *part: Any) -> FinishedPart:
        if "S4" not in self.folder.parts:
            return keep(self, number, *part)
        with lock:
            if len(done) == 2:
                raise StoppedError
            done.append(number)
            return keep(self, number, *part)

    with monkeypatch.context() as patch:
        patch.setattr(PartCheckpoints, "keep", stop)
        with pytest.raises(StoppedError):
            run_states(world, ContractSource.packaged(), ALL)
    assert "arrival_events" not in _published(world)
    assert len(_kept(world, "json")) == 2
    return world


def _kept(root: RunRoot, suffix: str) -> list[Path]:
    return sorted((root.path / "tmp" / "kept").rglob(f"part-*.{suffix}"))


def _finish(root: RunRoot, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Run S4 again; what its log says about parts that were finished before."""
    caplog.clear()
    with caplog.at_level("INFO", "seg5b"):
        run_states(root, ContractSource.packaged(), ("S4",))
    return [record.getMessage() for record in caplog.records if "finished before" in record.getMessage()]


def test_finished_parts_are_used_again(
    stopped: RunRoot, tiny_digests: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    (said,) = _finish(stopped, caplog)
    assert said.startswith("2 of ")
    assert dataset_digests(stopped, ContractSource.packaged()) == tiny_digests
    assert not list((stopped.path / "tmp").iterdir())


def test_a_part_that_changed_is_made_again(
    stopped: RunRoot, tiny_digests: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    damaged = _kept(stopped, "json")[0].with_suffix(".parquet")
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    (said,) = _finish(stopped, caplog)
    assert said.startswith("1 of ")
    assert dataset_digests(stopped, ContractSource.packaged()) == tiny_digests


def test_parts_of_other_inputs_or_code_are_not_used(
    stopped: RunRoot, tiny_digests: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seg5b.finished.code_digest", lambda: "another")
    assert _finish(stopped, caplog) == []
    assert dataset_digests(stopped, ContractSource.packaged()) == tiny_digests


def test_evidence_of_a_resumed_run_is_the_same(stopped: RunRoot, tiny_arrivals: Path) -> None:
    run_states(stopped, ContractSource.packaged(), ("S4",))
    traces = [sorted(root.rglob("state=S4/*/rng_trace_log.jsonl")) for root in (stopped.path, tiny_arrivals)]
    assert traces[0] and all(one.read_bytes() == other.read_bytes() for one, other in zip(*traces, strict=True))


def test_parts_of_one_scenario_outlive_the_failure_of_another(
    world: RunRoot, tiny_digests: dict[str, str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr("seg5b.states.s4_arrivals.write_trace", fail)
        with pytest.raises(StoppedError):
            run_states(world, ContractSource.packaged(), ALL)
    made = len(_kept(world, "parquet"))
    assert made > 1
    assert f"{made} of {made} parts were finished before" in _finish(world, caplog)
    assert dataset_digests(world, ContractSource.packaged()) == tiny_digests


def test_one_writer_at_a_time(world: RunRoot) -> None:
    with exclusive(world), pytest.raises(RunError, match=r"5B\.RUN\.BUSY"):
        run_states(world, ContractSource.packaged(), ("S0",))
