"""`seg5b runs`, `scenarios`, `datasets`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from seg5b.api import open_run
from seg5b.cli import main
from tests.worlds import copy_run, make_own


def told(*arguments: str) -> str:
    done = CliRunner().invoke(main, list(arguments), env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.stdout


def said(*arguments: str) -> Any:
    return json.loads(told(*arguments, "--json"))


def test_runs(tiny_run: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_run, tmp_path)
    folder = root.path.parent
    own = make_own(folder)
    (folder / "no_run").mkdir()
    shutil.copytree(root.path, folder / (32 * "b"), ignore=lambda *_: ["data", "logs"])
    found = {run["run_id"]: run for run in said("runs", "--runs-root", str(folder))["runs"]}
    assert found.keys() == {root.identity.run_id, own.identity.run_id}, "that whose receipt names another is left out"
    assert (found[root.identity.run_id]["state"], found[root.identity.run_id]["status"]) == ("S5", "PASS")
    assert found[own.identity.run_id]["world"] and found[own.identity.run_id]["state"] == ""
    assert "S5 PASS" in told("runs", "--runs-root", str(folder))
    assert "make a world" in told("runs", "--runs-root", str(tmp_path / "none"))


def test_scenarios_and_datasets_by_the_beginning_of_a_run_id(tiny_run: Path) -> None:
    run = open_run(tiny_run)
    named = ("--runs-root", str(tiny_run), "--run-id", run.identity.run_id[:6])
    listed = {each["scenario_id"]: each["arrivals"] for each in said("scenarios", *named)["scenarios"]}
    assert listed == {each: len(run.arrivals(each)) for each in run.scenarios}
    found = said("datasets", *named)["datasets"]
    assert sum(each["rows"] for each in found if each["dataset_id"] == "arrival_events_5B") == sum(listed.values())
    assert "arrival_events_5B" in told("datasets", *named) and "baseline" in told("scenarios", *named)


def test_before_anything_is_published(tiny_world: Path) -> None:
    assert "none yet" in told("scenarios", "--runs-root", str(tiny_world))
    assert "nothing is published yet" in told("datasets", "--runs-root", str(tiny_world))
