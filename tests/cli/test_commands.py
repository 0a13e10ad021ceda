"""The pinned interface: help with an example, valid JSON, one-line errors, exit status 0, 1, 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from seg5b.api import Run, open_run
from seg5b.cli import main
from tests.worlds import copy_run, make_own


def _leaves(group: click.Group, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += _leaves(command, (*above, name))
        else:
            found.append((*above, name))
    return found


COMMANDS = _leaves(main)


@pytest.fixture
def realised(tiny_arrivals: Path) -> Run:
    return open_run(tiny_arrivals)


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_a_purpose_and_an_example(command: tuple[str, ...]) -> None:
    result = _run(*command, "--help")
    assert result.exit_code == 0
    assert f"Example: seg5b {' '.join(command)}" in " ".join(result.output.split())
    assert "--json" in result.output


def test_pinned_commands_exist() -> None:
    names = {" ".join(command) for command in COMMANDS}
    assert {"run", "s0", "s1", "s2", "s3", "s4", "s5", "world make", "status", "verify", "digest", "doctor"} <= names


@pytest.mark.parametrize("command", ["status", "digest"])
def test_json_of_readers(realised: Run, command: str) -> None:
    where = ("--runs-root", str(realised.root.path.parent), "--json")
    payload = json.loads(_run(command, *where).stdout)
    assert payload["ok"] is True
    assert payload["run_id"] == realised.root.identity.run_id


def test_json_of_doctor() -> None:
    told = json.loads(_run("doctor", "--json").stdout)
    assert told["chosen"]["backend"] in ("cpu", "cuda")
    assert told["frames"]["name"] in ("arrow", "cudf") and told["frames"]["reason"]


def test_a_second_run_says_that_nothing_changed(realised: Run) -> None:
    where = ("--runs-root", str(realised.root.path.parent))
    result = _run("run", "--to", "S1", *where)
    assert result.exit_code == 0
    assert "nothing changed" in result.output


def test_failures_end_in_one_line_and_status_1(tmp_path: Path) -> None:
    result = _run("run", "--runs-root", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr.startswith("error 5B.RUN.NO_RUN: ")
    assert "seg5b world make" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_failing_state_is_told_once(realised: Run, tmp_path: Path) -> None:
    runs_root = copy_run(realised.root.path.parent, tmp_path).path.parent
    policy = next(runs_root.glob("*/reference/config/layer2/5B/arrival_routing_policy_5B.yaml"))
    policy.write_text(policy.read_text() + "\n# touched\n")
    done = subprocess.run(
        [sys.executable, "-m", "seg5b", "s4", "--runs-root", str(runs_root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error 5B.S4.SEALED_POLICY_CHANGED")
    log = next(runs_root.glob("*/run_log_*.log")).read_text()
    assert "S4 FAIL 5B.S4.SEALED_POLICY_CHANGED" in log


def test_failures_as_json(tmp_path: Path) -> None:
    result = _run("run", "--runs-root", str(tmp_path), "--json")
    assert result.exit_code == 1
    payload = json.loads(result.stdout)
    assert (payload["ok"], payload["error"]["code"]) == (False, "5B.RUN.NO_RUN")


@pytest.mark.parametrize(
    "arguments",
    [("run", "--from", "S9"), ("unknown",), ("world", "make", "--preset", "huge"), ("s1", "--threads", "0")],
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...]) -> None:
    assert _run(*arguments).exit_code == 2


def test_cuda_without_a_device_is_an_error(realised: Run) -> None:
    """Law L9: --backend cuda never falls back."""
    if json.loads(_run("doctor", "--json").stdout)["chosen"]["backend"] == "cuda":
        pytest.skip("this machine has a CUDA device")
    result = _run("run", "--backend", "cuda", "--runs-root", str(realised.root.path.parent))
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_run_of_another_seed_and_some_scenarios(tmp_path: Path) -> None:
    where = ("--runs-root", str(tmp_path), "--to", "S1")
    base = make_own(tmp_path).identity.run_id
    result = _run("run", *where, "--seed", "7", "--scenario", "quiet", "--json")
    told = json.loads(result.stdout)
    assert (told["seed"], told["scenarios"], told["derived_from"]) == (7, ["quiet"], base)
    shown = _run("run", *where, "--seed", "7", "--scenario", "quiet")
    assert "nothing changed" in shown.output and shown.stdout.splitlines()[-1] == told["run_id"]
    own = json.loads(_run("run", *where, "--scenario", "quiet", "--scenario", "busy", "--json").stdout)
    assert (own["run_id"], own["scenarios"], own["derived_from"]) == (base, ["busy", "quiet"], None)
    assert _run("run", *where).stdout.splitlines()[-1] == base, "the base stays the latest run"


def test_scenarios_and_seeds_that_a_world_has_not(realised: Run) -> None:
    where = ("--runs-root", str(realised.root.path.parent))
    unknown = _run("run", *where, "--scenario", "nowhere")
    assert unknown.exit_code == 1 and "5B.RUN.SCENARIO_UNKNOWN" in unknown.stderr
    assert "baseline_v1, stress_peak_online_v1" in unknown.stderr
    missing = _run("run", *where, "--seed", "7")
    assert missing.exit_code == 1 and "5B.CALIBRATION.SEED_NOT_IN_WORLD" in missing.stderr
    assert _run("run", *where, "--seed", str(2**64)).exit_code == 2


@pytest.mark.parametrize("asked", ["some", "0", "-1", "1.5"])
def test_rederive_is_all_or_a_number(asked: str, tmp_path: Path) -> None:
    result = _run("s5", "--runs-root", str(tmp_path), "--rederive", asked)
    assert result.exit_code == 2 and "neither all nor a number" in result.output
