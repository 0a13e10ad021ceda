"""The small scored world: once with a bundle (to sweep), once with four seeds (to certify)."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg5b.backends.choose import choose_backend
from seg5b.calibration import CandidateRunner
from seg5b.contracts import ContractSource
from seg5b.options import Tuning
from seg5b.resources import resource_root
from seg5b.runs.root import RunRoot, open_root
from tests.worlds import SCORED

SEEDS = (42, 7, 101, 202)


@pytest.fixture(scope="session")
def runner() -> CandidateRunner:
    """Two threads on the CPU."""
    return CandidateRunner(ContractSource.packaged(), choose_backend("cpu"), tuning=Tuning(threads=2))


@pytest.fixture(scope="session")
def panel(tmp_path_factory: pytest.TempPathFactory) -> RunRoot:
    """A world of four seeds, unrealised; its first user certifies it."""
    folder = tmp_path_factory.mktemp("panel")
    SCORED.make(folder, seeds=SEEDS)
    return open_root(folder, None, (resource_root(),))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, runner: CandidateRunner) -> RunRoot:
    """A realised world with a bundle. Derived runs may lie beside it."""
    from seg5b.calibration import Derived
    from seg5b.pipeline import STATE_IDS

    folder: Path = tmp_path_factory.mktemp("swept")
    SCORED.make(folder)
    root = open_root(folder, None, (resource_root(),))
    assert runner.realise(Derived(root, STATE_IDS)) == "PASS"
    return root
