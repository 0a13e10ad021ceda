"""What several folders share: worlds, each made and realised at most once per session (read them, never write to them),
a backend, and the known answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import seg5b
from seg5b.api import Run, open_run
from seg5b.backends.cpu import CpuBackend
from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.gate import open_gate
from seg5b.options import Options, Tuning
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from seg5b.world import make_world
from tests.validation.harness import Run as JudgedRun
from tests.worlds import EVERY_OPTION, JUDGED, SCORED, TINY, copy_run

TO_ARRIVALS = ("S0", "S1", "S2", "S3", "S4")
KNOWN_ANSWERS = Path(__file__).parent / "kernels/kat_vectors.txt"


@pytest.fixture(scope="session")
def cpu() -> CpuBackend:
    """Two threads."""
    return CpuBackend()


@pytest.fixture(scope="session")
def known_answers() -> Callable[[str], list[list[str]]]:
    """``known_answers(kind)``: the fields of each case of a kind in ``kat_vectors.txt``."""
    lines = KNOWN_ANSWERS.read_text(encoding="ascii").splitlines()
    cases = [line.split() for line in lines if line and not line.startswith("#")]

    def of_kind(kind: str) -> list[list[str]]:
        found = [fields for name, *fields in cases if name == kind]
        assert found, kind
        return found

    return of_kind


@pytest.fixture(scope="session")
def demo_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with an unrealised classic demo world."""
    runs_root = tmp_path_factory.mktemp("world")
    make_world("demo_classic", runs_root=runs_root)
    return runs_root


@pytest.fixture(scope="session")
def public_demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The preset demo with S0-S4 done."""
    runs_root = tmp_path_factory.mktemp("demo")
    make_world("demo", runs_root=runs_root)
    run = open_run(runs_root)
    run_states(run.root, run.contracts, TO_ARRIVALS)
    return run


@pytest.fixture(scope="session")
def demo_run(demo_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The classic demo world with S0-S4 done."""
    root = copy_run(demo_world, tmp_path_factory.mktemp("run"))
    run = open_run(root.path.parent)
    run_states(run.root, run.contracts, TO_ARRIVALS)
    return run


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with an unrealised world of 16 merchants (`tests.worlds.TINY`)."""
    return TINY.make(tmp_path_factory.mktemp("tiny")).path.parent


@pytest.fixture(scope="session")
def tiny_arrivals(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with the tiny world, S0-S4 done."""
    runs_root = copy_run(tiny_world, tmp_path_factory.mktemp("tiny_arrivals")).path.parent
    seg5b.run(runs_root, last="S4", backend="cpu")
    return runs_root


@pytest.fixture(scope="session")
def tiny_digests(tiny_arrivals: Path) -> dict[str, str]:
    """Digests of the tiny world's datasets where nothing went wrong."""
    run = open_run(tiny_arrivals)
    return dataset_digests(run.root, run.contracts)


@pytest.fixture(scope="session")
def tiny_run(tiny_arrivals: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with the tiny world, S0-S5 done."""
    runs_root = copy_run(tiny_arrivals, tmp_path_factory.mktemp("tiny_run")).path.parent
    seg5b.run(runs_root, first="S5", backend="cpu")
    return runs_root


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> JudgedRun:
    """The world to judge under the shipped laws, S0-S4 done."""
    return _to_be_judged(JUDGED.make(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="session")
def ornate(tmp_path_factory: pytest.TempPathFactory) -> JudgedRun:
    """The world to judge with every option switched on, S0-S4 done with event logs."""
    root = JUDGED.make(tmp_path_factory.mktemp("ornate"), EVERY_OPTION)
    return _to_be_judged(root, Options(tuning=Tuning(event_logs="parquet")))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> JudgedRun:
    """The world to score, S0-S4 done."""
    return _to_be_judged(SCORED.make(tmp_path_factory.mktemp("scored")))


def _to_be_judged(root: RunRoot, options: Options | None = None) -> JudgedRun:
    contracts = ContractSource.packaged()
    run_states(root, contracts, TO_ARRIVALS, options=options)
    return JudgedRun(root, contracts, open_gate(root, contracts, state="S5"))


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[JudgedRun], JudgedRun]:
    """``copied(run)``: the run in a folder of its own, to be damaged."""

    def copy(run: JudgedRun) -> JudgedRun:
        root = copy_run(run.root.path.parent, tmp_path)
        return JudgedRun(root, run.contracts, open_gate(root, run.contracts, state="S5"))

    return copy
