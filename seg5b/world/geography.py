"""Countries, their time zones and where those lie: the tables of a time-zone database.

``zone.tab`` gives each zone one country and a place, ``zone1970.tab`` the countries that a zone overlaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg5b.errors import WorldError
from seg5b.tzdb import Tzdb
from seg5b.world import portable

_EARTH_RADIUS_KM = 6371.0
_DEGREE = 3.141592653589793 / 180.0


@dataclass(frozen=True, slots=True)
class Geography:
    """The zones and countries of a world.

    ``countries`` (ISO codes) and ``tzids`` are in ascending order and give the integer codes used everywhere;
    ``latitude``, ``longitude`` float64 [zones], degrees; ``home`` int16 [zones], the zone's country or -1 when that
    country is not in the world; ``own`` zones of each country, most populous first; ``reach`` own and neighbouring
    zones of each country, nearest first; ``distance_km`` float64 [zones, zones].
    """

    countries: tuple[str, ...]
    tzids: tuple[str, ...]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    home: NDArray[np.int16]
    own: tuple[tuple[int, ...], ...]
    reach: tuple[tuple[int, ...], ...]
    distance_km: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Place:
    tzid: str
    country: str
    latitude: float
    longitude: float


def load_geography(
    database: Tzdb, countries: tuple[str, ...], reach_size: int, allowed: Callable[[str], bool] = lambda tzid: True
) -> Geography:
    """Geography of the named countries and the ``allowed`` zones, each country reaching ``reach_size`` zones or more.

    Raises `WorldError` ``5B.WORLD.COUNTRY_UNKNOWN`` for a country without a zone in the database.
    """
    places = sorted((place for place in _places(database) if allowed(place.tzid)), key=lambda place: place.tzid)
    tzids = tuple(place.tzid for place in places)
    ordered = tuple(sorted(countries))
    latitude = np.array([place.latitude for place in places])
    longitude = np.array([place.longitude for place in places])
    distance_km = _distances(latitude, longitude)
    own = _own_zones(database, ordered, tzids)
    reach = tuple(_reach(zones, distance_km, reach_size) for zones in own)
    home = np.full(len(tzids), -1, np.int16)
    for code, zones in enumerate(own):
        home[list(zones)] = code
    return Geography(ordered, tzids, latitude, longitude, home, own, reach, distance_km)


def country_of_every_zone(database: Tzdb) -> dict[str, str]:
    """Country code of each zone of ``zone.tab``, whether the world uses it or not."""
    return {place.tzid: place.country for place in _places(database)}


def _places(database: Tzdb) -> list[_Place]:
    return [_Place(fields[2], fields[0], *_coordinates(fields[1])) for fields in _table_rows(database, "zone.tab")]


def _table_rows(database: Tzdb, name: str) -> Iterator[list[str]]:
    for line in database.table(name).splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def _coordinates(text: str) -> tuple[float, float]:
    """Degrees from ISO 6709 ``+DDMM+DDDMM`` or ``+DDMMSS+DDDMMSS``."""
    cut = max(text.rfind("+"), text.rfind("-"))
    return _degrees(text[:cut], 2), _degrees(text[cut:], 3)


def _degrees(text: str, whole_digits: int) -> float:
    digits = text[1:]
    whole, minutes, seconds = (
        digits[:whole_digits],
        digits[whole_digits : whole_digits + 2],
        digits[whole_digits + 2 :],
    )
    value = int(whole) + int(minutes) / 60 + int(seconds or 0) / 3600
    return -value if text[0] == "-" else value


def _own_zones(database: Tzdb, countries: tuple[str, ...], tzids: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    index = {tzid: position for position, tzid in enumerate(tzids)}
    found: dict[str, list[int]] = {country: [] for country in countries}
    for fields in _table_rows(database, "zone.tab"):
        if fields[0] in found and fields[2] in index:
            found[fields[0]].append(index[fields[2]])
    unknown = sorted(country for country, zones in found.items() if not zones)
    if unknown:
        raise WorldError(
            "5B.WORLD.COUNTRY_UNKNOWN",
            f"no usable time zone for {', '.join(unknown)}",
            where=f"zone.tab of release {database.release}",
            remedy="use ISO 3166 codes that zone.tab lists",
        )
    return tuple(tuple(_by_population(database, country, found[country], index)) for country in countries)


def _by_population(database: Tzdb, country: str, zones: list[int], index: dict[str, int]) -> list[int]:
    """Zone1970.tab lists a country's populous zones first; zones that it folds into others follow."""
    ranked = [
        index[fields[2]]
        for fields in _table_rows(database, "zone1970.tab")
        if country in fields[0].split(",") and index.get(fields[2]) in zones
    ]
    return ranked + [zone for zone in zones if zone not in ranked]


def _distances(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Straight-line (chord) distances in kilometres between all pairs."""
    lat, lon = latitude * _DEGREE, longitude * _DEGREE
    flat = portable.cos(lat)
    point = np.stack([flat * portable.cos(lon), flat * portable.sin(lon), portable.sin(lat)])
    square = np.zeros((lat.size, lat.size))
    for axis in point:
        square += (axis[:, None] - axis[None, :]) ** 2
    return np.asarray(_EARTH_RADIUS_KM * np.sqrt(square))


def _reach(own: tuple[int, ...], distance_km: NDArray[np.float64], size: int) -> tuple[int, ...]:
    nearest = np.argsort(distance_km[own[0]], kind="stable")
    foreign = [int(zone) for zone in nearest if zone not in own]
    return own + tuple(foreign[: max(0, size - len(own))])
