"""Public facts that worlds are made of: places, and card payments by country. Data with a digest, since they decide numbers
(law L17). They lie in ``config/worlds/public``, with what they come from and their licence."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from seg5b.hashing import sha256_file, sha256_hex
from seg5b.resources import resource_root

LAW = "public_v1"
"""The law of places by which worlds follow these tables (docs/laws#world-public-places)."""


@dataclass(frozen=True, slots=True)
class PublicPlace:
    """A place: ISO 3166-1 ``country``, time ``zone``, degrees north and east, ``population`` in people."""

    country: str
    zone: str
    name: str
    latitude: float
    longitude: float
    population: int


@cache
def public_places() -> tuple[PublicPlace, ...]:
    """Every place, by country, zone and size, largest first."""
    return tuple(
        PublicPlace(
            row["country"],
            row["zone"],
            row["name"],
            float(row["latitude_deg"]),
            float(row["longitude_deg"]),
            int(row["population"]),
        )
        for row in _rows("places.csv")
    )


@cache
def card_payments() -> dict[str, float]:
    """Card payments of a year by country, population times payments per head; countries without a figure are not there."""
    return {
        row["country"]: int(row["population"]) * float(row["payments_per_head_2023"]) for row in _rows("countries.csv")
    }


@cache
def tables_sha256() -> str:
    """64 hex digits: SHA-256 of the two digests, ``countries.csv`` first."""
    return sha256_hex("".join(sha256_file(table_path(name)) for name in ("countries.csv", "places.csv")).encode())


def _rows(name: str) -> list[dict[str, Any]]:
    with table_path(name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def table_path(name: str) -> Path:
    """Where one of the tables lies, by its file name."""
    return resource_root() / "config/worlds/public" / name
