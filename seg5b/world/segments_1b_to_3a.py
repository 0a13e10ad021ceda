"""Datasets of segments 1B, 2A, 2B and 3A: sites, their zones and weights, group weights, zone allocation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seg5b.hashing import sha256_file, sha256_hex
from seg5b.tzdb import open_tzdb
from seg5b.world.alias import (
    ALIGNMENT_BYTES,
    GRID_BITS,
    LAYOUT_VERSION,
    EncodedSlice,
    encode_blob,
)
from seg5b.world.folder import Folder
from seg5b.world.group_weights import SIGMA_GAMMA, group_weight_blocks
from seg5b.world.identity import CREATED_UTC, POLICY_PATHS
from seg5b.world.sites import positions
from seg5b.world.tables import (
    BOOL,
    FLOAT64,
    INT32,
    INT64,
    ROWS_PER_GROUP,
    STRING,
    UINT64,
    TableWriter,
    coded,
    repeated,
    write_blocks,
    write_table,
)
from seg5b.world.tzcache import cache_manifest, encode_cache
from seg5b.world.world import BuiltWorld

_SITE_KEY = {"merchant_id": UINT64, "legal_country_iso": STRING}


def write_tz_cache(folder: Folder, world: BuiltWorld) -> None:
    """2A ``tz_timetable_cache``: the binary cache and its manifest."""
    blob = encode_cache(world.cache.steps)
    base = folder.relative("tz_timetable_cache")
    folder.write(base + "tz_cache_v1.bin", blob)
    manifest = cache_manifest(
        open_tzdb(world.plan.time_zone_release), blob, folder.identity.manifest_fingerprint, CREATED_UTC
    )
    folder.write(base + "tz_timetable_cache.json", manifest)


def write_sites(folder: Folder, world: BuiltWorld, seed: int) -> None:
    """1B ``site_locations``, 2A ``site_timezones``, 2B ``s1_site_weights`` of one seed."""
    sites, rows = world.sites, world.rows
    count = sites.row.size
    key = {
        "merchant_id": world.merchants.id[sites.merchant],
        "legal_country_iso": coded(rows.country[sites.row], world.geography.countries),
        "site_order": sites.site_order,
    }
    longitude, latitude = positions(world.plan, sites, rows, world.geography, world.draws, seed)
    write_table(
        folder.path("site_locations", seed=seed),
        {**_SITE_KEY, "site_order": INT32, "lon_deg": FLOAT64, "lat_deg": FLOAT64},
        {**key, "lon_deg": longitude, "lat_deg": latitude},
    )
    _write_site_timezones(folder, world, seed, key)
    write_table(
        folder.path("s1_site_weights", seed=seed),
        {
            **_SITE_KEY,
            "site_order": INT64,
            "p_weight": FLOAT64,
            "weight_source": STRING,
            "quantised_bits": INT64,
            "floor_applied": BOOL,
            "created_utc": STRING,
        },
        {
            **key,
            "p_weight": sites.weight,
            "weight_source": repeated("profile_mixture_v2", count),
            "quantised_bits": np.full(count, GRID_BITS),
            "floor_applied": np.zeros(count, bool),
            "created_utc": repeated(CREATED_UTC, count),
        },
    )


def _write_site_timezones(folder: Folder, world: BuiltWorld, seed: int, key: dict[str, object]) -> None:
    count = world.sites.row.size
    nothing = np.full(count, None)
    write_table(
        folder.path("site_timezones", seed=seed),
        {
            "seed": UINT64,
            "manifest_fingerprint": STRING,
            **_SITE_KEY,
            "site_order": INT32,
            "tzid": STRING,
            "tzid_source": STRING,
            "override_scope": STRING,
            "nudge_lat_deg": FLOAT64,
            "nudge_lon_deg": FLOAT64,
            "created_utc": STRING,
        },
        {
            "seed": np.full(count, seed, np.uint64),
            "manifest_fingerprint": repeated(folder.identity.manifest_fingerprint, count),
            **key,
            "tzid": coded(world.rows.zone[world.sites.row], world.geography.tzids),
            "tzid_source": repeated("polygon", count),
            "override_scope": nothing,
            "nudge_lat_deg": nothing,
            "nudge_lon_deg": nothing,
            "created_utc": repeated(CREATED_UTC, count),
        },
    )


def write_site_blob(folder: Folder, world: BuiltWorld, seed: int) -> None:
    """2B ``s2_alias_blob`` and ``s2_alias_index``: one slice per merchant with sites."""
    owner, first = np.unique(world.sites.merchant, return_index=True)
    blob, slices = encode_blob(np.split(world.sites.weight, first[1:]) if first.size else [])
    folder.write(folder.relative("s2_alias_blob", seed=seed), blob)
    ids = world.merchants.id[owner].tolist()
    folder.write_json(
        "s2_alias_index",
        {
            "layout_version": LAYOUT_VERSION,
            "endianness": "little",
            "alignment_bytes": ALIGNMENT_BYTES,
            "quantised_bits": GRID_BITS,
            "created_utc": CREATED_UTC,
            "policy_id": "alias_layout_policy_v1",
            "policy_digest": sha256_hex(folder.identity.policies[POLICY_PATHS[0]]),
            "blob_sha256": sha256_hex(blob),
            "blob_size_bytes": len(blob),
            "merchants_count": len(slices),
            "merchants": [_index_row(merchant_id, each) for merchant_id, each in zip(ids, slices, strict=True)],
        },
        seed=seed,
    )


def _index_row(merchant_id: int, each: EncodedSlice) -> dict[str, object]:
    return {
        "merchant_id": merchant_id,
        "offset": each.offset,
        "length": each.length,
        "sites": each.entries,
        "quantised_bits": GRID_BITS,
        "checksum": each.checksum,
    }


def write_group_weights(folder: Folder, world: BuiltWorld, seed: int) -> None:
    """2B ``s4_group_weights`` and the ``s3_day_effects`` behind them, of one seed."""
    days = [day.isoformat() for day in world.plan.utc_days]
    key = {"merchant_id": UINT64, "utc_day": STRING, "tz_group_id": STRING}
    numbers = ("p_group", "base_share", "gamma")
    weight_types = {
        **key,
        **dict.fromkeys(numbers, FLOAT64),
        "created_utc": STRING,
        "mass_raw": FLOAT64,
        "denom_raw": FLOAT64,
    }
    effect_types = {
        **key,
        **dict.fromkeys(("gamma", "log_gamma", "sigma_gamma"), FLOAT64),
        "rng_stream_id": STRING,
        "rng_counter_lo": UINT64,
        "rng_counter_hi": UINT64,
        "created_utc": STRING,
    }

    def blocks() -> Iterator[dict[str, object]]:
        done = 0
        for weights in group_weight_blocks(world.rows, len(days), world.draws, seed, ROWS_PER_GROUP):
            count = weights.day.size
            yield {
                "merchant_id": world.merchants.id[weights.merchant],
                "utc_day": coded(weights.day, days),
                "tz_group_id": coded(weights.zone, world.geography.tzids),
                **{name: getattr(weights, name) for name in (*numbers, "log_gamma", "mass_raw", "denom_raw")},
                "sigma_gamma": np.full(count, SIGMA_GAMMA),
                "rng_stream_id": repeated("2B.day_effects", count),
                "rng_counter_lo": np.arange(done, done + count, dtype=np.uint64),
                "rng_counter_hi": np.zeros(count, np.uint64),
                "created_utc": repeated(CREATED_UTC, count),
            }
            done += count

    with (
        TableWriter(folder.path("s4_group_weights", seed=seed), weight_types) as of_weights,
        TableWriter(folder.path("s3_day_effects", seed=seed), effect_types) as of_effects,
    ):
        write_blocks([of_weights, of_effects], blocks())


_ALLOCATION_NOTES = {
    "prior_pack_id": "country_zone_alphas",
    "prior_pack_version": "1.0.0",
    "floor_policy_id": "zone_floor_policy",
    "floor_policy_version": "1.0.0",
    "mixture_policy_id": "zone_mixture_policy",
    "mixture_policy_version": "1.0.0",
    "day_effect_policy_id": "day_effect_policy_v1",
    "day_effect_policy_version": "1.0.0",
}


def write_zone_allocation(folder: Folder, world: BuiltWorld, seed: int) -> None:
    """3A ``zone_alloc`` of one seed and, for the first seed, ``zone_alloc_universe_hash``."""
    path = folder.path("zone_alloc", seed=seed)
    _write_allocation(folder, world, seed, "0" * 64)
    names = ("zone_alpha_digest", "theta_digest", "zone_floor_digest", "day_effect_digest")
    digests = {name: sha256_hex(f"{name}|{folder.identity.parameter_hash}".encode()) for name in names}
    # The digest of the table is taken with the hash column blank, since the hash is made from it.
    digests["zone_alloc_parquet_digest"] = sha256_file(path)
    universe = sha256_hex("".join(digests.values()).encode("ascii"))
    _write_allocation(folder, world, seed, universe)
    if seed == folder.identity.seeds[0]:
        folder.write_json(
            "zone_alloc_universe_hash",
            {
                **folder.stamp(),
                **digests,
                "routing_universe_hash": universe,
                "version": "1.0.0",
                "created_at_utc": CREATED_UTC,
            },
        )


def _write_allocation(folder: Folder, world: BuiltWorld, seed: int, universe_hash: str) -> None:
    rows = world.rows
    pair = rows.merchant * 1_000 + rows.country
    _, place = np.unique(pair, return_inverse=True)
    of_pair = np.bincount(place, world.site_counts).astype(np.int64)[place]
    kept = np.flatnonzero(of_pair > 0)
    count = kept.size
    write_table(
        folder.path("zone_alloc", seed=seed),
        {
            "seed": UINT64,
            "manifest_fingerprint": STRING,
            **_SITE_KEY,
            "tzid": STRING,
            "zone_site_count": INT64,
            "zone_site_count_sum": INT64,
            "site_count": INT64,
            **dict.fromkeys(_ALLOCATION_NOTES, STRING),
            "routing_universe_hash": STRING,
            "alpha_sum_country": FLOAT64,
            "notes": STRING,
        },
        {
            "seed": np.full(count, seed, np.uint64),
            "manifest_fingerprint": repeated(folder.identity.manifest_fingerprint, count),
            "merchant_id": world.merchants.id[rows.merchant[kept]],
            "legal_country_iso": coded(rows.country[kept], world.geography.countries),
            "tzid": coded(rows.zone[kept], world.geography.tzids),
            "zone_site_count": world.site_counts[kept],
            "zone_site_count_sum": of_pair[kept],
            "site_count": of_pair[kept],
            **{name: repeated(text, count) for name, text in _ALLOCATION_NOTES.items()},
            "routing_universe_hash": repeated(universe_hash, count),
            "alpha_sum_country": np.full(count, None),
            "notes": np.full(count, None),
        },
    )
