"""Policies of releases before the names of the reference engine say what they said, and keys of both spellings are told apart."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from seg5b.contracts import ContractSource, load_yaml
from seg5b.errors import PolicyError
from seg5b.policy import RECORDS
from seg5b.resources import resource_root
from seg5b.spelling import DROPPED, MOVED, SPLIT, is_old, now, spelled_anew
from seg5b.world.identity import CLASSIC_FOLDER

POLICIES = [name for name in RECORDS if name.endswith("_5B")]
SAID_ANEW = {
    "validation_policy_5B": {"structural_checks"},
    "bundle_layout_policy_5B": {"evidence_groups"},
}
"""Where the shipped policies say more than the old ones did."""


def old(name: str) -> Path:
    """A policy of the time of the classic presets."""
    return resource_root() / CLASSIC_FOLDER / f"{name}.yaml"


@pytest.mark.parametrize("name", POLICIES)
def test_old_policies_say_what_the_shipped_ones_say(name: str, shipped: Callable[[str], Any]) -> None:
    record, other = RECORDS[name].load(old(name), ContractSource.packaged()), shipped(name)
    fields = set(record.__dataclass_fields__)
    assert {key for key in fields if getattr(record, key) != getattr(other, key)} == SAID_ANEW.get(name, set())


def test_old_checks_were_as_strict() -> None:
    record = RECORDS["validation_policy_5B"].load(old("validation_policy_5B"), ContractSource.packaged())
    assert record.structural_checks.s1_time_grid.max_buckets_per_scenario == 2**31 - 1
    required = record.require_upstream_pass
    assert required.required(physical_arrivals=True) == ("1A", "1B", "2A", "2B", "3A", "3B", "5A")
    assert "2B" not in required.required(physical_arrivals=False)


@pytest.mark.parametrize("name", POLICIES)
def test_spelling_anew_ends(name: str, payload_of: Callable[[str], dict[str, Any]]) -> None:
    """What is spelled as today stays as it is, and is not touched."""
    payload = load_yaml(old(name))
    kept = copy.deepcopy(payload)
    anew = spelled_anew(name, payload)
    assert payload == kept and not is_old(name, anew) and spelled_anew(name, anew) == anew
    assert spelled_anew(name, payload_of(name)) == payload_of(name)
    assert is_old(name, payload) == (name in MOVED)


@pytest.mark.parametrize(
    ("name", "key", "value", "found"),
    [
        ("arrival_count_config_5B", "nb2.kappa.bounds", [1, 2], {"nb2.kappa_law.kappa_bounds": [1, 2]}),
        (
            "arrival_count_config_5B",
            "nb2.kappa",
            {"bounds": [1, 2], "volume_power": {"power": 1}},
            {"nb2.kappa_law.kappa_bounds": [1, 2], "nb2.kappa_law.volume_power": {"power": 1}},
        ),
        (
            "arrival_lgcp_config_5B",
            "sigma.class_multipliers.online_24h",
            1.2,
            {"hyperparam_law.sigma.class_multipliers.online_24h": 1.2},
        ),
        (
            "arrival_time_placement_policy_5B",
            "placement.law",
            "uniform_floor_us_v1",
            {"placement_kind": "uniform_within_bucket_v1"},
        ),
        ("arrival_time_placement_policy_5B", "placement.law", "linear_v1", {"placement_kind": "linear_v1"}),
        ("arrival_time_placement_policy_5B", "placement.clamp", "below_bucket_end", {}),
        (
            "arrival_routing_policy_5B",
            "virtual.edge_temper.top_k",
            3,
            {"virtual_router.edge_temper.top_k": 3},
        ),
        (
            "validation_policy_5B",
            "calibration_sentinels.bplus.virtual_share_bounds",
            [0.1, 0.2],
            {
                "calibration_sentinels.virtual_share_min_bplus": 0.1,
                "calibration_sentinels.virtual_share_max_bplus": 0.2,
            },
        ),
        (
            "validation_policy_5B",
            "structural_checks.event_time_in_bucket",
            False,
            {
                "structural_checks.s4_arrival_events.require_event_time_in_bucket": False,
                "structural_checks.s4_arrival_events.require_time_half_open": False,
            },
        ),
        ("validation_policy_5B", "structural_checks.schemas", False, {"structural_checks.schemas": False}),
        ("grouping_policy_5B", "in_stratum_buckets", 4, {"in_stratum_buckets": 4}),
    ],
)
def test_single_keys(name: str, key: str, value: Any, found: dict[str, Any]) -> None:
    assert dict(now(name, key, value)) == found
    assert dict(pair for new, said in found.items() for pair in now(name, new, said)) == found


def test_no_old_key_is_a_key_of_today(payload_of: Callable[[str], dict[str, Any]]) -> None:
    for table in (MOVED, SPLIT, DROPPED):
        for name, keys in table.items():
            packaged = ContractSource.packaged()
            schema = packaged.schema(packaged.dictionary().entry(name).schema_ref)
            for key in keys:
                node: Any = schema
                for part in key.split("."):
                    node = node.get("properties", {}).get(part) if isinstance(node, dict) else None
                assert node is None, (name, key)


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        ("arrival_routing_policy_5B", {"physical_router": {"tz_group_law": "group_weights_v1"}}, "both|twice"),
        ("arrival_time_placement_policy_5B", {"placement": {"law": "linear_v1", "clamp": "none"}}, "clamp"),
        ("validation_policy_5B", {"realism_checks": {"factor_bounds": [0.2]}}, "factor_bounds"),
        ("arrival_rng_policy_5B", {"families": [{"draws_law": 1}]}, "draws_law"),
        ("bundle_layout_policy_5B", {"evidence_groups": [{"group": "a", "include": "sometimes"}]}, "include"),
        ("bundle_layout_policy_5B", {"evidence_groups": [{"group": "a", "include": "always"}] * 2}, "twice"),
        ("arrival_count_config_5B", {"surprise": 1}, "surprise"),
        ("arrival_lgcp_config_5B", {"hyperparam_law": 1}, "hyperparam_law"),
    ],
)
def test_what_old_policies_could_not_say_is_refused(
    tmp_path: Path, name: str, change: dict[str, Any], named: str
) -> None:
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**load_yaml(old(name)), **change}))
    with pytest.raises(PolicyError, match=named) as caught:
        RECORDS[name].load(file, ContractSource.packaged())
    assert file.name in caught.value.where and caught.value.remedy
