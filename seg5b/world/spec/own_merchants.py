"""A user's own tables of merchants and of their sites."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from seg5b.tzdb import Tzdb
from seg5b.world.geography import country_of_every_zone
from seg5b.world.plan import OwnMerchants, OwnSites
from seg5b.world.spec.own_tables import above_zero, id_of, number_within, one_of, parsed, read_table, table_digest
from seg5b.world.spec.refusal import refusal
from seg5b.world.vocabulary import CLASSES, MODES

KEY: Final = "merchants.file"
SITES_KEY: Final = "merchants.sites.file"
_MOST_ROWS: Final = 1_000_000


def own_merchants(merchants: Mapping[str, Any], countries: Sequence[str]) -> tuple[OwnMerchants, str] | None:
    """The table that ``merchants.file`` names and its SHA-256 (64 hex digits), or None.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` for a file that cannot be read, a column that is missing, unknown or
    holds what it may not, an id twice, another digest than ``file_sha256``, another number of rows than ``count``.
    """
    if "file" not in merchants:
        return None
    path = Path(merchants["file"])
    known: dict[str, Callable[[Any], Any]] = {
        "weekly_volume": above_zero,
        "demand_class": one_of(CLASSES),
        "country": one_of(countries),
        "virtual_mode": one_of(MODES),
    }
    columns = read_table(path, KEY, ("merchant_id",), tuple(known))
    digest = table_digest(path, merchants.get("file_sha256"), "merchants.file_sha256")
    rows = len(columns["merchant_id"])
    if merchants.get("count", rows) != rows or not 0 < rows <= _MOST_ROWS:
        what = f"does not agree with the {rows:,} rows of {path.name}"
        raise refusal("merchants.count", merchants.get("count", rows), what, "leave count out, or correct the table")
    ids = parsed(columns, KEY, "merchant_id", id_of)
    order = sorted(range(rows), key=ids.__getitem__)
    twice = next((ids[place] for before, place in pairwise(order) if ids[before] == ids[place]), None)
    if twice is not None:
        raise refusal(f"{KEY}.merchant_id", twice, "is there twice", "one line for each merchant")
    others = {name: parsed(columns, KEY, name, parse) if name in columns else [] for name, parse in known.items()}
    taken = [tuple(values[place] for place in order) if values else () for values in (ids, *others.values())]
    return OwnMerchants(*taken), digest


def own_sites(
    sites: Mapping[str, Any], own: OwnMerchants | None, zones: Sequence[str], database: Tzdb
) -> tuple[OwnSites, str] | None:
    """The table that ``merchants.sites.file`` names and its SHA-256, or None.

    Raises `WorldError` ``5B.WORLD.SPEC_INVALID`` as `own_merchants`, and for a merchant that is not of ``merchants.file`` or
    has no sites, a zone without a share of the volume, and a zone of another country.
    """
    if "file" not in sites:
        return None
    if own is None:
        raise refusal(SITES_KEY, Path(sites["file"]).name, "has sites of merchants that are not known", f"state {KEY}")
    path = Path(sites["file"])
    place = {merchant: position for position, merchant in enumerate(own.ids)}
    homes = country_of_every_zone(database)

    def known_merchant(value: Any) -> int:
        merchant = id_of(value)
        if merchant not in place:
            raise ValueError(f"is no merchant of {KEY}")
        if own.modes and own.modes[place[merchant]] == "VIRTUAL_ONLY":
            raise ValueError("is VIRTUAL_ONLY and has no sites")
        return place[merchant]

    readers: dict[str, Callable[[Any], Any]] = {
        "merchant_id": known_merchant,
        "zone": one_of(zones),
        "latitude": number_within(-90, 90),
        "longitude": number_within(-180, 180),
        "weight": above_zero,
    }
    columns = read_table(path, SITES_KEY, tuple(readers)[:-1], ("weight",))
    digest = table_digest(path, sites.get("file_sha256"), "merchants.sites.file_sha256")
    columns.setdefault("weight", [1.0] * len(columns["zone"]))
    values = [parsed(columns, SITES_KEY, name, read) for name, read in readers.items()]
    _check_homes(own, values[0], [homes[zone] for zone in values[1]])
    rows = sorted(zip(*values, strict=True), key=lambda row: (row[0], homes[row[1]], row[1]))
    if not rows:
        raise refusal(SITES_KEY, path.name, "has no rows", "one line for each site")
    merchant, zone, latitude, longitude, weight = zip(*rows, strict=True)
    return OwnSites(merchant, tuple(homes[each] for each in zone), zone, latitude, longitude, weight), digest


def _check_homes(own: OwnMerchants, merchants: Sequence[int], countries: Sequence[str]) -> None:
    """A merchant whose country is stated has a site there."""
    standing = set(zip(merchants, countries, strict=True))
    for merchant in dict.fromkeys(merchants) if own.countries else ():
        if (merchant, own.countries[merchant]) not in standing:
            what = f"is the country of merchant {own.ids[merchant]}, which has no site there"
            raise refusal(f"{KEY}.country", own.countries[merchant], what, "correct one of the two tables")
