"""Shared by all tests: one demo world, realised once."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from seg5b.api import Run, open_run
from seg5b.world.presets import PRESETS

TINY = replace(
    PRESETS["demo"],
    name="tiny",
    merchants=16,
    roaming_merchants=6,
    pairs=24,
    primary_rows=23,
    secondary_rows=4,
    tail_rows=1,
    country_rows=200,
    component_keys=(160, 20),
    weekly_total=4_000.0,
)
"""A world of 16 merchants. Only under relaxed policies does it pass S1 and S2's floors."""


@pytest.fixture(scope="session")
def demo_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with an unrealised demo world."""
    from seg5b.world import make_world

    runs_root = tmp_path_factory.mktemp("world")
    make_world("demo", runs_root=runs_root)
    return runs_root


@pytest.fixture(scope="session")
def demo_run(demo_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo world with S0-S4 done. Read it, never write to it."""
    import shutil

    from seg5b.pipeline import run_states

    runs_root = tmp_path_factory.mktemp("run")
    shutil.copytree(demo_world, runs_root, dirs_exist_ok=True)
    run = open_run(runs_root)
    run_states(run.root, run.contracts, ("S0", "S1", "S2", "S3", "S4"))
    return run


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with a world of 16 merchants whose policies allow it to be that small; parts of 4,096 arrivals."""
    from seg5b.resources import resource_root
    from seg5b.world.make import make_from_preset

    runs_root = tmp_path_factory.mktemp("tiny")
    run_id = make_from_preset(TINY, seeds=(42,), runs_root=runs_root, config_root=resource_root())
    policies = runs_root / run_id / "reference/config/layer2/5B"
    relax(policies / "grouping_policy_5B.yaml", ("min_groups_per_scenario", 1), ("min_group_members_median", 1))
    relax(policies / "grouping_policy_5B.yaml", ("max_single_group_share", 1.0), ("min_multi_member_fraction", 0.0))
    relax(policies / "arrival_time_placement_policy_5B.yaml", ("arrivals_per_row_group", 1024))
    return runs_root


@pytest.fixture(scope="session")
def tiny_run(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with the tiny world, S0-S5 done. Read it, never write to it."""
    import shutil

    import seg5b

    runs_root = Path(shutil.copytree(tiny_world, tmp_path_factory.mktemp("tiny_run") / "runs"))
    seg5b.run(runs_root, backend="cpu")
    return runs_root


def relax(policy: Path, *values: tuple[str, object]) -> None:
    """Set keys of a YAML policy, wherever they stand in it."""
    text = policy.read_text()
    for key, value in values:
        changed = re.sub(rf"(\b{key}: *)[^\s,}}]+", rf"\g<1>{value}", text)
        assert changed != text, f"{key} is not in {policy.name}"
        text = changed
    policy.write_text(text)
