"""Places by public figures (law L17): shares follow the shipped tables, what cannot be is refused, and what was made is told."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import spearmanr

from seg5b.cli import main
from seg5b.cli.terminal import stdout
from seg5b.errors import WorldError
from seg5b.public_tables import tables_sha256
from seg5b.world import World
from seg5b.world.largest_places import largest_places
from seg5b.world.sites import positions
from seg5b.world.spec import with_values
from seg5b.world.vocabulary import class_code
from seg5b.world.world import BuiltWorld
from tests.public_worlds import FIVE, PUBLIC, all_factors, asked_of, built, edges_of, volumes_of_sites


@pytest.fixture(scope="module")
def world() -> BuiltWorld:
    return built()


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
    demo = World.from_preset("demo_classic")
    for key, value in (("places.law", "public_v1"), ("merchants.sites.sigma", 0.5)):
        with pytest.raises(WorldError, match=f"{key.removesuffix('.sigma')}: .* is unknown to the law calibrated_v1"):
            demo.with_({key: value})


def test_what_is_taken_for_granted_is_written_out_and_makes_the_same_world() -> None:
    own = World.from_mapping(PUBLIC)
    assert own.document["places"]["tables_sha256"] == tables_sha256()
    sites, edges = own.document["merchants"]["sites"], own.document["virtual"]["edges"]
    assert (sites["sigma"], sites["largest_city_share"], sites["spread_degrees"]) == (0.75, 0.35, 0.1)
    assert (edges["least"], edges["most"], edges["home_share"]) == (50, 300, 0.9)
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


def test_check_tells_places_of_any_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(
        "name: a\nhorizon: {start: 2026-03-20, days: 7}\nplaces: {countries: [GB, AT]}\nmerchants: {count: 9}\n"
    )
    told = json.loads(CliRunner().invoke(main, ["world", "check", str(file), "--json"]).stdout)["largest_places"]
    assert {place["place"]: (place["asked"], place["public"]) for place in told} == {
        "Europe/London": (0.5, 1.0),
        "Europe/Vienna": (0.5, None),  # no public figure
    }
    monkeypatch.setattr(stdout, "width", 120)
    shown = CliRunner().invoke(main, ["world", "check", str(file)]).stdout
    assert "Europe/London" in shown and "100.00 %" in shown


PINNED = [
    "896cd846bac4",
    "28f4092964d0",
    "fd604af05a11",
    "bb87fca1bde1",
    "da12fe96197f",
    "f91e4430d603",
    "195088d100f6",
]


def test_a_merchant_of_the_small_class_is_small() -> None:
    one = built({"places.countries": ["GB"], "merchants.count": 20, "merchants.classes": {"low_volume_tail": 1}})
    classes = {"low_volume_tail": 0.3, "consumer_daytime": 0.7}
    world = built({"places.countries": ["GB", "FR"], "merchants.count": 400, "merchants.classes": classes})
    small = world.merchants.class_code == class_code("low_volume_tail")
    assert 100 < small.sum() < 140 and world.merchants.weekly[small].max() <= world.merchants.weekly.mean()
    assert (one.merchants.class_code == class_code("low_volume_tail")).all(), "there is no other class"
