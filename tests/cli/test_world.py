"""`seg5b world init`, `check` and `make`."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from seg5b.cli import main

SHOPS = """name: shops
horizon: {start: 2026-03-20, days: 7}
places: {countries: [GB]}
merchants: {count: 4}
volume: {weekly_total: 2000}
"""


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["world", *arguments])


def _shops(folder: Path) -> str:
    (folder / "shops.yaml").write_text(SHOPS)
    return str(folder / "shops.yaml")


def test_init_writes_what_check_takes(tmp_path: Path) -> None:
    file = str(tmp_path / "w.yaml")
    assert _run("init", file).exit_code == 0
    told = json.loads(_run("check", file, "--json").stdout)
    assert told["forecast"]["merchants"] == 100 and told["specification"]["law"] == "derived_v1"
    again = _run("init", file)
    assert again.exit_code == 1 and "5B.WORLD.FILE_EXISTS" in again.stderr
    assert (tmp_path / "w.yaml").read_text().startswith("# yaml-language-server")


def test_check_forecasts_what_set_and_scale_ask(tmp_path: Path) -> None:
    file = _shops(tmp_path)
    base = json.loads(_run("check", file, "--json").stdout)["forecast"]
    more = json.loads(_run("check", file, "--scale", "3", "--set", "bucket_seconds=900", "--json").stdout)["forecast"]
    assert base["arrivals"] == 2000 and more["arrivals"] == 6000
    assert more["cells"] == 4 * base["cells"] and more["run_bytes"] > base["run_bytes"]


def test_a_fault_is_one_line_with_key_value_and_remedy(tmp_path: Path) -> None:
    result = _run("check", _shops(tmp_path), "--set", "merchants.cuont=5")
    assert result.exit_code == 1
    assert result.stderr.strip() == (
        "error 5B.WORLD.SPEC_INVALID: merchants.cuont: 5 is an unknown key [at merchants.cuont] -> did you mean count?"
    )


def test_make_of_a_specification(tmp_path: Path) -> None:
    file, root = _shops(tmp_path), str(tmp_path / "runs")
    told = json.loads(_run("make", "--spec", file, "--seed", "7", "--runs-root", root, "--json").stdout)
    receipt = json.loads((Path(told["path"]) / "run_receipt.json").read_text())
    assert receipt["seed"] == 7
    report = json.loads((Path(told["path"]) / "reports/world_report.json").read_text())
    assert report["policy_changes"] and all(change["reason"] for change in report["policy_changes"])
    plain = _run("make", "--spec", file, "--runs-root", root)
    assert plain.exit_code == 0 and len(plain.stdout.strip().splitlines()[-1]) == 32


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    file = _shops(tmp_path)
    assert _run("make", "--spec", file, "--preset", "demo").exit_code == 2
    assert _run("make", "--spec", file, "--unique-keys").exit_code == 2
    assert _run("make", "--scale", "0").exit_code == 2
