"""Countries, zones and cities of a specification under derived_v1: shares of volume."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from seg5b.contracts import load_yaml
from seg5b.errors import WorldError
from seg5b.resources import resource_root
from seg5b.tzdb import Tzdb
from seg5b.world.geography import country_of_every_zone, load_geography
from seg5b.world.plan import City, Shares
from seg5b.world.shares import falling
from seg5b.world.spec.public import is_public, public_cities, public_countries, public_zones
from seg5b.world.spec.refusal import SPEC_INVALID, refusal
from seg5b.world.spec.source import preset_path, read_spec
from seg5b.world.zone_shares import measured_percent

_NEXT_ZONE: Final = 0.6
_PROFILE = "places.profile"


@cache
def _table() -> Mapping[str, Shares]:
    path = resource_root() / "config/worlds/zone_shares.yaml"
    return load_yaml(path, error=WorldError, code=SPEC_INVALID)


def country_shares(places: Mapping[str, Any], database: Tzdb, key: str = "places.countries") -> dict[str, float]:
    """Share of volume by country, in ascending order. Raises `WorldError` ``5B.WORLD.SPEC_INVALID``."""
    if ("profile" in places) == ("countries" in places):
        both = "profile" in places
        what = "and countries both say where" if both else "says where: no countries, profile or file"
        raise refusal("places", places.get("profile", "nothing"), what, "state one of them")
    known = set(country_of_every_zone(database).values())
    if "profile" in places:
        names = read_spec(preset_path(f"{places['profile']}_classic"))["places"]["countries"]
        weights = {name: math.fsum(_measured(name, database).values()) for name in names}
    elif is_public(places):
        weights = public_countries(places["countries"], key)
    else:
        stated = places["countries"]
        weights = dict(stated) if isinstance(stated, dict) else dict.fromkeys(stated, 1.0)
    for name in weights:
        if name not in known:
            raise refusal(key, name, "is no country with a time zone", "use ISO 3166-1 codes (GB, not UK)")
    total = math.fsum(weights.values())
    return {name: weights[name] / total for name in sorted(weights)}


def zone_shares_of(places: Mapping[str, Any], countries: Shares, database: Tzdb) -> dict[str, float]:
    """Share of volume of each zone, in ascending order of tzid. Raises as `country_shares`."""
    stray = next((name for name in places["zones"] if name not in countries), None)
    if stray:
        raise refusal(f"places.zones.{stray}", places["zones"][stray], "is of no country of places", "add the country")
    shares = {}
    for country, share in countries.items():
        stated = places["zones"].get(country)
        if stated:
            _check_zones(country, stated, database)
        weights = stated or _zone_weights(country, places, database)
        total = math.fsum(weights.values())
        shares.update({zone: share * weight / total for zone, weight in weights.items()})
    return dict(sorted(shares.items()))


def _zone_weights(country: str, places: Mapping[str, Any], database: Tzdb) -> Shares:
    """Weights of a country's zones where none are stated."""
    if is_public(places):
        return public_zones(country, database)
    return _measured(country, database) if "profile" in places else _usual(country, database)


def cities_of(places: Mapping[str, Any], zones: Shares, database: Tzdb) -> tuple[City, ...]:
    """The cities, by zone. Raises as `country_shares`."""
    if is_public(places):
        return public_cities(zones, database)
    for place, city in enumerate(places["cities"]):
        if city["zone"] not in zones:
            key = f"places.cities.{place}.zone"
            raise refusal(key, city["zone"], f"of {city['name']} has no share of the volume", "add it to places.zones")
    keys = ("zone", "latitude", "longitude", "weight", "name")
    found = [City(*(each[key] for key in keys)) for each in places["cities"]]
    return tuple(sorted(found, key=lambda city: city.zone))


def edge_shares(virtual: Mapping[str, Any], places: Mapping[str, Any], zones: Shares, database: Tzdb) -> Shares | None:
    """Chance of each zone to hold an edge; None: the content network's. Raises `WorldError` ``5B.WORLD.SPEC_INVALID``, also
    for a settlement zone that zone.tab does not have."""
    edges, known = virtual["edges"], country_of_every_zone(database)
    for name in virtual["settlement_zones"]:
        if name not in known:
            raise refusal("virtual.settlement_zones", name, "is no zone of zone.tab", "name one, as Europe/Dublin")
    if "profile" in edges and "countries" in edges:
        raise refusal("virtual.edges.profile", edges["profile"], "and countries both say where", "state one of them")
    if "profile" in edges:
        return None
    if "countries" not in edges:
        return zones
    wanted = {key: places[key] for key in ("law",) if key in places} | {"countries": edges["countries"]}
    countries = country_shares(wanted, database, "virtual.edges.countries")
    stated = {name: places["zones"][name] for name in countries if name in places["zones"]}
    return zone_shares_of({**wanted, "zones": stated}, countries, database)


def edge_cities(
    virtual: Mapping[str, Any], places: Mapping[str, Any], zones: Shares, database: Tzdb
) -> tuple[City, ...]:
    """Cities that edges lie in, by zone, with weights: where customers are. None where edges are drawn by zone. Raises as
    `edge_shares`."""
    shares = edge_shares(virtual, places, zones, database) if is_public(places) else None
    return public_cities(shares, database) if shares else ()


def _check_zones(country: str, stated: Shares, database: Tzdb) -> None:
    homes = country_of_every_zone(database)
    for zone in stated:
        if homes.get(zone) != country:
            found = f"is a zone of {homes[zone]}" if zone in homes else "is no zone of zone.tab"
            own = ", ".join(sorted(name for name, home in homes.items() if home == country)[:8])
            raise refusal(f"places.zones.{country}.{zone}", stated[zone], found, f"zones of {country}: {own}")


def _usual(country: str, database: Tzdb) -> Shares:
    table = {zone: float(weight) for zone, weight in _table().get(country, {}).items()}
    zones = _own_zones(country, database)
    return table or dict(zip(zones, falling(len(zones), _NEXT_ZONE).tolist(), strict=True))


def _measured(country: str, database: Tzdb) -> Shares:
    zones = _own_zones(country, database)
    return dict(zip(zones, measured_percent(zones), strict=True))


@cache
def _own_zones(country: str, database: Tzdb) -> tuple[str, ...]:
    """Zones of a country, most populous first."""
    geography = load_geography(database, (country,), 0)
    return tuple(geography.tzids[zone] for zone in geography.own[0])
