"""A world small enough to score in seconds and large enough for every gate to pass; read only."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seg5b.contracts import ContractSource
from seg5b.gate import open_gate
from seg5b.resources import resource_root
from seg5b.runs import open_root
from seg5b.world.make import make_from_preset
from seg5b.world.presets import BASELINE, PRESETS
from tests.policies import GROUPS_OF_ANY_SIZE, change_policies
from tests.validation.conftest import ornate  # noqa: F401 - every option switched on
from tests.validation.harness import Run

SCORED = replace(
    PRESETS["demo"],
    name="scored",
    scenarios=(BASELINE,),
    merchants=90,
    roaming_merchants=14,
    pairs=110,
    primary_rows=106,
    secondary_rows=22,
    tail_rows=6,
    country_rows=210,
    component_keys=(170, 20),
    weekly_total=16_000.0,
)
RELAXED = {
    **GROUPS_OF_ANY_SIZE,
    "arrival_time_placement_policy_5B": {"files": {"arrivals_per_row_group": 8192, "row_groups_per_part": 2}},
    "validation_policy_5B": {"rng_accounting_checks": {"rederived_rows": 48}},
}


def scored_world(folder: Path, seeds: tuple[int, ...] = (42,)) -> Path:
    """Make the world below ``folder``, unrealised; returns its run folder."""
    run_id = make_from_preset(SCORED, seeds=seeds, runs_root=folder, config_root=resource_root())
    change_policies(folder / run_id, RELAXED)
    return folder / run_id


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small world with S0-S4 done. Read only."""
    from seg5b.pipeline import run_states

    folder = tmp_path_factory.mktemp("scored")
    scored_world(folder)
    root, contracts = open_root(folder), ContractSource.packaged()
    run_states(root, contracts, ("S0", "S1", "S2", "S3", "S4"))
    return Run(root, contracts, open_gate(root, contracts, state="S5"))


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Run], Run]:
    """``copied(run)``: the run in a folder of its own, to be damaged."""

    def copy(run: Run) -> Run:
        target = tmp_path / "runs" / run.root.path.name
        shutil.copytree(run.root.path, target)
        root = open_root(target.parent)
        return Run(root, run.contracts, open_gate(root, run.contracts, state="S5"))

    return copy
