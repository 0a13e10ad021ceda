"""A small world realised once per session, in two shapes: with the shipped laws, and with every option turned on."""

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
from tests.validation.harness import Run

_PRESET = replace(
    PRESETS["demo"],
    name="judged",
    scenarios=(BASELINE,),
    merchants=16,
    roaming_merchants=6,
    pairs=24,
    primary_rows=23,
    secondary_rows=4,
    tail_rows=1,
    country_rows=60,
    component_keys=(40, 10),
    weekly_total=12_000.0,
)
_SMALL_ENOUGH = {
    **GROUPS_OF_ANY_SIZE,
    "arrival_time_placement_policy_5B": {"files": {"arrivals_per_row_group": 4096, "row_groups_per_part": 3}},
}
_EVERY_OPTION = {
    "arrival_lgcp_config_5B": {"diagnostics": {"emit_latent_field_diagnostic": True}},
    "arrival_count_config_5B": {"count_law_id": "poisson"},
    "arrival_routing_policy_5B": {
        "physical": {"tz_group_law": "group_weights_v1"},
        "virtual": {
            "primary_clock": "settlement",
            "edge_temper": {"enabled": True, "top_k": 3, "redirect_p": 0.5},
        },
        "optional_columns": {"lambda_realised": True, "tz_group_id": True},
    },
}


def _make(folder: Path, *changes: dict) -> Run:
    from seg5b.pipeline import run_states

    run_id = make_from_preset(_PRESET, seeds=(42,), runs_root=folder, config_root=resource_root())
    change_policies(folder / run_id, *changes)
    root, contracts = open_root(folder), ContractSource.packaged()
    run_states(root, contracts, ("S0", "S1", "S2", "S3", "S4"))
    return Run(root, contracts, open_gate(root, contracts, state="S5"))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The shipped laws. Read only."""
    return _make(tmp_path_factory.mktemp("plain"), _SMALL_ENOUGH)


@pytest.fixture(scope="session")
def ornate(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Poisson counts, zones by group weight, settlement clocks, tempered edges, all optional outputs. Read only."""
    return _make(tmp_path_factory.mktemp("ornate"), _SMALL_ENOUGH, _EVERY_OPTION)


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Run], Run]:
    """``copied(run)``: the run in a folder of its own, to be damaged."""

    def copy(run: Run) -> Run:
        target = tmp_path / "runs" / run.root.path.name
        shutil.copytree(run.root.path, target)
        root = open_root(target.parent)
        return Run(root, run.contracts, open_gate(root, run.contracts, state="S5"))

    return copy
