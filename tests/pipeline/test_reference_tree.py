"""A whole run under the reference engine's own contracts as they are, with the shipped policies and with its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from seg5b.pipeline import STATE_IDS, run_states, states_between
from seg5b.runs.root import RunRoot
from tests.long import LONG
from tests.other_contracts import reference_contracts
from tests.worlds import copy_run, make_own

POLICIES = (
    "config/layer1/2B/policy/alias_layout_policy_v1.json",
    "config/layer1/2B/policy/route_rng_policy_v1.json",
    "config/layer2/5B",
)


def _with_their_policies(root: RunRoot) -> None:
    theirs = reference_contracts().root
    for relative in POLICIES:
        source = theirs / relative
        for file in [source] if source.is_file() else sorted(source.iterdir()):
            shutil.copyfile(file, root.path / "reference" / file.relative_to(theirs))


def test_a_world_passes_under_their_contracts(tmp_path: Path) -> None:
    result = run_states(make_own(tmp_path), reference_contracts(), STATE_IDS)
    assert [state.record["status"] for state in result.states] == ["PASS"] * 6


@pytest.mark.parametrize("last", ["S4", pytest.param("S5", marks=LONG)])
def test_a_world_passes_under_their_contracts_and_policies(demo_world: Path, tmp_path: Path, last: str) -> None:
    """Their group limits ask for a thousand merchants."""
    root = copy_run(demo_world, tmp_path)
    _with_their_policies(root)
    result = run_states(root, reference_contracts(), states_between("S0", last))
    assert {state.record["status"] for state in result.states} == {"PASS"}
    told = result.facts("S0")
    assert told["packaged_contracts"] == ["sealed_content_5B", "rng_event_arrival_edge_temper"]
    assert any(policy["defaults"] for policy in told["policies"])
