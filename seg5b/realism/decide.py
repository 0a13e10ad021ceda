"""From gates to decisions: order of judgement, who must repair what, and their labels (docs/laws#gate-decisions)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from seg5b.realism import laws
from seg5b.realism.laws import GATES, Weight
from seg5b.realism.records import GateResult, Verdict
from seg5b.realism.sealed import Sealed

CANDIDATE_BUDGET_S = 540.0
REGRESSION_MAX = 0.20
REGRESSION_NOISE_S = 2.0
"""A lane that is slower by less than this is not called slower: on a small world that is scheduling."""
MISSING_DISTANCE = 1.0
UNSEALED_GRADE = "FAIL"
"""Grade of a run that S5 did not pass."""


def in_order(gates: Iterable[GateResult]) -> list[GateResult]:
    """Gates in order of judgement; those behind the hard ones are blocked unless all of these pass."""
    by_id = {gate.gate_id: gate for gate in gates}
    stopped = any(by_id[gate_id].verdict is Verdict.FAIL for gate_id in laws.HARD_FIRST)
    return [
        replace(by_id[gate_id], blocked=stopped and gate_id not in laws.HARD_FIRST)
        for gate_id in laws.ORDER
        if gate_id in by_id
    ]


def failed(gates: Sequence[GateResult], wanted: Iterable[str]) -> list[str]:
    """Those of ``wanted`` that count and are not within band B."""
    by_id = {gate.gate_id: gate for gate in gates}
    return [g for g in wanted if g in by_id and by_id[g].verdict is Verdict.FAIL]


def below_bplus(gates: Sequence[GateResult], wanted: Iterable[str]) -> list[str]:
    """Those of ``wanted`` that count and are not within band B+."""
    by_id = {gate.gate_id: gate for gate in gates}
    return [g for g in wanted if g in by_id and not by_id[g].bplus and by_id[g].verdict in (Verdict.PASS, Verdict.FAIL)]


def attribution(gates: Sequence[GateResult]) -> dict[str, str]:
    """Who must repair each failed gate (docs/laws#gate-decisions), by gate id."""
    by_id = {gate.gate_id: gate for gate in gates}
    wrong = set(failed(gates, by_id))
    owners = {gate_id: by_id[gate_id].law.owner for gate_id in wrong}
    for gate_id in wrong & {"T1", "T2", "T3"}:
        if "T11" in wrong:
            owners[gate_id] = "upstream zone cache horizon (2A)"
        elif "T12" in wrong:
            owners[gate_id] = "how local time is written or read (S4, S5)"
    if "T6" in wrong and not wrong & set(laws.HARD_FIRST):
        owners["T6"] = "routing and geography: concentration"
    if "T7" in wrong and "T6" not in wrong:
        owners["T7"] = "mix of merchants that may be virtual"
    if "T9" in wrong:
        owners["T9"] = "dispersion; after a calibration change: corrected too far"
    return dict(sorted(owners.items(), key=lambda item: int(item[0][1:])))


def decide(gates: Sequence[GateResult], arrivals: int, sealed: Sealed) -> dict[str, Any]:
    """Lists of failures, decision labels of P0, P1 and the grade of one run, and who must repair what. A run that S5 did
    not pass fails, whatever its gates say; ``gates_grade`` is what these alone would give it."""
    applicable = [gate.gate_id for gate in gates]
    by_weight = {weight: failed(gates, [g for g in applicable if GATES[g].weight is weight]) for weight in Weight}
    missing = [gate.gate_id for gate in gates if gate.applicable and not gate.pending and _is_missing(gate.value)]
    hard, veto = [*failed(gates, laws.P1_HARD), *_unsealed(sealed)], failed(gates, laws.VETOES)
    return {
        "hard_failures_all": by_weight[Weight.HARD],
        "major_failures": by_weight[Weight.MAJOR],
        "context_failures": by_weight[Weight.CONTEXT],
        "unresolved_items": missing + [gate.gate_id for gate in gates if gate.verdict is Verdict.PENDING],
        "p0_phase_decision": "UNLOCK_P1" if arrivals and not missing else "HOLD_P0_REOPEN",
        "p1_hard_failures": hard,
        "p1_veto_failures": veto,
        "own_failures": failed(gates, laws.OWN),
        "local_lane_decision": _local_lane(hard, veto),
        "p1_phase_decision": _p1_phase(_local_lane(hard, veto)),
        "grade": grade(gates) if sealed.passed else UNSEALED_GRADE,
        "gates_grade": grade(gates),
        "s5": sealed.as_json(),
        "attribution": attribution(gates),
    }


def _unsealed(sealed: Sealed) -> list[str]:
    """S5 among the gates that failed."""
    return [] if sealed.passed else ["S5"]


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, Mapping) and None in value.values() and not any(value.values()))


def _local_lane(hard: Sequence[str], veto: Sequence[str]) -> str:
    if not hard and not veto:
        return "close"
    civil = {"T1", "T2", "T3"} & set(hard)
    return "upstream_reopen_trigger" if civil and "T11" in hard else "hold"


def _p1_phase(lane: str) -> str:
    words = {"close": "UNLOCK_P2", "upstream_reopen_trigger": "UNLOCK_P1_UPSTREAM_2A_REOPEN"}
    return words.get(lane, "HOLD_P1_REOPEN")


def grade(gates: Sequence[GateResult]) -> str:
    """Grade of one run by all gates but T10 and those of class ``context``: ``PASS_BPLUS``, ``PASS_B`` or
    ``HOLD_REMEDIATE``."""
    wanted = [g for g in laws.ORDER if GATES[g].weight is not Weight.CONTEXT and g != "T10"]
    if failed(gates, wanted):
        return "HOLD_REMEDIATE"
    return "PASS_B" if below_bplus(gates, wanted) else "PASS_BPLUS"


def t6_distance(value: float | None) -> float:
    """How far T6 lies above band B."""
    return MISSING_DISTANCE if value is None else max(0.0, value - laws.TOP_ZONES_MAX[0])


def t7_distance(value: float | None) -> float:
    """How far T7 lies outside band B."""
    if value is None:
        return MISSING_DISTANCE
    low, high = laws.VIRTUAL_BOUNDS[0]
    return max(low - value, value - high, 0.0)


def runtime_facts(s4_s: float | None, s5_s: float | None, baseline_s: float | None) -> dict[str, Any]:
    """The candidate lane S4 + S5 against its budget and a baseline, seconds. Missing a budget is only reported."""
    lane = None if s4_s is None or s5_s is None else s4_s + s5_s
    regression = None
    if lane is not None and baseline_s:
        regression = (lane - baseline_s) / baseline_s
    slower = regression is not None and regression > REGRESSION_MAX
    return {
        "s4_seconds": s4_s,
        "s5_seconds": s5_s,
        "lane_s4_s5_seconds": lane,
        "budget_seconds": CANDIDATE_BUDGET_S,
        "budget_pass": lane is not None and lane <= CANDIDATE_BUDGET_S,
        "baseline_seconds": baseline_s,
        "regression_fraction_vs_baseline": regression,
        "regression_veto": slower and (lane or 0.0) - (baseline_s or 0.0) > REGRESSION_NOISE_S,
    }


def decide_candidate(gates: Sequence[GateResult], runtime: Mapping[str, Any], sealed: Sealed) -> dict[str, Any]:
    """Summary of the P2 board: frozen rails first (S5's verdict is one), then runtime, then the calibration gates."""
    by_id = {gate.gate_id: gate for gate in gates}
    frozen, primary = [*failed(gates, laws.FROZEN), *_unsealed(sealed)], failed(gates, laws.PRIMARY)
    own, primary_plus = failed(gates, laws.OWN), below_bplus(gates, laws.PRIMARY)
    t6, t7 = t6_distance(by_id["T6"].value), t7_distance(by_id["T7"].value)
    return {
        "frozen_failures": frozen,
        "primary_failures": primary,
        "primary_bplus_failures": primary_plus,
        "context_failures": failed(gates, ("T8", "T9")),
        "own_failures": own,
        "t6_distance_to_b": t6,
        "t7_distance_to_b_band": t7,
        "calibration_distance_to_b": t6 + t7,
        "runtime": dict(runtime),
        "lane_decision": _p2_lane(frozen, bool(runtime["regression_veto"]), primary, own),
        "phase_grade": _p2_grade(frozen, primary, primary_plus, own),
    }


def _p2_lane(frozen: Sequence[str], slower: bool, primary: Sequence[str], own: Sequence[str]) -> str:
    if frozen or "T14" in own:
        return "REJECT_FROZEN_RAIL_REGRESSION"
    if slower:
        return "REJECT_RUNTIME_REGRESSION"
    return "HOLD_P2_REOPEN" if primary or own else "UNLOCK_P3"


def _p2_grade(frozen: Sequence[str], primary: Sequence[str], primary_plus: Sequence[str], own: Sequence[str]) -> str:
    if frozen or primary or own:
        return "HOLD_REMEDIATE"
    return "PASS_B_CANDIDATE" if primary_plus else "PASS_BPLUS_CANDIDATE"
