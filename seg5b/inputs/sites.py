"""Sites: which of a merchant's sites an arrival in a zone may land at. Law L7.tables; docs/laws#upstream-columns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg5b.errors import InputError
from seg5b.inputs.alias_tables import AliasTables, build_tables, group_rows
from seg5b.tables.reading import Columns, Kind, numbers, read_columns, text

_KEY = {"merchant_id": Kind.ID, "legal_country_iso": Kind.TEXT, "site_order": Kind.INTEGER}
SiteKey = tuple[int, str, int]


def site_id(merchant_id: int, country: str, site_order: int) -> int:
    """Little-endian uint64 of the last 8 bytes of SHA-256 of ``merchant:country:order``; 0 becomes 1."""
    digest = hashlib.sha256(f"{merchant_id}:{country}:{site_order}".encode()).digest()
    return int.from_bytes(digest[24:], "little") or 1


def made_up_site_id(merchant_id: int, tzid: str) -> int:
    """Id of the site that stands in a zone for a merchant without any: as `site_id`, of ``fallback:merchant:tzid``."""
    digest = hashlib.sha256(f"fallback:{merchant_id}:{tzid}".encode()).digest()
    return int.from_bytes(digest[24:], "little") or 1


@dataclass(frozen=True, slots=True)
class SiteTables:
    """One alias table per (merchant, tzid), then one per merchant over all of its sites.

    Entries of a table are in canonical order (country bytes, site_order). ``site_id`` uint64 [E]; ``tzid`` [E] of each
    entry. ``by_zone`` and ``by_merchant`` give table numbers.
    """

    tables: AliasTables
    site_id: np.ndarray
    tzid: tuple[str, ...]
    by_zone: dict[tuple[int, str], int]
    by_merchant: dict[int, int]


def read_sites(weight_files: Sequence[Path], zone_files: Sequence[Path], *, code: str) -> SiteTables:
    """Read ``s1_site_weights`` and ``site_timezones``. A world of virtual merchants alone has no sites, and needs none.

    Raises `InputError` ``code``: unreadable, a key twice, a weighted site without a time zone, weights that are
    negative, not finite, or sum to nothing.
    """
    zones = _zones(zone_files, code)
    columns = read_columns(weight_files, {**_KEY, "p_weight": Kind.NUMBER}, code=code)
    weights = dict(zip(_keys(columns), numbers(columns, "p_weight").tolist(), strict=True))
    _refuse_repeats(len(weights), columns, weight_files[0], code)
    homeless = next((key for key in weights if key not in zones), None)
    if homeless:
        raise InputError(
            code,
            f"site {_name(homeless)} has a weight but no time zone",
            where=str(zone_files[0]),
            remedy="2A and 2B must cover the same sites",
        )
    by_zone = sorted(weights, key=lambda key: (key[0], zones[key].encode(), key[1].encode(), key[2]))
    by_merchant = sorted(weights, key=lambda key: (key[0], key[1].encode(), key[2]))
    start, owners = group_rows([(key[0], zones[key]) for key in by_zone])
    start_all, merchants = group_rows([(key[0], "") for key in by_merchant])
    names = [f"merchant {merchant}, tzid {tzid}" for merchant, tzid in owners]
    names += [f"merchant {merchant}" for merchant, _ in merchants]
    entries = by_zone + by_merchant
    tables = build_tables(
        np.array([weights[key] for key in entries]),
        np.concatenate([start, start_all[1:] + start[-1]]),
        names=names,
        code=code,
        where=str(weight_files[0]),
    )
    return SiteTables(
        tables,
        np.array([site_id(*key) for key in entries], np.uint64),
        tuple(zones[key] for key in entries),
        {owner: table for table, owner in enumerate(owners)},
        {merchant: len(owners) + table for table, (merchant, _) in enumerate(merchants)},
    )


def _zones(files: Sequence[Path], code: str) -> dict[SiteKey, str]:
    columns = read_columns(files, {**_KEY, "tzid": Kind.TEXT}, code=code)
    zones = dict(zip(_keys(columns), text(columns, "tzid").strings(), strict=True))
    _refuse_repeats(len(zones), columns, files[0], code)
    return zones


def _keys(columns: Columns) -> list[SiteKey]:
    parts = (numbers(columns, "merchant_id").tolist(), text(columns, "legal_country_iso").strings())
    return list(zip(*parts, numbers(columns, "site_order").tolist(), strict=True))


def _refuse_repeats(distinct: int, columns: Columns, file: Path, code: str) -> None:
    keys = _keys(columns)
    if distinct == len(keys):
        return
    seen: set[SiteKey] = set()
    repeated = next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    what = f"site {_name(repeated)} occurs twice"
    raise InputError(code, what, where=str(file), remedy="restore the file that upstream wrote")


def _name(key: SiteKey) -> str:
    return f"{key[0]}:{key[1]}:{key[2]}"
