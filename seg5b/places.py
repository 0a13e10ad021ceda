"""Where arrivals are: sites, edges and merchants of a run, in tables that join its arrivals.

Arrivals name a site or an edge by a number alone. These tables say what it stands for: `Run.sites` and the like give them
from the upstream datasets of any run, and `write_places` lays them beside the data for other programs, with a view in SQL
that joins them.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.gate import place_of
from seg5b.inputs.profile import read_virtual_modes
from seg5b.inputs.sites import site_id
from seg5b.progress import unreported
from seg5b.publish import Outcome, publish, staging_folder
from seg5b.runs.cities import named_cities, nearest_cities
from seg5b.runs.root import RunRoot
from seg5b.tables import Coded, write_table
from seg5b.tables.columns import Column, text_values
from seg5b.tables.reading import Kind, read_rows
from seg5b.tables.small import small_format, small_table
from seg5b.tables.whole import ArrowTable
from seg5b.world.steps import Progress

PLACES = "places"
"""Folder of a run in which `write_places` lays its tables."""
_CODE = "5B.RUN.PLACES_UNREADABLE"
SITES: Mapping[str, Kind] = {
    "site_id": Kind.ID,
    "merchant_id": Kind.ID,
    "country": Kind.TEXT,
    "city": Kind.TEXT,
    "site_order": Kind.INTEGER,
    "tzid": Kind.TEXT,
    "latitude_deg": Kind.NUMBER,
    "longitude_deg": Kind.NUMBER,
}
EDGES: Mapping[str, Kind] = {
    "edge_id": Kind.ID,
    "edge_hex": Kind.TEXT,
    "merchant_id": Kind.ID,
    "country": Kind.TEXT,
    "tzid": Kind.TEXT,
    "latitude_deg": Kind.NUMBER,
    "longitude_deg": Kind.NUMBER,
    "weight": Kind.NUMBER,
}
MERCHANTS: Mapping[str, Kind] = {
    "merchant_id": Kind.ID,
    "demand_class": Kind.TEXT,
    "country": Kind.TEXT,
    "countries": Kind.INTEGER,
    "zones": Kind.INTEGER,
    "weekly_volume_expected": Kind.NUMBER,
    "virtual_mode": Kind.TEXT,
}
Row = tuple[Any, ...]
_VIEW = """-- Arrivals with their places, for DuckDB: in the folder of the run, `duckdb -init places/arrivals.sql`.
CREATE OR REPLACE VIEW arrivals AS
SELECT a.*, coalesce(s.country, e.country) AS country, s.city,
    coalesce(s.latitude_deg, e.latitude_deg) AS latitude_deg, coalesce(s.longitude_deg, e.longitude_deg) AS longitude_deg,
    m.demand_class, m.virtual_mode
FROM read_parquet('{arrivals}/**/*.parquet', hive_partitioning = false) AS a
LEFT JOIN 'places/sites.parquet' AS s ON s.site_id = a.site_id AND s.merchant_id = a.merchant_id
LEFT JOIN 'places/edges.parquet' AS e ON e.edge_id = a.edge_id AND e.merchant_id = a.merchant_id
LEFT JOIN 'places/merchants.parquet' AS m ON m.merchant_id = a.merchant_id;
"""


def site_rows(root: RunRoot, contracts: ContractSource) -> list[Row]:
    """Every site in order of ``site_id`` (docs/laws#identifiers), columns as in `SITES`: ``country`` is the legal one (ISO
    3166), ``city`` the nearest of the cities that the specification of the world names in the site's zone, else the one that
    the zone is named after; degrees are north and east. Raises `InputError` ``5B.RUN.PLACES_UNREADABLE``."""
    key = {"merchant_id": Kind.ID, "legal_country_iso": Kind.TEXT, "site_order": Kind.INTEGER}
    zones = {row[:3]: row[3] for row in _read(root, contracts, "site_timezones", {**key, "tzid": Kind.TEXT})}
    located = _read(root, contracts, "site_locations", {**key, "lat_deg": Kind.NUMBER, "lon_deg": Kind.NUMBER})
    at = [zones.get(row[:3]) for row in located]
    names = _city_names(root, at, [row[3:] for row in located])
    rows = [
        (site_id(merchant, country, order), merchant, country, city, order, tzid, north, east)
        for (merchant, country, order, north, east), tzid, city in zip(located, at, names, strict=True)
    ]
    return sorted(rows, key=lambda row: row[:3])


def _city_names(root: RunRoot, zones: Sequence[str | None], degrees: Sequence[Row]) -> list[str | None]:
    """Nearest city of each site in its zone, where it has one: of those that are named, else what the zone is named after."""
    names = [None if zone is None else zone.rpartition("/")[2].replace("_", " ") for zone in zones]
    of_zone: dict[str | None, list[int]] = defaultdict(list)
    for place, zone in enumerate(zones):
        of_zone[zone].append(place)
    for zone, cities in named_cities(root).items():
        here = of_zone.get(zone, [])
        north, east = np.array([degrees[place] for place in here], np.float64).reshape(-1, 2).T
        for place, name in zip(here, nearest_cities(cities, north, east), strict=True):
            names[place] = name
    return names


def edge_rows(root: RunRoot, contracts: ContractSource) -> list[Row]:
    """Every virtual edge in order of (``edge_id``, merchant), columns as in `EDGES`: the number that arrivals have, and its
    16 hexadecimal digits as upstream writes them. Raises `InputError` ``5B.RUN.PLACES_UNREADABLE``."""
    kinds = {
        "edge_id": Kind.TEXT,
        "merchant_id": Kind.ID,
        "country_iso": Kind.TEXT,
        "tzid_operational": Kind.TEXT,
        "lat_deg": Kind.NUMBER,
        "lon_deg": Kind.NUMBER,
        "edge_weight": Kind.NUMBER,
    }
    try:
        return sorted((int(row[0], 16), *row) for row in _read(root, contracts, "edge_catalogue_3B", kinds))
    except ValueError as cause:
        raise InputError(_CODE, f"an edge id is no hexadecimal number: {cause}", where="edge_catalogue_3B") from cause


def merchant_rows(root: RunRoot, contracts: ContractSource) -> list[Row]:
    """Every merchant in order of its id, columns as in `MERCHANTS`: class and country are those with the most expected volume
    (ties: the smaller name), ``countries`` and ``zones`` count those with any. Raises `InputError`
    ``5B.RUN.PLACES_UNREADABLE``."""
    kinds = {
        "merchant_id": Kind.ID,
        "legal_country_iso": Kind.TEXT,
        "tzid": Kind.TEXT,
        "demand_class": Kind.TEXT,
        "weekly_volume_expected": Kind.NUMBER,
    }
    volumes: dict[int, dict[tuple[str, str, str], float]] = defaultdict(dict)
    for merchant, country, tzid, demand_class, volume in _read(root, contracts, "merchant_zone_profile_5A", kinds):
        volumes[merchant][country, tzid, demand_class] = volume or 0.0
    files = _files(root, contracts, "virtual_classification_3B")
    modes = read_virtual_modes(files, code=_CODE)
    rows: list[Row] = []
    for merchant in sorted(volumes):
        of, used = volumes[merchant], [key for key, volume in volumes[merchant].items() if volume > 0]
        largest = [_largest(of, lambda key: key[2]), _largest(of, lambda key: key[0])]
        counted = len({key[0] for key in used}), len({key[1] for key in used})
        rows.append((merchant, *largest, *counted, sum(of.values()), modes.get(merchant)))
    return rows


def _largest(volumes: Mapping[tuple[str, str, str], float], name: Callable[[tuple[str, str, str]], str]) -> str:
    total: dict[str, float] = defaultdict(float)
    for key, volume in volumes.items():
        total[name(key)] += volume
    return min(total, key=lambda known: (-total[known], known))


TABLES: Mapping[str, tuple[Mapping[str, Kind], Callable[[RunRoot, ContractSource], list[Row]]]] = {
    "sites": (SITES, site_rows),
    "edges": (EDGES, edge_rows),
    "merchants": (MERCHANTS, merchant_rows),
}
"""Columns and rows of each table, by its name."""


def write_places(root: RunRoot, contracts: ContractSource, report: Progress = unreported) -> Outcome:
    """Publish ``places/sites.parquet``, ``edges.parquet``, ``merchants.parquet`` and ``arrivals.sql``, the view that joins
    them, in the run folder. Raises `InputError` ``5B.RUN.PLACES_UNREADABLE``, and as `publish`."""
    with staging_folder(root.path, ".places") as scratch:  # not in tmp, which a run that starts sweeps
        folder = scratch / PLACES
        folder.mkdir()
        for place, name in enumerate(TABLES):
            report("places", place, len(TABLES))
            kinds, rows_of = TABLES[name]
            rows = rows_of(root, contracts)
            write_table(folder / f"{name}.parquet", small_format(kinds), _columns(kinds, rows), len(rows), {})
        report("places", len(TABLES), len(TABLES))
        arrivals = (
            contracts.dictionary("5B").entry("arrival_events_5B").above_scenarios(root.identity.tokens()).rstrip("/")
        )
        (folder / "arrivals.sql").write_text(_VIEW.format(arrivals=arrivals), "utf-8")
        return publish(folder, root.path / PLACES, state="WORLD")


def lay_places(root: RunRoot, contracts: ContractSource, report: Progress = unreported) -> None:
    """`write_places`, unless they lie there whole; what is left of them is made again. Raises as that does."""
    files = [*(f"{name}.parquet" for name in TABLES), "arrivals.sql"]
    if not all((root.path / PLACES / name).is_file() for name in files):
        shutil.rmtree(root.path / PLACES, ignore_errors=True)
        write_places(root, contracts, report)


def place_table(name: str, root: RunRoot, contracts: ContractSource) -> ArrowTable:
    """One of `TABLES` as an Arrow table. Raises `InputError` ``5B.RUN.PLACES_UNREADABLE``."""
    kinds, rows_of = TABLES[name]
    rows = rows_of(root, contracts)
    return small_table(kinds, _columns(kinds, rows), len(rows))


def _columns(kinds: Mapping[str, Kind], rows: Sequence[Row]) -> dict[str, Column]:
    return {column: _column([row[place] for row in rows], kind) for place, (column, kind) in enumerate(kinds.items())}


def _column(values: Sequence[object], kind: Kind) -> Column:
    if kind is Kind.TEXT:
        texts = sorted({str(value) for value in values if value is not None})
        code = {text: number for number, text in enumerate(texts)}
        return Coded(
            np.array([-1 if value is None else code[str(value)] for value in values], np.int32), text_values(texts)
        )
    return np.array(values, {Kind.ID: np.uint64, Kind.INTEGER: np.int64}.get(kind, np.float64))


def _read(root: RunRoot, contracts: ContractSource, dataset_id: str, kinds: Mapping[str, Kind]) -> list[Row]:
    files = _files(root, contracts, dataset_id)
    return read_rows(files, kinds, code=_CODE)


def _files(root: RunRoot, contracts: ContractSource, dataset_id: str) -> list[Path]:
    place = place_of(root, contracts.dictionary("5B").entry(dataset_id)).path
    files = sorted(place.rglob("*.parquet")) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        what, remedy = f"{dataset_id} is not there", "restore what upstream wrote"
        raise InputError(_CODE, what, where=str(place), remedy=remedy)
    return files
