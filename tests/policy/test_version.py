"""The version law of docs/laws#policy-version."""

from __future__ import annotations

from typing import Any

import pytest

from seg5b.policy import policy_version, policy_version_matches


@pytest.mark.parametrize(
    ("wanted", "payload", "matches"),
    [
        ("v1", {"version": "v1.0.2"}, True),
        ("v1", {"version": "1.0.2"}, True),
        ("V1.0", {"version": "v1.0.2"}, True),
        ("v1.0.2", {"version": "v1.0.2"}, True),
        ("v1", {"version": "v10.0.0"}, False),
        ("v1.1", {"version": "v1.0.2"}, False),
        ("v1.0.2.3", {"version": "v1.0.2"}, False),
        ("v2", {"version": "v1.0.2"}, False),
        ("v1", {}, True),
        ("v1", {"version": None, "policy_version": "2.0.0"}, False),
        ("{policy_version}", {"policy_version": "1.0.0"}, True),
        ("{policy_version}", {"version_tag": "1.0.0"}, True),
        ("{policy_version}", {}, False),
        ("TBD", {"version": "anything"}, True),
        ("", {}, False),
        ("unknown", {"version": ""}, False),
    ],
)
def test_matches(wanted: str, payload: dict[str, Any], matches: bool) -> None:
    assert policy_version_matches(wanted, payload) is matches


def test_first_stated_version_counts() -> None:
    assert policy_version({"version_tag": "4", "prior_pack_version": "3", "policy_version": "2"}) == "2"
    assert policy_version({"version": None, "version_tag": "4"}) == "4"
    assert policy_version({"notes": "x"}) is None
