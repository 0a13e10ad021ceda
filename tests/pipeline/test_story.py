"""What the log of a run tells of its states, and what the record of a failed one has reached (docs/laws#run-log)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from seg5b.cli import main
from seg5b.contracts import ContractSource
from seg5b.errors import PolicyError, Seg5bError
from seg5b.gate import open_gate
from seg5b.pipeline import STATE_IDS, run_states
from seg5b.policy import BundleLayoutPolicy
from seg5b.reached import Reached
from seg5b.resources import resource_root
from seg5b.run_tables.policies import load_policies
from seg5b.runs.ledger import last_records
from seg5b.runs.root import RunRoot, open_root
from seg5b.states import s3_counts
from seg5b.story import outcome_lines
from seg5b.timers import Timers
from tests.policies import change_policies


def _log(root: RunRoot) -> list[str]:
    return (root.path / f"run_log_{root.identity.run_id}.log").read_text("utf-8").splitlines()


def _told(root: RunRoot, state_id: str) -> list[str]:
    """What a state told of itself, without time, level and logger."""
    mark = f" seg5b.story {state_id}: "
    return [line.partition(mark)[2] for line in _log(root) if mark in line]


@pytest.fixture
def second_scenario_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 finds the second scenario wanting once its parts are made."""
    details = s3_counts._details

    def failing(work: Any, parts: Any) -> dict[str, Any]:
        if work.scenario_id != "baseline_v1":
            with work.state.timers.lane("count"):
                raise Seg5bError("5B.S3.COUNTS_NUMERIC_INVALID", "planted")
        return details(work, parts)

    monkeypatch.setattr(s3_counts, "_details", failing)


def test_every_state_tells_what_it_reads_how_and_what_came_of_it(tiny_run: Path) -> None:
    root = open_root(tiny_run)
    assert any(line.startswith("sealed: ") and " required" in line for line in _told(root, "S0"))
    assert "optional and absent: none" in _told(root, "S0")
    gate = open_gate(root, ContractSource.packaged(), state="S2")
    wanted = gate.rows["arrival_lgcp_config_5B"].sha256_hex
    (policy,) = {line for line in _told(root, "S2") if line.startswith("reads arrival_lgcp_config_5B")}
    assert " v1." in policy and policy.endswith(f"sealed as {wanted}") and "arrival_lgcp_config_5B.yaml" in policy
    for state_id in STATE_IDS[1:]:
        assert any(" threads, " in line for line in _told(root, state_id)), state_id
    details = last_records(root)["S3"]["details"]["baseline_v1"]
    assert any(line.startswith(f"baseline_v1: {details['sum_count_N']:,} arrivals in ") for line in _told(root, "S3"))
    assert any("sigma" in line and "length in buckets" in line for line in _told(root, "S2"))
    assert any(line.startswith("checks (full): ") and " PASS" in line for line in _told(root, "S5"))


def test_absent_optional_inputs_are_named(world: RunRoot) -> None:
    gone = next(world.path.rglob("virtual_settlement*"))
    (gone if gone.is_dir() else gone.parent).rename(world.path / "tmp-settlement")
    run_states(world, ContractSource.packaged(), STATE_IDS[:5])
    assert "optional and absent: virtual_settlement_3B" in _told(world, "S0")
    assert last_records(world)["S0"]["sealed_inputs_absent"] == ["virtual_settlement_3B"]
    assert any(line.startswith("reads no virtual_settlement_3B") for line in _told(world, "S4"))


def test_guardrails_below_the_guide_are_told_and_obeyed(world: RunRoot) -> None:
    change_policies(world.path, {"time_grid_policy_5B": {"guardrails.max_buckets_per_scenario": 10_000}})
    run_states(world, ContractSource.packaged(), STATE_IDS[:2])
    below = last_records(world)["S1"]["guardrails_below_guide"]
    assert "max_buckets_per_scenario" not in below and "min_groups_per_scenario" in below
    assert any("min_groups_per_scenario is " in line and "guide" in line for line in _log(world))


def test_a_gate_without_a_bundle_layout_gets_the_shipped_one(tiny_run: Path) -> None:
    root, contracts = open_root(tiny_run), ContractSource.packaged()
    gate = open_gate(root, contracts, state="S5")
    without = replace(gate, rows={name: row for name, row in gate.rows.items() if name != "bundle_layout_policy_5B"})
    shipped = resource_root() / "config/layer2/5B/bundle_layout_policy_5B.yaml"
    assert load_policies(without, contracts).layout == BundleLayoutPolicy.load(shipped, contracts)


def test_the_log_names_what_tempering_does(world: RunRoot) -> None:
    temper = {
        "virtual_router.edge_temper.enabled": True,
        "virtual_router.edge_temper.redirect_p": 0.5,
        "virtual_router.edge_temper.top_k": 1,
    }
    change_policies(world.path, {"arrival_routing_policy_5B": temper})
    run_states(world, ContractSource.packaged(), STATE_IDS[:5])
    told = last_records(world)["S4"]["tz_temper"]
    assert len(told["zones"]) == 1 and told["merchants"] > 0
    assert any(line.startswith("tempering: 0.5") and told["zones"][0] in line for line in _told(world, "S4"))


@pytest.mark.usefixtures("second_scenario_fails")
def test_a_failed_state_says_how_far_it_came(fresh_world: RunRoot) -> None:
    with pytest.raises(Seg5bError, match="planted") as failure:
        run_states(fresh_world, ContractSource.packaged(), STATE_IDS[:4])
    record = last_records(fresh_world)["S3"]
    assert record["status"] == "FAIL" and record["first_failure_phase"] == "count"
    assert (record["scenario_count_requested"], record["scenario_count_succeeded"]) == (2, 1)
    assert record["scenario_count_failed"] == 1 and record["first_failure_scenario"] != "baseline_v1"
    assert record["details"]["baseline_v1"]["sum_count_N"] > 0
    assert failure.value.record == record
    assert any(line.startswith("baseline_v1: ") for line in _told(fresh_world, "S3"))


@pytest.mark.usefixtures("second_scenario_fails")
def test_json_of_a_failure_has_the_record(fresh_world: RunRoot) -> None:
    arguments = ["run", "--to", "S3", "--json", "--runs-root", str(fresh_world.path.parent)]
    result = CliRunner().invoke(main, arguments)
    found = json.loads(result.stdout)
    assert result.exit_code == 1 and found["error"]["code"] == "5B.S3.COUNTS_NUMERIC_INVALID"
    assert found["record"]["scenario_count_succeeded"] == 1


def test_a_failure_before_any_scenario_counts_none(world: RunRoot) -> None:
    run_states(world, ContractSource.packaged(), STATE_IDS[:2])
    change_policies(world.path, {"arrival_lgcp_config_5B": {"clipping.min_factor": 0.6}})
    with pytest.raises((PolicyError, Seg5bError)):
        run_states(world, ContractSource.packaged(), ("S2",))
    record = last_records(world)["S2"]
    assert record["first_failure_phase"] == "gate" and record.get("scenario_count_failed", 0) == 0


@pytest.mark.parametrize("details", [None, [], {"baseline_v1": {}}, {"baseline_v1": {"sum_count_N": "many"}}])
def test_an_earlier_record_that_is_damaged_stops_nothing(details: Any) -> None:
    assert list(outcome_lines("S3", {"details": details})) == ["the record says no more of what came of it"]


def test_scenarios_are_under_way_one_at_a_time() -> None:
    reached, seen = Reached(), []
    for scenario_id in reached.each(("a", "b")):
        seen.append(reached.under_way)
        reached.details[scenario_id] = {"rows": 1}
    assert seen == ["a", "b"] and reached.under_way is None
    assert reached.of_failure(("a", "b"))["scenario_count_failed"] == 0


def test_the_lane_that_an_error_left_first_is_the_phase() -> None:
    timers = Timers()
    with pytest.raises(ValueError, match="inner"), timers.lane("outer"), timers.lane("inner"):
        raise ValueError("inner")
    with pytest.raises(ValueError, match="later"), timers.lane("later"):
        raise ValueError("later")
    assert timers.first_failure == "inner"
