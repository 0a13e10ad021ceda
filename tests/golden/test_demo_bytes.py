"""The bytes of the demo are those that were published before: `demo_bytes.json` remembers them from one change to the
next."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pytest

from seg5b.api import Run
from tests.golden import remember
from tests.package.test_package import PINS

GOLDEN: dict[str, Any] = json.loads(remember.BYTES.read_text("utf-8"))


def other_releases() -> str:
    """Which installed releases sign other bytes than the remembered ones, and what to do; empty where none does."""
    named = GOLDEN["bytes_depend_on"].items()
    others = [f"{name} {version(name)} instead of {wanted}" for name, wanted in named if version(name) != wanted]
    what_to_do = "to compare, install the pinned ones: PIP_CONSTRAINT=constraints.txt make install"
    return f"other releases sign other bytes ({', '.join(others)}); {what_to_do}" if others else ""


def test_the_demo_has_the_bytes_that_it_had(demo_run: Run) -> None:
    if reason := other_releases():
        pytest.skip(reason)
    assert remember.bytes_of(demo_run)["datasets"] == GOLDEN["datasets"]


def test_the_releases_are_the_pinned_ones() -> None:
    releases = GOLDEN["bytes_depend_on"] | GOLDEN["made_with"]
    assert {*releases} == {*remember.SIGNING, *remember.COMPUTING}
    assert releases == {name: str(PINS[name]) for name in releases}
