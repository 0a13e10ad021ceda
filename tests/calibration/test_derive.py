"""Derived runs: own identity, shared bytes, nothing of the base touched."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from seg5b.calibration import CandidateRunner, Change, Derived, PolicyKey, derive_run
from seg5b.calibration.derive import first_state
from seg5b.calibration.policies import FIRST_STATE, Value, changed_policy, current_value, parse_value, policy_path
from seg5b.digests import dataset_digests
from seg5b.errors import PolicyError, RunError, Seg5bError
from seg5b.hashing import tree_digests
from seg5b.pipeline import STATE_IDS
from seg5b.resources import resource_root
from seg5b.runs.root import RunRoot, latest_run_id
from seg5b.spelling import spelled_anew
from seg5b.validation import verify_validation_bundle

COIN = PolicyKey("arrival_routing_policy_5B", "hybrid_policy.p_virtual_hybrid")


def _folder(root: RunRoot, part: str) -> Path:
    return root.path / part


@pytest.fixture(scope="module")
def derived(base: RunRoot, runner: CandidateRunner) -> Derived:
    before = tree_digests(base.path)
    made = derive_run(base, runner.contracts, changes=[Change(COIN, 0.5)])
    assert runner.realise(made) == "PASS"
    assert tree_digests(base.path) == before
    return made


def test_receipt_and_identity(base: RunRoot, derived: Derived) -> None:
    receipt = json.loads((derived.root.path / "run_receipt.json").read_text())
    assert receipt["derived_from"] == base.identity.run_id
    assert receipt["derived_changes"] == [{"policy": COIN.policy_id, "key": COIN.key, "value": 0.5}]
    assert derived.root.path.parent == base.path.parent
    assert derived.root.identity.run_id != base.identity.run_id
    same = ("seed", "parameter_hash", "manifest_fingerprint")
    assert all(getattr(derived.root.identity, name) == getattr(base.identity, name) for name in same)
    assert latest_run_id(base.path.parent) == base.identity.run_id, "the base stays the latest run"


def test_only_the_states_that_change_were_run(base: RunRoot, derived: Derived, runner: CandidateRunner) -> None:
    assert derived.states == ("S0", "S4", "S5")
    ours, theirs = (dataset_digests(root, runner.contracts) for root in (derived.root, base))
    assert {name for name in ours if ours[name] != theirs[name]} == {
        "arrival_events_5B",
        "s4_arrival_summary_5B",
        "s4_arrival_anomalies_5B",  # its files state by which policies they were made
    }
    counts = next((derived.root.path / "data/layer2/5B/s3_bucket_counts").rglob("*.parquet"))
    assert counts.stat().st_nlink >= 2
    surface = next((derived.root.path / "data/layer2/5A").rglob("*.parquet"))
    assert surface.stat().st_nlink >= 2


def test_its_evidence_is_its_own(derived: Derived, runner: CandidateRunner) -> None:
    assert verify_validation_bundle(derived.root, runner.contracts).ok
    traces = sorted((derived.root.path / "logs/layer2/5B/rng/trace").rglob("*.jsonl"))
    rows = [json.loads(line) for path in traces for line in path.read_text().splitlines()]
    assert {row["run_id"] for row in rows} == {derived.root.identity.run_id}
    assert {row["module"] for row in rows} == {"5B.S2", "5B.S3", "5B.S4"}


def test_it_equals_a_whole_run_of_the_same_policy(base: RunRoot, derived: Derived, runner: CandidateRunner) -> None:
    """Linked outputs are those that the states would have written."""
    whole = derive_run(base, runner.contracts, changes=[Change(COIN, 0.5)])
    assert whole.root.path == derived.root.path
    again = Derived(derived.root, STATE_IDS)
    from seg5b.pipeline import run_states

    result = run_states(again.root, runner.contracts, ("S1", "S2", "S3"), backend=runner.backend)
    assert {result.facts(state)["outcome"] for state in ("S1", "S2", "S3")} == {"unchanged"}


def test_a_derived_run_is_found_again(base: RunRoot, derived: Derived, runner: CandidateRunner) -> None:
    assert derive_run(base, runner.contracts, changes=[Change(COIN, 0.5)]) == derived
    assert derive_run(base, runner.contracts).root is base


def test_a_folder_of_something_else_is_refused(base: RunRoot, runner: CandidateRunner) -> None:
    made = derive_run(base, runner.contracts, changes=[Change(COIN, 0.6)])
    (made.root.path / "run_receipt.json").write_text("{}")
    with pytest.raises(RunError, match=r"5B\.CALIBRATION\.TARGET_TAKEN"):
        derive_run(base, runner.contracts, changes=[Change(COIN, 0.6)])


def test_a_seed_that_the_world_lacks(base: RunRoot, runner: CandidateRunner) -> None:
    with pytest.raises(RunError, match=r"5B\.CALIBRATION\.SEED_NOT_IN_WORLD"):
        derive_run(base, runner.contracts, seed=7)
    assert not list(base.path.parent.glob(".derive_*"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("arrival_routing_policy_5B.hybrid_policy.p_virtual_hybrid", 0.99),
        ("arrival_routing_policy_5B.hybrid_policy.unknown", 1),
        ("arrival_routing_policy_5B.physical_router.tz_group_law", "guess"),
        ("arrival_count_config_5B.count_law_id", 3),
    ],
)
def test_a_value_that_no_policy_takes(base: RunRoot, runner: CandidateRunner, key: str, value: Value) -> None:
    with pytest.raises(Seg5bError) as raised:
        derive_run(base, runner.contracts, changes=[Change(PolicyKey.parse(key), value)])
    assert isinstance(raised.value, PolicyError)
    assert not list(base.path.parent.glob(".derive_*"))


def test_a_key_may_be_named_in_either_spelling(base: RunRoot, runner: CandidateRunner) -> None:
    """The base's policies are in the old one. A key of theirs leaves them in it; one of today spells them anew."""
    old, new = (
        PolicyKey("arrival_routing_policy_5B", f"{name}.tz_group_law") for name in ("physical", "physical_router")
    )
    for key in (old, new):
        assert current_value(base, runner.contracts, key) == "zone_pinned_v1"
    contents = [
        yaml.safe_load(changed_policy(base, runner.contracts, [Change(key, "group_weights_v1")])[1])
        for key in (old, new)
    ]
    assert (
        contents[0]["physical"]["tz_group_law"] == contents[1]["physical_router"]["tz_group_law"] == "group_weights_v1"
    )
    assert spelled_anew(old.policy_id, contents[0]) == contents[1]
    pair = PolicyKey("validation_policy_5B", "calibration_sentinels.b.residual_std_bounds")
    with pytest.raises(PolicyError, match=r"cannot be set|no single value"):
        current_value(base, runner.contracts, pair)


def test_a_key_that_this_engine_adds_need_not_be_there(base: RunRoot, runner: CandidateRunner, tmp_path: Path) -> None:
    run = shutil.copytree(base.path, tmp_path / base.path.name)
    root = replace(base, path=run)
    rendered, path = policy_path(root, runner.contracts, "arrival_routing_policy_5B")
    path.write_bytes((resource_root() / rendered).read_bytes())
    key = PolicyKey("arrival_routing_policy_5B", "virtual.edge_temper.top_k")
    assert current_value(root, runner.contracts, key) == 10
    content = yaml.safe_load(changed_policy(root, runner.contracts, [Change(key, 3)])[1])
    assert content["virtual_router"]["edge_temper"] == {"top_k": 3}


@pytest.mark.parametrize("text", ["nonsense", "arrival_routing_policy_5B", "unknown_policy.key"])
def test_a_key_that_names_no_policy(text: str) -> None:
    with pytest.raises(PolicyError, match=r"5B\.CALIBRATION\.KEY_UNKNOWN"):
        PolicyKey.parse(text)


@pytest.mark.parametrize("policy_id", sorted(FIRST_STATE.keys() - {"route_rng_policy_v1"}))
def test_changed_policies_keep_every_other_value(base: RunRoot, runner: CandidateRunner, policy_id: str) -> None:
    key = PolicyKey(policy_id, "version" if policy_id.endswith("5B") else "layout_version")
    old = current_value(base, runner.contracts, key)
    rendered, content = changed_policy(base, runner.contracts, [Change(key, f"{old}")])
    original = base.resolve(rendered).read_text()
    assert yaml.safe_load(content) == yaml.safe_load(original)
    assert base.resolve(rendered).read_text() == original


@pytest.mark.parametrize(
    ("text", "value"), [("0.25", 0.25), ("3", 3), ("true", True), ("zone_pinned_v1", "zone_pinned_v1"), ("NaN", "NaN")]
)
def test_values_of_the_command_line(text: str, value: Value) -> None:
    assert parse_value(text) == value


def test_first_state_of_a_change() -> None:
    def change(policy_id: str) -> Change:
        return Change(PolicyKey(policy_id, "x"), 1)

    assert first_state(False, [change("validation_policy_5B")]) == "S5"
    assert first_state(False, [change("arrival_routing_policy_5B")]) == "S4"
    assert first_state(False, [change("arrival_count_config_5B"), change("arrival_routing_policy_5B")]) == "S3"
    assert first_state(True, []) == "S1"
