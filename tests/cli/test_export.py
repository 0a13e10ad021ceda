"""The command line of exports; what leaves is tested in tests/export."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from seg5b.api import Run, open_run
from seg5b.cli import main

ARRIVALS = "arrival_events_5B"


def invoked(run: Run, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", "--runs-root", str(run.root.path.parent), *arguments])


@pytest.fixture(scope="module")
def run(tiny_arrivals: Path) -> Run:
    return open_run(tiny_arrivals)


def test_json_lines_fit_the_contract(run: Run, tmp_path: Path) -> None:
    """With ids as the contract has them."""
    out = tmp_path / "arrivals.jsonl"
    assert invoked(run, "--limit", "500", "--ids", "uint64", "--out", str(out)).exit_code == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 500
    entry = run.contracts.dictionary("5B").entry(ARRIVALS)
    for line in lines:
        run.contracts.validate(entry.schema_ref, line, code="TEST", where="export")


def test_csv_keeps_order_and_values(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "arrivals.csv"
    columns = ["merchant_id", "arrival_seq", "ts_utc", "ts_local_primary", "site_id"]
    assert invoked(run, "--columns", ",".join(columns), "--limit", "2000", "--out", str(out)).exit_code == 0
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    expected = run.table(ARRIVALS, "baseline_v1", columns).slice(0, 2000).to_pylist()
    for row, want in zip(rows, expected, strict=True):
        assert (row["merchant_id"], int(row["arrival_seq"])) == (f"id_{want['merchant_id']}", want["arrival_seq"])
        assert row["ts_utc"] == want["ts_utc"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert row["ts_local_primary"] == want["ts_local_primary"].strftime("%Y-%m-%dT%H:%M:%S.%f")
        assert row["site_id"] == ("" if want["site_id"] is None else f"id_{want['site_id']}")


def test_every_option_together(run: Run, tmp_path: Path) -> None:
    merchant = run.table(ARRIVALS, "baseline_v1", ["merchant_id"]).column(0)[-1].as_py()
    out = tmp_path / "day"
    options = {
        "--dataset": "arrival_events",
        "--scenario": "all",
        "--merchant": f"id_{merchant}",
        "--from": "2026-03-03",
        "--to": "2026-03-05T00:00:00+00:00",
        "--where": "NOT is_virtual",
        "--columns": "merchant_id,ts_utc,scenario_id",
        "--limit": "1000",
        "--order": "time",
        "--format": "parquet",
        "--compression": "snappy",
        "--partition-by": "day,channel_group",
        "--ids": "int64",
        "--threads": "1",
        "--memory": "0.3",
    }
    given = [word for option in options.items() for word in option]
    done = invoked(run, *given, "--json", "--out", str(out))
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["dataset"] == ARRIVALS and told["scenarios"] == ["baseline_v1", "stress_peak_online_v1"]
    assert (told["format"], told["compression"], told["ids"]) == ("parquet", "snappy", "int64")
    table = pq.read_table(out)
    assert 0 < told["rows"] == table.num_rows <= 1000 and told["files"] == len(list(out.rglob("*.parquet")))
    assert {value % 2**64 for value in table["merchant_id"].to_pylist()} == {merchant}
    again = invoked(run, *given, "--out", str(out))
    assert again.exit_code == 1 and "5B.EXPORT.TARGET_EXISTS" in again.stderr
    assert invoked(run, *given, "--overwrite", "--out", str(out)).exit_code == 0


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--columns", "price", "--out", "x.csv"), 1, "5B.EXPORT.COLUMN_UNKNOWN"),
        (("--limit", "0", "--out", "x.csv"), 2, "--limit"),
        (("--merchant", "-1", "--out", "x.csv"), 2, "is no id"),
        (("--merchant", str(2**64), "--out", "x.csv"), 2, "is no id"),
        (("--format", "csv", "--out", "-", "--json"), 2, "--json"),
    ],
)
def test_refusals(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoked(run, *words)
    assert result.exit_code == status and told in result.stderr + result.stdout
    assert not list(tmp_path.iterdir())
