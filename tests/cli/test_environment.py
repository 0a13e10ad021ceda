"""docs/laws#environment: what becomes of each environment name of the reference engine, and of make's variables."""

from __future__ import annotations

import json
import logging
import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from seg5b.api import open_run
from seg5b.cli import main
from seg5b.cli.environment import NAMES, Fate, Name, Value, answer, defaults_of
from seg5b.digests import dataset_digests
from seg5b.errors import InputError
from seg5b.resources import resource_root
from tests.docs.pages import ROOT
from tests.long import LONG
from tests.worlds import copy_run

STATES = ("S0", "S1", "S2", "S3", "S4", "S5")
PAGE = ROOT / "docs/reference/reference_engine.md"


def of_fate(*fates: Fate) -> list[Any]:
    return [pytest.param(each, id=each.name) for each in NAMES if each.fate in fates]


def invoked(environ: dict[str, str], *arguments: str) -> Result:
    return CliRunner(env={"SEG5B_RUNS_ROOT": None, **environ}).invoke(main, list(arguments))


def value_of(name: Name) -> str:
    return {Value.FLAG: "1", Value.WHOLE: "7", Value.SECONDS: "2.5"}.get(name.value, "some")


def test_each_name_stands_once_and_on_the_page() -> None:
    names = [each.name for each in NAMES]
    assert len(set(names)) == len(names)
    page = PAGE.read_text("utf-8")
    assert [name for name in names if f"`{name}`" not in page] == []
    told = set(re.findall(r"`((?:ENGINE|SEG5B|SKIP)_[A-Z0-9_]+)`", page))
    ours = {"SEG5B_RUNS_ROOT", "SEG5B_CONTRACTS_ROOT", "SEG5B_FLAGS"}
    assert told - ours == set(names)


@pytest.mark.parametrize("name", of_fate(Fate.REFUSED))
def test_what_would_change_data_is_refused_by_name(name: Name) -> None:
    command = name.state.lower()
    result = invoked({name.name: value_of(name)}, command, "--json")
    error = json.loads(result.stdout)["error"]
    assert result.exit_code == 1 and error["code"] == "5B.CLI.ENVIRONMENT_REFUSED"
    assert name.name in error["what"] and name.told in error["remedy"]
    assert invoked({name.name: value_of(name)}, "run", "--json").exit_code == 1
    other = "s0" if command != "s0" else "s1"
    told = invoked({name.name: value_of(name), "ENGINE_RUNS_ROOT": "/nowhere"}, other, "--json").stdout
    assert json.loads(told)["error"]["code"] == "5B.RUN.NO_RUN"  # the state whose it is not goes on


@pytest.mark.parametrize("name", of_fate(Fate.REFUSED))
def test_policy_keys_that_rule_it_are_explained_there(name: Name) -> None:
    found = re.search(r"set ([\w.]+) of (\w+)", name.told)
    if name.name.startswith("ENGINE_"):
        assert found
        policy = (resource_root() / f"config/layer2/5B/{found[2]}.yaml").read_text("utf-8")
        assert re.search(rf"^ *#: (?:\w+\.)*{re.escape(found[1])}[:.]", policy, re.MULTILINE), found[1]


@pytest.mark.parametrize("name", of_fate(Fate.ALWAYS, Fate.NOTHING))
def test_what_does_nothing_is_said(name: Name, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "seg5b"):
        answer({name.name: value_of(name)}, (name.state or "S3",), {})
    assert [record.getMessage() for record in caplog.records] == [f"{name.name} does nothing here: {name.told}"]


@pytest.mark.parametrize("name", of_fate(Fate.PLACE, Fate.PACE))
def test_what_locates_or_sets_the_pace_becomes_an_option(name: Name) -> None:
    command = (name.state or "S1").lower()
    found = defaults_of({name.name: value_of(name)}, main)
    wanted: dict[Value, Any] = {Value.FLAG: True, Value.WHOLE: 7, Value.SECONDS: 2.5, Value.LIST: ("some",)}
    own = {"chunk_arrivals": 1000, "event_logs": "jsonl"}
    value = own.get(name.option, wanted.get(name.value, "some"))
    assert found[command][name.option] == value and found["run"][name.option] == value
    assert name.option in {parameter.name for parameter in main.commands[command].params}
    if name.state:
        other = next(each.lower() for each in STATES if each != name.state)
        assert name.option not in found[other]


def test_our_own_names_win() -> None:
    assert "runs_root" not in defaults_of({"ENGINE_RUNS_ROOT": "a", "SEG5B_RUNS_ROOT": "b"}, main)["s1"]
    ours = {"ENGINE_CONTRACTS_ROOT": "a", "ENGINE_CONTRACTS_LAYOUT": "model_spec", "SEG5B_CONTRACTS_ROOT": "b"}
    assert defaults_of(ours, main)["s1"] == {}


def test_contracts_of_theirs_are_in_their_layout() -> None:
    found = defaults_of({"ENGINE_CONTRACTS_ROOT": "a"}, main)["status"]
    assert (found["contracts_root"], found["contracts_layout"]) == ("a", "model_spec")
    stated = defaults_of({"ENGINE_CONTRACTS_ROOT": "a", "ENGINE_CONTRACTS_LAYOUT": "contracts"}, main)["status"]
    assert stated["contracts_layout"] == "contracts"


def test_several_values_of_one_command() -> None:
    environ = {"ENGINE_5B_S3_WORKERS": "2", "ENGINE_5B_S4_WORKERS": "5", "ENGINE_5B_S3_PROGRESS_INTERVAL_SEC": "4"}
    found = defaults_of({**environ, "ENGINE_5B_S4_PROGRESS_INTERVAL_SEC": "3"}, main)
    assert (found["run"]["threads"], found["run"]["progress_every"]) == (5, 3.0)
    assert (found["s3"]["threads"], found["s4"]["threads"]) == (2, 5)
    assert defaults_of({"ENGINE_EXTERNAL_ROOTS": " a; b ;"}, main)["s0"]["external_roots"] == ("a", "b")


@pytest.mark.parametrize(
    ("environ", "states", "said"),
    [
        ({"ENGINE_5B_S4_SECRET": "1"}, ("S1",), "ENGINE_5B_S4_SECRET"),
        ({"ENGINE_5B_S3_RNG_EVENTS": "1"}, STATES, "ENGINE_5B_S3_RNG_EVENTS"),
        ({"SEG5B_S1_RUN_ID": "a", "SEG5B_S2_RUN_ID": "b"}, STATES, "SEG5B_S1_RUN_ID, SEG5B_S2_RUN_ID"),
        ({"SEG5B_S1_RUN_ID": "a"}, STATES, "SEG5B_S1_RUN_ID"),
    ],
)
def test_what_one_command_cannot_do_is_refused(environ: dict[str, str], states: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError) as caught:
        answer(environ, states, {"run_id": "z", "event_logs": False})
    assert caught.value.code == "5B.CLI.ENVIRONMENT_REFUSED" and said in caught.value.what


def test_what_is_switched_off_asks_for_nothing(caplog: pytest.LogCaptureFixture) -> None:
    off = {each.name: "0" for each in NAMES if each.value is Value.FLAG}
    with caplog.at_level(logging.WARNING, "seg5b"):
        answer(off, STATES, dict.fromkeys(("event_logs",)))
    assert caplog.records == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENGINE_5B_S3_WORKERS", "many"),
        ("ENGINE_5B_S2_RNG_EVENTS", "maybe"),
        ("ENGINE_5B_S4_PROGRESS_INTERVAL_SEC", "often"),
    ],
)
def test_a_value_that_cannot_be_read_is_wrong_usage(name: str, value: str) -> None:
    result = invoked({name: value}, "runs")
    assert result.exit_code == 2 and f"{name}='{value}'" in result.output


def test_a_command_without_the_option_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "seg5b"):
        answer({f"ENGINE_5B_{state}_RNG_EVENTS": "1" for state in ("S2", "S3", "S4")}, STATES, {"threads": None})
    assert len(caplog.records) == 3 and "the command has no such option" in caplog.text


@LONG
def test_pace_changes_no_byte(
    tiny_world: Path, tiny_digests: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copy_run(tiny_world, tmp_path)
    environ = {"ENGINE_RUNS_ROOT": str(root.path.parent), "SEG5B_S4_RUN_ID": root.identity.run_id}
    environ |= {"ENGINE_5B_S4_WORKERS": "1", "ENGINE_5B_S3_WORKERS": "1", "ENGINE_5B_S4_MAX_ARRIVALS_CHUNK": "1000"}
    environ |= {f"ENGINE_5B_{state}_RNG_EVENTS": "1" for state in ("S2", "S3", "S4")}
    result = invoked(environ, "run", "--to", "S4", "--backend", "cpu", "--json")
    assert result.exit_code == 0, result.output
    run = open_run(root.path.parent)
    assert dataset_digests(run.root, run.contracts) == tiny_digests
    assert list((root.path / "logs/layer2/5B/rng/events").rglob("*.jsonl"))
    assert json.loads(result.stdout)["states"][-1]["record"]["backend"]["threads"] == 1


def make(*arguments: str) -> str:
    done = subprocess.run(["make", "-n", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return next(line for line in done.stdout.splitlines() if "/seg5b " in line).partition("/seg5b ")[2].strip()


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("segment5b-s3", "RUNS_ROOT=a b", "RUN_ID=x"), "s3 --runs-root 'a b' --run-id x"),
        (("segment5b-s3", "RUN_ID=x", "SEG5B_S3_RUN_ID=y"), "s3  --run-id y"),
        (("segment5b-s2", "RUN_ID=x", "SEG5B_S3_RUN_ID=y"), "s2  --run-id x"),
        (("segment5b", "RUNS_ROOT=a", "RUN_ID=x"), "run --runs-root 'a' --run-id x"),
        (("demo", "RUNS_ROOT=a"), "demo --runs-root 'a'"),
        (("segment5b", "SEG5B_FLAGS=--threads 2"), "run --threads 2"),
    ],
)
def test_make_takes_runs_root_and_run_ids(arguments: tuple[str, ...], command: str) -> None:
    assert make(*arguments) == command


def test_click_default_map_is_nested_as_the_commands_are() -> None:
    """What the program relies on of click."""
    assert isinstance(main.commands["world"], click.Group)
    assert defaults_of({"ENGINE_RUNS_ROOT": "a"}, main)["world"]["make"] == {"runs_root": "a"}
