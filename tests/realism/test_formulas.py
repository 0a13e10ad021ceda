"""Formulas against values worked out by hand or by other means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from seg5b.policy.validation import CivilTimeGates
from seg5b.realism import laws
from seg5b.realism.decide import (
    attribution,
    decide,
    decide_candidate,
    grade,
    in_order,
    runtime_facts,
    t6_distance,
    t7_distance,
)
from seg5b.realism.dispersion import Statistic, ks_distance
from seg5b.realism.judge import Measured, _t3, _t13, at_most, inside
from seg5b.realism.laws import GATES
from seg5b.realism.profile import LEAST_ARRIVALS, expected_distance, total_variation
from seg5b.realism.records import GateResult, Verdict
from seg5b.realism.sealed import Sealed
from seg5b.run_tables.measures import ChangeWindow, Measures
from seg5b.validation.checks.civil import SOME_SCENARIOS, window_power
from seg5b.validation.records import Check, CheckResult, Compute, Finding, Severity, Status

PASSED = Sealed("PASS")


def _window(written: Sequence[int], true: Sequence[int]) -> ChangeWindow:
    columns = (np.zeros(24, np.int64), np.zeros(24, np.int64))
    for column, hours in zip(columns, (written, true), strict=True):
        column[: len(hours)] = hours
    return ChangeWindow(*columns)


def test_bands_are_closed_and_missing_never_passes() -> None:
    assert at_most(0.005, laws.MISMATCH_MAX) == (True, False)
    assert at_most(0.001, laws.MISMATCH_MAX) == (True, True)
    assert at_most(None, laws.MISMATCH_MAX) == (False, False)
    assert inside(0.03, laws.VIRTUAL_BOUNDS) == (True, False)
    assert inside(0.05, laws.VIRTUAL_BOUNDS) == (True, True)
    assert inside(0.12, laws.VIRTUAL_BOUNDS) == (False, True)
    assert inside(None, laws.RESIDUAL_BOUNDS) == (False, False)


GATES_OF_S5 = CivilTimeGates(1.0, 0.005, 0.001, 24, 1.5, 50, 3, 2000)
"""As shipped: 3 windows of 50 arrivals, 2,000 in them together."""


def test_hours_around_changes_are_judged_in_material_windows_only() -> None:
    moved = _window([60, 40], [40, 60])  # two hours off by 20 points each: 40 / 24
    thin = _window([49], [0, 49])
    measures = Measures(windows={("A", 1): moved, ("B", 1): thin})
    assert window_power(measures, GATES_OF_S5).hour_mae_pp == pytest.approx(40 / 24)
    assert window_power(Measures(windows={("B", 1): thin}), GATES_OF_S5).hour_mae_pp is None
    assert window_power(measures, replace(GATES_OF_S5, dst_window_min_support=0)).material.keys() == {
        ("A", 1),
        ("B", 1),
    }


@pytest.mark.parametrize(
    ("supports", "weak"),
    [
        ([50, 50, 1900], False),
        ([50, 50, 1899], True),
        ([1000, 1000], False),
        ([1000, 1000, 0], False),
        ([1000, 1000, 49], True),
        ([], False),
    ],
)
def test_power_of_windows(supports: list[int], weak: bool) -> None:
    """As many material windows as have arrivals, 3 at most: a window without any asks for nothing."""
    windows = {(f"zone{n}", n): _window([support], [support]) for n, support in enumerate(supports)}
    assert window_power(Measures(windows=windows), GATES_OF_S5).weak is weak


def _judged_t3(
    supports: list[int], gates: CivilTimeGates = GATES_OF_S5, *, shifted: int = 0, some: bool = False
) -> GateResult:
    windows = {(f"zone{n}", n): _window([each - shifted, shifted], [each]) for n, each in enumerate(supports)}
    return _t3(Measured(Measures(windows=windows, clock_rows=5_000), {}, None, None, gates, some))


@pytest.mark.parametrize(
    ("supports", "shifted", "verdict", "reason"),
    [
        ([2_000], 0, Verdict.PASS, ""),
        ([900, 1_100], 0, Verdict.PASS, ""),
        ([], 0, Verdict.NOT_APPLICABLE, "no zone in use changes its offset"),
        ([2_000], 1_000, Verdict.FAIL, ""),
        ([1_999], 0, Verdict.FAIL, "needs 2,000 arrivals in such windows together (has 1,999)"),
        ([1_000, 1_000, 7], 0, Verdict.FAIL, "needs 3 windows of 50 arrivals around changes of offset (has 2)"),
        ([100, 100, 100], 0, Verdict.FAIL, "(has 300)"),
        ([1_000, 900, 100], 0, Verdict.PASS, ""),
    ],
)
def test_t3_has_the_power_that_s5_asks_for(supports: list[int], shifted: int, verdict: Verdict, reason: str) -> None:
    gate = _judged_t3(supports, shifted=shifted)
    assert gate.verdict is verdict and reason in gate.reason and bool(gate.reason) == bool(reason)


def test_t3_takes_the_floors_of_the_sealed_policy() -> None:
    """What S5 lets pass, or does not judge, the score does not hold against the run."""
    low = replace(GATES_OF_S5, dst_window_min_exposed_windows=0, dst_window_min_total_support=300)
    assert _judged_t3([100, 100, 100], low).verdict is Verdict.PASS
    assert _judged_t3([100, 100, 99], low).verdict is Verdict.FAIL
    none = replace(low, dst_window_min_total_support=0)
    assert _judged_t3([49], none).verdict is Verdict.NOT_APPLICABLE
    part = _judged_t3([100], some=True)
    assert (part.verdict, part.reason) == (Verdict.NOT_APPLICABLE, SOME_SCENARIOS)
    assert _judged_t3([100], some=True, shifted=50).verdict is Verdict.FAIL, "what is wrong is wrong all the same"


def _profile(*arrivals: int) -> Measured:
    """What T13 is judged by where cells have so many arrivals, far from their promise if there are enough."""
    numbers = {"distance": 0.9, "expected_poisson": 0.1, "expected_law": 0.1, "allowed_b": 0.2, "allowed_bplus": 0.2}
    cells = [
        {"demand_class": "a", "clock": "physical", "arrivals": each, "judged": each >= LEAST_ARRIVALS, **numbers}
        for each in arrivals
    ]
    check = Check("realism.t13", "", "", "realism", "", Compute(lambda _: Finding()))
    result = CheckResult(check, Status.PASS, Severity.ERROR, facts={"base": {"cells": cells}})
    return Measured(Measures(), {"realism.t13": result}, None, None, GATES_OF_S5)


def test_cells_with_too_few_arrivals_are_no_fault() -> None:
    few = _t13(_profile(499, 20))
    assert (few.verdict, few.reason) == (Verdict.NOT_APPLICABLE, "needs 500 arrivals in a cell (has 499)")
    assert _t13(_profile()).verdict is Verdict.NOT_APPLICABLE
    assert _t13(_profile(500, 20)).verdict is Verdict.FAIL
    unmeasured = _profile()
    broken = replace(unmeasured.results["realism.t13"], facts={}, reason="could not be judged")
    assert _t13(replace(unmeasured, results={"realism.t13": broken})).verdict is Verdict.FAIL


def test_total_variation_by_hand() -> None:
    assert total_variation(np.array([3, 1]), np.array([1.0, 1.0])) == pytest.approx(0.25)
    assert total_variation(np.array([2, 2]), np.array([7.0, 7.0])) == 0.0
    assert total_variation(np.array([4, 0]), np.array([0.0, 9.0])) == 1.0
    assert total_variation(np.array([0, 0]), np.array([1.0, 1.0])) == 1.0


@pytest.mark.parametrize("kappa", [math.inf, 20.0])
def test_expected_distance_is_that_of_drawn_profiles(kappa: float) -> None:
    random = np.random.default_rng(7)
    promised = 40.0 + 300.0 * np.exp(-((np.arange(24) - 12.0) ** 2) / 18.0)
    spread = np.zeros(24) if kappa == math.inf else promised**2 / kappa
    means = promised if kappa == math.inf else random.gamma(kappa, promised / kappa, size=(4000, 24))
    drawn = random.poisson(means, size=(4000, 24))
    distances = [total_variation(row, promised) for row in drawn]
    mean, deviation = expected_distance(promised, promised + spread)
    assert mean == pytest.approx(np.mean(distances), rel=0.03)
    assert deviation == pytest.approx(np.std(distances), rel=0.25)


def test_distance_of_offsets_by_hand() -> None:
    even = np.arange(1, 5) / 4
    assert ks_distance(np.array([10, 10, 10, 10]), even) == 0.0
    assert ks_distance(np.array([20, 0, 10, 10]), even) == pytest.approx(0.25)


def test_agreement_within_errors() -> None:
    at_edge = Statistic("x", 1.1199, 1.0, 0.02, 100, True)
    assert (at_edge.within(0), at_edge.within(1)) == (True, False)
    assert not replace(at_edge, value=1.1201).within(0)


def test_distances_to_band_b() -> None:
    assert t6_distance(0.743382) == pytest.approx(0.023382)
    assert t6_distance(0.72) == 0.0
    assert t7_distance(0.0224656) == pytest.approx(0.0075344)
    assert t7_distance(0.105238) == pytest.approx(0.025238)
    assert t7_distance(0.05) == 0.0
    assert t6_distance(None) == t7_distance(None) == 1.0


def test_runtime_veto_needs_more_than_a_fifth_and_more_than_noise() -> None:
    assert runtime_facts(450.0, 10.0, 383.0)["regression_veto"] is True
    assert runtime_facts(450.0, 9.0, 383.0)["regression_veto"] is False
    assert runtime_facts(2.0, 1.0, 2.0)["regression_veto"] is False
    late = runtime_facts(541.0, 1.0, None)
    assert (late["budget_pass"], late["regression_veto"], late["regression_fraction_vs_baseline"]) == (
        False,
        False,
        None,
    )


def _gates(*wrong: str, below: Sequence[str] = (), absent: Sequence[str] = ()) -> list[GateResult]:
    gates = []
    for gate_id, law in GATES.items():
        value = None if gate_id in absent else 0.05
        ok = gate_id not in wrong and gate_id not in absent
        pending = gate_id == "T10"
        gates.append(GateResult(law, value, "", ok, ok and gate_id not in below, "", pending=pending))
    return in_order(gates)


@pytest.mark.parametrize(
    ("wrong", "lane", "phase"),
    [
        ((), "close", "UNLOCK_P2"),
        (("T3",), "hold", "HOLD_P1_REOPEN"),
        (("T4",), "hold", "HOLD_P1_REOPEN"),
        (("T11",), "hold", "HOLD_P1_REOPEN"),
        (("T1", "T11"), "upstream_reopen_trigger", "UNLOCK_P1_UPSTREAM_2A_REOPEN"),
        (("T6",), "close", "UNLOCK_P2"),
    ],
)
def test_words_of_p1(wrong: tuple[str, ...], lane: str, phase: str) -> None:
    decision = decide(_gates(*wrong), 10, PASSED)
    assert (decision["local_lane_decision"], decision["p1_phase_decision"]) == (lane, phase)


@pytest.mark.parametrize(
    ("wrong", "below", "slow", "lane", "word"),
    [
        ((), (), False, "UNLOCK_P3", "PASS_BPLUS_CANDIDATE"),
        ((), ("T7",), False, "UNLOCK_P3", "PASS_B_CANDIDATE"),
        (("T6",), (), False, "HOLD_P2_REOPEN", "HOLD_REMEDIATE"),
        (("T13",), (), False, "HOLD_P2_REOPEN", "HOLD_REMEDIATE"),
        (("T6",), (), True, "REJECT_RUNTIME_REGRESSION", "HOLD_REMEDIATE"),
        (("T4", "T6"), (), True, "REJECT_FROZEN_RAIL_REGRESSION", "HOLD_REMEDIATE"),
        (("T14",), (), False, "REJECT_FROZEN_RAIL_REGRESSION", "HOLD_REMEDIATE"),
        (("T9",), (), False, "UNLOCK_P3", "PASS_BPLUS_CANDIDATE"),
    ],
)
def test_words_of_p2(wrong: tuple[str, ...], below: tuple[str, ...], slow: bool, lane: str, word: str) -> None:
    summary = decide_candidate(_gates(*wrong, below=below), runtime_facts(100.0, 1.0, 10.0 if slow else None), PASSED)
    assert (summary["lane_decision"], summary["phase_grade"]) == (lane, word)


def test_grade_of_a_run() -> None:
    assert grade(_gates()) == "PASS_BPLUS"
    assert grade(_gates(below=("T6",))) == "PASS_B"
    assert grade(_gates("T9", below=("T8",))) == "PASS_BPLUS", "watched gates do not decide"
    assert grade(_gates("T15")) == "HOLD_REMEDIATE"


def test_a_run_that_s5_did_not_pass_has_no_grade() -> None:
    for status in ("FAIL", "STALE", "NOT_RUN"):
        sealed = Sealed(status, "S5 says no", "run it", ("s4.order",))
        decision = decide(_gates(), 10, sealed)
        assert (decision["grade"], decision["gates_grade"]) == ("FAIL", "PASS_BPLUS")
        assert (decision["local_lane_decision"], decision["s5"]["failed_checks"]) == ("hold", ["s4.order"])
        candidate = decide_candidate(_gates(), runtime_facts(100.0, 1.0, None), sealed)
        assert (candidate["lane_decision"], candidate["phase_grade"]) == (
            "REJECT_FROZEN_RAIL_REGRESSION",
            "HOLD_REMEDIATE",
        )


def test_missing_measurements_hold_p0() -> None:
    assert decide(_gates(), 10, PASSED)["p0_phase_decision"] == "UNLOCK_P1"
    held = decide(_gates(absent=("T7",)), 10, PASSED)
    assert (held["p0_phase_decision"], "T7" in held["unresolved_items"]) == ("HOLD_P0_REOPEN", True)
    assert decide(_gates(), 0, PASSED)["p0_phase_decision"] == "HOLD_P0_REOPEN"


@pytest.mark.parametrize(
    ("wrong", "gate", "owner"),
    [
        (("T1", "T11"), "T1", "2A"),
        (("T2", "T12"), "T2", "local time"),
        (("T3",), "T3", "S4 + S5"),
        (("T6",), "T6", "concentration"),
        (("T7",), "T7", "may be virtual"),
        (("T6", "T7"), "T7", "routing policy"),
        (("T9",), "T9", "dispersion"),
    ],
)
def test_who_repairs_what(wrong: tuple[str, ...], gate: str, owner: str) -> None:
    assert owner in attribution(_gates(*wrong))[gate]


def test_order_and_blocking() -> None:
    gates = _gates("T5", "T6")
    assert [gate.gate_id for gate in gates] == list(laws.ORDER)
    verdicts = {gate.gate_id: gate.verdict for gate in gates}
    assert (verdicts["T5"], verdicts["T6"], verdicts["T10"]) == (Verdict.FAIL, Verdict.BLOCKED, Verdict.PENDING)


def test_only_a_gate_that_passed_is_called_b_plus() -> None:
    shown = {gate.gate_id: gate.graded for gate in _gates("T5", below=("T1",))}
    assert (shown["T2"], shown["T1"], shown["T5"], shown["T6"]) == ("PASS B+", "PASS", "FAIL", "BLOCKED")
    assert "B+" not in shown["T10"], "pending"
