"""Text export reproduces the contract's row form."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
from click.testing import CliRunner

from seg5b.api import Run
from seg5b.cli import main


def _export(demo_run: Run, *arguments: str) -> None:
    result = CliRunner().invoke(main, ["export", "--runs-root", str(demo_run.root.path.parent), *arguments])
    assert result.exit_code == 0, result.stderr


def test_json_lines_fit_the_contract(demo_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "arrivals.jsonl"
    _export(demo_run, "--format", "jsonl", "--limit", "500", "--out", str(out))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 500
    entry = demo_run.contracts.dictionary("5B").entry("arrival_events_5B")
    for line in lines:
        demo_run.contracts.validate(entry.schema_ref, line, code="TEST", where="export")


def test_csv_keeps_order_and_values(demo_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "arrivals.csv"
    columns = ("merchant_id", "arrival_seq", "ts_utc", "ts_local_primary", "site_id")
    _export(demo_run, *(part for name in columns for part in ("--column", name)), "--limit", "2000", "--out", str(out))
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    folder = demo_run.path("arrival_events_5B", "baseline_v1")
    expected = pq.read_table(folder, columns=list(columns), partitioning=None).slice(0, 2000).to_pylist()
    for row, want in zip(rows, expected, strict=True):
        assert (int(row["merchant_id"]), int(row["arrival_seq"])) == (want["merchant_id"], want["arrival_seq"])
        assert row["ts_utc"] == want["ts_utc"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert row["ts_local_primary"] == want["ts_local_primary"].strftime("%Y-%m-%dT%H:%M:%S.%f")
        assert row["site_id"] == ("" if want["site_id"] is None else str(want["site_id"]))


def test_one_merchant(demo_run: Run, tmp_path: Path) -> None:
    folder = demo_run.path("arrival_events_5B", "baseline_v1")
    merchant = pq.read_table(folder, columns=["merchant_id"], partitioning=None).column(0)[-1].as_py()
    out = tmp_path / "one.jsonl"
    _export(demo_run, "--format", "jsonl", "--merchant", str(merchant), "--out", str(out))
    assert {json.loads(line)["merchant_id"] for line in out.read_text().splitlines()} == {merchant}


def test_an_unknown_column_is_refused(demo_run: Run, tmp_path: Path) -> None:
    arguments = [
        "export",
        "--runs-root",
        str(demo_run.root.path.parent),
        "--column",
        "price",
        "--out",
        str(tmp_path / "x"),
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "5B.EXPORT.COLUMN_UNKNOWN" in result.stderr
    assert not list(tmp_path.iterdir())
