"""A whole run under the reference engine's own contracts: it passes, and holds what it holds under the packaged ones."""

from __future__ import annotations

from pathlib import Path

from seg5b.api import open_run
from seg5b.digests import content_digests
from seg5b.listing import datasets_of
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from tests.other_contracts import lay_layer_1_policies, with_own_policies
from tests.worlds import copy_run


def test_all_states_run(tiny_world: Path, tiny_arrivals: Path, tmp_path: Path) -> None:
    root: RunRoot = copy_run(tiny_world, tmp_path)
    lay_layer_1_policies(root.path)
    contracts = with_own_policies(tmp_path / "reference")
    result = run_states(root, contracts, ("S0", "S1", "S2", "S3", "S4", "S5"))
    assert [state.record["status"] for state in result.states] == ["PASS"] * 6
    ours = open_run(tiny_arrivals)
    assert content_digests(root, contracts, threads=2) == content_digests(ours.root, ours.contracts, threads=2)
    assert {facts.dataset_id for facts in datasets_of(root, contracts)} >= {"arrival_events_5B", "s1_grouping_5B"}
