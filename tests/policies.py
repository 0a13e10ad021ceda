"""Changing a policy: parsed, by dotted keys (``files.arrivals_per_row_group``, ``families.1.module``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seg5b.policy import (
    ADDITIONS,
    Additions,
    AliasLayoutPolicy,
    BundleLayoutPolicy,
    CountPolicy,
    GroupingPolicy,
    LgcpPolicy,
    PlacementPolicy,
    RngPolicy,
    RoutingPolicy,
    TimeGridPolicy,
    ValidationPolicy,
)
from seg5b.spelling import is_there, spelled_anew

Changes = Mapping[str, Mapping[str, Any]]
"""New values by the name of a policy of 5B, then by dotted key."""

KINDS: dict[str, Any] = {
    "time_grid_policy_5B": TimeGridPolicy,
    "grouping_policy_5B": GroupingPolicy,
    "arrival_lgcp_config_5B": LgcpPolicy,
    "arrival_count_config_5B": CountPolicy,
    "arrival_time_placement_policy_5B": PlacementPolicy,
    "arrival_routing_policy_5B": RoutingPolicy,
    "arrival_rng_policy_5B": RngPolicy,
    "validation_policy_5B": ValidationPolicy,
    "bundle_layout_policy_5B": BundleLayoutPolicy,
    "alias_layout_policy_v1": AliasLayoutPolicy,
}
"""Record class of each policy that has one, by dictionary id."""


@dataclass(frozen=True, slots=True)
class Added:
    """The value of a key that the shipped policy does not have."""

    value: Any


TWO_LEVELS: Changes = {
    "arrival_lgcp_config_5B": {
        "latent_model_id": "log_gaussian_two_level_v1",
        "levels": Added(
            {
                "country": {"variance_share": 0.15, "length_buckets": 40.0},
                "zone": {"variance_share": 0.12, "length_buckets": 20.0},
            }
        ),
    }
}
"""Paths of countries and time zones, and one of each series."""


def put(policy: Any, key: str, value: Any) -> None:
    """Set a key, which may be new, of a parsed policy; ``...`` deletes it. Digits count the entries of a list.

    Raises KeyError or IndexError where nothing holds the key, unless it is one that this engine adds to a policy.
    """
    added = ADDITIONS.get(policy.get("policy_id"), Additions()).keys
    if key in added and value is not ... and not is_there(policy, key):
        _put_new(policy, key, value)
        return
    holder, last = _holder(policy, key)
    if value is ...:
        del holder[last]
    else:
        holder[last] = value


def change_policies(run_folder: Path, *changes: Changes) -> None:
    """Replace values in a run's own policy files, which are spelled anew, or set those of new keys (`Added`); every other key
    keeps its value. A key that this engine adds may be absent: then its value is what the record says.

    Raises KeyError for a key that the file does not have, AssertionError for a value or a new key that it has already.
    """
    for change in changes:
        for name, values in change.items():
            path = run_folder / f"reference/config/layer2/5B/{name}.yaml"
            policy = spelled_anew(name, yaml.safe_load(path.read_text("utf-8")))
            for key, value in values.items():
                _replace(policy, key, value, name)
            path.write_text(yaml.safe_dump(policy, sort_keys=False, allow_unicode=True), "utf-8")


def _replace(policy: Any, key: str, value: Any, name: str) -> None:
    if isinstance(value, Added):
        above, new = _holder(policy, key)
        assert new not in above, f"{name} has {key} already"
        above[new] = value.value
        return
    added = ADDITIONS.get(name, Additions()).keys
    if key in added and not is_there(policy, key):
        assert added[key] != value, f"{name}: {key} is {value!r} already"
        _put_new(policy, key, value)
        return
    try:
        holder, last = _holder(policy, key)
        before = holder[last]
    except (KeyError, IndexError, TypeError) as cause:
        raise KeyError(f"{name} has no key {key}") from cause
    assert (type(before), before) != (type(value), value), f"{name}: {key} is {value!r} already"
    holder[last] = value


def _put_new(policy: Any, key: str, value: Any) -> None:
    """Set a key, with the blocks that hold it."""
    *above, last = key.split(".")
    for part in above:
        policy = policy.setdefault(part, {})
    policy[last] = value


def _holder(policy: Any, key: str) -> tuple[Any, str | int]:
    """What holds the last part of a key, and that part."""
    *parents, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    for part in parents:
        policy = policy[part]
    return policy, last
