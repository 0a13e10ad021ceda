"""A state that is finished and unchanged is not computed again; whatever changed, it is (law L13)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from seg5b import finished
from seg5b.contracts import ContractSource
from seg5b.errors import GateError, PublishError
from seg5b.options import Options, Tuning
from seg5b.pipeline import STATE_IDS, run_states
from seg5b.runs.ledger import ledger_files
from seg5b.runs.root import RunRoot
from tests.worlds import copy_run

REALISING = STATE_IDS[1:5]


@pytest.fixture
def root(tiny_run: Path, tmp_path: Path) -> RunRoot:
    return copy_run(tiny_run, tmp_path)


def recomputed(root: RunRoot, states: tuple[str, ...] = STATE_IDS[1:], **options: Any) -> list[str]:
    """Run states; ids of those that computed anything."""
    result = run_states(root, ContractSource.packaged(), states, options=Options(**options))
    assert {state.record["status"] for state in result.states} == {"PASS"}
    return [state.state for state in result.states if state.record["recomputed"]]


def test_nothing_is_computed_twice(root: RunRoot) -> None:
    before = [dict(state.record) for state in run_states(root, ContractSource.packaged(), STATE_IDS[1:]).states]
    assert recomputed(root) == [] and recomputed(root) == [], "a record of an unchanged state carries the key on"
    again = [dict(state.record) for state in run_states(root, ContractSource.packaged(), STATE_IDS[1:]).states]
    for old, new in zip(before, again, strict=True):
        of_the_attempt = ("started_at_utc", "finished_at_utc", "durations")
        assert {k: v for k, v in old.items() if k not in of_the_attempt} == {
            k: v for k, v in new.items() if k not in of_the_attempt
        }


def test_recompute_computes_and_compares(root: RunRoot) -> None:
    assert recomputed(root, REALISING, recompute=True) == list(REALISING)


def test_other_code_computes_again(root: RunRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished, "code_digest", lambda: "another")
    assert recomputed(root, REALISING) == list(REALISING)


def test_event_logs_are_written_when_they_are_asked_for_later(root: RunRoot) -> None:
    assert recomputed(root, ("S3",), tuning=Tuning(event_logs="jsonl")) == ["S3"]
    assert list(root.path.rglob("scenario_id=baseline_v1/part-000000.jsonl"))
    assert recomputed(root, ("S3",), tuning=Tuning(event_logs="jsonl")) == []


def test_a_missing_output_is_made_again(root: RunRoot) -> None:
    part = min(root.path.rglob("s4_arrival_summary_5B.parquet"))
    content = part.read_bytes()
    part.unlink()
    assert recomputed(root, ("S4",)) == ["S4"]
    assert part.read_bytes() == content


@pytest.mark.parametrize("pattern", ["s2_realised_intensity_5B.parquet", "part-000000.parquet", "rng_trace_log.jsonl"])
def test_a_changed_output_is_never_taken_for_finished(root: RunRoot, pattern: str) -> None:
    """It is computed again, and the comparison with what lies there fails."""
    damaged = min(path for path in root.path.rglob(pattern) if "5B" in path.parts and "validation" not in path.parts)
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(PublishError, match="IO_WRITE_CONFLICT"):
        for state in REALISING:
            recomputed(root, (state,))


def test_a_file_that_nobody_published_is_not_overlooked(root: RunRoot) -> None:
    folder = min(root.path.rglob("part-000000.parquet")).parent
    shutil.copy(folder / "part-000000.parquet", folder / "part-000099.parquet")
    with pytest.raises(PublishError, match="IO_WRITE_CONFLICT"):
        recomputed(root, ("S4",))


def test_a_swapped_input_is_noticed_although_nothing_is_computed(root: RunRoot) -> None:
    swapped = min(path for path in root.path.rglob("*.parquet") if "merchant_zone_scenario_local" in str(path))
    content = bytearray(swapped.read_bytes())
    content[len(content) // 2] ^= 1
    swapped.write_bytes(content)
    with pytest.raises(GateError, match="SEALED_CONTENT_CHANGED"):
        recomputed(root, ("S2",))


def test_a_ledger_that_cannot_be_read_is_no_obstacle(root: RunRoot) -> None:
    for file in ledger_files(root):
        file.write_text("{torn")
    assert recomputed(root, ("S1", "S2")) == ["S1", "S2"]


def test_a_damaged_bundle_is_not_taken_for_finished(root: RunRoot) -> None:
    report = min(root.path.rglob("validation_report_5B.json"))
    report.write_bytes(report.read_bytes().replace(b"PASS", b"pass", 1))
    with pytest.raises(PublishError, match="IO_WRITE_CONFLICT"):
        recomputed(root, ("S5",))
