"""The cities that the specification of a run's world names, itself or by the law of its places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg5b.contracts import load_yaml
from seg5b.errors import ContractError
from seg5b.public_tables import LAW, public_places, tables_sha256
from seg5b.runs.root import WORLD_SPECIFICATION, RunRoot

City = tuple[str, float, float]
"""Name, degrees north, degrees east."""
_BLOCK: Final = 4096


def named_cities(root: RunRoot) -> dict[str, list[City]]:
    """Name and degrees of the cities by zone; none where no specification is kept, one that cannot be read, or one of other
    public tables than those of this release."""
    found: dict[str, list[City]] = defaultdict(list)
    with suppress(ContractError, LookupError, TypeError, ValueError):
        places = load_yaml(root.path / WORLD_SPECIFICATION)["places"]
        if places.get("law") == LAW and places["tables_sha256"] == tables_sha256():
            for place in public_places():
                found[place.zone].append((place.name, place.latitude, place.longitude))
        for city in places["cities"]:
            found[str(city["zone"])].append((str(city["name"]), float(city["latitude"]), float(city["longitude"])))
    return found


def nearest_city(cities: Sequence[City], north: float, east: float) -> str | None:
    """Name of the city that lies nearest in degrees; None where there is none."""
    near = [((north - lat) ** 2 + (east - lon) ** 2, name) for name, lat, lon in cities]
    return min(near)[1] if near else None


def nearest_cities(cities: Sequence[City], north: NDArray[np.float64], east: NDArray[np.float64]) -> list[str]:
    """As `nearest_city`, for many places at once and at least one city."""
    by_name = sorted(cities)  # of equally near ones the first by name
    at_north, at_east = (np.array([city[axis] for city in by_name], np.float64) for axis in (1, 2))
    names: list[str] = []
    for first in range(0, north.size, _BLOCK):
        part = slice(first, first + _BLOCK)
        far = (north[part, None] - at_north) ** 2 + (east[part, None] - at_east) ** 2
        names += [by_name[place][0] for place in far.argmin(axis=1).tolist()]
    return names
