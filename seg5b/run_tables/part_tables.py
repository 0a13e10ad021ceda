"""The small tables of a scenario's arrival files (`seg5b.part_scan`) as SQL tables of the scenario: equal keys added up.

A cell is all arrivals of one series, bucket, route, primary zone and offset: tens of arrivals on average, so that a
hundred million rows become a few million. Its instants need no bounds of their own: they lie in its bucket, or
``s4.time_window`` says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from importlib.resources import files as package_files
from itertools import pairwise
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.engines import Engine
from seg5b.part_scan import ROUTE_SUMS, ArrivalScan, PartFiles, ScanFacts, disordered, forget_others, part_files, placed
from seg5b.query import Database, parquet
from seg5b.run_tables.cell_tables import scanned_together
from seg5b.run_tables.outputs import BY_TABLE, output_files, scans_folder
from seg5b.run_tables.sampling import arrival_threshold, kept_rows
from seg5b.run_tables.subject import SAMPLED, Subject
from seg5b.run_tables.views import Catalogue
from seg5b.run_tables.zones import MICROSECONDS, zone_steps
from seg5b.runs import RunRoot
from seg5b.runs.scratch import elsewhere

_PICKED = 100_000
BATCH = 1000
"""Rows of a batch that the places of arrivals within their bucket are compared in."""
CELL_IS_WHOLE = (
    """error_us = 0 AND offset_min % 60 = 0 AND 3600000000 % $bucket_us = 0 AND $start_us % $bucket_us = 0"""
)
"""Cells whose arrivals are all in the local hour that their bucket begins in, in SQL: what the walk takes it for too."""
CELL_TELLS_HOUR = f"NOT coalesce(is_virtual, FALSE) AND {CELL_IS_WHOLE}"
"""Cells whose arrivals are not in ``hours``."""
_SUM = "sum(arrivals)::BIGINT AS arrivals"
_KIND = "file_index AS part, " + ", ".join(f"sum({name})::BIGINT AS {name}" for name in ("arrivals", *ROUTE_SUMS))
_SOURCES = {"site_habits": "site_routes", "edge_habits": "edge_routes"}
"""Tables that are made of a part's table of another name."""

_SELECTS = {
    "cells": """
        SELECT merchant_id, zone_representation, channel_group, bucket_index, is_virtual::BOOLEAN AS is_virtual,
               tzid_primary, offset_min, error_us, least, greatest, arrivals FROM {source}""",
    "quarters": f"""
        SELECT quarter, tzid_primary, is_virtual::BOOLEAN AS is_virtual, offset_min, error_us, bucket_index, local_hour,
               {_SUM} FROM {{source}} GROUP BY ALL""",
    "hours": f"""
        SELECT merchant_id, zone_representation, channel_group, is_virtual::BOOLEAN AS is_virtual, hour, {_SUM}
        FROM {{source}} GROUP BY ALL""",
    "site_routes": f"SELECT merchant_id, site_id, tzid_primary, {_SUM} FROM {{source}} GROUP BY ALL",
    "edge_routes": f"""
        SELECT merchant_id, edge_id, tzid_primary, tzid_operational, tzid_settlement, {_SUM} FROM {{source}} GROUP BY ALL""",
    "edge_clocks": f"""
        SELECT tzid_operational, operational_min, tzid_settlement, settlement_min, bucket_index, {_SUM}
        FROM {{source}} GROUP BY ALL""",
    "site_habits": f"SELECT merchant_id, tzid_primary, site_id AS kind, {_KIND} FROM {{source}} GROUP BY ALL",
    "edge_habits": f"SELECT merchant_id, edge_id AS kind, {_KIND} FROM {{source}} GROUP BY ALL",
    "constants": "SELECT * EXCLUDE (rows), sum(rows)::BIGINT AS rows FROM {source} GROUP BY ALL",
    "merchant_parts": """
        SELECT merchant_id, part, part_start, whole.* EXCLUDE (merchant_id, part)
        FROM (SELECT merchant_id, file_index AS part, sum(arrivals)::BIGINT AS arrivals,
                     sum(virtual_arrivals)::BIGINT AS virtual_arrivals, min(first_seq) AS first_seq,
                     max(last_seq) AS last_seq, min(least_shift) AS least_shift, max(greatest_shift) AS greatest_shift
              FROM {source} GROUP BY ALL) AS whole JOIN part_tables USING (part)""",
    "picks": "SELECT * FROM {source}",
    "offset_bins": f"SELECT bin, {_SUM} FROM {{source}} GROUP BY ALL",
    "merchant_habits": f"SELECT merchant_id, name, place, {_SUM} FROM {{source}} GROUP BY ALL",
    "flags": "SELECT *, file_index AS part FROM {source}",
    "offset_hours": f"SELECT hour, bin, {_SUM} FROM {{source}} GROUP BY ALL",
}
"""How the tables of all parts become one, by name. Whoever reads ``cells`` adds them up anyway: they stay where they are."""


def attach_part_tables(catalogue: Catalogue) -> None:
    """Tables of the judged arrivals of a scenario, from one look at each part.

    ``part_tables``: each part's rows, how many come before it and how many are judged, and its latest instant;
    ``row_faults``: rows that violate a condition of `seg5b.part_scan.conditions`, by part, and in ``fault_places`` the
    first of them; ``disorder``: the first rows out of order (how many there are stands in ``Subject.shared``).

    ``cells``: arrivals by series, bucket, route, primary zone, offset and error of the wall clock, with the bounds of
    their intensities, a cell that parts share once for each; ``quarters``: arrivals whose hours a bucket does not tell,
    by quarter of an hour since 1970; ``hours``: arrivals whose hours a cell does not tell, by series, route and local
    hour of the day (the edge's for virtual ones); ``site_routes``, ``edge_routes``, ``edge_clocks``: where arrivals
    landed; ``constants``: by identity; ``merchant_parts``: each merchant's stretch of each part, of all rows;
    ``picks``: place within their bucket of some arrivals, in batches; ``offset_bins``: by 4096th of their bucket;
    ``site_habits``, ``edge_habits``, ``flags``, ``merchant_habits``, ``offset_hours``: see `seg5b.part_scan.arrivals.habits`.
    """
    subject = catalogue.subject
    found: list[PartFiles] = []
    catalogue.add("part_tables", lambda: found.extend(_scanned(subject)), needs=("arrivals_all", "parts"))
    for name in _SELECTS:
        load = partial(load_part_table, subject.database, name, found)
        catalogue.add(name, load, needs=("part_tables",))
    catalogue.add("row_faults", lambda: _attach_faults(subject, found), needs=("part_tables",))
    catalogue.add("disorder", lambda: _attach_disorder(subject, found), needs=("part_tables",))


def load_part_table(database: Database, table: str, parts: Sequence[PartFiles], *, name: str = "") -> None:
    """One table of several parts, equal keys added up but for ``cells``, under its own or another ``name``. Raises `InputError`
    ``5B.QUERY.FAILED``."""
    source = parquet([part.tables[_SOURCES.get(table, table)] for part in parts])
    select = _SELECTS[table].format(source=source)
    kind = "VIEW" if table == "cells" else "TABLE"
    database.run(f"CREATE OR REPLACE {kind} {name or table} AS {select}")


def scan_parts(
    root: RunRoot, scenario_id: str, files: Sequence[Path], facts: ScanFacts, engine: Engine, scratch: Path
) -> list[PartFiles]:
    """The tables of some arrival files, in their order. They are kept in ``tmp/kept/parts`` of the run; those that cannot be
    are for this time only. What is found lasts as long as ``scratch``, whoever deletes what is kept. Raises as
    `part_files` and `placed`."""
    folder = scans_folder(root, scenario_id)
    scans = [ArrivalScan(file.absolute(), facts, folder) for file in files]
    spare = elsewhere(scratch)
    found = {scan.file: placed(tables, scan, scratch, spare) for scan, tables in engine.run(part_files, scans)}
    return [found[scan.file] for scan in scans]


def forget_outdated(root: RunRoot, contracts: ContractSource, scenario_ids: Iterable[str]) -> None:
    """Delete what is kept of parts that are no longer published, or by other code. For the process that holds the run's
    lock: readers may use what they find while others work."""
    for scenario_id in scenario_ids:
        files = output_files(root, contracts, BY_TABLE["arrivals"], scenario_id)
        cells = scanned_together(root, contracts, scenario_id)
        forget_others(scans_folder(root, scenario_id), [*((file,) for file in files), *cells])


def forget_scans(root: RunRoot, scenario_ids: Iterable[str]) -> None:
    """Delete all that is kept of scans: a validation that is asked to compute again believes none of it. For the process that
    holds the run's lock."""
    for scenario_id in scenario_ids:
        shutil.rmtree(scans_folder(root, scenario_id), ignore_errors=True)


def scan_facts(start_us: int, end_us: int, bucket_us: int, rows: int, threshold: int | None = None) -> ScanFacts:
    """Facts of a scan of ``rows`` arrivals over the horizon [start_us, end_us) in UTC microseconds; ``threshold`` of
    sampled mode."""
    judged = kept_rows(rows, threshold)
    stride = max(1, judged // _PICKED)
    return ScanFacts(
        start_us=start_us,
        bucket_us=bucket_us,
        buckets=(end_us - start_us) // bucket_us,
        threshold=threshold,
        stride=stride,
        batches=max(1, judged // stride // BATCH),
        fine_zones=fine_zones(start_us, end_us, bucket_us),
    )


def fine_zones(start_us: int, end_us: int, bucket_us: int) -> tuple[str, ...]:
    """Zones of the tzdata package that change their offset within a bucket, or have one that is no whole hour, over the
    horizon: a bucket does not tell their local hours."""
    listed = (package_files("tzdata") / "zones").read_text("ascii").split()
    start_s, end_s = start_us // MICROSECONDS, -(-end_us // MICROSECONDS)
    return tuple(
        tzid
        for tzid in sorted(listed)
        if any(
            step.offset_min % 60 or (step.second * MICROSECONDS - start_us) % bucket_us
            for step in zone_steps(tzid, start_s, end_s)
        )
    )


def _scanned(subject: Subject) -> list[PartFiles]:
    files = output_files(subject.root, subject.contracts, BY_TABLE["arrivals"], subject.scenario_id)
    threshold = arrival_threshold(subject) if subject.mode == SAMPLED else None
    (rows,) = subject.row("SELECT count(*) FROM arrivals_all")
    horizon, bucket_us = subject.horizon, int(subject.constants["bucket_us"] or 0)
    facts = scan_facts(horizon.start_us, horizon.end_us, bucket_us, rows, threshold)
    parts = scan_parts(subject.root, subject.scenario_id, files, facts, subject.engine, subject.scratch)
    columns: dict[str, list[Any]] = {
        "part": list(range(len(parts))),
        **{name: [part.facts[name] for part in parts] for name in ("rows", "judged", "latest_us")},
    }
    columns["part_start"] = [sum(columns["rows"][:place]) for place in columns["part"]]
    subject.database.table("part_tables", columns, dict.fromkeys(columns, "BIGINT"))
    return parts


def _attach_faults(subject: Subject, parts: Sequence[PartFiles]) -> None:
    found = [
        (name, part, faults["rows"], faults["places"])
        for part, tables in enumerate(parts)
        for name, faults in tables.facts["faults"].items()
        if faults["rows"]
    ]
    places = [(name, part, place) for name, part, _, own in found for place in own]
    _table(subject.database, "row_faults", {"condition": "VARCHAR", "part": "BIGINT", "arrivals": "BIGINT"}, found)
    _table(subject.database, "fault_places", {"condition": "VARCHAR", "part": "BIGINT", "position": "BIGINT"}, places)


def _table(database: Database, name: str, kinds: dict[str, str], rows: Sequence[Sequence[Any]]) -> None:
    database.table(name, {key: [row[index] for row in rows] for index, key in enumerate(kinds)}, kinds)


def _attach_disorder(subject: Subject, parts: Sequence[PartFiles]) -> None:
    """Rows out of order within each part, and first rows of a part that lie before the last of the part before it."""
    seams = [part.facts for part in parts if part.facts["rows"]]
    crossing = [
        [*following["first"][:3], last["last"][2]]
        for last, following in pairwise(seams)
        if disordered(following["first"], last["last"])
    ]
    named = [*crossing, *(row for facts in seams for row in facts["disorder"])]
    kinds = {"merchant_id": "UBIGINT", "arrival_seq": "BIGINT", "at_us": "BIGINT", "last_us": "BIGINT"}
    _table(subject.database, "disorder", kinds, named)
    subject.shared.setdefault("disordered", {})[subject.scenario_id] = len(crossing) + sum(
        facts["disordered"] for facts in seams
    )
