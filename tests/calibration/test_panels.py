"""Certification across seeds, end to end on a small world."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib import import_module

import pytest

from seg5b.calibration import CandidateRunner, Derived, certify, score_performance
from seg5b.calibration.certify import Certification, Stability, coefficient_of_variation
from seg5b.pipeline import STATE_IDS
from seg5b.realism import Verdict, score_run
from seg5b.realism.files import reports_folder
from seg5b.runs.root import RunRoot
from tests.calibration.conftest import SEEDS
from tests.long import LONG


@pytest.fixture(scope="module")
def certified(panel: RunRoot, runner: CandidateRunner) -> Certification:
    return certify(panel, runner)


def test_four_seeds_are_four_runs(panel: RunRoot, certified: Certification) -> None:
    assert [row["seed"] for row in certified.rows] == list(SEEDS)
    assert len({row["run_id"] for row in certified.rows}) == 4
    assert certified.rows[0]["run_id"] == panel.identity.run_id
    assert [row["s5_status"] for row in certified.rows] == ["PASS"] * 4
    assert len({row["metrics"]["T6"] for row in certified.rows}) == 4, "another seed is another history"
    assert certified.veto_reasons == ()


def test_seeds_differ_as_the_laws_say(certified: Certification) -> None:
    names = {each.name.split(" (")[0] for each in certified.variations}
    assert {"arrivals", "mean factor", "scatter of counts", "virtual share", "busiest zones"} <= names
    assert "all together" in names
    assert all(len(each.z) == len(SEEDS) for each in certified.variations)
    assert len(certified.agreements) == 6 * 6, "six pairs of seeds, compared in six things"


def test_one_run_under_four_seeds_is_no_panel(
    panel: RunRoot, certified: Certification, runner: CandidateRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generator that ignores the seed has no variation at all, which T10 alone takes for the best of all."""
    same = Derived(panel, STATE_IDS)
    module = import_module("seg5b.calibration.seed_panel")
    monkeypatch.setattr(module, "derive_run", lambda *given, **named: same)
    found = certify(panel, runner)
    told = " | ".join(found.veto_reasons)
    assert (found.overall_cv, found.grade_class, found.decision) == (0.0, "BPLUS", "HOLD_P4_REMEDIATE")
    for words in (
        "arrivals varies less between seeds than the law allows",
        "latent paths of seeds 42 and 42 agree",
        "arrival_events_5B is the same under seeds 42 and 42",
    ):
        assert words in told
    written = json.loads((reports_folder(panel) / "certification_panel.json").read_text())
    assert written["variations"][0]["faults"] and any(each["fault"] for each in written["agreements"])
    monkeypatch.undo()
    certify(panel, runner)  # the reports of the panel again, for the tests that read them


def test_decision_and_reports(panel: RunRoot, certified: Certification) -> None:
    assert certified.decision in ("PASS_BPLUS_ROBUST", "PASS_B_ROBUST")
    assert certified.grade_class == "BPLUS"
    assert 0 < certified.overall_cv < 0.15
    folder = reports_folder(panel)
    names = ("certification_seeds.json", "certification_stability.json", "certification.json")
    seeds, stability, closure = (json.loads((folder / name).read_text()) for name in names)
    assert seeds["required_seeds"] == list(SEEDS)
    assert [each["metric"] for each in stability["metrics"]] == ["T1", "T2", "T3", "T6", "T7"]
    assert closure["decision"] == certified.decision


def test_t10_reads_the_certification(panel: RunRoot, certified: Certification, runner: CandidateRunner) -> None:
    gate = score_run(panel, runner.contracts).gate("T10")
    assert (gate.verdict, gate.bplus) == (Verdict.PASS, True)
    assert gate.value["overall_cv"] == certified.overall_cv
    path = reports_folder(panel) / "certification.json"
    stale = {**json.loads(path.read_text()), "sealed_inputs_digest": "0" * 64}
    path.write_text(json.dumps(stale))
    assert score_run(panel, runner.contracts).gate("T10").verdict is Verdict.PENDING


def test_a_seed_that_is_not_mapped_holds(panel: RunRoot, certified: Certification, runner: CandidateRunner) -> None:
    two = certify(panel, runner, (42, 7))
    assert two.decision == "HOLD_P4_REMEDIATE"
    assert two.veto_reasons == ("seed 101 is not mapped", "seed 202 is not mapped")
    assert two.overall_cv == math.inf


@LONG
def test_any_panel_of_as_many_seeds_as_are_asked_for(
    panel: RunRoot, certified: Certification, runner: CandidateRunner
) -> None:
    """T10 says what was asked for; the panel of four is certified again for the tests that read it."""
    two = certify(panel, runner, (42, 7), least=2)
    assert two.veto_reasons == () and two.decision in ("PASS_BPLUS_ROBUST", "PASS_B_ROBUST")
    assert all(each.sufficient for each in two.stability if each.applicable) and math.isfinite(two.overall_cv)
    gate = score_run(panel, runner.contracts).gate("T10")
    assert (gate.verdict, gate.value["least_seeds"], gate.value["available_seeds"]) == (Verdict.PASS, 2, [42, 7])
    few = certify(panel, runner, (42, 7), least=3)
    assert few.veto_reasons == ("the panel takes 3 seeds, and has 2",)
    assert (few.overall_cv, few.decision) == (math.inf, "HOLD_P4_REMEDIATE")
    assert score_run(panel, runner.contracts).gate("T10").verdict is Verdict.PENDING
    certify(panel, runner)


def test_the_lane_of_a_panel_beside_its_budget(certified: Certification, panel: RunRoot) -> None:
    whole, slowest = certified.budgets
    assert (whole.target_s, whole.stretch_s, slowest.target_s) == (1800.0, 2100.0, 720.0)
    lanes = [row["s4s5_seconds"] for row in certified.rows]
    assert slowest.measured_s == pytest.approx(max(lanes))
    assert whole.measured_s is not None and whole.measured_s > sum(lanes) and whole.colour == "GREEN"
    listed = score_performance(panel)["lane_budgets"]
    assert listed["certification"]["measured_s"] is not None and listed["certification"]["colour"] == "GREEN"
    assert listed["witness"]["colour"] == "UNMEASURED"


def _panel(*, veto: bool = False, cv: float = 0.0, below: bool = False) -> Certification:
    rows = [{"major_bplus_failures": ["T7"] if below else []}]
    return Certification(tuple(rows), (Stability("T6", (0.5,) * 4, cv),), ("x",) if veto else ())


@pytest.mark.parametrize(
    ("panel_", "decision", "freeze", "closure"),
    [
        (_panel(), "PASS_BPLUS_ROBUST", "SEG5B_FROZEN_PASS_BPLUS", "PASS_BPLUS_ROBUST"),
        (_panel(below=True), "PASS_B_ROBUST", "SEG5B_FROZEN_PASS_B", "PASS_B"),
        (_panel(cv=0.2), "PASS_B_ROBUST", "SEG5B_FROZEN_PASS_B", "PASS_B"),
        (_panel(cv=0.2501), "HOLD_P4_REMEDIATE", "HOLD_P5_REOPEN", "HOLD_REMEDIATE"),
        (_panel(cv=math.inf), "HOLD_P4_REMEDIATE", "HOLD_P5_REOPEN", "HOLD_REMEDIATE"),
        (_panel(veto=True), "HOLD_P4_REMEDIATE", "HOLD_P5_REOPEN", "HOLD_REMEDIATE"),
    ],
)
def test_words_of_a_panel(panel_: Certification, decision: str, freeze: str, closure: str) -> None:
    assert (panel_.decision, panel_.freeze, panel_.closure) == (decision, freeze, closure)


def test_metrics_that_no_seed_has_do_not_count() -> None:
    absent = Stability("T3", (), 0.0, applicable=False)
    assert replace(_panel(cv=0.1), stability=(absent, Stability("T6", (0.5,) * 4, 0.1))).overall_cv == 0.1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5.0], 0.0),
        ([1.0, 3.0], 0.5),
        ([-1.0, -3.0], 0.5),
        ([0.0, 0.0], 0.0),
        ([1.0, -1.0], math.inf),
        ([0.54, 0.56, 0.55, 0.55], math.sqrt(0.0002 / 4) / 0.55),
    ],
)
def test_coefficient_of_variation(values: list[float], expected: float) -> None:
    assert coefficient_of_variation(values) == pytest.approx(expected)
