"""Whether P2 goes back upstream, and what a world with a specification has to try."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seg5b.calibration import CandidateRunner, Derived, analyse
from seg5b.calibration.reopen import HOLD, UNLOCK, decide_reopen, places_trial, virtual_trial
from seg5b.calibration.sensitivity import write_analysis
from seg5b.pipeline import STATE_IDS
from seg5b.runs.root import RunRoot
from seg5b.world.spec import plan_of, read_spec, with_values
from tests.worlds import make_own


@pytest.mark.parametrize(
    ("t6", "t7", "reachable", "frozen", "decision", "reason"),
    [
        (0.5, 0.05, True, None, HOLD, "nothing is to be reopened"),
        (0.752, 0.0225, False, None, HOLD, "score the run first"),
        (0.752, 0.0225, False, ["T4"], HOLD, "frozen rails fail and come first: T4"),
        (0.752, 0.0225, False, [], UNLOCK, "no allowed value"),
        (0.5, 0.0225, False, [], UNLOCK, "no allowed value"),
        (0.752, 0.0225, True, [], HOLD, "sweep them first"),
        (0.743, 0.0370, True, [], HOLD, "T6 is left"),
    ],
)
def test_decisions(t6: float, t7: float, reachable: bool, frozen: list[str] | None, decision: str, reason: str) -> None:
    found = decide_reopen(t6, t7, reachable, frozen)
    assert found.decision == decision and reason in found.reason


def test_what_to_try_for_t7() -> None:
    assert virtual_trial({"virtual.only": 0.0225}, 0.0225, 0.0225) == {"virtual.only": 0.065}
    assert virtual_trial({"virtual.only": None}, 0.10, 0.02) == {"virtual.only": 0.0}
    assert virtual_trial({"virtual.law": "public_v1"}, 0.0225, 0.0225) == {}, "its classes decide"
    assert virtual_trial({"virtual.only": 0.05}, 0.05, 0.02) == {}


def test_what_to_try_for_t6() -> None:
    """Of weights 75 and 25 the first must become 58.33 for it to have 0.7 of all."""
    tried = places_trial({"US": 75.0, "GB": 25.0}, 0.75, ["US", "FR"])
    assert places_trial({"US": 75.0, "GB": 25.0}, 0.75, ["US", "GB"]) == {}, "nobody gains by it"
    assert tried == {"places.countries.US": 58.33}
    assert pytest.approx(0.70, abs=1e-4) == 58.33 / (58.33 + 25.0)
    assert places_trial(None, 0.75, ["US"]) == places_trial({"US": 75.0}, 0.72, ["US"]) == {}


def test_files_of_a_run_with_a_specification(tmp_path_factory: pytest.TempPathFactory, runner: CandidateRunner) -> None:
    """A world of two countries has all in ten zones, and no country to weigh more: T6 has keys and no trial, T7 has both."""
    root = make_own(tmp_path_factory.mktemp("reopen"))
    runner.realise(Derived(root, STATE_IDS))
    first = _decided(root, runner)
    assert (first["decision"], first["frozen_failures"]) == (HOLD, None)
    runner.score(root, "baseline")
    again = _decided(root, runner)
    assert again["frozen_failures"] is not None and "score the run first" not in again["reason"]
    t6 = again["owners"]["T6"]
    assert t6["spec_keys"]["places.countries"] == {"US": 2.0, "GB": 1.0}
    assert (t6["try"], t6["command"]) == ({}, None)
    tried = again["owners"]["T7"]["try"]
    assert tried.keys() == {"virtual.only"} and "--set virtual.only=" in again["owners"]["T7"]["command"]
    spec = read_spec(root.path / "reports/world_spec.yaml")
    plan_of(with_values(spec, {**tried, **places_trial({"US": 2.0, "GB": 1.0}, 0.8, ["US"])}))  # it is a world


def _decided(root: RunRoot, runner: CandidateRunner) -> dict[str, Any]:
    paths = write_analysis(root, analyse(root, runner.contracts))
    found: dict[str, Any] = json.loads(paths["upstream_reopen.json"].read_text())
    return found
