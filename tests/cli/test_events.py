"""The command line of events made again; what is written is tested in tests/evidence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from seg5b.api import Run, open_run
from seg5b.cli import main


@pytest.fixture(scope="module")
def run(tiny_arrivals: Path) -> Run:
    return open_run(tiny_arrivals)


def invoked(run: Run, *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["events", "--runs-root", str(run.root.path.parent), "--backend", "cpu", *arguments]
    )


def test_a_slice_as_lines(run: Run, tmp_path: Path) -> None:
    merchant = run.table("arrival_events_5B", "baseline_v1", ["merchant_id"]).column(0)[0].as_py()
    out = tmp_path / "slice.jsonl"
    chosen = ("--family", "arrival_site_pick", "--family", "arrival_bucket_count", "--merchant", f"id_{merchant}")
    span = ("--from", "2026-03-03", "--to", "2026-03-05T12:00:00Z")
    told = invoked(run, *chosen, *span, "--scenario", "baseline_v1", "--out", str(out), "--json")
    assert told.exit_code == 0, told.output
    payload, lines = json.loads(told.stdout), [json.loads(line) for line in out.read_text().splitlines()]
    assert payload["ok"] and payload["records"] == len(lines) > 0 and payload["format"] == "jsonl"
    assert [log["family"] for log in payload["logs"]] == ["arrival_bucket_count", "arrival_site_pick"]
    assert {line["merchant_id"] for line in lines} == {merchant}
    assert {line["bucket_index"] for line in lines} <= set(range(24, 84)), "the horizon begins on 2 March"


def test_parquet(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "counts.parquet"
    told = invoked(run, "--family", "arrival_bucket_count", "--out", str(out))
    assert told.exit_code == 0, told.output
    assert "52,416 records of random events" in told.output and pq.read_metadata(out).num_rows == 52_416


def test_stdout_and_a_reader_that_leaves(run: Run) -> None:
    command = [sys.executable, "-m", "seg5b", "events", "--runs-root", str(run.root.path.parent), "--backend", "cpu"]
    with subprocess.Popen([*command, "--out", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["substream_label"] == "latent_vector"
        process.stdout.close()
        told = process.stderr.read()
    assert b"error" not in told and process.returncode != 0


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("--out", "-", "--json"), 2, "both print to stdout"),
        (("--family", "arrivals", "--out", "x"), 2, "arrival_edge_temper"),
        (("--merchant", "7", "--out", "/tmp/x.jsonl"), 1, "5B.EVENTS.MERCHANT_UNKNOWN"),
    ],
)
def test_wrong_usage_is_told(run: Run, arguments: tuple[str, ...], status: int, told: str) -> None:
    found = invoked(run, *arguments)
    assert found.exit_code == status and told in found.output


def test_a_file_is_replaced_only_when_told(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "latent.jsonl"
    arguments = ("--family", "arrival_lgcp_gaussian", "--out", str(out))
    assert invoked(run, *arguments).exit_code == 0
    again = invoked(run, *arguments)
    assert again.exit_code == 1 and "5B.EXPORT.TARGET_EXISTS" in again.output
    assert invoked(run, *arguments, "--overwrite").exit_code == 0
