"""The bytes of the demo are those that were published before: `demo.json` remembers them from one change to the next."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pytest

from seg5b.api import Run
from seg5b.digests import content_digests
from tests.golden import remember
from tests.package.test_package import PINS

GOLDEN: dict[str, Any] = json.loads(remember.GOLDEN.read_text("utf-8"))


def other_releases() -> str:
    """Which installed releases sign other bytes than the remembered ones, and what to do; empty where none does."""
    named = GOLDEN["bytes_depend_on"].items()
    others = [f"{name} {version(name)} instead of {wanted}" for name, wanted in named if version(name) != wanted]
    what_to_do = "to compare, install the pinned ones: PIP_CONSTRAINT=constraints.txt make install"
    return f"other releases sign other bytes ({', '.join(others)}); {what_to_do}" if others else ""


def test_the_demo_has_the_bytes_that_it_had(demo_run: Run) -> None:
    if reason := other_releases():
        pytest.skip(reason)
    now = remember.found(demo_run)
    assert now["identity"] == GOLDEN["identity"], "another world: a policy, the preset or a law of worlds changed"
    assert now["datasets"] == GOLDEN["datasets"]


def test_the_demo_holds_what_it_held(demo_run: Run) -> None:
    """Under any releases."""
    assert content_digests(demo_run.root, demo_run.contracts, threads=2) == GOLDEN["content"]


def test_the_releases_are_the_pinned_ones() -> None:
    releases = GOLDEN["bytes_depend_on"] | GOLDEN["made_with"]
    assert {*releases} == {*remember.SIGNING, *remember.COMPUTING}
    assert releases == {name: str(PINS[name]) for name in releases}
