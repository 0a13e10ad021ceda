"""Compare published arrivals of chosen merchants with the oracle's walk."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from seg5b.contracts import ContractSource
from seg5b.runs.root import RunRoot
from tests.oracle.alias import decode_blob_slice
from tests.oracle.randomness import World
from tests.oracle.walk import Law, Merchant, Paths, walk, wall_clock

MODES = ("NON_VIRTUAL", "HYBRID", "VIRTUAL_ONLY")


def path(root: RunRoot, dataset: str, scenario: str | None = None) -> Path:
    """Where a dataset lies."""
    entry = ContractSource.packaged().dictionary("5B").entry(dataset)
    return root.resolve(entry.render(root.identity.tokens(scenario)))


def rows(
    root: RunRoot,
    dataset: str,
    columns: list[str] | None,
    scenario: str | None = None,
    merchants: list[int] | None = None,
) -> list[dict[str, Any]]:
    """Rows of a dataset, of some merchants."""
    filters = pc.field("merchant_id").isin(pa.array(merchants, pa.uint64())) if merchants else None
    return pq.read_table(path(root, dataset, scenario), columns=columns, filters=filters, partitioning=None).to_pylist()


def choose(root: RunRoot, scenario: str, of_each: int = 2) -> list[tuple[int, str]]:
    """Merchants of each virtual mode with few arrivals, those with several zones first."""
    mode = {
        row["merchant_id"]: row["virtual_mode"]
        for row in rows(root, "virtual_classification_3B", ["merchant_id", "virtual_mode"])
    }
    total: dict[int, int] = defaultdict(int)
    zones: dict[int, set[str]] = defaultdict(set)
    for row in rows(root, "s4_arrival_summary_5B", ["merchant_id", "zone_representation", "count_N"], scenario):
        total[row["merchant_id"]] += row["count_N"]
        zones[row["merchant_id"]].add(row["zone_representation"])
    chosen = []
    for name in MODES:
        members = [merchant for merchant in total if mode[merchant] == name and total[merchant] >= 200]
        members = sorted(members, key=lambda m: (-min(len(zones[m]), 2), total[m]))[:of_each]
        assert members, f"no {name} merchant to walk"
        chosen += [(merchant, name) for merchant in members]
    return chosen


def known_merchants(root: RunRoot, chosen: list[tuple[int, str]]) -> list[Merchant]:
    """What the oracle may know: upstream tables, read plainly."""
    wanted = [merchant for merchant, _ in chosen]
    key = ["merchant_id", "legal_country_iso", "site_order"]
    zones = {
        tuple(row[k] for k in key): row["tzid"] for row in rows(root, "site_timezones", [*key, "tzid"], None, wanted)
    }
    sites: dict[int, dict[str, list[tuple[str, int, float]]]] = defaultdict(lambda: defaultdict(list))
    weights = rows(root, "s1_site_weights", [*key, "p_weight"], None, wanted)
    for row in sorted(weights, key=lambda row: tuple(row[k] for k in key)):
        site = tuple(row[k] for k in key)
        sites[site[0]][zones[site]].append((site[1], site[2], row["p_weight"]))
    edges = defaultdict(list)
    columns = ["merchant_id", "edge_id", "tzid_operational", "edge_weight"]
    for row in sorted(rows(root, "edge_catalogue_3B", columns, None, wanted), key=lambda row: row["edge_id"]):
        edges[row["merchant_id"]].append((row["edge_id"], row["tzid_operational"], row["edge_weight"]))
    blob = path(root, "edge_alias_blob_3B").read_bytes()
    columns = ["merchant_id", "blob_offset_bytes", "blob_length_bytes"]
    tables = {
        row["merchant_id"]: decode_blob_slice(blob[row["blob_offset_bytes"] :][: row["blob_length_bytes"]])
        for row in rows(root, "edge_alias_index_3B", columns, None, wanted)
    }
    columns = ["merchant_id", "tzid_settlement"]
    settlement = {
        row["merchant_id"]: row["tzid_settlement"] for row in rows(root, "virtual_settlement_3B", columns, None, wanted)
    }
    groups: dict[int, dict[int, list[tuple[str, float]]]] = defaultdict(lambda: defaultdict(list))
    columns = ["merchant_id", "utc_day", "tz_group_id", "p_group"]
    for row in sorted(
        rows(root, "s4_group_weights", columns, None, wanted), key=lambda row: row["tz_group_id"].encode()
    ):
        day = (date.fromisoformat(row["utc_day"]) - date(1970, 1, 1)).days
        groups[row["merchant_id"]][day].append((row["tz_group_id"], row["p_group"]))
    return [
        Merchant(m, mode, sites[m], edges[m], tables.get(m, []), settlement.get(m), groups[m]) for m, mode in chosen
    ]


def intensities(root: RunRoot, scenario: str, merchant: int) -> Paths:
    """A merchant's intensities, as S2 published them."""
    columns = ["zone_representation", "channel_group", "bucket_index", "lambda_realised"]
    paths: Paths = defaultdict(list)
    published = rows(root, "s2_realised_intensity_5B", columns, scenario, [merchant])
    for row in sorted(published, key=lambda row: row["bucket_index"]):
        paths[row["zone_representation"], row["channel_group"]].append(row["lambda_realised"])
    return paths


def compare(
    root: RunRoot, scenario: str, chosen: list[tuple[int, str]], law: Law, *, linear: bool = False
) -> list[dict[str, Any]]:
    """Assert that every column of every arrival of the chosen merchants is as the walk says; returns the walk. ``linear``: they
    follow their intensities within a bucket."""
    identity = root.identity
    world = World(identity.manifest_fingerprint, identity.parameter_hash, identity.seed, scenario)
    grid = rows(root, "s1_time_grid_5B", ["bucket_start_utc", "bucket_duration_seconds"], scenario)
    start_us = int(grid[0]["bucket_start_utc"].timestamp()) * 1_000_000
    bucket_us = grid[0]["bucket_duration_seconds"] * 1_000_000
    walked = []
    for merchant in known_merchants(root, chosen):
        columns = ["zone_representation", "channel_group", "bucket_index", "count_N"]
        counted = rows(root, "s3_bucket_counts_5B", columns, scenario, [merchant.merchant_id])
        counts = {
            (row["zone_representation"], row["channel_group"], row["bucket_index"]): row["count_N"]
            for row in counted
            if row["count_N"]
        }
        paths = intensities(root, scenario, merchant.merchant_id) if linear else None
        expected = walk(world, merchant, counts, start_us, bucket_us, law, paths)
        published = rows(root, "arrival_events_5B", None, scenario, [merchant.merchant_id])
        assert len(published) == len(expected) > 0
        for sequence, (row, want) in enumerate(zip(published, expected, strict=True), start=1):
            assert row["arrival_seq"] == sequence
            for name in ("zone_representation", "channel_group", "bucket_index", "is_virtual", "site_id", "edge_id"):
                assert row[name] == want[name], (merchant.merchant_id, sequence, name)
            assert row["ts_utc"].timestamp() == pytest.approx(want["ts_us"] / 1e6, abs=1e-7)
            for clock in ("operational", "settlement", "primary"):
                local, offset = wall_clock(want["ts_us"], want[clock])
                assert (row[f"tzid_{clock}"], row[f"utc_offset_min_{clock}"]) == (want[clock], offset)
                assert row[f"ts_local_{clock}"] == local
        walked += expected
    return walked
