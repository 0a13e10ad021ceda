"""What a run is forecast to be, beside what it becomes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from seg5b.api import Run, open_run
from seg5b.cli import main
from seg5b.contracts import ContractSource
from seg5b.errors import RunError
from seg5b.planning import plan_run
from tests.worlds import copy_run


def test_a_plan_is_what_the_run_becomes(demo_run: Run) -> None:
    plan = plan_run(demo_run.root, demo_run.contracts)
    made = {(each.dataset_id, each.scenario_id): each for each in demo_run.datasets}
    assert len(plan.tables) == 10
    for table in plan.tables:
        rows = made[table.dataset_id, table.scenario_id].rows
        assert table.rows == rows if table.exact else abs(table.rows / rows - 1) < 0.05
    size = sum(each.bytes for each in made.values())
    assert 0.5 < plan.bytes / size < 2
    assert plan.finished[:5] == ("S0", "S1", "S2", "S3", "S4") and plan.fits


def test_before_anything_is_run(tiny_world: Path) -> None:
    told = json.loads(CliRunner().invoke(main, ["plan", "--json", "--runs-root", str(tiny_world)]).stdout)
    assert told["ok"] and told["finished"] == [] and told["arrivals"] > 0


def test_a_disk_without_room_is_told(tiny_world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil._ntuple_diskusage(100, 100, 0)
    monkeypatch.setattr("seg5b.planning.shutil.disk_usage", lambda _: full)
    done = CliRunner().invoke(main, ["plan", "--runs-root", str(tiny_world)])
    assert "the disk lacks room" in done.stdout


def test_a_surface_that_is_gone_is_named(tiny_world: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_world, tmp_path)
    for folder in root.path.glob("data/layer2/5A/merchant_zone_scenario_local*"):
        shutil.rmtree(folder)
    with pytest.raises(RunError, match="SURFACE_MISSING"):
        plan_run(open_run(root.path.parent).root, ContractSource.packaged())
