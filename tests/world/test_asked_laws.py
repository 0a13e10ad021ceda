"""A specification asks for laws of the engine: how arrivals lie in a bucket, and what latent paths share."""

from __future__ import annotations

from typing import Any

import pytest

from seg5b.errors import WorldError
from seg5b.resources import resource_root
from seg5b.world import World
from seg5b.world.make import draft_world
from seg5b.world.policies import LGCP, PLACEMENT

TWO = {"model": "log_gaussian_two_level_v1"}


def changes(values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    world = World.from_mapping(
        {
            "name": "asked",
            "horizon": {"start": "2026-03-02", "days": 7},
            "places": {"countries": ["GB", "FR"]},
            **values,
        }
    )
    draft = draft_world(world.plan, (42,), resource_root(), unique_keys=False)
    return {(change.policy, change.key): change.value for change in draft.changes}


def test_nothing_asked_for_is_as_shipped() -> None:
    found = changes({})
    assert not {(LGCP, "latent_model_id"), (LGCP, "levels"), (PLACEMENT, "placement_kind")} & set(found)


OLD_AND_NEW = [
    (PLACEMENT, {"placement.law": "linear_v1"}, {"placement_kind": "linear_v1"}),
    (LGCP, {"sigma.bounds": [0.1, 1.0]}, {"hyperparam_law.sigma.sigma_bounds": [0.1, 1.0]}),
    (
        "arrival_routing_policy_5B",
        {"physical.on_missing_site_table": "merchant_sites", "virtual.edge_temper": {"enabled": True, "top_k": 2}},
        {
            "physical_router.on_missing_site_table": "merchant_sites",
            "virtual_router.edge_temper.enabled": True,
            "virtual_router.edge_temper.top_k": 2,
        },
    ),
    (
        "validation_policy_5B",
        {"calibration_sentinels.b.residual_std_bounds": [0.5, 9.0], "structural_checks.sorted_output": False},
        {
            "calibration_sentinels.residual_std_min_b": 0.5,
            "calibration_sentinels.residual_std_max_b": 9.0,
            "structural_checks.sorted_output": False,
        },
    ),
]


@pytest.mark.parametrize(("policy", "old", "new"), OLD_AND_NEW, ids=[name for name, *_ in OLD_AND_NEW])
def test_keys_of_old_specifications_are_those_of_today(policy: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    """What they state stays as it is stated, whatever the world would ask for."""
    found = changes({"policies": {policy: old}})
    assert found == changes({"policies": {policy: new}})
    assert {key: found[policy, key] for key in new} == new


@pytest.mark.parametrize(
    "values", [{"placement.clamp": "none"}, {"placement.other": 1}, {"virtual.edge_temper": {"enabled": True}}]
)
def test_keys_that_no_spelling_has_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(WorldError, match=r"5B\.WORLD\.SPEC_INVALID"):
        changes({"policies": {PLACEMENT: values}})


def test_linear_placement() -> None:
    assert changes({"placement": {"law": "linear_v1"}})[PLACEMENT, "placement_kind"] == "linear_v1"


@pytest.mark.parametrize("seconds", [3600, 900])
def test_two_levels(seconds: int) -> None:
    per_hour = 3600 // seconds
    found = changes({"latent": TWO, "bucket_seconds": seconds})
    assert found[LGCP, "latent_model_id"] == "log_gaussian_two_level_v1" and (LGCP, "kernel.kind") not in found
    assert found[LGCP, "levels"] == {
        "country": {"variance_share": 0.15, "length_buckets": 48.0 * per_hour},
        "zone": {"variance_share": 0.12, "length_buckets": 24.0 * per_hour},
    }
    stated = {**TWO, "levels": {"country": {"length_hours": 300}, "zone": {"variance_share": 0.5}}}
    found = changes({"latent": stated, "bucket_seconds": seconds})
    assert found[LGCP, "levels"] == {
        "country": {"variance_share": 0.15, "length_buckets": 300.0 * per_hour},
        "zone": {"variance_share": 0.5, "length_buckets": 24.0 * per_hour},
    }
    assert found[LGCP, "kernel.length_scale_buckets_bounds"][1] >= 300.0 * per_hour


@pytest.mark.parametrize(
    "latent",
    [
        {"levels": {"zone": {"variance_share": 0.2}}},
        {"model": "log_gaussian_ou_v1", "levels": {}},
        {**TWO, "levels": {"country": {"variance_share": 0.5}, "zone": {"variance_share": 0.5}}},
        {**TWO, "levels": {"country": {"variance_share": 0.9}}},
    ],
)
def test_levels_that_cannot_be(latent: dict[str, Any]) -> None:
    with pytest.raises(WorldError) as caught:
        changes({"latent": latent})
    assert caught.value.where == "latent.levels"


def test_what_nothing_clips_has_its_limit() -> None:
    with pytest.raises(WorldError) as caught:
        changes({"latent": {**TWO, "sigma": {"baseline": 0.1, "stress": 1.01}}})
    assert caught.value.where == "latent.sigma.stress"
    assert (
        changes({"latent": {"sigma": {"baseline": 5}}})[LGCP, "hyperparam_law.sigma.base_by_scenario_band.baseline"]
        == 5
    )


def test_coins_are_of_channels_that_there_are() -> None:
    def coins(**named: float | list[float]) -> dict[str, Any]:
        return {"policies": {"arrival_routing_policy_5B": {"hybrid_policy.virtual_share_profile": named}}}

    assert changes(coins(card_present=0.0, card_not_present=1.0)) and changes(coins(card_present=[0.5] * 24))
    with pytest.raises(WorldError) as caught:
        changes(coins(card_present=[0.5] * 23))
    assert "23 probabilities" in caught.value.what and "24" in caught.value.remedy
    with pytest.raises(WorldError) as caught:
        changes(coins(card_presnt=0.0))
    assert caught.value.where.endswith(".card_presnt") and "card_present" in caught.value.remedy
