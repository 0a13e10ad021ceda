"""The commands: help with an example, one JSON result, exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from seg5b.cli import main
from seg5b.cli.terminal import stdout
from seg5b.runs.root import RunRoot

NAMES = ("score", "explain", "sensitivity", "sweep", "certify", "prune", "bench")
COIN, REDIRECT = "hybrid_policy.p_virtual_hybrid", "virtual_router.edge_temper.redirect_p"
BY_NAME = {name: main.commands[name] for name in NAMES}


def _run(name: str, *arguments: str) -> Result:
    group = click.Group(commands=BY_NAME)
    return CliRunner().invoke(group, [name, *arguments])


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_help_has_an_example(name: str) -> None:
    result = _run(name, "--help")
    assert result.exit_code == 0
    assert f"Example: seg5b {name}" in " ".join(result.output.split())
    assert "--json" in result.output


def _where(base: RunRoot) -> tuple[str, ...]:
    return ("--runs-root", str(base.path.parent), "--run-id", base.identity.run_id)


@pytest.mark.parametrize("name", ["score", "sensitivity", "bench"])
def test_readers(base: RunRoot, name: str) -> None:
    payload = json.loads(_run(name, *_where(base), "--json").stdout)
    assert payload["ok"] is True
    shown = _run(name, *_where(base))
    assert shown.exit_code == 0, shown.output
    assert shown.output


def test_explain_one_arrival(base: RunRoot) -> None:
    rows = json.loads(_run("sensitivity", *_where(base), "--json").stdout)
    merchant = rows["offender_set"]["top_merchants_preview"][0]
    result = _run("explain", *_where(base), "--merchant", merchant, "--seq", "3", "--json")
    payload = json.loads(result.stdout)
    assert (result.exit_code, payload["holds"], payload["merchant_id"]) == (0, True, merchant)
    zone = payload["bucket"]["zone_representation"]
    shown = _run("explain", *_where(base), "--merchant", merchant, "--zone", zone, "--bucket", "0")
    assert "equal to what was published" in shown.output


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("explain", ("--merchant", "1"), 2),
        ("explain", ("--merchant", "1", "--seq", "1"), 1),
        ("sweep", ("--key", "nothing", "--values", "1"), 1),
        ("sweep", (), 2),
        ("sweep", ("--key", "a=1", "--key", "b=1", "--values", "1"), 2),
        ("sweep", ("--bundle", "nothing"), 1),
        ("certify", ("--seeds", "one"), 2),
        ("certify", ("--witness", "--least-seeds", "2"), 2),
        ("certify", ("--seeds", "42,99"), 1),
        ("prune", ("--kind", "everything"), 2),
    ],
)
def test_exit_statuses(base: RunRoot, name: str, arguments: tuple[str, ...], code: int) -> None:
    where = () if name == "prune" else _where(base)
    assert _run(name, *where, *arguments).exit_code == code


def test_a_sweep_of_what_the_base_has(base: RunRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing differs, so no run is made; both forms show every swept value."""
    monkeypatch.setattr(stdout, "width", 160)
    coin, redirect = (f"arrival_routing_policy_5B.{key}" for key in (COIN, REDIRECT))
    tried = ("--key", f"{coin}=0.35", "--bundle", f"none:{redirect}=0.0")
    before = sorted(base.path.parent.iterdir())
    payload = json.loads(_run("sweep", *_where(base), *tried, "--json").stdout)
    assert payload["keys"] == [coin, redirect] and payload["baseline_wins"] is True
    assert [(row["label"], row["p_virtual_hybrid"], row[REDIRECT]) for row in payload["rows"]] == [
        ("baseline", 0.35, 0.0)
    ]
    shown = _run("sweep", *_where(base), "--key", coin, "--values", "0.35")
    assert shown.exit_code == 0 and "p_virtual_hybrid" in shown.stdout and "best baseline" in shown.stdout
    assert "only that is scored" in shown.stderr
    assert sorted(base.path.parent.iterdir()) == before


def test_panels_of_one_seed_hold_and_say_why(base: RunRoot) -> None:
    """Words, reasons and lanes beside their budgets, of a witness and of a certification."""
    for arguments, reason, word, lane in (
        (("--witness", "--seeds", "42"), "hold: a witness takes 2 seeds", "HOLD_WITNESS, HOLD_P2_REOPEN", "of 840 s"),
        (
            ("--seeds", "42", "--least-seeds", "2"),
            "veto: the panel takes 2 seeds, and has 1",
            "HOLD_P4_REMEDIATE",
            "of 1,800 s",
        ),
    ):
        result = _run("certify", *_where(base), *arguments)
        assert result.exit_code == 1, result.output
        assert all(words in result.stdout for words in (reason, word, lane))
    payload = json.loads(_run("certify", *_where(base), "--witness", "--seeds", "42", "--json").stdout)
    assert (payload["decision"], payload["seeds"], payload["budgets"][0]["colour"]) == ("HOLD_WITNESS", [42], "GREEN")


def test_prune_is_dry_at_first(tmp_path: Path) -> None:
    run = tmp_path / ("e" * 32)
    run.mkdir()
    (run / "_FAILED.SENTINEL.json").write_text("{}")
    shown = _run("prune", "--runs-root", str(tmp_path), "--kind", "failed").output
    assert "failed" in shown and "in all" in shown and "add --confirm" in shown
    dry = json.loads(_run("prune", "--runs-root", str(tmp_path), "--json").stdout)
    assert (dry["dry_run"], len(dry["removable"]), run.exists()) == (True, 1, True)
    wet = json.loads(_run("prune", "--runs-root", str(tmp_path), "--confirm", "--json").stdout)
    assert (wet["dry_run"], len(wet["removed"]), run.exists()) == (False, 1, False)
