"""Sites, merchants and edges under public places (law L17) follow their laws within what chance allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

import seg5b
from seg5b.errors import WorldError
from seg5b.world import World
from seg5b.world.edge_cities import VirtualMerchants, draw_edge_cities
from seg5b.world.site_limits import BUSY_CITY, CEILING_PER_HOUR, EXPECTED_PART
from seg5b.world.sites import positions
from seg5b.world.spec import with_values
from seg5b.world.templates import all_shapes
from seg5b.world.vocabulary import CLASSES
from seg5b.world.world import BuiltWorld, build_world
from tests.public_worlds import FIVE, PUBLIC, asked_of, built, edges_of, volumes_of_sites


@pytest.fixture(scope="module")
def world() -> BuiltWorld:
    return built()


@pytest.fixture(scope="module")
def five() -> BuiltWorld:
    return built(FIVE)


def test_sites_lie_in_cities_by_their_weights(world: BuiltWorld) -> None:
    # In each zone the cities of its sites are drawn alike and alone: a multinomial.
    city = np.array([each.weight for each in world.plan.cities])
    zone = np.array([world.geography.tzids.index(each.zone) for each in world.plan.cities])
    chance = city / np.bincount(zone, city)[zone]
    drawn = np.bincount(world.rows.zone[world.sites.row], minlength=zone.max() + 1)[zone]
    counts = np.bincount(world.sites.city, minlength=city.size)
    assert (zone[world.sites.city] == world.rows.zone[world.sites.row]).all()
    large = drawn * chance * (1 - chance) > 9
    z = (counts - drawn * chance)[large] / np.sqrt(drawn * chance * (1 - chance))[large]
    assert large.sum() > 100 and np.abs(z).max() < 4.5 and abs(z.std() - 1) < 4 / math.sqrt(2 * large.sum())


def test_trade_of_cities_grows_with_people_to_the_power_of_the_law(five: BuiltWorld) -> None:
    made = np.bincount(five.sites.city, volumes_of_sites(five), len(five.plan.cities))
    largest = np.argsort([-each.weight for each in five.plan.cities])[:40]
    asked = np.array([five.plan.cities[place].weight for place in largest])
    assert spearmanr(made[largest], asked).statistic > 0.8
    assert made[largest].sum() / made.sum() == pytest.approx(asked.sum(), abs=0.05)


def test_sites_stand_near_their_city_and_are_named_after_it(tmp_path: Path) -> None:
    values = {"places.countries": ["DE", "NL"], "merchants.count": 30, "volume.weekly_total": 3000}
    own = World.from_mapping(with_values(PUBLIC, values))
    world = build_world(own.plan, unique_keys=False)
    east, north = positions(world.plan, world.sites, world.rows, world.geography, world.draws, 42)
    cities = [world.plan.cities[place] for place in world.sites.city]
    assert (
        max(abs(north - [each.latitude for each in cities]))
        <= 0.1
        >= max(abs(east - [each.longitude for each in cities]))
    )
    run = seg5b.open_run(tmp_path, own.make(tmp_path))
    found = {(row["latitude_deg"], row["longitude_deg"]): row["city"] for row in run.sites.to_pylist()}
    named = [found[place] == each.name for place, each in zip(zip(north, east, strict=True), cities, strict=True)]
    assert np.mean(named) > 0.9  # where two places are nearer than 0.2 degrees, the other may be nearest
    edges = run.edges.to_pandas()
    assert all(any(math.dist(at, (each.latitude, each.longitude)) < 0.15 for each in own.plan.edge_cities)
               for at in zip(edges.latitude_deg, edges.longitude_deg, strict=True))  # fmt: skip


@pytest.mark.parametrize(("stated", "sigma"), [({}, 0.75), ({"merchants.sites.sigma": 0.5}, 0.5)])
def test_payments_over_the_sites_of_a_merchant_are_log_normal(stated: Mapping[str, Any], sigma: float) -> None:
    world = built(
        {**stated, "merchants.sites.largest_city_share": 1, "merchants.sites.base": 30, "merchants.count": 500}
    )
    log = np.log(world.sites.weight)
    count = np.bincount(world.sites.merchant, minlength=500)
    owner = world.sites.merchant
    mean = np.bincount(owner, log, 500) / count.clip(1)
    z = (log - mean[owner])[count[owner] > 1] / (sigma * np.sqrt(1 - 1 / count[owner]))[count[owner] > 1]
    assert z.std() == pytest.approx(1, abs=4 / math.sqrt(2 * z.size))
    assert [np.mean(z < bound) for bound in (-1.645, 0, 1.645)] == pytest.approx([0.05, 0.5, 0.95], abs=0.02)
    assert np.bincount(owner, world.sites.weight, 500)[count > 0] == pytest.approx(1)


def test_no_site_expects_more_than_half_its_ceiling() -> None:
    values = {
        "merchants.sites": {"base": 3, "weekly_arrivals_per_site": 1500},
        "volume.scale": 20,
        "merchants.count": 400,
    }
    free = build_world(
        World.from_mapping(with_values(PUBLIC, {**values, "places": {"countries": ["US"]}})).plan, unique_keys=False
    )
    world = built(values)
    shapes = all_shapes(world.plan).max(axis=(1, 2))

    def ratio(world: BuiltWorld) -> np.ndarray:
        code = world.rows.class_code[world.sites.row]
        return volumes_of_sites(world) * shapes[code] / np.array([CEILING_PER_HOUR[name] for name in CLASSES])[code]

    assert ratio(free).max() > 1 > EXPECTED_PART == 0.5
    assert ratio(world).max() <= 0.5 * (1 + 1e-6) and (ratio(world) > 0.4999).sum() > 5
    assert np.bincount(world.sites.merchant, world.sites.weight).max() == pytest.approx(1)


def test_too_few_sites_for_their_ceiling_are_refused() -> None:
    few = {"merchants.sites": {"base": 0, "weekly_arrivals_per_site": 90_000}, "volume.scale": 100}
    with pytest.raises(
        WorldError, match=r"makes sites of .* that expect [\d,]+ payments in their busiest hour, above"
    ) as caught:
        World.from_mapping(with_values(PUBLIC, few)).check()
    assert (
        caught.value.where == "merchants.sites.weekly_arrivals_per_site"
        and "merchants.sites.base" in caught.value.remedy
    )


def test_a_large_row_of_a_merchant_with_few_sites_has_its_own() -> None:
    # Without that a row of 4,000 a week had one site, because its merchant had more rows than sites.
    world = built({"merchants.count": 20_000, "merchants.reach": {"countries": 1, "zones": 2}})
    active = np.bincount(world.sites.row, minlength=len(world.rows)) > 0
    mean = world.rows.weekly[active] / np.bincount(world.sites.row)[np.flatnonzero(active)]
    assert mean.max() <= 1.5 * 484.6


def shares_of_merchants(world: BuiltWorld) -> tuple[np.ndarray, np.ndarray]:
    """Of each city the number of merchants with sites in it, and the largest one's share of its payments."""
    table = np.zeros((len(world.plan.cities), world.plan.merchants))
    np.add.at(table, (world.sites.city, world.sites.merchant), volumes_of_sites(world))
    return (table > 0).sum(axis=1), table.max(axis=1) / table.sum(axis=1).clip(1e-9)


def test_no_merchant_has_more_than_its_part_of_a_busy_city() -> None:
    values = {
        "places.countries": ["JP"],
        "merchants.count": 2500,
        "merchants.size": {"law": "pareto", "alpha": 1.2},
        "virtual.only": 0,
        "virtual.hybrid": 0,
    }
    free, held = (built({**values, "merchants.sites.largest_city_share": most}) for most in (1, 0.12))
    merchants, largest = shares_of_merchants(free)
    assert (merchants >= BUSY_CITY).sum() > 2 and largest[merchants >= BUSY_CITY].max() > 0.2
    merchants, largest = shares_of_merchants(held)
    busy = merchants >= BUSY_CITY
    assert busy.sum() > 2 and largest[busy].max() <= 0.12 * (1 + 2e-3)  # a stated number of rounds
    assert np.bincount(held.sites.merchant, held.sites.weight) == pytest.approx(1)


def test_a_merchant_goes_where_it_does_not_fill_the_zone(world: BuiltWorld) -> None:
    rows, zones = world.rows, len(world.geography.tzids)
    table = np.zeros((zones, world.plan.merchants))
    np.add.at(table, (rows.zone, rows.merchant), rows.weekly)
    share = table.max(axis=1) / table.sum(axis=1).clip(1e-9)
    large = np.array([(world.plan.zone_shares or {})[name] for name in world.geography.tzids]) > 0.01
    assert large.sum() > 10 and share[large].max() < 0.4


@pytest.mark.parametrize("home", [None, "DE", "US"])
def test_a_merchant_too_large_for_any_zone_lies_in_many(home: str | None, tmp_path: Path) -> None:
    # The first of 400 has 15 % of all, and 0.35 of the largest zone is 9 %. Of countries only the United States hold it.
    lines = [f"{place + 1},{70 if place == 0 else 1},{home or 'FR'}" for place in range(400)]
    (tmp_path / "m.csv").write_text("\n".join(["merchant_id,weekly_volume,country", *lines]))
    values = {**FIVE, "merchants.count": 400, "places.countries": {"US": 1, "GB": 1, "DE": 1, "FR": 1, "JP": 1}}
    if home is None:
        values |= {"merchants.size": {"law": "pareto", "alpha": 1.1}}
    else:
        values |= {"merchants.file": str(tmp_path / "m.csv"), "virtual.only": 0, "virtual.hybrid": 0}
    world = built(values)
    largest = int(np.argmax(world.merchants.weekly))
    part = world.merchants.weekly[largest] / world.merchants.weekly.sum()
    mine = world.rows.merchant == largest
    countries = {world.geography.countries[code] for code in world.rows.country[mine]}
    shares = np.array([(world.plan.zone_shares or {})[name] for name in world.geography.tzids])
    assert part > 0.35 * shares.max() and countries == {home or "US"}
    targets = shares[world.rows.zone[mine]]
    assert world.rows.weekly[mine] / world.rows.weekly[mine].sum() == pytest.approx(targets / targets.sum())
    zones = {name for name, own in zip(world.geography.tzids, world.geography.home, strict=True)
             if world.geography.countries[own] in countries}  # fmt: skip
    assert {world.geography.tzids[zone] for zone in world.rows.zone[mine]} == zones


def test_edges_follow_customers(five: BuiltWorld) -> None:
    edges = edges_of(five)
    counts = np.bincount(edges.merchant)[edges.virtual]
    assert edges.virtual.size > 50 and 50 <= counts.min() < 90 and 200 < counts.max() <= 300
    assert len(set(zip(edges.merchant.tolist(), edges.city.tolist(), strict=True))) == edges.city.size
    assert np.bincount(edges.merchant, edges.weight)[edges.virtual] == pytest.approx(1)
    largest = np.array([edges.weight[edges.merchant == merchant].max() for merchant in edges.virtual])
    assert largest.max() <= 0.15 * (1 + 1e-9)
    tzids = [five.planet.tzids[zone] for zone in edges.zone]
    assert tzids == [five.plan.edge_cities[place].zone for place in edges.city]


def test_the_expected_weight_of_a_city_is_its_own() -> None:
    world = built({"places.countries": ["CA", "NL"], "merchants.count": 50, "virtual.edges.home_share": 0})
    weights = np.array([each.weight for each in world.plan.edge_cities])
    assert weights.max() < 0.15
    _check_expected_weights(world, weights, np.array([0.5, 0.5]))


def test_nine_tenths_of_the_customers_are_of_the_countries_in_which_a_merchant_trades() -> None:
    world = built({"places.countries": {"CA": 1, "US": 0.1, "GB": 0.1}, "merchants.count": 50})
    tables = asked_of({"CA": 1, "US": 0.1, "GB": 0.1})
    within = {name: sum(share for key, share in tables.items() if key[0] == name) for name in ("CA", "US", "GB")}
    trade = {"CA": 0.0, "US": 0.75, "GB": 0.25}
    asked = {key: share * (0.1 + 0.9 * trade[key[0]] / within[key[0]]) for key, share in tables.items()}
    by_city = {
        (each.zone, each.name, round(each.latitude, 3)): place for place, each in enumerate(world.plan.edge_cities)
    }
    expected = np.zeros(len(asked))
    for (_, zone, name), share in asked.items():
        title, _, north = name.rpartition(" ")
        expected[by_city[zone, title, round(float(north), 3)]] = share
    countries = [trade[name] for name in world.trade().countries]
    assert expected.max() < 0.15
    _check_expected_weights(world, expected, np.array(countries))


def _check_expected_weights(world: BuiltWorld, expected: np.ndarray, trade: np.ndarray) -> None:
    many = np.arange(4000)
    sellers = VirtualMerchants(many, many.astype(np.float64), np.tile(trade, (many.size, 1)))
    zones = [world.planet.tzids.index(each.zone) for each in world.plan.edge_cities]
    names = [world.planet.countries[code] for code in world.planet.home[zones]]
    country = np.array([world.trade().countries.index(name) for name in names])
    counts, city, weight = draw_edge_cities(world.plan, sellers, country, world.draws, 42)
    assert counts.min() >= 50 and counts.max() <= min(300, expected.size)
    mean = np.bincount(city, weight, expected.size) / many.size
    variance = np.bincount(city, weight**2, expected.size) / many.size - mean**2
    # A small city is drawn too rarely for its own spread to be known: it has the weight of an edge with its chance.
    error = np.sqrt(np.maximum(variance, expected / counts.mean() * (expected < 1 / counts.max())) / many.size)
    assert (np.abs(mean - expected) <= 4.5 * error + 1e-9).all()


def test_a_merchant_sells_where_its_rows_are() -> None:
    world = built({**FIVE, "merchants.count": 60, "merchants.reach": {"countries": 2, "zones": 2}})
    trade, rows = world.trade(), world.rows
    for merchant in (0, 30, 59):
        mine = rows.merchant == merchant
        for place, _ in enumerate(trade.countries):
            part = rows.weekly[mine & (rows.country == place)].sum() / rows.weekly[mine].sum()
            assert trade.parts[merchant, place] == pytest.approx(part)


def test_one_city_is_capped_where_there_are_twenty() -> None:
    capped = edges_of(built({"places.countries": ["KR"], "merchants.count": 60}))
    assert capped.weight.max() == pytest.approx(0.15)
    alone = edges_of(built({"places.countries": ["SG"], "merchants.count": 60}))
    assert alone.weight.max() > 0.5


def test_edges_of_other_countries_and_of_the_content_network() -> None:
    values = {**FIVE, "merchants.count": 60}
    other = built({**values, "virtual.edges": {"countries": ["IT"], "least": 5, "most": 8}})
    edges = edges_of(other)
    assert {each.zone for each in other.plan.edge_cities} == {"Europe/Rome"}
    assert np.bincount(edges.merchant)[edges.virtual].max() <= 8
    network = built({**values, "virtual.edges.profile": "content_network"})
    assert not network.plan.edge_cities and network.plan.edge_limits == (6, 58) and not network.plan.edge_home_share
