"""Law L17: a world names the release of the time-zone database that it is made with."""

from __future__ import annotations

import pytest

from seg5b.errors import WorldError
from seg5b.resources import resource_root
from seg5b.tzdb import DEFAULT
from seg5b.world import World
from seg5b.world.identity import make_identity, shipped_policies
from seg5b.world.spec.source import PRESET_NAMES, preset_path, read_spec, schema


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_presets_pin_it(name: str) -> None:
    assert read_spec(preset_path(name))["time_zone_release"] == DEFAULT


def test_what_a_specification_takes_by_itself_is_the_default() -> None:
    assert schema()["properties"]["time_zone_release"]["default"] == DEFAULT


OWN = {"name": "own", "horizon": {"start": "2026-01-01", "days": 28}, "places": {"countries": ["GB"]}}


@pytest.mark.parametrize("own", [False, True])
def test_both_names_of_a_release_are_one_world(own: bool) -> None:
    world = World.from_mapping(OWN) if own else World.from_preset("demo_classic")
    worlds = [world.with_(time_zone_release=name) for name in ("2026f", "2026.6")]
    policies = shipped_policies(resource_root())
    first, second = (make_identity(world.plan, (42,), False, policies).run_id for world in worlds)
    assert first == second


@pytest.mark.parametrize("release", ["2019a", "2026.77"])
def test_an_unknown_release_is_refused(release: str) -> None:
    with pytest.raises(WorldError) as failure:
        World.from_preset("demo_classic").with_(time_zone_release=release)
    assert failure.value.code == "5B.WORLD.TZDB_UNKNOWN" and DEFAULT in failure.value.remedy


def test_a_release_is_a_text() -> None:
    with pytest.raises(WorldError, match="time_zone_release"):
        World.from_preset("demo_classic").with_(time_zone_release=2026.6)
