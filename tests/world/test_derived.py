"""Worlds of the law derived_v1: what a specification says is what the population, the surfaces and the policies have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from seg5b.hashing import sha256_file
from seg5b.resources import resource_root
from seg5b.world import World
from seg5b.world.edges import WorldEdges, make_edges
from seg5b.world.make import Draft, draft_world
from seg5b.world.policies import COUNT, read_policies
from seg5b.world.policy_floors import expected_excess
from seg5b.world.spec import with_values
from seg5b.world.surface import Surface
from seg5b.world.templates import shape
from seg5b.world.vocabulary import CLASSES
from seg5b.world.world import BuiltWorld, build_world

SHOPS: dict[str, Any] = {
    "name": "shops",
    "horizon": {"start": "2026-10-26T05:00:00Z", "days": 14},
    "places": {"countries": {"US": 3, "GB": 1}},
    "merchants": {"count": 40},
}
SALE = {"name": "sale", "type": "campaign", "start": "2026-10-31", "days": 3, "factor": 3}


def built(**values: Any) -> BuiltWorld:
    return build_world(World.from_mapping(with_values(SHOPS, values)).plan, unique_keys=False)


def draft(values: Mapping[str, Any]) -> Draft:
    return draft_world(World.from_mapping(with_values(SHOPS, values)).plan, (42,), resource_root())


def factors(world: BuiltWorld, tzid: str, country: str, class_name: str = "consumer_daytime", channel: str = "") -> Any:
    return world.calendars[world.plan.scenarios[0]].factors(country, tzid, class_name, channel)


def test_volume_of_countries_and_zones_follows_their_weights() -> None:
    world = built(**{"merchants.count": 4000, "merchants.size": {"exponent": 0.5}})
    volume = np.bincount(world.rows.country, world.rows.weekly)
    assert volume / volume.sum() == pytest.approx([0.25, 0.75], abs=0.01)
    zones = np.bincount(world.rows.zone, world.rows.weekly, len(world.geography.tzids)) / volume.sum()
    made = dict(zip(world.geography.tzids, zones, strict=True))
    assert made["America/New_York"] / made["America/Chicago"] == pytest.approx(44 / 29, rel=0.05)
    assert made["America/Los_Angeles"] > made["America/Denver"] > made["America/Anchorage"] > 0


def test_stated_zones_override_the_table() -> None:
    world = built(**{"places.zones": {"US": {"America/Boise": 1}}})
    assert world.geography.tzids == ("America/Boise", "Europe/London")


def test_every_row_lies_in_its_own_country() -> None:
    world = built(**{"merchants.reach": {"countries": 1.8, "zones": 5}})
    assert (world.geography.home[world.rows.zone] == world.rows.country).all()
    assert len(np.unique(world.rows.series())) == len(world.rows)


def test_volume_is_kept_where_there_is_no_room() -> None:
    # Britain has one zone: what would lie in a second one stays in the first, and counts for Britain's share.
    world = built(**{"merchants.count": 2000, "merchants.reach": {"countries": 1, "zones": 5}})
    volume = np.bincount(world.rows.country, world.rows.weekly)
    assert volume.sum() == pytest.approx(2_000_000)
    assert volume[0] / volume.sum() == pytest.approx(0.25, abs=0.01)


def test_one_country_of_one_zone_has_one_row_a_merchant() -> None:
    world = built(**{"places.countries": ["GB"], "merchants.reach": {"countries": 3, "zones": 9}})
    assert len(world.rows) == 40


def test_classes_have_their_share_of_merchants() -> None:
    world = built(**{"merchants.classes": {"office_hours": 1, "online_24h": 3}})
    counts = np.bincount(world.merchants.class_code, minlength=len(CLASSES))
    assert counts[CLASSES.index("office_hours")] == 10 and counts[CLASSES.index("online_24h")] == 30


@pytest.mark.parametrize(("only", "hybrid", "kinds"), [(0, 0, {0}), (1, 0, {2}), (0, 1, {1})])
def test_virtual_trade_can_be_none_or_all(only: float, hybrid: float, kinds: set[int]) -> None:
    values = {"merchants.classes": {"online_24h": 1}, "virtual": {"only": only, "hybrid": hybrid}}
    world = built(**values)
    assert set(world.merchants.mode_code.tolist()) == kinds
    assert (world.sites.row.size == 0) == (kinds == {2})


def test_channels_split_rows_by_their_shares() -> None:
    channels = {
        "till": {"share": 3, "classes": ["consumer_daytime", "fuel_convenience", "evening_weekend"]},
        "web": {"share": 1},
    }
    world = built(channels=channels)
    rows = world.channels
    assert rows.names == ("till", "web")
    assert np.bincount(rows.row, rows.weekly) == pytest.approx(world.rows.weekly)
    till = rows.weekly[rows.channel == 0]
    assert till == pytest.approx(0.75 * world.rows.weekly[rows.row[rows.channel == 0]])
    online = np.isin(world.rows.class_code, [CLASSES.index("online_24h"), CLASSES.index("online_bursty")])
    assert not online[rows.row[rows.channel == 0]].any()
    drafted = draft({"channels": channels})
    assert {change.value for change in drafted.changes if "domain_key_law" in change.key} == {
        "merchant_zone_channel_bucket"
    }


def test_a_week_at_quarters_is_the_hourly_law_sampled_more_finely() -> None:
    fine, hourly = shape("consumer_daytime", 1, 4), shape("consumer_daytime", 1)
    assert fine.size == 672 and fine.sum() == pytest.approx(1.0)
    assert fine[::4] / fine[::4].sum() == pytest.approx(hourly)
    assert fine.reshape(7, 96)[0].argmax() // 4 == 12 and hourly.reshape(7, 24)[0].argmax() == 12


def test_volume_does_not_depend_on_the_length_of_buckets() -> None:
    # Two weeks from Monday 00 h UTC: local weeks are whole, but for the hour that the clocks give back.
    totals = []
    for seconds in (900, 1800, 3600):
        world = built(bucket_seconds=seconds, **{"horizon.start": "2026-11-09"})
        surface = Surface(world, "x")
        totals.append(sum(float(block.lambda_.sum(dtype=np.float64)) for block in surface.blocks("baseline_v1")))
    assert totals == pytest.approx([80_000] * 3, rel=1e-5)


def test_opening_hours_close_a_class() -> None:
    hours = {"consumer_daytime": {"opens": "09:30", "closes": "17:00", "days": [1, 2, 3, 4, 5]}}
    world = built(bucket_seconds=1800, **{"merchants.opening_hours": hours})
    week = Surface(world, "x").shapes[CLASSES.index("consumer_daytime"), 1].reshape(7, 48)
    assert (week[5:] == 0).all() and (week[:5, :19] == 0).all() and (week[:5, 34:] == 0).all()
    assert (week[:5, 19:34] > 0).all() and week.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("seconds", [900, 1800, 3600])
def test_shops_open_by_the_clock_on_the_wall(seconds: int) -> None:
    hours = {"consumer_daytime": {"opens": "09:00", "closes": "17:00", "days": [1, 3, 7]}}
    classes = {"consumer_daytime": 1}
    world = built(bucket_seconds=seconds, **{"merchants.opening_hours": hours, "merchants.classes": classes})
    (block,) = Surface(world, "x").blocks("baseline_v1")
    for tzid in ("America/New_York", "Europe/London"):  # the clocks go back within the horizon, a week apart
        row = int(np.flatnonzero(world.rows.zone == world.geography.tzids.index(tzid))[0])
        begins = [world.plan.start_utc + timedelta(seconds=seconds * bucket) for bucket in range(world.plan.buckets)]
        local = [moment.astimezone(ZoneInfo(tzid)) for moment in begins]
        is_open = [9 <= moment.hour < 17 and moment.isoweekday() in (1, 3, 7) for moment in local]
        assert ((block.lambda_[row] > 0) == is_open).all(), tzid


def test_a_local_overlay_keeps_each_zone_s_clock() -> None:
    world = built(scenarios=[{"id": "a", "overlays": [SALE]}])
    start = datetime(2026, 10, 26, 5, tzinfo=UTC)
    for tzid, country, begins, hours in (
        ("America/New_York", "US", datetime(2026, 10, 31, 4, tzinfo=UTC), 73),  # the clocks go back on 1 November
        ("Europe/London", "GB", datetime(2026, 10, 31, 0, tzinfo=UTC), 72),
    ):
        active = np.flatnonzero(factors(world, tzid, country) == 3.0)
        assert active[0] == (begins - start).total_seconds() / 3600 and active.size == hours, tzid


def test_a_utc_overlay_is_the_same_moment_everywhere() -> None:
    overlay = {**SALE, "clock": "utc", "start": "2026-10-31T12:00Z"} | {"hours": 6}
    del overlay["days"]
    world = built(scenarios=[{"id": "a", "overlays": [overlay]}], bucket_seconds=900)
    for tzid, country in (("America/New_York", "US"), ("Europe/London", "GB")):
        active = np.flatnonzero(factors(world, tzid, country) == 3.0)
        assert (active[0], active.size) == (4 * (5 * 24 + 7), 24)


def test_scopes_of_an_overlay_all_hold() -> None:
    scoped = {**SALE, "countries": ["US"], "classes": ["online_24h"], "channels": ["card_not_present"]}
    world = built(scenarios=[{"id": "a", "overlays": [scoped]}])
    here = ("America/Chicago", "US", "online_24h", "card_not_present")
    assert factors(world, *here).max() == 3.0
    for place, other in ((0, "Europe/London"), (2, "online_bursty"), (3, "card_present")):
        changed = list(here)
        changed[place] = other
        changed[1] = "GB" if place == 0 else "US"
        assert factors(world, *changed).max() == 1.0


def test_a_season_rises_over_its_length() -> None:
    season = {"name": "advent", "type": "season", "start": "2026-10-27", "days": 10, "factor": 2}
    factor = factors(built(scenarios=[{"id": "a", "overlays": [season]}]), "Europe/London", "GB")
    rising = factor[factor > 1]
    assert rising.size == 240 and (np.diff(rising) > 0).all() and rising[-1] == 2.0


def test_drawn_events_are_the_same_at_any_bucket() -> None:
    hourly, fine = (
        built(bucket_seconds=seconds, scenarios=[{"id": "a", "kind": "stress", "calendar": "drawn_v1"}])
        for seconds in (3600, 900)
    )
    one, four = (factors(world, "Europe/London", "GB") for world in (hourly, fine))
    assert one.max() > 1.5 and four[::4].size == one.size
    steady = np.abs(np.diff(one, prepend=one[0])) == 0
    assert four[::4][steady] == pytest.approx(one[steady], abs=0.05)


def test_policies_follow_from_the_world_and_say_so() -> None:
    made = draft(
        {"bucket_seconds": 900, "latent": {"length_hours": {"baseline": 10}}, "virtual.hybrid_probability": 0.9}
    )
    policies = {
        Path(path).stem: yaml.safe_load(content) for path, content in made.identity.policies.items() if "5B/" in path
    }
    assert policies["time_grid_policy_5B"]["bucket_duration_seconds"] == 900
    assert policies["arrival_lgcp_config_5B"]["hyperparam_law"]["length_scale_buckets"]["base_by_scenario_band"] == {
        "baseline": 40.0,
        "stress": 48.0,
    }
    assert policies["arrival_count_config_5B"]["nb2"]["kappa_law"]["base_by_scenario_band"] == {
        "baseline": 7.5,
        "stress": 3.0,
    }
    assert policies["arrival_routing_policy_5B"]["realism_floors"]["hybrid_p_virtual_bounds"] == [0.05, 0.9]
    assert all(change.reason for change in made.changes)
    shipped = {
        path.stem: yaml.safe_load(path.read_text()) for path in (resource_root() / "config/layer2/5B").glob("*.yaml")
    }
    named = {(change.policy, change.key.split(".")[0]) for change in made.changes}
    for name, policy in policies.items():
        differs = {(name, key) for key in policy if policy[key] != shipped[name].get(key)}
        assert differs <= named, "a value is set that is not listed"
    keys = [(change.policy, change.key) for change in made.changes]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_dispersion_follows_the_volume_where_a_specification_asks(power: float) -> None:
    """A quarter of the mean in a quarter of the hour; bounds that admit every class from a hundredth to a thousand times it; and
    the scatter that the sentinel admits is that of the cells."""
    asked = {"volume_power": {"reference_mean": 8.0, "power": power}, "kappa": {"baseline": 20}}
    count, plain = (
        yaml.safe_load(made.identity.policies["config/layer2/5B/arrival_count_config_5B.yaml"])["nb2"]["kappa_law"]
        for made in (
            draft({"bucket_seconds": 900, "dispersion": asked}),
            draft({"bucket_seconds": 900, "dispersion": {"kappa": {"baseline": 20}}}),
        )
    )
    assert count["volume_power"] == {"reference_mean": 2.0, "power": power} and "volume_power" not in plain
    low, high = count["kappa_bounds"]
    kappas = [
        base * times
        for base in count["base_by_scenario_band"].values()
        for times in count["class_multipliers"].values()
    ]
    assert low <= min(kappas) * 0.01**power < plain["kappa_bounds"][0] and high >= max(kappas) * 1000.0**power
    assert count["base_by_scenario_band"] == plain["base_by_scenario_band"]


def test_the_scatter_that_is_expected_is_that_of_cells() -> None:
    """Cells without arrivals, below the bounds of kappa, between them and above."""
    policies = read_policies(resource_root(), {})
    cells = np.array([0.0, 0.01, 0.5, 4.0, 700.0])
    assert expected_excess(policies, cells) == pytest.approx(cells.mean() / 30.0)
    policies.set(COUNT, "nb2.kappa_law.volume_power", {"reference_mean": 4.0, "power": 0.5}, "x")
    kappas = np.clip(30.0 * np.sqrt(cells / 4.0), 2.0, 200.0)
    assert set(kappas[[1, 4]]) == {2.0, 200.0}
    assert expected_excess(policies, cells) == pytest.approx((cells / kappas).mean(), rel=1e-12)
    policies.set(COUNT, "count_law_id", "poisson", "x")
    assert expected_excess(policies, cells) == 0.0


def test_stated_policy_values_are_never_set_otherwise() -> None:
    stated = {"grouping_policy_5B": {"in_stratum_buckets": 5, "realism_targets.min_multi_member_fraction": 0.0}}
    policy = yaml.safe_load(draft({"policies": stated}).identity.policies["config/layer2/5B/grouping_policy_5B.yaml"])
    assert policy["in_stratum_buckets"] == 5 and policy["realism_targets"]["min_multi_member_fraction"] == 0.0


def test_a_world_of_two_seeds_holds_the_world_of_one(tmp_path: Path) -> None:
    own = World.from_mapping(SHOPS)
    one, two = own.make(tmp_path / "one"), own.make(tmp_path / "two", seeds=(42, 7))
    for dataset in (
        "1B/site_locations",
        "2B/s4_group_weights",
        "3B/edge_catalogue/",
        "5A/merchant_zone_scenario_local",
    ):
        files = [
            [file for file in (root / run).rglob("*.parquet") if dataset in str(file) and "seed=7" not in str(file)]
            for root, run in ((tmp_path / "one", one), (tmp_path / "two", two))
        ]
        assert [sha256_file(file) for file in files[0]] == [sha256_file(file) for file in files[1]], dataset
        assert len(files[0]) == 1


def test_what_was_asked_is_kept_and_makes_the_world_again(tmp_path: Path) -> None:
    run = World.from_mapping(SHOPS).make(tmp_path / "a")
    again = World.from_file(tmp_path / "a" / run / "reports/world_spec.yaml").make(tmp_path / "b")
    assert again == run


def test_a_long_fine_horizon_has_room_for_its_buckets(tmp_path: Path) -> None:
    values = {"bucket_seconds": 900, "horizon.days": 366, "merchants.count": 1, "places.countries": ["GB"]}
    run = World.from_mapping(with_values(SHOPS, values)).make(tmp_path)
    file = next((tmp_path / run).rglob("merchant_zone_scenario_local_5A.parquet"))
    index = pq.ParquetFile(file).read(["local_horizon_bucket_index"])["local_horizon_bucket_index"].to_numpy()
    assert index[-1] == 366 * 96 - 1 and (np.diff(index) == 1).all()


def edges_of(world: BuiltWorld) -> WorldEdges:
    return make_edges(world.plan, world.merchants, world.trade(), world.planet, world.draws, 42)


def zones_of_edges(world: BuiltWorld) -> dict[str, float]:
    """Part of the edges in each zone."""
    zones, counts = np.unique(edges_of(world).zone, return_counts=True)
    return {world.planet.tzids[zone]: count / counts.sum() for zone, count in zip(zones, counts, strict=True)}


ONLINE: dict[str, Any] = {
    "merchants.count": 800,
    "virtual.only": 1,
    "virtual.hybrid": 0,
    "merchants.classes": {"online_24h": 1},
}


def test_edges_lie_where_the_places_are() -> None:
    world = built(**ONLINE)
    found, asked = zones_of_edges(world), world.plan.zone_shares or {}
    assert found.keys() <= asked.keys() == {*world.geography.tzids}
    assert [found[name] for name in sorted(asked) if asked[name] > 0.05] == pytest.approx(
        [asked[name] for name in sorted(asked) if asked[name] > 0.05], abs=0.02
    )


def test_edges_lie_where_buyers_are_said_to_be() -> None:
    stated = zones_of_edges(built(**ONLINE, **{"virtual.edges.countries": {"IE": 3, "NZ": 1}}))
    assert stated["Europe/Dublin"] == pytest.approx(0.75, abs=0.02)
    assert stated.keys() == {"Europe/Dublin", "Pacific/Auckland"}
    network = zones_of_edges(built(**ONLINE, **{"virtual.edges.profile": "content_network"}))
    assert len(network) > 100 and network["Asia/Shanghai"] > network["Asia/Tokyo"]


@pytest.mark.parametrize("most", [1, 2])
def test_few_edges_have_all_the_weight(most: int) -> None:
    edges = edges_of(built(**ONLINE, **{"virtual.edges": {"least": 1, "most": most}}))
    total = np.bincount(edges.merchant, edges.weight)[edges.virtual]
    assert np.bincount(edges.merchant).max() == most and total == pytest.approx(np.ones(total.size))


def test_a_virtual_merchant_settles_at_home_or_where_it_is_told() -> None:
    world = built(**ONLINE)
    homes = world.trade().home_zones
    largest = [world.geography.tzids[zone] for zone in largest_zones(world)]
    assert homes == largest
    edges = edges_of(world)
    assert [world.planet.tzids[zone] for zone in edges.hub] == [homes[merchant] for merchant in edges.virtual]
    told = edges_of(built(**ONLINE, **{"virtual.settlement_zones": ["Europe/Dublin", "Asia/Macau"]}))
    assert sorted({world.planet.tzids[zone] for zone in told.hub}) == ["Asia/Macau", "Europe/Dublin"]


def largest_zones(world: BuiltWorld) -> list[int]:
    volumes: list[dict[int, float]] = [{} for _ in world.merchants.id]
    for merchant, zone, weekly in zip(world.rows.merchant, world.rows.zone, world.rows.weekly, strict=True):
        volumes[merchant][int(zone)] = volumes[merchant].get(int(zone), 0.0) + weekly
    return [min(each, key=lambda zone: (-each[zone], zone)) for each in volumes]


def test_cities_are_where_sites_lie() -> None:
    from seg5b.world.sites import positions

    boston = {"name": "Boston", "zone": "America/New_York", "latitude": 42.36, "longitude": -71.06}
    world = built(**{"places.cities": [boston], "merchants.sites": {"spread_degrees": 0.1}})
    east, north = positions(world.plan, world.sites, world.rows, world.geography, world.draws, 42)
    zone = np.array(world.geography.tzids)[world.rows.zone[world.sites.row]]
    here = zone == "America/New_York"
    assert (np.abs(east[here] + 71.06) <= 0.1).all() and (np.abs(north[here] - 42.36) <= 0.1).all()
    assert (np.abs(east[zone == "Europe/London"]) < 0.3).all()


@pytest.mark.parametrize(
    "dispersion", [{}, {"kappa": {"baseline": 4.0}}, {"volume_power": {"reference_mean": 5, "power": 1}}]
)
def test_the_report_tells_of_the_shipped_law_of_counts_alone(dispersion: dict[str, Any], tmp_path: Path) -> None:
    run = World.from_mapping({**SHOPS, "dispersion": dispersion}).make(tmp_path)
    made = json.loads((tmp_path / run / "reports/world_report.json").read_text())["made"]
    assert any(name.startswith("residual_std:") for name in made) == (not dispersion)
