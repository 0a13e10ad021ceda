"""Places by public figures (law L17): populations, sites and edges follow the shipped tables within what chance allows."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import spearmanr

import seg5b
from seg5b.cli import main
from seg5b.errors import WorldError
from seg5b.public_tables import tables_sha256
from seg5b.resources import resource_root
from seg5b.world import World
from seg5b.world.edge_cities import draw_edge_cities
from seg5b.world.edges import WorldEdges, make_edges
from seg5b.world.largest_places import largest_places
from seg5b.world.site_limits import BUSY_CITY, CEILING_PER_HOUR, EXPECTED_PART, volume_at_sites
from seg5b.world.sites import positions
from seg5b.world.spec import with_values
from seg5b.world.templates import all_shapes
from seg5b.world.vocabulary import CLASSES
from seg5b.world.world import BuiltWorld, build_world

PUBLIC: dict[str, Any] = {
    "name": "public",
    "horizon": {"start": "2026-10-26", "days": 7},
    "places": {"law": "public_v1", "countries": "all"},
    "merchants": {"count": 3000},
}
FIVE = {
    "places.countries": ["US", "GB", "DE", "FR", "JP"],
    "merchants.count": 800,
    "virtual.only": 0.1,
    "virtual.hybrid": 0.05,
}


def built(values: Mapping[str, Any] | None = None) -> BuiltWorld:
    return build_world(World.from_mapping(with_values(PUBLIC, values or {})).plan, unique_keys=False)


@pytest.fixture(scope="module")
def world() -> BuiltWorld:
    return built()


@pytest.fixture(scope="module")
def five() -> BuiltWorld:
    return built(FIVE)


def rows_of(name: str) -> list[dict[str, str]]:
    with (resource_root() / "config/worlds/public" / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def asked_of(factors: Mapping[str, float]) -> dict[tuple[str, str, str], float]:
    """Share of each (country, zone, city), worked out here from the two files."""
    country = {
        row["country"]: int(row["population"]) * float(row["payments_per_head_2023"]) * factors[row["country"]]
        for row in rows_of("countries.csv")
        if row["country"] in factors
    }
    weights: defaultdict[str, dict[tuple[str, str, str], float]] = defaultdict(dict)
    for row in rows_of("places.csv"):
        key = (row["country"], row["zone"], f"{row['name']} {row['latitude_deg']}")
        weights[row["country"]][key] = int(row["population"]) ** 1.05
    whole = sum(country.values())
    return {
        key: country[name] / whole * weight / sum(weights[name].values())
        for name in country
        for key, weight in weights[name].items()
    }


def all_factors() -> dict[str, float]:
    return {row["country"]: 1.0 for row in rows_of("countries.csv")}


def volumes_of_sites(world: BuiltWorld) -> np.ndarray:
    """Expected payments a week at each site."""
    sites, volume = world.sites, volume_at_sites(world.plan, world.rows, world.merchants)
    return volume[sites.row] * sites.weight / np.bincount(sites.row, sites.weight, len(world.rows))[sites.row]


def edges_of(world: BuiltWorld, seed: int = 42) -> WorldEdges:
    return make_edges(world.plan, world.merchants, world.home_zones(), world.planet, world.draws, seed)


@pytest.mark.parametrize(
    ("stated", "factors"),
    [
        ("all", None),
        (["US", "GB"], {"US": 1.0, "GB": 1.0}),
        ({"US": 0.5, "GB": 3, "IS": 1}, {"US": 0.5, "GB": 3.0, "IS": 1.0}),
    ],
)
def test_shares_follow_the_tables(stated: Any, factors: dict[str, float] | None) -> None:
    plan = World.from_mapping(with_values(PUBLIC, {"places.countries": stated})).plan
    asked = asked_of(factors or all_factors())
    zones: defaultdict[str, float] = defaultdict(float)
    for (_, zone, _), share in asked.items():
        zones[zone] += share
    assert plan.zone_shares == pytest.approx(dict(zones), rel=1e-12)
    cities = {(each.zone, f"{each.name} {each.latitude:g}"): each.weight for each in plan.cities}
    assert cities == pytest.approx(
        {
            (zone, f"{name.rpartition(' ')[0]} {float(name.split()[-1]):g}"): share
            for (_, zone, name), share in asked.items()
        },
        rel=1e-12,
    )
    assert plan.edge_cities == plan.cities


def test_volume_of_countries_follows_their_public_weight(world: BuiltWorld) -> None:
    asked: defaultdict[str, float] = defaultdict(float)
    for (country, _, _), share in asked_of(all_factors()).items():
        asked[country] += share
    volume = np.bincount(world.rows.country, world.rows.weekly, len(world.geography.countries))
    ratio = np.log(volume / volume.sum() / [asked[name] for name in world.geography.countries])
    assert len(asked) == 36 and ratio.std() < 0.5
    assert spearmanr(volume, [asked[name] for name in world.geography.countries]).statistic > 0.97


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
    shapes = all_shapes().max(axis=(1, 2))

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
    assert busy.sum() > 2 and largest[busy].max() <= 0.12 * (1 + 1e-5)
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
    world = built({"places.countries": ["CA", "NL"], "merchants.count": 50})
    weights = np.array([each.weight for each in world.plan.edge_cities])
    assert weights.max() < 0.15
    many = np.arange(4000)
    counts, city, weight = draw_edge_cities(world.plan, many, many.astype(np.float64), world.draws, 42)
    assert counts.min() >= 50 and counts.max() <= min(300, weights.size)
    mean = np.bincount(city, weight, weights.size) / many.size
    variance = np.bincount(city, weight**2, weights.size) / many.size - mean**2
    error = np.sqrt(variance.clip(0) / many.size)
    assert (np.abs(mean - weights) <= 4.5 * error + 1e-9).all()


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
    assert not network.plan.edge_cities and network.plan.edge_limits == (6, 58)


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no figure": ({"places.countries": ["US", "KI"]}, "places.countries.KI", "has no figure of card payments"),
    "no countries": ({"places.countries": None}, "places", "no countries, profile or file"),
    "another word": ({"places.countries": "some"}, "places.countries", "does not have the form"),
    "a profile": ({"places.profile": "demo", "places.countries": None}, "places.profile", "both say where"),
    "zones": ({"places.zones": {"US": {"America/New_York": 1}}}, "places.zones", "both say where"),
    "cities": (
        {"places.cities": [{"name": "a", "zone": "Europe/Paris", "latitude": 1, "longitude": 1}]},
        "places.cities",
        "both say where",
    ),
    "a table": ({"places.file": "p.csv"}, "places.file", "both say where"),
    "other tables": (
        {"places.tables_sha256": "0" * 64},
        "places.tables_sha256",
        "is not the digest of the public tables",
    ),
    "no law": ({"places.law": None}, "places.countries", "is of the law public_v1"),
    "digest without law": (
        {"places.law": None, "places.countries": ["US"], "places.tables_sha256": "0" * 64},
        "places.tables_sha256",
        "is of the law public_v1",
    ),
    "an unknown law": ({"places.law": "public_v2"}, "places.law", "is none of public_v1"),
    "edges without figure": (
        {"virtual.edges.countries": ["KI"]},
        "virtual.edges.countries.KI",
        "has no figure of card payments",
    ),
    "no spread": ({"merchants.sites.sigma": 0}, "merchants.sites.sigma", "is not above 0"),
    "more than all": ({"merchants.sites.largest_city_share": 1.5}, "merchants.sites.largest_city_share", "is above 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_refused(name: str) -> None:
    values, key, says = WRONG[name]
    with pytest.raises(WorldError) as caught:
        World.from_mapping(with_values(PUBLIC, values))
    assert caught.value.where == key and says in caught.value.what and caught.value.remedy


def test_a_preset_knows_nothing_of_it() -> None:
    demo = World.from_preset("demo")
    for key, value in (("places.law", "public_v1"), ("merchants.sites.sigma", 0.5)):
        with pytest.raises(WorldError, match=f"{key.removesuffix('.sigma')}: .* is unknown to the law calibrated_v1"):
            demo.with_({key: value})


def test_what_is_taken_for_granted_is_written_out_and_makes_the_same_world() -> None:
    own = World.from_mapping(PUBLIC)
    assert own.document["places"]["tables_sha256"] == tables_sha256()
    sites, edges = own.document["merchants"]["sites"], own.document["virtual"]["edges"]
    assert (sites["sigma"], sites["largest_city_share"], sites["spread_degrees"]) == (0.75, 0.35, 0.1)
    assert (edges["least"], edges["most"]) == (50, 300)
    assert World.from_mapping(own.document) == own
    usual = {"virtual.edges": {"least": 6, "most": 58}, "merchants.sites": {"spread_degrees": 0.35}}
    stated = World.from_mapping(with_values(PUBLIC, usual)).document
    assert stated["virtual"]["edges"]["most"] == 58 and stated["merchants"]["sites"]["spread_degrees"] == 0.35


def test_the_same_specification_gives_the_same_numbers_on_every_machine() -> None:
    world = built({**FIVE, "merchants.count": 120})
    edges = edges_of(world)
    east, north = positions(world.plan, world.sites, world.rows, world.geography, world.draws, 42)
    columns = (world.rows.weekly, world.sites.city, world.sites.weight, east, north, edges.city, edges.weight)
    digests = [hashlib.sha256(np.ascontiguousarray(each).tobytes()).hexdigest()[:12] for each in columns]
    assert digests == PINNED


def test_the_largest_places_are_told_beside_public_shares(world: BuiltWorld) -> None:
    found = largest_places(world)
    asked = asked_of(all_factors())
    public = {(country, name.rpartition(" ")[0]): share for (country, _, name), share in asked.items()}
    assert len(found) == 10 and [place.made for place in found] == sorted((place.made for place in found), reverse=True)
    assert {"New York City", "Shanghai", "London"} <= {place.place for place in found}
    made = np.bincount(world.sites.city, volumes_of_sites(world), len(world.plan.cities))
    assert found[0].made == pytest.approx(made.max() / made.sum(), abs=1e-4)
    for place in found:
        assert place.public == place.asked == pytest.approx(public[place.country, place.place], abs=1e-4)
        assert place.made == pytest.approx(place.asked, rel=0.3) and place.merchants > 30


def test_factors_are_asked_and_not_public() -> None:
    world = built({"places.countries": {"US": 0.1, "GB": 1}, "merchants.count": 300})
    london = next(place for place in largest_places(world) if place.place == "London")
    assert london.asked > 2 * (london.public or 1)


def test_cities_that_are_stated_have_no_public_share() -> None:
    towns = [("York", 3), ("Bath", 1)]
    cities = [
        {"name": name, "zone": "Europe/London", "latitude": 51, "longitude": -2, "weight": weight}
        for name, weight in towns
    ]
    world = built({"places": {"countries": {"GB": 1, "FR": 3}, "cities": cities}, "merchants.count": 200})
    found = {place.place: place for place in largest_places(world)}
    assert (found["York"].asked, found["Bath"].asked) == (0.1875, 0.0625)  # of a quarter; France has no city
    assert found["York"].made == pytest.approx(0.1875, abs=0.05) and found["York"].public is None


def test_check_tells_places_of_any_world(tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(
        "name: a\nhorizon: {start: 2026-03-20, days: 7}\nplaces: {countries: [GB, AT]}\nmerchants: {count: 9}\n"
    )
    told = json.loads(CliRunner().invoke(main, ["world", "check", str(file), "--json"]).stdout)["largest_places"]
    assert {place["place"]: (place["asked"], place["public"]) for place in told} == {
        "Europe/London": (0.5, 1.0),
        "Europe/Vienna": (0.5, None),  # no public figure
    }
    shown = CliRunner().invoke(main, ["world", "check", str(file)]).stdout
    assert "Europe/London" in shown and "100.00 %" in shown


PINNED = [
    "4b0807a31a8b",
    "20d529f36b6e",
    "58cc28ec88d9",
    "9c4f883e6625",
    "a07b17073cad",
    "680f4402fea8",
    "9f6bbee086f1",
]
