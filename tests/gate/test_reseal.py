"""Setting a gate and its outputs aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg5b.errors import GateError, PolicyError, PublishError
from seg5b.gate import open_gate, reseal, run_gate
from seg5b.publish import Outcome

PART = "manifest_fingerprint=" + "1" * 64
OUTPUTS = (
    f"data/layer2/5B/arrival_events/seed=42/{PART}/part-00000.parquet",
    f"data/layer2/5B/s1_time_grid/{PART}/scenario_id=baseline_v1/s1_time_grid_5B.parquet",
    "logs/layer2/5B/rng/trace.jsonl",
    "reports/layer2/segment_state_runs/segment=5B/records.jsonl",
    "data/layer2/5A/other.parquet",
)


@pytest.fixture
def finished(sealed):
    """A run that went beyond the gate."""
    for relative in OUTPUTS:
        sealed.write(sealed.root.path / relative, relative.encode())
    return sealed


def test_gate_data_and_logs_move_and_the_rest_stays(finished) -> None:
    documents = finished.gate_files()
    superseded = reseal(finished.root, finished.contracts)
    top = finished.root.path
    assert superseded.folder == top / "superseded/1"
    assert superseded.moved[0] == "data/layer2/5B/s0_gate_receipt"
    assert superseded.moved[-1] == "data/layer2/5B/sealed_inputs"
    assert set(superseded.moved[1:-1]) == {
        "data/layer2/5B/arrival_events",
        "data/layer2/5B/s1_time_grid",
        "data/layer2/5B/sealed_content",
        "logs/layer2/5B/rng",
    }
    assert finished.gate_files() == {}
    moved = top / "superseded/1/data/layer2/5B"
    assert {str(p.relative_to(moved)): p.read_bytes() for p in moved.rglob("*") if p.is_file()} == documents
    assert (top / "superseded/1/logs/layer2/5B/rng/trace.jsonl").is_file()
    assert all((top / relative).is_file() for relative in OUTPUTS[3:])


def test_the_next_one_gets_the_next_number(finished) -> None:
    reseal(finished.root, finished.contracts)
    finished.write(finished.root.path / "superseded/note.txt", b"")
    run_gate(finished.root, finished.contracts)
    assert reseal(finished.root, finished.contracts).folder == finished.root.path / "superseded/2"


def test_nothing_to_move_makes_no_folder(world) -> None:
    assert reseal(world.root, world.contracts).moved == ()
    assert not (world.root.path / "superseded").exists()


def test_resealing_publishes_a_fresh_gate(finished) -> None:
    old = finished.receipt().read_bytes()
    report = run_gate(finished.root, finished.contracts, set_aside=True)
    assert report.outcome is Outcome.WRITTEN
    assert report.superseded is not None and len(report.superseded.moved) == 6
    assert finished.receipt().read_bytes() != old  # created_utc
    assert len(finished.gate_files()) == 3


def test_a_gate_that_cannot_be_made_leaves_the_old_one_in_place(finished) -> None:
    finished.place("grouping_policy_5B").write_bytes(b"[]")
    finished.refused(PolicyError, "5B.S0.SEALED_INPUTS_SCHEMA_INVALID", set_aside=True)
    assert not (finished.root.path / "superseded").exists()


@pytest.mark.parametrize("renames", range(6))
def test_killed_at_any_rename_the_gate_is_shut_and_resealing_goes_on(finished, monkeypatch, renames: int) -> None:
    real = Path.rename
    done: list[Path] = []

    def killed_later(self, target):
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(self)
        return real(self, target)

    monkeypatch.setattr(Path, "rename", killed_later)
    with pytest.raises(KeyboardInterrupt):
        reseal(finished.root, finished.contracts)
    monkeypatch.setattr(Path, "rename", real)
    if renames:
        with pytest.raises(GateError):
            open_gate(finished.root, finished.contracts, state="S2")
    second = reseal(finished.root, finished.contracts)
    assert len(done) + len(second.moved) == 6
    assert finished.gate_files() == {}
    survivors = [p for p in (finished.root.path / "superseded").rglob("*") if p.is_file()]
    assert len(survivors) == 6


def test_a_disk_that_refuses_is_a_typed_error(finished) -> None:
    finished.write(finished.root.path / "superseded", b"a file where a folder must be")
    with pytest.raises(PublishError) as caught:
        reseal(finished.root, finished.contracts)
    assert caught.value.code == "5B.S0.IO_WRITE_FAILED"
