"""The public tables: what they hold, where it comes from, and the program that writes them."""

from __future__ import annotations

import csv
import math
from collections import defaultdict

import pytest

from docs.generate.places import CARD_PAYMENTS, FOLDER, chosen_places, per_head_of_the_year
from seg5b.public_tables import PublicPlace, card_payments, public_places
from seg5b.tzdb import open_tzdb
from seg5b.world.geography import country_of_every_zone

HOMES = country_of_every_zone(open_tzdb())


def km(one: PublicPlace, other: PublicPlace) -> float:
    """Great-circle distance by the cosine rule, which the program does not use."""
    a, b, c = (math.radians(value) for value in (one.latitude, other.latitude, other.longitude - one.longitude))
    return 6371 * math.acos(min(1.0, math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(c)))


def test_every_place_lies_in_a_zone_of_its_country() -> None:
    assert 4_500 < len(public_places()) < 6_500
    assert all(HOMES[place.zone] == place.country for place in public_places())
    assert all(-90 < place.latitude < 90 and -180 <= place.longitude <= 180 for place in public_places())


def test_a_small_place_is_the_largest_of_its_country_or_zone() -> None:
    largest: defaultdict[str, int] = defaultdict(int)
    for place in public_places():
        for name in (place.country, place.zone):
            largest[name] = max(largest[name], place.population)
    for place in public_places():
        assert place.population >= 100_000 or place.population in (largest[place.country], largest[place.zone]), place


def test_no_part_of_a_city_is_a_place() -> None:
    by_country = defaultdict(list)
    for place in public_places():
        by_country[place.country].append(place)
    for places in by_country.values():
        for place in places:
            for other in places:
                near = abs(other.latitude - place.latitude) < 0.23  # 25 km are 0.225 degrees
                assert not (near and other.population >= 3 * place.population and km(place, other) < 24.9), (
                    place,
                    other,
                )
    names = {(place.country, place.name) for place in public_places()}
    assert ("US", "New York City") in names and ("US", "Brooklyn") not in names and ("US", "Manhattan") not in names


def test_countries_have_the_figures_that_were_stated() -> None:
    payments = card_payments()
    assert payments.keys() == {country for country, *_ in CARD_PAYMENTS}
    with (FOLDER / "countries.csv").open(encoding="utf-8") as lines:
        rows = {row["country"]: row for row in csv.DictReader(lines)}
    for country, figure, year, sure, source in CARD_PAYMENTS:
        row = rows[country]
        assert float(row["payments_per_head_2023"]) == per_head_of_the_year(figure, year)
        assert (float(row["stated_per_head"]), int(row["stated_year"]), row["sure"], row["source"]) == (
            figure,
            year,
            sure,
            source,
        )
        assert sure in ("seen", "derived", "judgement") and payments[country] == pytest.approx(
            int(row["population"]) * per_head_of_the_year(figure, year)
        )


@pytest.mark.parametrize(
    ("figure", "year", "grown"),
    [(550, 2023, 550), (156, 2024, 142), (123, 2019, 180), (565, 2024, 549), (280, 2021, 317), (4.4, 2020, 5.9)],
)
def test_a_figure_grows_to_the_year_of_the_table(figure: float, year: int, grown: float) -> None:
    # 280 of 2021: times 1.1 is 308, from there on times 1.03.
    assert per_head_of_the_year(figure, year) == grown


def city(name: str, country: str, zone: str, north: float, east: float, people: int) -> dict[str, object]:
    where = {"latitude": north, "longitude": east, "countrycode": country, "timezone": zone}
    return {"name": name, "population": people, "geonameid": len(name), **where}


def test_the_program_leaves_out_parts_small_places_and_strange_zones() -> None:
    homes = {"A/One": "AA", "A/Two": "AA", "B/Only": "BB"}
    found = chosen_places(
        [
            city("capital", "AA", "A/One", 10.0, 20.0, 3_000_000),
            city("borough", "AA", "A/One", 10.1, 20.1, 900_000),
            city("twin", "AA", "A/One", 10.1, 20.1, 1_100_000),
            city("small", "AA", "A/One", 15.0, 20.0, 99_999),
            city("hamlet", "AA", "A/Two", 10.0, 30.0, 12),
            city("strange", "AA", "B/Only", 12.0, 20.0, 500_000),
            city("moved", "BB", "A/Two", -5.0004, 7.0, 200_000),
            city("next", "BB", "B/Only", 10.1, 20.1, 150_000),
        ],
        homes,
    )
    assert [place[2] for place in found] == ["capital", "twin", "hamlet", "moved", "next"]
    assert found[3] == ("BB", "B/Only", "moved", -5.0, 7.0, 200_000)


@pytest.mark.parametrize(
    ("name", "north", "people", "kept"),
    [
        ("South Boston", 10.05, 1_500_000, False),  # 6 km away, half the people
        ("South Boston", 10.08, 1_500_000, True),  # 9 km
        ("South Boston", 10.05, 1_490_000, True),  # less than half
        ("Bostonia", 10.05, 1_500_000, True),  # another word
        ("Dorchester", 10.02, 2_700_000, False),  # 2 km away, nine tenths
        ("Dorchester", 10.03, 2_700_000, True),  # 3.3 km
        ("Dorchester", 10.02, 2_690_000, True),
    ],
)
def test_the_program_leaves_out_doubles(name: str, north: float, people: int, kept: bool) -> None:
    found = chosen_places(
        [city("Boston", "AA", "A/One", 10.0, 20.0, 3_000_000), city(name, "AA", "A/One", north, 20.0, people)],
        {"A/One": "AA"},
    )
    assert [place[2] for place in found] == ["Boston", name][: 1 + kept]


def test_of_a_double_that_is_larger_the_plain_name_stays() -> None:
    found = chosen_places(
        [
            city("New South Boston", "AA", "A/One", 10.0, 20.0, 3_000_000),
            city("Boston", "AA", "A/One", 10.05, 20.0, 2_900_000),
        ],
        {"A/One": "AA"},
    )
    assert [place[2] for place in found] == ["Boston"]


def test_the_licence_is_told() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for part in (
        "© GeoNames",
        "https://creativecommons.org/licenses/by/4.0/",
        "What was changed",
        "docs.generate.places",
    ):
        assert part in text
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 400_000
