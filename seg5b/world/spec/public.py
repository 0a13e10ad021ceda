"""Places by public figures: the law ``public_v1`` of a specification's places (docs/laws#world-public-places)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np

from seg5b.public_tables import LAW, PublicPlace, card_payments, public_places, tables_sha256
from seg5b.tzdb import Tzdb
from seg5b.world import portable
from seg5b.world.geography import country_of_every_zone
from seg5b.world.plan import City, Shares
from seg5b.world.public_hours import LAW as SHAPES_LAW
from seg5b.world.public_hours import shapes_sha256
from seg5b.world.spec.refusal import refusal

ALL: Final = "all"
_CITY_EXPONENT: Final = 1.05
"""Card payments of a city grow with its people to this power (Sobolevsky et al. 2016: 1.03 to 1.06 in Spain)."""
_USUAL_EDGES: Final = {"least": 50, "most": 300}
_USUAL_HOME_SHARE: Final = 0.9
"""Of the customers of a virtual merchant, those of the countries in which it trades."""
_USUAL_SITES: Final = {"spread_degrees": 0.1, "sigma": 0.75, "largest_city_share": 0.35}
_MADE: Final = ("profile", "file", "zones", "cities")


def is_public(places: Mapping[str, Any]) -> bool:
    """Whether places follow public figures."""
    return bool(places.get("law") == LAW)


def with_public_law(document: Mapping[str, Any], complete: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved specification with what the law of its places takes for granted and ``document``, the same as written, does
    not state, and with the digest of the tables. Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for what the law makes and is
    stated all the same, and where the tables are others."""
    places = complete["places"]
    if not is_public(places):
        for key in ("tables_sha256", "countries"):
            if key in places and (key != "countries" or places[key] == ALL):
                raise refusal(f"places.{key}", places[key], f"is of the law {LAW}", f"state places.law: {LAW}")
        _check_home_share(complete["virtual"]["edges"], f"needs places.law: {LAW}")
        return dict(complete)
    stray = next((key for key in _MADE if places.get(key)), None)
    if stray:
        what = f"and places.law: {LAW} both say where"
        raise refusal(f"places.{stray}", "what is stated", what, "state one of them")
    if places.get("tables_sha256", tables_sha256()) != tables_sha256():
        what = "is not the digest of the public tables that come with this release"
        raise refusal("places.tables_sha256", places["tables_sha256"], what, "leave it out to use these")
    merchants, virtual = complete["merchants"], complete["virtual"]
    sites = _taking(_USUAL_SITES, document.get("merchants", {}).get("sites", {}), merchants["sites"])
    edges = virtual["edges"]
    if "profile" not in edges:
        edges = _taking(_USUAL_EDGES, document.get("virtual", {}).get("edges", {}), edges)
    if "profile" in edges or "countries" in edges:
        _check_home_share(edges, "and what else virtual.edges states both say where customers are")
    else:
        edges = {"home_share": _USUAL_HOME_SHARE, **edges}
    return {
        **complete,
        "places": {**places, "tables_sha256": tables_sha256()},
        "merchants": {**merchants, "sites": sites},
        "virtual": {**virtual, "edges": edges},
    }


def with_shapes_digest(complete: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved specification with the digest of the table of weekly shapes, where it uses it. Raises `WorldError`
    ``5B.WORLD.SPEC_INVALID`` where a digest is stated that is not the table's, or that no table needs."""
    merchants = complete["merchants"]
    used = merchants["shapes"] == SHAPES_LAW
    if "shapes_sha256" in merchants and not (used and merchants["shapes_sha256"] == shapes_sha256()):
        what = "is not the digest of a table of shapes that this world uses"
        raise refusal("merchants.shapes_sha256", merchants["shapes_sha256"], what, "leave it out")
    return {**complete, "merchants": {**merchants, "shapes_sha256": shapes_sha256()}} if used else dict(complete)


def _check_home_share(edges: Mapping[str, Any], why: str) -> None:
    if "home_share" in edges:
        raise refusal("virtual.edges.home_share", edges["home_share"], why, "leave it out")


def _taking(usual: Mapping[str, float], stated: Mapping[str, Any], section: Mapping[str, Any]) -> dict[str, Any]:
    return {**section, **{key: value for key, value in usual.items() if key not in stated}}


def public_countries(stated: Any, key: str) -> dict[str, float]:
    """Card payments of a year by country, times the weights that are stated. Raises `WorldError` ``5B.WORLD.SPEC_INVALID``
    for a country without a figure."""
    known = card_payments()
    if isinstance(stated, str):
        return dict(known)
    times = stated if isinstance(stated, Mapping) else dict.fromkeys(stated, 1.0)
    for name in times:
        if name not in known:
            what = "has no figure of card payments in config/worlds/public/countries.csv"
            raise refusal(f"{key}.{name}", times[name], what, f"leave it out; there are {', '.join(sorted(known))}")
    return {name: known[name] * times[name] for name in times}


def public_zones(country: str, database: Tzdb) -> dict[str, float]:
    """Weights of a country's zones: those of their places added up."""
    return dict(_zone_weights(database).get(country, {}))


@cache
def _zone_weights(database: Tzdb) -> dict[str, dict[str, float]]:
    zones: dict[str, dict[str, float]] = {}
    for place, weight in _weighted(database):
        held = zones.setdefault(place.country, {})
        held[place.zone] = held.get(place.zone, 0.0) + weight
    return zones


def public_cities(shares: Shares, database: Tzdb) -> tuple[City, ...]:
    """The places of some zones, each with its part of its zone's share, by zone, largest first."""
    found = [(place, weight) for place, weight in _weighted(database) if place.zone in shares]
    total: dict[str, float] = {}
    for place, weight in found:
        total[place.zone] = total.get(place.zone, 0.0) + weight
    cities = [
        City(place.zone, place.latitude, place.longitude, shares[place.zone] * weight / total[place.zone], place.name)
        for place, weight in found
    ]
    return tuple(sorted(cities, key=lambda city: city.zone))


@cache
def _weighted(database: Tzdb) -> list[tuple[PublicPlace, float]]:
    """Places whose zone this release has in their country, with people to the power of the law."""
    homes = country_of_every_zone(database)
    places = [place for place in public_places() if homes.get(place.zone) == place.country]
    people = np.array([place.population for place in places], np.float64)
    return list(zip(places, portable.power(people, _CITY_EXPONENT).tolist(), strict=True))
