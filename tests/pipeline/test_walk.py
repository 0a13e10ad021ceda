"""Whole arrivals, column by column, against a plain-Python walk of the laws that shares no code with the kernels."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.conftest import DemoRun
from tests.oracle.randomness import World
from tests.oracle.walk import Merchant, decode_blob_slice, walk, wall_clock

SCENARIO = "baseline_v1"
MODES = ("NON_VIRTUAL", "HYBRID", "VIRTUAL_ONLY")


def _rows(folder: Any, columns: list[str] | None, merchants: list[int] | None = None) -> list[dict[str, Any]]:
    filters = pc.field("merchant_id").isin(pa.array(merchants, pa.uint64())) if merchants else None
    return pq.read_table(folder, columns=columns, filters=filters, partitioning=None).to_pylist()


@pytest.fixture(scope="module")
def chosen(demo_run: DemoRun) -> dict[str, list[int]]:
    """Two merchants of each virtual mode with few arrivals, several zones first."""
    rows = _rows(demo_run.path("virtual_classification_3B"), ["merchant_id", "virtual_mode"])
    mode = {row["merchant_id"]: row["virtual_mode"] for row in rows}
    total: dict[int, int] = defaultdict(int)
    zones: dict[int, set[str]] = defaultdict(set)
    columns = ["merchant_id", "zone_representation", "count_N"]
    for row in _rows(demo_run.path("s4_arrival_summary_5B", SCENARIO), columns):
        total[row["merchant_id"]] += row["count_N"]
        zones[row["merchant_id"]].add(row["zone_representation"])
    by_mode = {}
    for name in MODES:
        members = [merchant for merchant in total if mode[merchant] == name]
        by_mode[name] = sorted(members, key=lambda m: (-min(len(zones[m]), 2), total[m]))[:2]
    return by_mode


def _merchants(demo_run: DemoRun, chosen: dict[str, list[int]]) -> list[Merchant]:
    wanted = [merchant for merchants in chosen.values() for merchant in merchants]
    key = ["merchant_id", "legal_country_iso", "site_order"]
    zones = {
        tuple(row[k] for k in key): row["tzid"]
        for row in _rows(demo_run.path("site_timezones"), [*key, "tzid"], wanted)
    }
    sites: dict[int, dict[str, list[tuple[str, int, float]]]] = defaultdict(lambda: defaultdict(list))
    weights = _rows(demo_run.path("s1_site_weights"), [*key, "p_weight"], wanted)
    for row in sorted(weights, key=lambda row: (row["merchant_id"], row["legal_country_iso"], row["site_order"])):
        site = tuple(row[k] for k in key)
        sites[site[0]][zones[site]].append((site[1], site[2], row["p_weight"]))
    edges = defaultdict(list)
    catalogue = _rows(demo_run.path("edge_catalogue_3B"), ["merchant_id", "edge_id", "tzid_operational"], wanted)
    for row in sorted(catalogue, key=lambda row: row["edge_id"]):
        edges[row["merchant_id"]].append((row["edge_id"], row["tzid_operational"]))
    blob = demo_run.path("edge_alias_blob_3B").read_bytes()
    columns = ["merchant_id", "blob_offset_bytes", "blob_length_bytes"]
    tables = {
        row["merchant_id"]: decode_blob_slice(blob[row["blob_offset_bytes"] :][: row["blob_length_bytes"]])
        for row in _rows(demo_run.path("edge_alias_index_3B"), columns, wanted)
    }
    settlements = _rows(demo_run.path("virtual_settlement_3B"), ["merchant_id", "tzid_settlement"], wanted)
    settlement = {row["merchant_id"]: row["tzid_settlement"] for row in settlements}
    return [
        Merchant(merchant, mode, sites[merchant], edges[merchant], tables.get(merchant, []), settlement.get(merchant))
        for mode, merchants in chosen.items()
        for merchant in merchants
    ]


def test_all_modes_are_walked(chosen: dict[str, list[int]]) -> None:
    assert all(chosen[mode] for mode in MODES)


def test_arrivals_equal_the_walk(demo_run: DemoRun, chosen: dict[str, list[int]]) -> None:
    identity = demo_run.root.identity
    world = World(identity.manifest_fingerprint, identity.parameter_hash, identity.seed, SCENARIO)
    grid = _rows(demo_run.path("s1_time_grid_5B", SCENARIO), ["bucket_start_utc", "bucket_duration_seconds"])
    start_us = int(grid[0]["bucket_start_utc"].timestamp()) * 1_000_000
    bucket_us = grid[0]["bucket_duration_seconds"] * 1_000_000
    walked = 0
    for merchant in _merchants(demo_run, chosen):
        columns = ["zone_representation", "channel_group", "bucket_index", "count_N"]
        summary = _rows(demo_run.path("s3_bucket_counts_5B", SCENARIO), columns, [merchant.merchant_id])
        counts = {
            (row["zone_representation"], row["channel_group"], row["bucket_index"]): row["count_N"]
            for row in summary
            if row["count_N"]
        }
        expected = walk(world, merchant, counts, start_us, bucket_us, 0.35)
        published = _rows(demo_run.path("arrival_events_5B", SCENARIO), None, [merchant.merchant_id])
        assert len(published) == len(expected) > 0
        for sequence, (row, want) in enumerate(zip(published, expected, strict=True), start=1):
            assert row["arrival_seq"] == sequence
            for name in ("zone_representation", "channel_group", "bucket_index", "is_virtual", "site_id", "edge_id"):
                assert row[name] == want[name], (merchant.merchant_id, sequence, name)
            assert row["ts_utc"].timestamp() == pytest.approx(want["ts_us"] / 1e6, abs=1e-7)
            clocks = {
                "operational": want["operational"],
                "settlement": want["settlement"],
                "primary": want["operational"],
            }
            for clock, tzid in clocks.items():
                local, offset = wall_clock(want["ts_us"], tzid)
                assert (row[f"tzid_{clock}"], row[f"utc_offset_min_{clock}"]) == (tzid, offset)
                assert row[f"ts_local_{clock}"] == local
        walked += len(expected)
    assert walked > 1000
