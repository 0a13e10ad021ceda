"""How commands speak: much or little, to a person or a program, and how the program calls itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from seg5b.cli import main, terminal
from tests.worlds import copy_run


@pytest.fixture(scope="module")
def runs_root(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_run(tiny_world, tmp_path_factory.mktemp("manners")).path.parent


def s1(runs_root: Path, *how: str) -> list[str]:
    """What S0 and S1 of a run tell on stderr."""
    command = [sys.executable, "-m", "seg5b", "run", "--to", "S1", "--recompute", "--runs-root", str(runs_root), *how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


def test_off_a_terminal_a_command_tells_warnings_and_progress_only(runs_root: Path) -> None:
    assert s1(runs_root) == []


def test_verbose_tells_the_log(runs_root: Path) -> None:
    lines = s1(runs_root, "-v")
    assert any(line.startswith("S1 PASS in ") for line in lines) and any(line.startswith("run ") for line in lines)


def test_log_json_is_an_object_a_line(runs_root: Path) -> None:
    lines = [json.loads(line) for line in s1(runs_root, "--log-json")]
    assert {"time", "level", "logger", "message"} == set(lines[0]) and lines[0]["time"].endswith("Z")
    assert any(line["message"].startswith("S1 PASS in ") for line in lines)


def test_verbose_and_quiet_contradict() -> None:
    done = CliRunner().invoke(main, ["runs", "-v", "-q"])
    assert done.exit_code == 2 and "contradict" in done.stderr


def test_progress_is_told_at_the_cadence_and_kept_in_the_log_of_the_run(tiny_world: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_world, tmp_path)
    command = [sys.executable, "-m", "seg5b", "run", "--progress-every", "0.1", "--runs-root", str(root.path.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = [line for line in done.stderr.splitlines() if " of " in line and "%" in line]
    log = (root.path / f"run_log_{root.identity.run_id}.log").read_text()
    assert told and all(line in log for line in told)
    quiet = subprocess.run([*command, "-q", "--recompute"], capture_output=True, text=True, check=True)
    assert quiet.stderr == ""


USAGE = [
    (["run", "--from", "S9"], "seg5b run"),
    (["run", "--from", "S4", "--to", "S2"], "seg5b run"),
    (["export", "--limit", "x"], "seg5b export"),
    (["nothing"], "seg5b"),
    (["world", "make", "--preset", "nope"], "seg5b world make"),
]


@pytest.mark.parametrize(("arguments", "where"), USAGE)
def test_wrong_usage_is_json_where_json_is_asked_for(arguments: list[str], where: str) -> None:
    done = CliRunner().invoke(main, [*arguments, "--json"])
    error = json.loads(done.stdout)["error"]
    assert (done.exit_code, error["code"], error["where"]) == (2, "5B.CLI.USAGE", where)
    assert error["what"] and error["remedy"] == f"see `{where} --help`"
    plain = CliRunner().invoke(main, arguments)
    assert (plain.exit_code, plain.stdout) == (2, "")


def test_states_may_be_written_small(runs_root: Path) -> None:
    done = CliRunner().invoke(main, ["run", "--from", "s0", "--to", "s1", "--json", "--runs-root", str(runs_root)])
    assert [state["state"] for state in json.loads(done.stdout)["states"]] == ["S0", "S1"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_scripts_of_the_shell(shell: str) -> None:
    script = CliRunner().invoke(main, ["completions", shell]).stdout
    assert "_SEG5B_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_completions_complete() -> None:
    asked = {**os.environ, "_SEG5B_COMPLETE": "bash_complete", "COMP_WORDS": "seg5b wor", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "seg5b"], env=asked, capture_output=True, text=True, check=False)
    assert "world" in done.stdout


def test_hints_name_the_program_as_it_was_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "in a venv" / "seg5b"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/usr/bin")
    assert terminal.hint("make one: `seg5b world make`, of seg5b") == f"make one: `'{program}' world make`, of seg5b"
    monkeypatch.setenv("PATH", str(program.parent))
    assert terminal.hint("`seg5b run`") == "`seg5b run`"
    monkeypatch.setattr(sys, "argv", [str(Path("seg5b", "__main__.py"))])
    assert terminal.hint("`seg5b run`") == f"`{sys.executable} -m seg5b run`"


def test_tables_that_go_to_no_terminal_are_not_cut(runs_root: Path) -> None:
    command = [sys.executable, "-m", "seg5b", "plan", "--runs-root", str(runs_root)]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    wide = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "…" not in wide and "s2_realised_intensity_5B" in wide
    narrow = subprocess.run(command, env={**environment, "COLUMNS": "60"}, capture_output=True, text=True, check=True)
    assert max(map(len, narrow.stdout.splitlines()[1:4])) <= 60


def test_doctor_tells_the_machine() -> None:
    told = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    assert told["version"] and 0 < told["memory"]["available_bytes"] <= told["memory"]["total_bytes"]
    assert {disk["of"] for disk in told["disks"]} == {"runs", "scratch"}
    assert Path(told["cache"]["path"]).is_dir() and told["limits"]["open_files"] > 0
