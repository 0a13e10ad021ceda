"""The compiled walk finds what plain SQL over the same file finds, whatever the file holds."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from seg5b.errors import InputError
from seg5b.part_scan import ArrivalScan, PartFiles, ScanFacts, disordered, part_files
from tests.part_scan.worlds import BUCKETS, FACTS, HOUR_US, START_US, random_table, write

WALL = "epoch_us(ts_local_{0}) <> epoch_us(ts_utc) + utc_offset_min_{0}::BIGINT * 60000000"
CONDITIONS = {
    "outside_bucket": f"""bucket_index < 0 OR bucket_index >= {BUCKETS} OR epoch_us(ts_utc) < {START_US}
                          OR (epoch_us(ts_utc) - {START_US}) // {HOUR_US} <> bucket_index""",
    "wrong_route": "(site_id IS NULL) <> is_virtual OR (edge_id IS NULL) = is_virtual",
    "routeless": """CASE WHEN coalesce(is_virtual, FALSE) THEN edge_id IS NULL OR site_id IS NOT NULL
                         ELSE site_id IS NULL OR edge_id IS NOT NULL END""",
    "group_misplaced": "(tz_group_id IS NULL) <> is_virtual",
    "foreign_zones": "NOT is_virtual AND (tzid_operational <> tzid_primary OR tzid_settlement <> tzid_primary)",
    "foreign_offsets": """NOT is_virtual AND (utc_offset_min_operational <> utc_offset_min_primary
                                              OR utc_offset_min_settlement <> utc_offset_min_primary)""",
    **{f"{clock}_wall": WALL.format(clock) for clock in ("primary", "operational", "settlement")},
}
ERROR = "epoch_us(ts_local_primary) - epoch_us(ts_utc) - utc_offset_min_primary::BIGINT * 60000000"
COUNTS = {
    "cells": f"""SELECT merchant_id, zone_representation, channel_group, bucket_index, is_virtual::UTINYINT AS is_virtual,
                        tzid_primary, utc_offset_min_primary::BIGINT AS offset_min, {ERROR} AS error_us FROM rows""",
    "quarters": f"""SELECT epoch_us(ts_utc) // 900000000 AS quarter, tzid_primary, is_virtual::UTINYINT AS is_virtual,
                           utc_offset_min_primary::BIGINT AS offset_min, {ERROR} AS error_us, bucket_index,
                           epoch_us(ts_local_primary) // {HOUR_US} AS local_hour FROM rows
                    WHERE (error_us = 0 AND utc_offset_min_primary % 60 = 0) IS NOT TRUE
                       OR tzid_primary = 'Asia/Kolkata'""",
    "site_routes": "SELECT merchant_id, site_id, tzid_primary FROM rows WHERE NOT is_virtual",
    "edge_routes": """SELECT merchant_id, edge_id, tzid_primary, tzid_operational, tzid_settlement FROM rows
                      WHERE is_virtual""",
    "edge_clocks": """SELECT tzid_operational, utc_offset_min_operational::BIGINT AS operational_min, tzid_settlement,
                             utc_offset_min_settlement::BIGINT AS settlement_min, bucket_index FROM rows
                      WHERE is_virtual""",
    "constants": """SELECT manifest_fingerprint, parameter_hash, seed, scenario_id, routing_universe_hash, s4_spec_version
                    FROM rows""",
    "hours": f"""SELECT merchant_id, zone_representation, channel_group,
                        coalesce(is_virtual, FALSE)::UTINYINT AS is_virtual,
                        epoch_us(CASE WHEN is_virtual THEN ts_local_operational ELSE ts_local_primary END)
                            // {HOUR_US} % 24 AS hour FROM rows
                 WHERE is_virtual OR ({ERROR} = 0 AND utc_offset_min_primary % 60 = 0) IS NOT TRUE""",
    "offset_bins": f"""SELECT (epoch_us(ts_utc) - {START_US}) % {HOUR_US} * 4096 // {HOUR_US} AS bin FROM rows
                       WHERE ts_utc IS NOT NULL""",
}
PICKS = f"""SELECT (arrival_seq // 3 + bucket_index) % 5 AS batch, (epoch_us(ts_utc) - {START_US}) % {HOUR_US} AS offset_us
            FROM rows WHERE (arrival_seq + bucket_index) % 3 = 0 AND ts_utc IS NOT NULL"""
MERCHANTS = """SELECT merchant_id, count(*) AS arrivals, count_if(is_virtual) AS virtual, min(arrival_seq) AS first,
                      max(arrival_seq) AS last, min(file_row_number - arrival_seq) AS least,
                      max(file_row_number - arrival_seq) AS greatest FROM rows GROUP BY ALL"""
ORDER = """SELECT count(*) FROM (SELECT merchant_id, epoch_us(ts_utc) AS at_us, lag(merchant_id) OVER w AS last,
                                        lag(epoch_us(ts_utc)) OVER w AS last_at
                                 FROM rows WINDOW w AS (ORDER BY file_row_number))
           WHERE merchant_id < last OR (merchant_id = last AND at_us < last_at)"""

Scanned = tuple[duckdb.DuckDBPyConnection, PartFiles]


@pytest.fixture(params=[(kind, seed) for kind in ("sound", "wild", "null") for seed in range(4)], ids=str)
def scanned(request: pytest.FixtureRequest, tmp_path: Path) -> Scanned:
    kind, seed = request.param
    table = random_table(np.random.default_rng(seed), 400, wild=kind != "sound", nulls=kind == "null")
    path = write(table, tmp_path / "part-000000.parquet")
    plain = duckdb.connect(config={"threads": "1"})
    plain.execute("SET TimeZone = 'UTC'")
    plain.execute(f"CREATE TABLE rows AS SELECT *, file_row_number FROM '{path}'")
    return plain, part_files(ArrivalScan(path, FACTS, tmp_path / "kept"))


def same(plain: duckdb.DuckDBPyConnection, one: str, other: str) -> None:
    """Both queries give the same rows, as often."""
    assert plain.execute(f"({one}) EXCEPT ALL ({other})").fetchall() == []
    assert plain.execute(f"({other}) EXCEPT ALL ({one})").fetchall() == []


@pytest.mark.parametrize("table", COUNTS)
def test_counts_by_key(scanned: Scanned, table: str) -> None:
    plain, part = scanned
    names = ", ".join(row[0] for row in plain.execute(f"DESCRIBE {COUNTS[table]}").fetchall())
    expected = f"SELECT {names}, count(*)::HUGEINT FROM ({COUNTS[table]}) GROUP BY ALL"
    if table == "offset_bins":
        expected = f"SELECT bin, count(*)::HUGEINT FROM ({COUNTS[table]}) GROUP BY ALL"
    number = "rows" if table == "constants" else "arrivals"
    same(plain, f"SELECT {names}, sum({number}) FROM '{part.tables[table]}' GROUP BY ALL", expected)


def test_conditions(scanned: Scanned) -> None:
    plain, part = scanned
    faults = part.facts["faults"]
    for name, condition in CONDITIONS.items():
        found = [
            row[0] for row in plain.execute(f"SELECT file_row_number FROM rows WHERE {condition} ORDER BY 1").fetchall()
        ]
        assert faults[name] == {"rows": len(found), "places": found[:10]}, name
    nullable = {"site_id", "edge_id", "lambda_realised", "tz_group_id"}
    names = [row[0] for row in plain.execute("DESCRIBE rows").fetchall() if row[0] not in nullable]
    (null,) = plain.execute(f"SELECT count_if({' OR '.join(f'{n} IS NULL' for n in names)}) FROM rows").fetchall()[0]
    assert faults["null_value"]["rows"] == null
    assert set(faults) == {*CONDITIONS, "null_value"}


def test_order_picks_merchants_and_bounds(scanned: Scanned) -> None:
    plain, part = scanned
    assert (part.facts["disordered"],) == plain.execute(ORDER).fetchone()
    same(plain, f"SELECT batch, offset_us FROM '{part.tables['picks']}'", PICKS)
    sums = f"""SELECT merchant_id, sum(arrivals)::BIGINT, sum(virtual_arrivals)::BIGINT, min(first_seq), max(last_seq),
                      min(least_shift), max(greatest_shift) FROM '{part.tables["merchant_parts"]}' GROUP BY ALL"""
    same(plain, sums, MERCHANTS)
    keys = "merchant_id, zone_representation, channel_group, bucket_index"
    bounds = f"SELECT {keys}, min(least), max(greatest) FROM '{part.tables['cells']}' GROUP BY ALL"
    known = "coalesce(min(lambda_realised), 'inf'::DOUBLE), coalesce(max(lambda_realised), '-inf'::DOUBLE)"
    same(plain, bounds, f"SELECT {keys}, {known} FROM rows GROUP BY ALL")


def test_sampled_mode_counts_the_rows_of_the_sample(tmp_path: Path) -> None:
    path = write(random_table(np.random.default_rng(1), 900, wild=False, nulls=False), tmp_path / "part.parquet")
    facts = ScanFacts(START_US, HOUR_US, BUCKETS, 300_000, 3, 5, ())
    part = part_files(ArrivalScan(path, facts, tmp_path / "kept"))
    kept = """(arrival_seq % 1000003 * 611953 + CAST(merchant_id % 1000003 AS BIGINT) * 402653 + bucket_index * 7919)
              % 1000003 < 300000"""
    (expected,) = duckdb.execute(f"SELECT count(*) FROM '{path}' WHERE {kept}").fetchall()[0]
    assert 100 < expected < 500
    assert (part.facts["rows"], part.facts["judged"]) == (900, expected)


def test_order_across_parts() -> None:
    assert disordered([2**63, 1, 5, 0], [2**63 + 1, 9, 1, 0])
    assert disordered([7, 1, 5, 0], [7, 9, 6, 0])
    assert not disordered([7, 1, 6, 0], [7, 9, 6, 0])
    assert not disordered([2**63, 1, 5, 0], [7, 9, 6, 0])


def test_more_keys_than_slots_are_counted_all(tmp_path: Path) -> None:
    table = random_table(np.random.default_rng(3), 40_000, wild=False, nulls=False)
    sites = np.random.default_rng(4).integers(1, 30_000, 40_000).astype(np.uint64)
    table = table.set_column(table.column_names.index("site_id"), "site_id", [sites])
    path = write(table, tmp_path / "part.parquet")
    part = part_files(ArrivalScan(path, FACTS, tmp_path / "kept"))
    plain = duckdb.connect()
    sums = f"SELECT merchant_id, site_id, tzid_primary, sum(arrivals)::BIGINT FROM '{part.tables['site_routes']}' GROUP BY ALL"
    same(
        plain,
        sums,
        f"SELECT merchant_id, site_id, tzid_primary, count(*) FROM '{path}' WHERE NOT is_virtual GROUP BY ALL",
    )


@pytest.mark.parametrize("damage", ["cut", "column", "type"])
def test_a_malformed_part_is_a_typed_error(tmp_path: Path, damage: str) -> None:
    table = random_table(np.random.default_rng(0), 50, wild=False, nulls=False)
    if damage == "column":
        table = table.drop_columns(["bucket_index"])
    if damage == "type":
        table = table.set_column(table.column_names.index("bucket_index"), "bucket_index", [["x"] * 50])
    path = write(table, tmp_path / "part.parquet")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError) as raised:
        part_files(ArrivalScan(path, FACTS, tmp_path / "kept"))
    assert raised.value.code == "5B.S5.IO_READ_FAILED"


def test_a_part_without_rows(tmp_path: Path) -> None:
    table = random_table(np.random.default_rng(0), 5, wild=False, nulls=False).slice(0, 0)
    pq.write_table(table, tmp_path / "part.parquet")
    part = part_files(ArrivalScan(tmp_path / "part.parquet", FACTS, tmp_path / "kept"))
    assert (part.facts["rows"], part.facts["first"], part.facts["latest_us"]) == (0, None, None)


INSIDE = f"(epoch_us(ts_utc) - {START_US} - bucket_index * {HOUR_US})"
LIES = f"""ts_utc IS NOT NULL AND bucket_index IS NOT NULL AND {INSIDE} BETWEEN 0 AND {HOUR_US - 1}"""
STRETCHED = """SELECT *, sum(new) OVER (ORDER BY file_row_number) AS stretch
               FROM (SELECT *, (merchant_id IS DISTINCT FROM lag(merchant_id) OVER w)::BIGINT AS new FROM rows
                     WINDOW w AS (ORDER BY file_row_number))"""
"""Rows and the number of their merchant's stretch of the file."""


def test_habits_of_instants(scanned: Scanned) -> None:
    plain, part = scanned
    plain.execute(f"CREATE TABLE stretched AS {STRETCHED}")
    at_us = "epoch_us(ts_utc)"
    expected = " UNION ALL ".join(
        f"SELECT merchant_id, '{name}' AS name, {place} AS place, count(*)::HUGEINT FROM stretched WHERE {LIES} GROUP BY ALL"
        for name, place in (
            ("s", f"{at_us} // 1000000 % 10"),
            ("ms", f"{at_us} // 1000 % 10"),
            ("us", f"{at_us} % 10"),
            ("place", f"{INSIDE} * 16 // {HOUR_US}"),
        )
    )
    own = f"SELECT merchant_id, name, place, sum(arrivals) FROM '{part.tables['merchant_habits']}' WHERE name <> 'tie' GROUP BY ALL"
    same(plain, own, expected)
    hours = (
        f"SELECT {at_us} // {HOUR_US} % 24 AS hour, {INSIDE} * 64 // {HOUR_US} AS bin, count(*) FROM rows WHERE {LIES}"
    )
    same(plain, f"SELECT hour, bin, arrivals FROM '{part.tables['offset_hours']}'", f"{hours} GROUP BY ALL")
    ties = f"""SELECT merchant_id, count(*)::HUGEINT AS n FROM
                   (SELECT merchant_id, ts_utc = lag(ts_utc) OVER (PARTITION BY stretch ORDER BY file_row_number) AS tie
                    FROM stretched WHERE {LIES}) WHERE tie GROUP BY ALL"""
    same(
        plain,
        f"SELECT merchant_id, sum(arrivals) FROM '{part.tables['merchant_habits']}' WHERE name = 'tie' GROUP BY ALL",
        ties,
    )
    flags = f"""SELECT merchant_id, count(*), count_if(is_virtual), coalesce(sum(place) FILTER (is_virtual), 0)::BIGINT,
                       count_if(again), coalesce(sum(inside) FILTER (is_virtual), 0)::BIGINT
                FROM (SELECT merchant_id, stretch, is_virtual, {INSIDE} AS inside, row_number() OVER w AS place,
                             coalesce(is_virtual = lag(is_virtual) OVER w, FALSE) AS again
                      FROM stretched WHERE {LIES} AND is_virtual IS NOT NULL
                      WINDOW w AS (PARTITION BY stretch ORDER BY file_row_number))
                GROUP BY merchant_id, stretch"""
    names = "merchant_id, arrivals, virtual_arrivals, rank_sum, repeats, inside_us"
    same(plain, f"SELECT {names} FROM '{part.tables['flags']}' WHERE arrivals > 0", flags)


@pytest.mark.parametrize("kind", ["site", "edge"])
def test_habits_of_routes(scanned: Scanned, kind: str) -> None:
    plain, part = scanned
    plain.execute(f"CREATE TABLE stretched AS {STRETCHED}")
    zone, keys = (
        ("tzid_primary", "site_id, tzid_primary")
        if kind == "site"
        else ("''", "edge_id, tzid_primary, tzid_operational, tzid_settlement")
    )
    expected = f"""SELECT merchant_id, {keys}, count(*)::HUGEINT, sum(place), count_if(again)::HUGEINT, sum(inside)
                   FROM (SELECT *, CASE WHEN {LIES} THEN {INSIDE} ELSE 0 END AS inside, row_number() OVER w AS place,
                                coalesce(({keys}) IS NOT DISTINCT FROM lag(({keys})) OVER w AND row_number() OVER w > 1, FALSE) AS again
                         FROM stretched WHERE is_virtual = {kind == "edge"}
                         WINDOW w AS (PARTITION BY stretch, {zone} ORDER BY file_row_number))
                   GROUP BY merchant_id, {keys}"""
    sums = ", ".join(f"sum({name})" for name in ("arrivals", "rank_sum", "repeats", "inside_us"))
    same(
        plain,
        f"SELECT merchant_id, {keys}, {sums} FROM '{part.tables[f'{kind}_routes']}' GROUP BY merchant_id, {keys}",
        expected,
    )
