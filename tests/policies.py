"""Changed policies for small worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

GROUPS_OF_ANY_SIZE: dict[str, Any] = {
    "grouping_policy_5B": {
        "in_stratum_buckets": 2,
        "realism_targets": {
            "min_groups_per_scenario": 1,
            "min_group_members_median": 1,
            "max_single_group_share": 1.0,
            "min_multi_member_fraction": 0.0,
        },
    }
}
"""Admits worlds of a few merchants to S1."""


def merged(policy: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A policy with some values replaced."""
    return {
        **policy,
        **{key: merged(policy[key], value) if isinstance(value, dict) else value for key, value in changes.items()},
    }


def change_policies(run_folder: Path, *changes: dict[str, Any]) -> None:
    """Replace values in a run's own policy files; ``changes`` by policy name, then as nested as the file."""
    for change in changes:
        for name, values in change.items():
            path = run_folder / f"reference/config/layer2/5B/{name}.yaml"
            path.write_text(yaml.safe_dump(merged(yaml.safe_load(path.read_text()), values)))
