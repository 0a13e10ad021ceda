"""Owner matrix, candidate protocol, contract lock, and the check of the clocks, on a scored run and by hand."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seg5b.realism import Scoreboard, write_boards
from seg5b.realism.board import markdown
from seg5b.realism.files import reports_folder
from seg5b.realism.laws import GATES, ORDER
from seg5b.realism.owners import OWNERS, movement, repairs, required_movement, trial_command, world_knobs
from seg5b.realism.records import GateResult
from seg5b.runs.root import RunRoot
from seg5b.world.spec import plan_of, preset_path, read_spec, with_values
from tests.validation.harness import Run
from tests.worlds import make_own


def _gate(gate_id: str, value: Any, **extras: Any) -> GateResult:
    return GateResult(GATES[gate_id], value, "", False, False, "", extras)


@pytest.mark.parametrize(
    ("gate", "unit", "b", "bplus"),
    [
        (_gate("T1", 0.006, sample_size=10_000), "arrivals", 10, 50),
        (_gate("T2", 0.0, sample_size=10_000), "arrivals", 0, 0),
        (_gate("T3", 1.6), "points", pytest.approx(0.1), pytest.approx(0.9)),
        (_gate("T4", {"mismatch_count": 3, "residual_sum": 0}), "keys", 3, 3),
        (_gate("T5", {"violations": 4, "violation_rate": 0.1}), "arrivals", 4, 4),
        (_gate("T6", 92_717_706 / 124_724_153), "arrivals", 2_916_316, 15_388_732),
        (_gate("T7", 0.0224656), "arrivals", 939_722, 3_434_205),
        (_gate("T7", 0.08), "arrivals", 0, 0),
        (_gate("T7", 0.10), "arrivals", 2_494_484, 0),
        (_gate("T9", 1.7), "standard deviations", pytest.approx(0.1), pytest.approx(0.2)),
        (_gate("T13", {}, cells_beyond_b=["a", "b"]), "cells", 2, None),
        (_gate("T14", {"key_violations": 1, "replay_violations": 2}), "keys and rederived rows", 3, 3),
        (_gate("T15", {}, beyond=["x"]), "statistics", 1, None),
        (_gate("T19", {}, readings_beyond_b=[]), "readings", 0, None),
        (_gate("T12", {}), "", None, None),
        (_gate("T6", None), "", None, None),
    ],
)
def test_what_must_move(gate: GateResult, unit: str, b: float | None, bplus: float | None) -> None:
    found = movement(gate, 124_724_153)
    assert (found.unit, found.b, found.bplus) == (unit, b, bplus)


def test_arrivals_that_must_move() -> None:
    assert required_movement(92_717_706, 124_724_153, 0.72) == 2_916_316
    assert required_movement(50, 100, 0.72) == 0


def test_every_gate_has_an_owner() -> None:
    assert OWNERS.keys() == GATES.keys()


def _written(root: RunRoot, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((reports_folder(root) / name).read_text())
    return found


@pytest.fixture
def scored(small: Run, board: Scoreboard, copied: Callable[[Run], Run]) -> RunRoot:
    """A copy of the small world with the files of its score; S5 has not judged it."""
    root = copied(small).root
    write_boards(root, board)
    return root


def test_files_of_a_score(scored: RunRoot, board: Scoreboard) -> None:
    paths = write_boards(scored, board)
    assert {path.name for path in paths.values()} >= {
        "owner_matrix.json", "owner_matrix.csv", "candidate_protocol.json", "contract_lock.json",
        "t11_t12_contract_check.json",
    }  # fmt: skip
    rows = {row["gate"]: row for row in _written(scored, "owner_matrix.json")["rows"]}
    assert rows.keys() == set(ORDER)
    assert rows["T6"]["movement_to_b"] == max(0, rows["T6"]["movement_to_b"]) and rows["T4"]["movement_to_b"] == 0
    assert all(row["primary_owner"] for row in rows.values())
    with paths["owners_csv"].open() as stream:
        listed = list(csv.DictReader(stream))
    assert [row["gate"] for row in listed] == [gate.gate_id for gate in board.gates]
    assert listed[0].keys() == rows["T6"].keys()


def test_protocol_and_lock_say_what_is_judged_by(scored: RunRoot, board: Scoreboard) -> None:
    protocol, lock = _written(scored, "candidate_protocol.json"), _written(scored, "contract_lock.json")
    assert (protocol["mutable_states"], protocol["closed_states"]) == (["S4", "S5"], ["S1", "S2", "S3"])
    assert protocol["hard_closure_targets"] == ["T1", "T2", "T3", "T12"]
    assert protocol["budgets"]["s4_s5_seconds"] == 540.0
    assert [row["gate"] for row in lock["primary_gates"]] == ["T6", "T7"]
    assert [row["gate"] for row in lock["frozen_rails"]] == ["T1", "T2", "T3", "T4", "T5", "T11", "T12", "T14"]
    values = {row["gate"]: row["value"] for row in lock["primary_gates"]}
    assert values["T7"] == board.gate("T7").value
    assert lock["sealed_inputs_digest"] == board.facts["run"]["sealed_inputs_digest"]
    check = _written(scored, "t11_t12_contract_check.json")
    assert check["gates"].keys() == {"T1", "T2", "T3", "T11", "T12"}
    assert check["contract_holds"] is True and check["owner"] == {} and check["local_lane_decision"] == "hold"


def test_keys_of_a_specification_own_gates(tmp_path: Path) -> None:
    own = make_own(tmp_path / "runs")
    knobs = world_knobs(own)
    assert dict(knobs["T7"])["virtual.hybrid_probability"] == 0.35
    assert dict(knobs["T6"])["places.countries"] == {"US": 2.0, "GB": 1.0}
    command = trial_command(own, {"virtual.only": 0.065, "places.countries.US": 0.5})
    assert "--set virtual.only=0.065 --set places.countries.US=0.5" in command
    assert command.count(f"{own.path.parent}-try") == 3
    (own.path / "reports/world_spec.yaml").write_text("no: [mapping")
    assert world_knobs(own) == {}
    (own.path / "reports/world_spec.yaml").unlink()
    assert world_knobs(own) == {}, "upstream made this world"


def test_a_failed_gate_names_keys_and_how_to_try(board: Scoreboard, tmp_path: Path) -> None:
    own = make_own(tmp_path / "runs")
    failed = replace(board, decision={**board.decision, "attribution": {"T4": "S3 + S4", "T6": "routing"}})
    t4, t6, tried = repairs(own, failed)
    assert t4 == "T4: to be repaired by S3 + S4"
    assert t6.startswith("T6: to be repaired by routing; in the world's specification: places.countries, places.zones")
    assert "--set KEY=VALUE" in tried and tried in markdown(failed, [t6, tried])
    (own.path / "reports/world_spec.yaml").unlink()
    assert repairs(own, failed) == [t4, "T6: to be repaired by routing"]


@pytest.mark.parametrize("preset", ["demo_classic", "demo"])
def test_the_keys_that_are_named_can_be_turned(preset: str, tmp_path: Path) -> None:
    """Under the law calibrated_v1 too, which knows fewer, and by public figures, where classes say who is virtual."""
    own = make_own(tmp_path / "runs")
    shutil.copy(preset_path(preset), own.path / "reports/world_spec.yaml")
    knobs, document = world_knobs(own), read_spec(preset_path(preset))
    other: dict[str, Any] = {
        "time_zone_release": "2026f", "horizon": {"start": "2026-03-02", "days": 20}, "volume.weekly_total": 5e4,
        "virtual.only": 0.05, "virtual.hybrid": 0.07,
        "merchants.size": {"law": "calibrated_v1", "exponent": 0.9}, "places.countries": ["GB", "US"],
    }  # fmt: skip
    named = {key for keys in knobs.values() for key, _ in keys}
    for key in named & other.keys() - {"places.countries"}:
        plan_of(with_values(document, {key: other[key]}))
    if preset == "demo_classic":
        assert named == other.keys()
        assert dict(knobs["T7"]) == {"virtual.only": 0.03, "virtual.hybrid": 0.085}
    else:
        assert "placement" in named and named.isdisjoint({"virtual.only", "virtual.hybrid"})
