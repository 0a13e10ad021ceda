"""A second run changes nothing; a changed policy or swapped bytes are refused until the gate is resealed (laws L2 and L12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg5b.contracts import ContractSource
from seg5b.errors import GateError, PublishError
from seg5b.hashing import tree_digests
from seg5b.options import GateOptions, Options
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot, open_root
from tests.policies import change_policies

ALL = ("S0", "S1", "S2", "S3", "S4")


def _data(root: RunRoot) -> dict[str, str]:
    return tree_digests(root.path / "data") | tree_digests(root.path / "logs")


def test_second_run_changes_nothing(realised: RunRoot) -> None:
    run_states(realised, ContractSource.packaged(), ("S5",))
    before = _data(realised)
    result = run_states(realised, ContractSource.packaged(), (*ALL, "S5"))
    assert _data(realised) == before
    assert {state.record["outcome"] for state in result.states} == {"unchanged"}
    left = {path.name for path in (realised.path / "tmp").iterdir()}
    assert left == {realised.kept().name}, "only the tables of parts stay"


def test_changed_policy_is_refused_until_resealed(tiny_arrivals: Path, realised: RunRoot) -> None:
    change_policies(realised.path, {"arrival_routing_policy_5B": {"hybrid_policy.p_virtual_hybrid": 0.5}})
    before = _data(realised)
    with pytest.raises(GateError) as caught:
        run_states(realised, ContractSource.packaged(), ("S4",))
    assert caught.value.code == "5B.S4.SEALED_POLICY_CHANGED"
    assert "s0 --reseal" in caught.value.remedy
    with pytest.raises(PublishError):
        run_states(realised, ContractSource.packaged(), ("S0",))
    assert _data(realised) == before
    run_states(realised, ContractSource.packaged(), ("S0",), options=Options(GateOptions(reseal=True)))
    run_states(realised, ContractSource.packaged(), (*ALL[1:], "S5"))
    events = f"data/layer2/5B/arrival_events/seed=42/manifest_fingerprint={realised.identity.manifest_fingerprint}"
    assert tree_digests(realised.path / events) != tree_digests(open_root(tiny_arrivals).path / events)
    assert tree_digests(realised.path / "superseded"), "the old outputs are kept aside"


def test_swapped_input_is_noticed(realised: RunRoot) -> None:
    surface = next(
        realised.path.glob("data/layer2/5A/merchant_zone_scenario_local/*/scenario_id=baseline_v1/*.parquet")
    )
    content = bytearray(surface.read_bytes())
    content[len(content) // 2] ^= 1
    surface.write_bytes(content)
    with pytest.raises(GateError) as caught:
        run_states(realised, ContractSource.packaged(), ("S2",))
    assert caught.value.code == "5B.S2.SEALED_CONTENT_CHANGED"


def test_damaged_output_is_a_conflict(realised: RunRoot) -> None:
    """Existing output with other bytes is never replaced (defect D14)."""
    part = next(realised.path.glob("data/layer2/5B/arrival_events/*/*/scenario_id=baseline_v1/part-000000.parquet"))
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    part.write_bytes(content)
    damaged = tree_digests(part.parent)
    with pytest.raises(PublishError) as caught:
        run_states(realised, ContractSource.packaged(), ("S4",))
    assert caught.value.code == "5B.S4.IO_WRITE_CONFLICT"
    assert tree_digests(part.parent) == damaged
