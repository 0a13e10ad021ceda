"""S5 judges event logs in JSON lines, and those of the two-level field, as it does those in Parquet (law L10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seg5b.api import Run
from seg5b.gate import open_gate
from seg5b.validation import CHECKS
from seg5b.validation.records import CheckResult
from tests.evidence.conftest import SCENARIOS, log_of
from tests.validation.harness import Run as JudgedRun
from tests.worlds import copy_run

(CHECK,) = (check for check in CHECKS if check.check_id == "rng.event_logs")
Lines = list[dict[str, Any]]


def judged(run: Run) -> CheckResult:
    return JudgedRun(run.root, run.contracts, open_gate(run.root, run.contracts, state="S5")).judge([CHECK])[
        CHECK.check_id
    ]


def copy_of(run: Run, folder: Path) -> Run:
    return Run(copy_run(run.root.path.parent, folder), run.contracts)


def test_sound_logs_pass(kept: Run) -> None:
    result = judged(kept)
    assert (result.status.value, result.rows_examined > 2000) == ("PASS", True), result.keys


def test_sound_logs_in_parquet_pass(parquet_logs: Run, ornate_logs: Run) -> None:
    result = judged(parquet_logs)
    assert result.status.value == "PASS", result.keys
    assert result.rows_examined == judged(ornate_logs).rows_examined


def test_a_run_without_logs_is_not_judged(ornate_logs: Run, tmp_path: Path) -> None:
    run = copy_of(ornate_logs, tmp_path)
    for log in run.root.path.rglob("logs/layer2/5B/rng/events/**/*.jsonl"):
        log.unlink()
    result = judged(run)
    assert (result.status.value, result.reason) == ("NOT_APPLICABLE", "no event logs were kept")


def test_a_state_may_keep_logs_alone(ornate_logs: Run, tmp_path: Path) -> None:
    run = copy_of(ornate_logs, tmp_path)
    for family in ("arrival_lgcp_gaussian", "arrival_bucket_count"):
        for scenario in SCENARIOS:
            log_of(run, family, scenario).unlink()
    assert judged(run).status.value == "PASS"


def _counter(lines: Lines) -> Lines:
    for name in ("rng_counter_before_lo", "rng_counter_after_lo"):
        lines[0][name] += 1
    return lines


FAULTS: dict[str, tuple[str, Callable[[Lines], Lines], str]] = {
    "a line less": ("arrival_time_jitter", lambda lines: lines[1:], "totals"),
    "a line twice": ("arrival_bucket_count", lambda lines: [*lines, lines[-1]], "totals"),
    "another scenario": (
        "arrival_site_pick",
        lambda lines: [*lines[:-1], {**lines[-1], "scenario_id": "x"}],
        "another run",
    ),
    "a counter": ("arrival_site_pick", _counter, "derived"),
    "a latent path": ("arrival_lgcp_gaussian", _counter, "derived"),
    "latent paths in another order": ("arrival_lgcp_gaussian", lambda lines: lines[::-1], "recorded here"),
    "no draws": ("arrival_edge_pick", lambda lines: [{**lines[0], "draws": "none"}, *lines[1:]], "another run"),
    "a key more": ("arrival_edge_pick", lambda lines: [{**lines[0], "note": 1}, *lines[1:]], "note"),
}


LATENT = [fault for fault, (family, *_) in FAULTS.items() if family == "arrival_lgcp_gaussian"]


@pytest.mark.parametrize(
    ("world", "fault"),
    [*(("ornate_logs", fault) for fault in FAULTS), *(("two_level_logs", fault) for fault in LATENT)],
)
def test_faults_are_noticed(world: str, fault: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    family, change, told = FAULTS[fault]
    run = copy_of(request.getfixturevalue(world), tmp_path)
    log = log_of(run, family, SCENARIOS[1])
    lines = change([json.loads(line) for line in log.read_text().splitlines()])
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = judged(run)
    assert (result.status.value, result.code) == ("FAIL", "5B.S5.RNG_EVENTS_INVALID"), result.reason
    assert told in str(result.keys)
    assert all(key["scenario_id"] == SCENARIOS[1] for key in result.keys)


def test_a_torn_line_is_noticed(ornate_logs: Run, tmp_path: Path) -> None:
    run = copy_of(ornate_logs, tmp_path)
    log = log_of(run, "arrival_site_pick", SCENARIOS[0])
    log.write_bytes(log.read_bytes()[:-40])
    assert judged(run).status.value == "FAIL"
