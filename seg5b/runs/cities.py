"""The cities that the specification of a run's world names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from seg5b.contracts import load_yaml
from seg5b.errors import ContractError
from seg5b.runs.root import WORLD_SPECIFICATION, RunRoot

City = tuple[str, float, float]
"""Name, degrees north, degrees east."""


def named_cities(root: RunRoot) -> dict[str, list[City]]:
    """Name and degrees of the cities by zone; none where no specification is kept, or one that cannot be read."""
    found: dict[str, list[City]] = defaultdict(list)
    with suppress(ContractError, LookupError, TypeError, ValueError):
        for city in load_yaml(root.path / WORLD_SPECIFICATION)["places"]["cities"]:
            found[str(city["zone"])].append((str(city["name"]), float(city["latitude"]), float(city["longitude"])))
    return found


def nearest_city(cities: Sequence[City], north: float, east: float) -> str | None:
    """Name of the city that lies nearest in degrees; None where there is none."""
    near = [((north - lat) ** 2 + (east - lon) ** 2, name) for name, lat, lon in cities]
    return min(near)[1] if near else None
