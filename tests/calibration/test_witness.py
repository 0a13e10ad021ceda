"""A witness: a few seeds, words and budgets of its own, and no certification."""

from __future__ import annotations

import json

import pytest

from seg5b.calibration import CandidateRunner, witness
from seg5b.calibration.panel_budgets import Budget, colour_of
from seg5b.calibration.seed_panel import SeedPanel
from seg5b.calibration.witness import Witness
from seg5b.realism.files import reports_folder
from seg5b.runs.root import RunRoot
from tests.worlds import SCORED


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> RunRoot:
    """A world of two seeds, unrealised."""
    return SCORED.make(tmp_path_factory.mktemp("witness"), seeds=(42, 7))


def test_two_seeds_bear_a_world_out(two: RunRoot, runner: CandidateRunner) -> None:
    found = witness(two, runner)
    assert (found.reasons, found.decision, found.branch) == ((), "WITNESS_STABLE", "UNLOCK_P3")
    written = json.loads((reports_folder(two) / "witness.json").read_text())
    assert (written["phase"], written["decision"], written["seeds"]) == ("P2.5", "WITNESS_STABLE", [42, 7])
    assert written["runs"][0] == two.identity.run_id and len(set(written["runs"])) == 2
    assert written["variations"] and written["agreements"], "compared as a certification's seeds are"
    assert not (reports_folder(two) / "certification.json").exists(), "T10 is not touched"
    whole, last = found.budgets
    assert (whole.target_s, whole.stretch_s, last.target_s) == (840.0, 960.0, 18 * 60.0)
    assert last.measured_s == pytest.approx(sum(row["s4s5_seconds"] for row in written["rows"]))
    assert whole.measured_s is not None and last.measured_s is not None and whole.measured_s > last.measured_s
    assert "GREEN" in whole.shown
    one = witness(two, runner, (42,))
    assert (one.reasons, one.decision) == (("a witness takes 2 seeds or more",), "HOLD_WITNESS")


def test_what_is_wrong_with_a_seed_holds() -> None:
    row = {"seed": 7, "hard_failures": ["T4"], "major_failures": [], "own_failures": ["T14"], "s5_pass": False}
    panel = SeedPanel((), (), ({**row, "s5_status": "FAIL"},), (), (), ("x is the same under seeds 42 and 7",))
    assert panel.reasons == (
        "seed 7: hard failures T4",
        "seed 7: own failures T14",
        "seed 7: S5 is FAIL",
        "x is the same under seeds 42 and 7",
    )
    held = Witness(panel, panel.reasons, ())
    assert (held.decision, held.branch) == ("HOLD_WITNESS", "HOLD_P2_REOPEN")


def test_budgets_are_compared() -> None:
    assert [colour_of(each, (840.0, 960.0)) for each in (840.0, 840.1, 960.0, 960.1)] == [
        "GREEN",
        "AMBER",
        "AMBER",
        "RED",
    ]
    late = Budget("witness", "S1 to S5 of 2 seeds", 961.0, 840.0, 960.0)
    assert late.shown == "witness lane, S1 to S5 of 2 seeds: 961.0 s of 840 s, stretch 960 s: RED"
    assert Budget("witness", "x", None, 840.0, 960.0).colour == "UNMEASURED"
