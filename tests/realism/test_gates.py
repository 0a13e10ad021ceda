"""Every gate passes on a sound run and fails on the fault it is there for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from seg5b import api
from seg5b.cli import main
from seg5b.errors import RunError, ValidationFailure
from seg5b.realism import Verdict, board_json, candidate_json, clipped_means, markdown, score_run, write_boards
from seg5b.realism.laws import GATES, ORDER, PUBLIC
from seg5b.realism.records import Scoreboard
from seg5b.runs.root import RunRoot
from seg5b.world.plan import BASELINE
from tests.policies import Changes
from tests.validation.faults import Plant, arrivals, cut_cache, every_part, rounded_counts, shift, tables
from tests.validation.harness import PHYSICAL, VIRTUAL, Change, Run, at, drop, edit, put, where
from tests.worlds import SCORED, copy_run

DAY_US, NOON_US = 86_400_000_000, 43_200_000_000
VIRTUALS = where("is_virtual", bool, None)
COUNTS, INTENSITY = "s3_bucket_counts_5B", "s2_realised_intensity_5B"
UNCERTIFIED = {"T10": Verdict.PENDING}


@dataclass(frozen=True)
class Fault:
    """``gate`` must not pass after ``plant``."""

    gate: str
    plant: Plant


def _texts(column: str, suffix: str) -> Change:
    """Instants as texts with a suffix, as the reference engine writes them."""

    def change(table: pa.Table) -> pa.Table:
        values = [f"{value.isoformat()}{suffix}" for value in table.column(column).to_pylist()]
        return table.set_column(table.column_names.index(column), column, pa.array(values))

    return change


def _reversed_paths(table: pa.Table) -> pa.Table:
    """Factors in an order that forgets: every second half is swapped, so that neighbours are strangers."""
    name = "lambda_random_component"
    values = table.column(name).to_pylist()
    buckets = 672
    for first in range(0, len(values), buckets):
        own = values[first : first + buckets]
        values[first : first + buckets] = [own[place * 193 % buckets] for place in range(buckets)]
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def _half(value: int | None) -> int | None:
    return None if value is None else value ^ 1


FAULTS = (
    Fault("T1", arrivals(*shift(15, None))),
    Fault("T1", every_part(put("tzid_primary", "Nowhere/Land"))),
    Fault("T2", arrivals(*shift(60, None))),
    Fault("T3", every_part(*shift(180, None))),
    Fault("T4", arrivals(drop(5))),
    Fault("T4", tables(COUNTS, put("count_N", lambda old: old + 1, where("count_N", bool)))),
    Fault("T5", arrivals(put("site_id", None, PHYSICAL))),
    Fault("T5", arrivals(put("site_id", 7, VIRTUAL))),
    Fault("T6", every_part(put("tzid_primary", "Europe/Paris"))),
    Fault("T7", every_part(put("is_virtual", False))),
    Fault("T8", every_part(*shift(720, None))),
    Fault("T11", cut_cache(lambda tzid: False)),
    Fault("T12", arrivals(put("ts_local_primary", lambda old: old + 1_000_000, at(3)))),
    Fault("T12", arrivals(put("ts_local_settlement", lambda old: old - 1_000_000, at(3)))),
    Fault("T12", every_part(_texts("ts_local_primary", "Z"))),
    Fault("T13", every_part(*shift(120, where("is_virtual", lambda virtual: not virtual, None)))),
    Fault("T13", every_part(put("ts_local_operational", lambda old: old - old % DAY_US + NOON_US, VIRTUALS))),
    Fault("T14", arrivals(put("arrival_seq", lambda old: old + 1, at(4)))),
    Fault("T14", tables(INTENSITY, put("lambda_random_component", lambda old: old * (1 + 1e-15)))),
    Fault("T14", tables(COUNTS, put("count_N", lambda old: old + 1))),
    Fault("T14", every_part(put("site_id", _half))),
    Fault("T14", every_part(put("edge_id", _half))),
    Fault("T14", every_part(put("ts_utc", lambda old: old + 1))),
    Fault("T15", rounded_counts),
    Fault("T15", tables(INTENSITY, _reversed_paths)),
    Fault("T15", tables(INTENSITY, put("lambda_random_component", lambda old: old**2))),
    Fault("T15", every_part(put("ts_utc", lambda old: old - old % 900_000_000))),
)


def _verdicts(board: Scoreboard) -> dict[str, Verdict]:
    return {gate.gate_id: gate.verdict for gate in board.gates}


def _judged_by_s5(root: RunRoot, folder: Path) -> api.Run:
    """A copy of a run with S5 done."""
    runs_root = copy_run(root.path.parent, folder).path.parent
    api.run(runs_root, first="S5", backend="cpu")
    return api.open_run(runs_root)


@pytest.fixture(scope="module")
def sealed(small: Run, tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    """The small world with S0-S5 done."""
    return _judged_by_s5(small.root, tmp_path_factory.mktemp("sealed"))


@pytest.fixture(scope="module")
def small_board(sealed: api.Run) -> Scoreboard:
    return score_run(sealed.root, sealed.contracts)


@pytest.fixture(scope="module")
def demo_board(demo_run: api.Run, tmp_path_factory: pytest.TempPathFactory) -> Scoreboard:
    judged = _judged_by_s5(demo_run.root, tmp_path_factory.mktemp("sealed_demo"))
    return score_run(judged.root, judged.contracts)


def test_every_gate_has_a_planted_fault() -> None:
    assert {fault.gate for fault in FAULTS} == set(GATES) - {"T9", "T10", *PUBLIC}


@pytest.mark.parametrize("board", ["small_board", "demo_board"])
def test_a_sound_run_passes(board: str, request: pytest.FixtureRequest) -> None:
    scored: Scoreboard = request.getfixturevalue(board)
    expected = {gate_id: UNCERTIFIED.get(gate_id, Verdict.PASS) for gate_id in ORDER if gate_id not in PUBLIC}
    judged = {gate_id: verdict for gate_id, verdict in _verdicts(scored).items() if gate_id not in PUBLIC}
    assert judged == expected, {gate.gate_id: (gate.value, gate.extras) for gate in scored.gates}
    assert list(_verdicts(scored)) == list(ORDER)
    assert scored.decision["grade"] == "PASS_BPLUS"


LGCP, COUNT = "arrival_lgcp_config_5B", "arrival_count_config_5B"
LAWFUL: dict[str, Changes] = {
    "no field": {LGCP: {"latent_model_id": "none"}},
    "no memory": {LGCP: {"latent_model_id": "log_gaussian_iid_v1", "kernel.kind": "iid_v1"}},
    "poisson": {COUNT: {"count_law_id": "poisson"}},
    "a wild field": {LGCP: {"hyperparam_law.sigma.base_by_scenario_band.baseline": 0.5}},
    "small means by the normal quantile": {COUNT: {"poisson_sampler.poisson_exact_lambda_max": 1.0}},
}


@pytest.mark.parametrize("law", LAWFUL)
def test_every_law_of_the_policies_passes(law: str, tmp_path: Path) -> None:
    root = SCORED.make(tmp_path, LAWFUL[law])
    api.run(root.path.parent, backend="cpu")
    run = api.open_run(root.path.parent)
    board = score_run(run.root, run.contracts)
    exact = law != "small means by the normal quantile"
    assert [gate for gate in ("T9", "T14", "T15") if not board.gate(gate).b] == []
    assert ("rounded normal quantile" in board.gate("T9").reason) is not exact
    own = {check["check_id"]: check["status"] for check in run.checks()}
    assert own["sentinel.residual_law"] == ("PASS" if exact else "NOT_APPLICABLE")
    assert own["realism.factor_mean"] == ("NOT_APPLICABLE" if law == "no field" else "PASS")
    totals = board.diagnostics["expected"][BASELINE]["statistics"]
    assert len(totals) >= 3 and all(abs(each["z"]) < 5 for each in totals)


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{number:02d}-{fault.gate}" for number, fault in enumerate(FAULTS)])
def test_fault_is_noticed(fault: Fault, small: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(small)
    fault.plant(run)
    board = score_run(run.root, run.contracts)
    gate = board.gate(fault.gate)
    assert not gate.b, gate.value
    assert gate.verdict in (Verdict.FAIL, Verdict.BLOCKED)
    if GATES[fault.gate].weight.value != "context":
        assert board.decision["gates_grade"] == "HOLD_REMEDIATE"


def test_the_band_of_t9_is_for_worlds_whose_law_reaches_it(small_board: Scoreboard) -> None:
    gate = small_board.gate("T9")
    assert 1.0 < gate.value < 1.2 and "band not applicable: the count law of this world promises" in gate.reason
    assert gate.value == pytest.approx(
        gate.extras["residual_std_expected"], abs=5 * gate.extras["residual_std_se"] + 1e-3
    )
    assert ", law 1." in gate.shown


def test_a_rate_of_errors_that_is_zero_is_called_exact(small_board: Scoreboard) -> None:
    assert {small_board.gate(name).shown for name in ("T1", "T2", "T3", "T8")} == {"exact"}
    assert small_board.gate("T6").shown.endswith("%")


def test_what_the_clip_takes_is_told(demo_board: Scoreboard) -> None:
    (line,) = clipped_means(demo_board)
    assert line == "the clip of the latent factor takes 0.46% of the mean of online_bursty in stress_peak_online_v1"
    assert line in markdown(demo_board)


def test_a_mean_that_is_off_is_noticed(small: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(small)
    tables(INTENSITY, put("lambda_random_component", lambda old: min(old * 1.1, 5.0)))(run)
    assert any("mean factor" in name for name in score_run(run.root, run.contracts).gate("T15").extras["beyond"])


def test_counts_that_scatter_too_little_are_noticed_by_t9(small: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(small)
    rounded_counts(run)
    board = score_run(run.root, run.contracts)
    assert not board.gate("T9").b
    assert "all: T9 / law" in board.gate("T15").extras["beyond"]


def _score(run: api.Run) -> tuple[int, dict[str, Any], str]:
    """Exit status, what ``--json`` says, and what a person reads."""
    where = ("--runs-root", str(run.root.path.parent))
    told = CliRunner().invoke(main, ["score", *where, "--json"])
    shown = CliRunner().invoke(main, ["score", *where])
    assert told.exit_code == shown.exit_code
    return told.exit_code, json.loads(told.stdout), " ".join(shown.output.split())


def test_a_run_that_s5_has_not_judged_is_shown_and_not_graded(small: Run, tmp_path: Path) -> None:
    run = api.open_run(copy_run(small.root.path.parent, tmp_path).path.parent)
    code, payload, shown = _score(run)
    assert (code, payload["grade"], payload["summary"]["s5"]["status"]) == (1, "FAIL", "NOT_RUN")
    assert payload["summary"]["gates_grade"] == "PASS_BPLUS" and payload["gates"]["T6"]["verdict"] == "PASS"
    assert "S5 has not judged this run" in shown and "seg5b s5 --run-id" in shown


def test_a_run_that_changed_after_s5_is_not_graded(sealed: api.Run, tmp_path: Path) -> None:
    run = api.open_run(copy_run(sealed.root.path.parent, tmp_path).path.parent)
    code, payload, shown = _score(run)
    assert (code, payload["grade"]) == (0, "PASS_BPLUS") and "S5" not in shown
    edit(run.path(COUNTS, BASELINE), lambda table: table)
    code, payload, shown = _score(run)
    assert (code, payload["grade"], payload["summary"]["s5"]["status"]) == (1, "FAIL", "STALE")
    assert "s3_bucket_counts_5B.parquet" in shown and "seg5b verify" in shown


def test_a_run_that_s5_rejected_is_not_graded(small: Run, tmp_path: Path) -> None:
    """One arrival in another place: every gate holds, and S5 does not."""
    run = api.open_run(copy_run(small.root.path.parent, tmp_path).path.parent)
    edit(run.path("s4_arrival_summary_5B", BASELINE), put("count_physical", lambda old: old + 1, at(0)))
    with pytest.raises(ValidationFailure):
        api.run(run.root.path.parent, first="S5", backend="cpu")
    code, payload, shown = _score(run)
    assert (code, payload["grade"], payload["summary"]["gates_grade"]) == (1, "FAIL", "PASS_BPLUS")
    assert (
        "s4.summary" in " ".join(payload["summary"]["s5"]["failed_checks"]) or payload["summary"]["s5"]["failed_checks"]
    )
    assert "S5 rejected this run: " in shown and "5B.S5.S4_SUMMARY_MISMATCH" in shown


def test_the_cells_of_t13_name_the_scrambled_clock(small: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(small)
    every_part(put("ts_local_operational", lambda old: old - old % DAY_US + NOON_US, VIRTUALS))(run)
    beyond = score_run(run.root, run.contracts).gate("T13").extras["cells_beyond_b"]
    assert beyond
    assert all(cell.endswith("/virtual") for cell in beyond)


def test_what_follows_a_failed_hard_gate_is_blocked(small: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(small)
    arrivals(drop(5))(run)
    verdicts = _verdicts(score_run(run.root, run.contracts))
    assert verdicts["T4"] is Verdict.FAIL
    assert {verdicts[gate_id] for gate_id in ("T6", "T7", "T8", "T9", "T13", "T15")} == {Verdict.BLOCKED}


def test_boards_hold_the_fields_of_the_contract(demo_board: Scoreboard) -> None:
    board = board_json(demo_board)
    top = {"generated_utc", "phase", "segment", "run", "baseline_sources", "gates", "summary", "baseline_delta_vs_p0"}
    assert top <= board.keys()
    run = {"run_id", "runs_root", "segment_state_runs", "seed", "manifest_fingerprint", "parameter_hash"}
    assert run <= board["run"].keys()
    for gate in board["gates"].values():
        fields = {"title", "class", "b_target", "bplus_target", "value", "value_fmt", "b_pass", "bplus_pass", "source"}
        assert fields <= gate.keys()
    assert {"window_count", "material_total_support", "insufficient_power"} <= board["gates"]["T3"].keys()
    assert board["gates"]["T10"]["insufficient_evidence"] is True
    assert board["summary"]["local_lane_decision"] == "close"
    assert board["summary"]["p1_phase_decision"] == "UNLOCK_P2"
    candidate = candidate_json(demo_board, "x", None)
    assert {f"T{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12)} <= candidate["gates"].keys()
    assert "T10" not in candidate["gates"]
    assert candidate["summary"]["lane_decision"] == "UNLOCK_P3"
    assert candidate["summary"]["phase_grade"] == "PASS_BPLUS_CANDIDATE"


def test_boards_are_written_again_whole(small: Run, copied: Callable[[Run], Run], small_board: Scoreboard) -> None:
    run = copied(small)
    for label in ("first", "second"):
        paths = write_boards(run.root, small_board, label=label)
    assert json.loads(paths["candidate"].read_text())["candidate"]["label"] == "second"
    assert {path.name for path in paths["board"].parent.iterdir()} == {path.name for path in paths.values()}
    assert "reports/layer2/realism/segment=5B" in paths["board"].as_posix()
    assert markdown(small_board).count("| T") == len(ORDER)


def test_deltas_against_a_baseline(sealed: api.Run, small_board: Scoreboard) -> None:
    before = board_json(small_board)
    before["gates"]["T6"]["value"] -= 0.25
    before["p2"]["runtime"]["lane_s4_s5_seconds"] = 1e-6
    again = score_run(sealed.root, sealed.contracts, baseline=before)
    assert again.decision["baseline"]["T6"] == pytest.approx(0.25)
    assert board_json(again)["baseline_delta_vs_p0"] == {"T1": 0.0, "T2": 0.0, "T3": 0.0}


def test_a_run_without_arrivals_holds_everything(small: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(small)
    shutil.rmtree(run.path("arrival_events_5B").parent)
    board = score_run(run.root, run.contracts)
    measured = {gate.gate_id for gate in board.gates if gate.b}
    assert measured <= {"T9", "T15"}
    assert board.decision["gates_grade"] == "HOLD_REMEDIATE"
    assert board.decision["p0_phase_decision"] == "HOLD_P0_REOPEN"
    assert markdown(board)


def test_a_run_that_is_not_realised_is_not_scored(tiny_world: Path) -> None:
    told = CliRunner().invoke(main, ["score", "--runs-root", str(tiny_world)])
    assert told.exit_code == 1 and told.stderr.startswith("error 5B.REALISM.NOT_REALISED: state S1 has not run")
    with pytest.raises(RunError, match="NOT_REALISED"):
        api.open_run(tiny_world).score()
