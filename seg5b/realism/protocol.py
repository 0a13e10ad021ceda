"""What a candidate may change and must keep, as files: candidate protocol, contract lock, and the check of T11 and T12
(docs/laws#candidate-protocol)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from seg5b.realism import laws
from seg5b.realism.decide import CANDIDATE_BUDGET_S, REGRESSION_MAX, REGRESSION_NOISE_S
from seg5b.realism.records import Scoreboard, Verdict
from seg5b.runs.records import utc_text

MUTABLE = ("S4", "S5")
"""States that a candidate of P1 and P2 may change, without a reopening of what lies before them."""


def candidate_protocol(board: Scoreboard) -> dict[str, Any]:
    """The protocol of P0 for a candidate of this run: scope, lane, vetoes, targets and budgets."""
    return {
        **_head("P0", board),
        "mutable_states": list(MUTABLE),
        "rerun_lane": ["S0", *MUTABLE],
        "closed_states": ["S1", "S2", "S3"],
        "upstream_reopen": {
            "2A": "only if T1, T2 or T3 fails with T11 after the local repair",
            "3A, 3B, 5A": "only by UNLOCK_P2_UPSTREAM_REOPEN of seg5b sensitivity",
        },
        "promotion_vetoes": [*laws.VETOES, "T14", "S5"],
        "hard_closure_targets": [gate_id for gate_id in laws.P1_HARD if gate_id != "T11"],
        "upstream_horizon_target": "T11",
        "calibration_promotion": "none while a hard gate fails",
        "failing_now": _failing(board, laws.HARD_FIRST),
        "budgets": _budgets(),
    }


def contract_lock(board: Scoreboard) -> dict[str, Any]:
    """The lock of P2: gates that decide, rails that may not move, with bands and what this run measures, and the rules that a
    candidate is published and compared by."""
    return {
        **_head("P2.1", board),
        "sealed_inputs_digest": board.facts["run"]["sealed_inputs_digest"],
        "primary_gates": _bands(board, laws.PRIMARY),
        "frozen_rails": [*_bands(board, laws.FROZEN), *_bands(board, ("T14",))],
        "own_gates": _bands(board, ("T13", "T15")),
        "context_gates": _bands(board, ("T8", "T9")),
        "formulas": {"T6": "arrivals of the ten busiest zones / arrivals", "T7": "virtual arrivals / arrivals"},
        "lane_words": ["REJECT_FROZEN_RAIL_REGRESSION", "REJECT_RUNTIME_REGRESSION", "HOLD_P2_REOPEN", "UNLOCK_P3"],
        "reopen_words": ["UNLOCK_P2_UPSTREAM_REOPEN", "HOLD_P2_UPSTREAM_REOPEN"],
        "publish_hygiene": "each candidate is a derived run; the base and its policies stay; `seg5b prune` removes candidates",
        "budgets": _budgets(),
    }


def clock_contract(board: Scoreboard) -> dict[str, Any]:
    """T11 and T12 beside the rates that they explain: the check of the clocks' contract as a report of its own."""
    gates = {gate_id: board.gate(gate_id) for gate_id in ("T11", "T12", "T1", "T2", "T3")}
    return {
        **_head("P1", board),
        "gates": {gate_id: gate.as_json() for gate_id, gate in gates.items()},
        "contract_holds": all(gates[gate_id].verdict is Verdict.PASS for gate_id in ("T11", "T12")),
        "civil_time_ok_latest": board.facts["civil_time_ok_latest"],
        "contract_parse_mismatch_count": board.facts["contract_parse_mismatch_count"],
        "owner": {
            gate_id: board.decision["attribution"][gate_id]
            for gate_id in gates
            if gate_id in board.decision["attribution"]
        },
        "local_lane_decision": board.decision["local_lane_decision"],
    }


def _head(phase: str, board: Scoreboard) -> dict[str, Any]:
    run = board.facts["run"]
    return {
        "generated_utc": utc_text(datetime.now(UTC)),
        "phase": phase,
        "segment": "5B",
        "run": {
            name: run[name] for name in ("run_id", "seed", "manifest_fingerprint", "parameter_hash", "derived_from")
        },
    }


def _budgets() -> Mapping[str, float]:
    return {
        "s4_s5_seconds": CANDIDATE_BUDGET_S,
        "runtime_regression_max": REGRESSION_MAX,
        "runtime_regression_noise_seconds": REGRESSION_NOISE_S,
    }


def _bands(board: Scoreboard, gate_ids: Iterable[str]) -> list[dict[str, Any]]:
    rows = []
    for gate_id in gate_ids:
        gate = board.gate(gate_id)
        rows.append(
            {
                "gate": gate_id,
                "title": gate.law.title,
                "b_target": gate.law.b,
                "bplus_target": gate.law.bplus,
                "value": gate.value,
                "verdict": gate.verdict.value,
            }
        )
    return rows


def _failing(board: Scoreboard, gate_ids: Iterable[str]) -> list[str]:
    return [gate_id for gate_id in gate_ids if board.gate(gate_id).verdict is Verdict.FAIL]
