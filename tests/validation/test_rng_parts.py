"""The trace of a run whose intensities and counts lie in parts, part by part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from seg5b.contracts import ContractSource
from seg5b.gate import open_gate
from seg5b.parts import series
from seg5b.pipeline import run_states
from seg5b.validation import CHECKS, CheckResult
from tests.validation.faults import first_row, trace
from tests.validation.harness import Run
from tests.worlds import copy_run

CONTRACTS = ContractSource.packaged()
SMALL_PARTS = 9_000
IDS = ("outputs.metadata", "rng.totals", "rng.counters", "rng.part_totals", "rng.part_counters")


@pytest.fixture
def run(tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of both scenarios in several parts of S2, S3 and S4."""
    monkeypatch.setattr(series, "CELLS_PER_PART", SMALL_PARTS)
    root = copy_run(tiny_world, tmp_path)
    run_states(root, CONTRACTS, ("S0", "S1", "S2", "S3", "S4"))
    return Run(root, CONTRACTS, open_gate(root, CONTRACTS, state="S5"))


def judged(run: Run) -> dict[str, CheckResult]:
    return run.judge([check for check in CHECKS if check.check_id in IDS])


def shifted(rows: list[dict]) -> list[dict]:
    """The second part begins with the last domain of the first one: neither totals nor the outer counters tell."""
    names = [f"rng_counter_before_{word}" for word in ("hi", "lo")]
    rows[1].update({name: rows[0][name.replace("before", "after")] for name in names})
    return rows


def moved(rows: list[dict]) -> list[dict]:
    """The first part states an event of the second."""
    for row, sign in zip(rows[:2], (1, -1), strict=True):
        row.update({f"{name}_total": row[f"{name}_total"] + sign for name in ("events", "blocks")})
        row["draws_total"] += 2 * sign
    return rows


def test_each_part_is_compared(run: Run) -> None:
    rows = [json.loads(line) for line in run.trace("S3").read_text().splitlines()]
    assert [row["part"] for row in rows] == list(range(len(rows))) and len(rows) > 2
    assert {check_id: result.status.value for check_id, result in judged(run).items()} == dict.fromkeys(IDS, "PASS")


@pytest.mark.parametrize(
    ("change", "check_id"),
    [(shifted, "rng.part_counters"), (moved, "rng.part_totals"), (first_row(part=1), "rng.part_totals")],
)
def test_what_sums_do_not_tell(run: Run, change: Callable[[list[dict]], list[dict]], check_id: str) -> None:
    trace("S3", change)(run)
    found = judged(run)
    assert found["rng.totals"].status.value == found["rng.counters"].status.value == "PASS"
    assert found[check_id].status.value == "FAIL" and found[check_id].keys[0]["state"] == "S3"


def test_where_parts_end_is_a_law(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "CELLS_PER_PART", 1 << 26)
    assert judged(run)["rng.part_totals"].status.value == "FAIL"
