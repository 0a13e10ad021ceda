"""Shared by all tests: one demo world, realised once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seg5b.contracts import ContractSource
from seg5b.run.root import RunRoot, open_root


@dataclass(frozen=True)
class DemoRun:
    """A realised demo world: read it, never write to it."""

    root: RunRoot
    contracts: ContractSource

    def path(self, dataset_id: str, scenario_id: str | None = None) -> Path:
        """Where a dataset lies."""
        entry = self.contracts.dictionary("5B").entry(dataset_id)
        return self.root.resolve(entry.render(self.root.identity.tokens(scenario_id)))


@pytest.fixture(scope="session")
def demo_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with an unrealised demo world."""
    from seg5b.world import make_world

    runs_root = tmp_path_factory.mktemp("world")
    make_world("demo", runs_root=runs_root)
    return runs_root


@pytest.fixture(scope="session")
def demo_run(demo_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoRun]:
    """The demo world with S0-S4 done."""
    import shutil

    from seg5b.pipeline import run_states

    runs_root = tmp_path_factory.mktemp("run")
    shutil.copytree(demo_world, runs_root, dirs_exist_ok=True)
    root, contracts = open_root(runs_root), ContractSource.packaged()
    run_states(root, contracts, ("S0", "S1", "S2", "S3", "S4"))
    yield DemoRun(root, contracts)
