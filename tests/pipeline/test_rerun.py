"""A second run changes nothing; a changed policy or swapped bytes are refused until the gate is resealed (laws L2 and L12)."""

from __future__ import annotations

import pytest

from seg5b.api import Run
from seg5b.errors import GateError, PublishError
from seg5b.hashing import tree_digests
from seg5b.options import GateOptions, Options
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from tests.policies import change_policies

ALL = ("S0", "S1", "S2", "S3", "S4")


def _data(root: RunRoot) -> dict[str, str]:
    return tree_digests(root.path / "data") | tree_digests(root.path / "logs")


def test_second_run_changes_nothing(demo_run: Run, demo_copy: RunRoot) -> None:
    run_states(demo_copy, demo_run.contracts, ("S5",))
    before = _data(demo_copy)
    result = run_states(demo_copy, demo_run.contracts, (*ALL, "S5"))
    assert _data(demo_copy) == before
    assert {state.record["outcome"] for state in result.states} == {"unchanged"}
    left = {path.name for path in (demo_copy.path / "tmp").iterdir()}
    assert left == {demo_copy.kept().name}, "only the tables of parts stay"


def test_changed_policy_is_refused_until_resealed(demo_run: Run, demo_copy: RunRoot) -> None:
    change_policies(demo_copy.path, {"arrival_routing_policy_5B": {"hybrid_policy.p_virtual_hybrid": 0.5}})
    before = _data(demo_copy)
    with pytest.raises(GateError) as caught:
        run_states(demo_copy, demo_run.contracts, ("S4",))
    assert caught.value.code == "5B.S4.SEALED_POLICY_CHANGED"
    assert "s0 --reseal" in caught.value.remedy
    with pytest.raises(PublishError):
        run_states(demo_copy, demo_run.contracts, ("S0",))
    assert _data(demo_copy) == before
    run_states(demo_copy, demo_run.contracts, ("S0",), options=Options(GateOptions(reseal=True)))
    run_states(demo_copy, demo_run.contracts, (*ALL[1:], "S5"))
    events = f"data/layer2/5B/arrival_events/seed=42/manifest_fingerprint={demo_copy.identity.manifest_fingerprint}"
    assert tree_digests(demo_copy.path / events) != tree_digests(demo_run.root.path / events)
    assert tree_digests(demo_copy.path / "superseded"), "the old outputs are kept aside"


def test_swapped_input_is_noticed(demo_run: Run, demo_copy: RunRoot) -> None:
    surface = next(
        demo_copy.path.glob("data/layer2/5A/merchant_zone_scenario_local/*/scenario_id=baseline_v1/*.parquet")
    )
    content = bytearray(surface.read_bytes())
    content[len(content) // 2] ^= 1
    surface.write_bytes(content)
    with pytest.raises(GateError) as caught:
        run_states(demo_copy, demo_run.contracts, ("S2",))
    assert caught.value.code == "5B.S2.SEALED_CONTENT_CHANGED"


def test_damaged_output_is_a_conflict(demo_run: Run, demo_copy: RunRoot) -> None:
    """Existing output with other bytes is never replaced (defect D14)."""
    part = next(demo_copy.path.glob("data/layer2/5B/arrival_events/*/*/scenario_id=baseline_v1/part-000000.parquet"))
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    damaged = tree_digests(part.parent)
    with pytest.raises(PublishError) as caught:
        run_states(demo_copy, demo_run.contracts, ("S4",))
    assert caught.value.code == "5B.S4.IO_WRITE_CONFLICT"
    assert tree_digests(part.parent) == damaged
