"""A user's own table of places, which becomes countries, zones and cities of the specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from seg5b.tzdb import Tzdb
from seg5b.world.geography import country_of_every_zone
from seg5b.world.spec.own_tables import above_zero, number_within, parsed, read_table
from seg5b.world.spec.refusal import refusal

KEY: Final = "places.file"
_CITY: Final = ("city", "latitude", "longitude")
_INSTEAD: Final = ("profile", "countries", "zones", "cities")


def own_places(places: Mapping[str, Any], database: Tzdb) -> Mapping[str, Any]:
    """``places`` with its table, if it names one, written out as ``countries``, ``zones`` and ``cities``: weights of rows add
    up by country and by zone, and a row with a city is one around which sites of its zone lie.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for a file that cannot be read, a column that is missing, unknown or holds
    what it may not, and for what is stated twice.
    """
    if "file" not in places:
        return places
    path = Path(places["file"])
    for name in _INSTEAD:
        if places.get(name):
            raise refusal(f"places.{name}", "what is stated", f"and {KEY} both say where", "state one of them")
    columns = read_table(path, KEY, ("zone",), ("weight", "country", *_CITY))
    if not columns["zone"]:
        raise refusal(KEY, path.name, "has no rows", "one line for each place")
    lacking = [name for name in _CITY if name not in columns]
    if 0 < len(lacking) < len(_CITY):
        raise refusal(f"{KEY}.{lacking[0]}", list(columns), "has no such column", f"{', '.join(_CITY)} go together")
    homes = country_of_every_zone(database)
    zones = parsed(columns, KEY, "zone", _zone(homes))
    weights = parsed(columns, KEY, "weight", above_zero) if "weight" in columns else [1.0] * len(zones)
    _check_countries(columns, zones, homes)
    countries: dict[str, float] = {}
    by_country: dict[str, dict[str, float]] = {}
    for zone, weight in sorted(zip(zones, weights, strict=True)):
        home = homes[zone]
        countries[home] = countries.get(home, 0.0) + weight
        held = by_country.setdefault(home, {})
        held[zone] = held.get(zone, 0.0) + weight
    rest = {name: value for name, value in places.items() if name not in ("file", *_INSTEAD)}
    cities = [] if lacking else _cities(columns, zones, weights)
    return {**rest, "countries": countries, "zones": by_country, "cities": cities}


def _zone(homes: Mapping[str, str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in homes:
            raise ValueError("is no zone of zone.tab")
        return str(value)

    return read


def _check_countries(columns: Mapping[str, list[Any]], zones: list[str], homes: Mapping[str, str]) -> None:
    for row, (country, zone) in enumerate(zip(columns.get("country", []), zones, strict=False)):
        if country != homes[zone]:
            what = f"in row {row + 1} is not the country of {zone}, {homes[zone]}"
            raise refusal(f"{KEY}.country", country, what, "correct the table, or leave the column out")


def _cities(columns: Mapping[str, list[Any]], zones: list[str], weights: list[float]) -> list[dict[str, Any]]:
    latitude = parsed(columns, KEY, "latitude", number_within(-90, 90))
    longitude = parsed(columns, KEY, "longitude", number_within(-180, 180))
    rows = sorted(zip(zones, map(str, columns["city"]), latitude, longitude, weights, strict=True))
    return [
        {"name": name, "zone": zone, "latitude": north, "longitude": east, "weight": weight}
        for zone, name, north, east, weight in rows
    ]
