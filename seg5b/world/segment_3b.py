"""Datasets of segment 3B: virtual merchants, their settlement, their edges and the edge routing blob."""

from __future__ import annotations

import numpy as np

from seg5b.hashing import sha256_file, sha256_hex
from seg5b.world.alias import LAYOUT_VERSION, EncodedSlice, encode_blob
from seg5b.world.edges import WorldEdges, make_edges, settlement_site_id
from seg5b.world.folder import Folder
from seg5b.world.identity import CREATED_UTC, canon
from seg5b.world.tables import (
    BOOL,
    FLOAT64,
    INT64,
    STRING,
    UINT64,
    coded,
    repeated,
    struct_of,
    write_nested,
    write_table,
)
from seg5b.world.vocabulary import MODES
from seg5b.world.world import BuiltWorld

_STREAM = "3B.edge_catalogue"
_SPREAD_DEG = 0.35
_RULES = "mcc_channel_rules"
_VERSION = "v1.0.0"


def write_virtual(folder: Folder, world: BuiltWorld, seed: int) -> WorldEdges:
    """Every 3B dataset of one seed; those without a seed in their path follow the first."""
    edges = make_edges(world.plan, world.merchants, world.home_zones(), world.planet, world.draws, seed)
    _write_classification(folder, world, seed)
    _write_settlement(folder, world, edges, seed)
    digests = _write_catalogue(folder, world, edges, seed)
    _write_catalogue_index(folder, world, edges, digests, seed)
    _write_blob(folder, world, edges, seed)
    if seed == folder.identity.seeds[0]:
        _write_universe(folder, seed)
        _write_validation_contract(folder)
    return edges


def _write_classification(folder: Folder, world: BuiltWorld, seed: int) -> None:
    mode = world.merchants.mode_code
    count = mode.size
    reasons = ("DEFAULT_GUARD", "RULE_MATCH")
    digests = [
        sha256_hex(canon({"merchant_id": int(merchant), "virtual_mode": MODES[code]}))
        for merchant, code in zip(world.merchants.id, mode, strict=True)
    ]
    write_table(
        folder.path("virtual_classification_3B", seed=seed),
        {
            "seed": UINT64,
            "manifest_fingerprint": STRING,
            "merchant_id": UINT64,
            "is_virtual": BOOL,
            "virtual_mode": STRING,
            "decision_reason": STRING,
            **dict.fromkeys(("rule_id", "rule_version", "source_policy_id", "source_policy_version", "notes"), STRING),
            "classification_digest": STRING,
        },
        {
            "seed": np.full(count, seed, np.uint64),
            "manifest_fingerprint": repeated(folder.identity.manifest_fingerprint, count),
            "merchant_id": world.merchants.id,
            "is_virtual": mode > 0,
            "virtual_mode": coded(mode, MODES),
            "decision_reason": coded((mode > 0).astype(np.int32), reasons),
            "rule_id": coded((mode > 0).astype(np.int32), ("DEFAULT", "ONLINE_24H")),
            "rule_version": repeated(_VERSION, count),
            "source_policy_id": repeated(_RULES, count),
            "source_policy_version": repeated(_VERSION, count),
            "notes": np.full(count, None),
            "classification_digest": digests,
        },
    )


def _write_settlement(folder: Folder, world: BuiltWorld, edges: WorldEdges, seed: int) -> None:
    planet, ids = world.planet, world.merchants.id[edges.virtual]
    count = ids.size
    latitude, longitude = planet.latitude[edges.hub], planet.longitude[edges.hub]
    digests = [
        sha256_hex(canon({"lat_deg": float(lat), "lon_deg": float(lon)}))
        for lat, lon in zip(latitude, longitude, strict=True)
    ]
    write_table(
        folder.path("virtual_settlement_3B", seed=seed),
        {
            "seed": UINT64,
            "manifest_fingerprint": STRING,
            "merchant_id": UINT64,
            "settlement_site_id": STRING,
            "lat_deg": FLOAT64,
            "lon_deg": FLOAT64,
            **dict.fromkeys(
                (
                    "tzid_settlement",
                    "tz_source",
                    "coord_source_id",
                    "coord_source_version",
                    "settlement_coord_digest",
                    "tz_policy_digest",
                    "evidence_url",
                    "notes",
                ),
                STRING,
            ),
        },
        {
            "seed": np.full(count, seed, np.uint64),
            "manifest_fingerprint": repeated(folder.identity.manifest_fingerprint, count),
            "merchant_id": ids,
            "settlement_site_id": [settlement_site_id(int(merchant)) for merchant in ids],
            "lat_deg": latitude,
            "lon_deg": longitude,
            "tzid_settlement": coded(edges.hub, planet.tzids),
            "tz_source": repeated("DERIVED", count),
            "coord_source_id": repeated("tzdata.zone_tab", count),
            "coord_source_version": repeated("1.0.0", count),
            "settlement_coord_digest": digests,
            "tz_policy_digest": repeated(sha256_hex(b"tzdata.zone_tab"), count),
            "evidence_url": np.full(count, None),
            "notes": np.full(count, None),
        },
    )


def _write_catalogue(folder: Folder, world: BuiltWorld, edges: WorldEdges, seed: int) -> list[str]:
    """``edge_catalogue_3B``; returns the digest of each edge."""
    rows = _catalogue_rows(folder, world, edges, seed)
    digests = [sha256_hex(canon(row)) for row in rows]
    types = {
        "seed": UINT64,
        "manifest_fingerprint": STRING,
        "merchant_id": UINT64,
        "edge_id": STRING,
        "edge_seq_index": INT64,
        "country_iso": STRING,
        "lat_deg": FLOAT64,
        "lon_deg": FLOAT64,
        "tzid_operational": STRING,
        "tz_source": STRING,
        "edge_weight": FLOAT64,
        **dict.fromkeys(
            (
                "hrsl_tile_id",
                "spatial_surface_id",
                "cdn_policy_id",
                "cdn_policy_version",
                "rng_stream_id",
                "rng_event_id",
            ),
            STRING,
        ),
        "sampling_rank": INT64,
        "edge_digest": STRING,
    }
    columns: dict[str, object] = {name: [row[name] for row in rows] for name in types if name != "edge_digest"}
    write_table(folder.path("edge_catalogue_3B", seed=seed), types, {**columns, "edge_digest": digests})
    return digests


def _catalogue_rows(folder: Folder, world: BuiltWorld, edges: WorldEdges, seed: int) -> list[dict[str, object]]:
    planet = world.planet
    scatter = [
        _SPREAD_DEG * (2 * world.draws.uniform(label, seed, edges.merchant, edges.seq_index) - 1)
        for label in ("edge north", "edge east")
    ]
    latitude = np.clip(planet.latitude[edges.zone] + scatter[0], -90.0, 90.0).tolist()
    longitude = ((planet.longitude[edges.zone] + scatter[1] + 540.0) % 360.0 - 180.0).tolist()
    rows: list[dict[str, object]] = []
    for index, (merchant, zone) in enumerate(zip(edges.merchant.tolist(), edges.zone.tolist(), strict=True)):
        merchant_id, number = int(world.merchants.id[merchant]), int(edges.seq_index[index])
        rows.append(
            {
                "seed": seed,
                "manifest_fingerprint": folder.identity.manifest_fingerprint,
                "merchant_id": merchant_id,
                "edge_id": edges.edge_id[index],
                "edge_seq_index": number,
                "country_iso": planet.countries[planet.home[zone]],
                "lat_deg": latitude[index],
                "lon_deg": longitude[index],
                "tzid_operational": planet.tzids[zone],
                "tz_source": "POLYGON",
                "edge_weight": float(edges.weight[index]),
                "hrsl_tile_id": None,
                "spatial_surface_id": None,
                "cdn_policy_id": "cdn_country_weights",
                "cdn_policy_version": _VERSION,
                "rng_stream_id": _STREAM,
                "rng_event_id": sha256_hex(f"{_STREAM}|{merchant_id}|{number}".encode()),
                "sampling_rank": number,
            }
        )
    return rows


def _write_catalogue_index(folder: Folder, world: BuiltWorld, edges: WorldEdges, digests: list[str], seed: int) -> None:
    path = folder.path("edge_catalogue_3B", seed=seed)
    relative, size = path.relative_to(folder.root).as_posix(), path.stat().st_size
    counts = np.bincount(edges.merchant, minlength=world.merchants.id.size)[edges.virtual]
    ends = np.cumsum(counts).tolist()
    joined = [
        sha256_hex(b"".join(bytes.fromhex(digest) for digest in digests[start:end]))
        for start, end in zip([0, *ends][:-1], ends, strict=True)
    ]
    count, nothing = counts.size, [None] * counts.size
    whole = sha256_hex(b"".join(map(bytes.fromhex, joined)))
    write_table(
        folder.path("edge_catalogue_index_3B", seed=seed),
        {
            "scope": STRING,
            "seed": UINT64,
            "manifest_fingerprint": STRING,
            "merchant_id": UINT64,
            "edge_count_total": INT64,
            "edge_digest": STRING,
            "edge_catalogue_path": STRING,
            "edge_catalogue_size_bytes": INT64,
            "country_mix_summary": STRING,
            "edge_count_total_all_merchants": INT64,
            "edge_catalogue_digest_global": STRING,
            "notes": STRING,
        },
        {
            **_scope_columns(folder, world, edges, seed),
            "edge_count_total": [*counts.tolist(), None],
            "edge_digest": [*joined, None],
            "edge_catalogue_path": [relative] * count + [relative],
            "edge_catalogue_size_bytes": [size] * (count + 1),
            "country_mix_summary": [*nothing, None],
            "edge_count_total_all_merchants": [*nothing, len(digests)],
            "edge_catalogue_digest_global": [*nothing, whole],
            "notes": [*nothing, None],
        },
    )


def _scope_columns(folder: Folder, world: BuiltWorld, edges: WorldEdges, seed: int) -> dict[str, object]:
    """Key columns of the two 3B indexes: one MERCHANT row each, then one GLOBAL row."""
    ids = world.merchants.id[edges.virtual].tolist()
    return {
        "scope": ["MERCHANT"] * len(ids) + ["GLOBAL"],
        "seed": [seed] * (len(ids) + 1),
        "manifest_fingerprint": [folder.identity.manifest_fingerprint] * (len(ids) + 1),
        "merchant_id": [*ids, None],
    }


def _write_blob(folder: Folder, world: BuiltWorld, edges: WorldEdges, seed: int) -> None:
    _, first = np.unique(edges.merchant, return_index=True)
    blob, slices = encode_blob(np.split(edges.weight, first[1:]) if first.size else [])
    folder.write(folder.relative("edge_alias_blob_3B", seed=seed), blob)
    total = sum(each.entries for each in slices)
    write_table(
        folder.path("edge_alias_index_3B", seed=seed),
        {
            "scope": STRING,
            "seed": UINT64,
            "manifest_fingerprint": STRING,
            "merchant_id": UINT64,
            **dict.fromkeys(
                ("blob_offset_bytes", "blob_length_bytes", "edge_count_total", "alias_table_length"), INT64
            ),
            **dict.fromkeys(
                (
                    "merchant_alias_checksum",
                    "alias_layout_version",
                    "universe_hash",
                    "blob_sha256_hex",
                    "notes",
                ),
                STRING,
            ),
        },
        {
            **_scope_columns(folder, world, edges, seed),
            **_slice_columns(slices, len(blob), total),
            "alias_layout_version": [LAYOUT_VERSION] * (len(slices) + 1),
            "universe_hash": [None] * (len(slices) + 1),
            "blob_sha256_hex": [None] * len(slices) + [sha256_hex(blob)],
            "notes": [None] * (len(slices) + 1),
        },
    )


def _slice_columns(slices: list[EncodedSlice], blob_bytes: int, total: int) -> dict[str, object]:
    return {
        "blob_offset_bytes": [*(each.offset for each in slices), None],
        "blob_length_bytes": [*(each.length for each in slices), blob_bytes],
        "edge_count_total": [*(each.entries for each in slices), total],
        "alias_table_length": [*(each.entries for each in slices), None],
        "merchant_alias_checksum": [*(each.checksum for each in slices), None],
    }


def _write_universe(folder: Folder, seed: int) -> None:
    """``edge_universe_hash_3B`` and ``virtual_routing_policy_3B``, which repeats its hash."""
    digests = {
        "cdn_weights": sha256_hex(b"cdn_country_weights|" + _VERSION.encode()),
        "edge_alias_index": sha256_file(folder.path("edge_alias_index_3B", seed=seed)),
        "edge_catalogue_index": sha256_file(folder.path("edge_catalogue_index_3B", seed=seed)),
        "virtual_rules": sha256_hex(f"{_RULES}|{_VERSION}".encode()),
    }
    universe = universe_hash(digests)
    folder.write_json(
        "edge_universe_hash_3B",
        {
            **folder.stamp(),
            **{f"{name}_digest": digest for name, digest in digests.items()},
            "universe_hash": universe,
            "created_at_utc": CREATED_UTC,
        },
    )
    folder.write_json("virtual_routing_policy_3B", _routing_policy(folder, universe, seed))


def universe_hash(digests: dict[str, str]) -> str:
    """SHA-256 over the raw component digests in order of their names (docs/laws#universe-hash)."""
    return sha256_hex(b"".join(bytes.fromhex(digests[name]) for name in sorted(digests)))


def _routing_policy(folder: Folder, universe: str, seed: int) -> dict[str, object]:
    return {
        **folder.stamp(),
        "edge_universe_hash": universe,
        "routing_policy_id": "route_rng_policy_v1",
        "routing_policy_version": "1.0.0",
        "virtual_validation_policy_id": "virtual_validation_policy",
        "virtual_validation_policy_version": _VERSION,
        "cdn_key_digest": sha256_hex(b"cdn_key_digest|" + _VERSION.encode()),
        "alias_layout_version": LAYOUT_VERSION,
        "alias_blob_manifest_key": "mlr.3B.s3.edge_alias_blob",
        "alias_index_manifest_key": "mlr.3B.s3.edge_alias_index",
        "edge_universe_hash_manifest_key": "mlr.3B.validation.edge_universe_hash",
        "dual_timezone_semantics": {
            "tzid_settlement_field": "event.tzid_settlement",
            "tzid_operational_field": "event.tzid_operational",
            "settlement_cutoff_rule": "settlement_day_from_tzid_settlement",
        },
        "geo_field_bindings": {
            "ip_country_field": "event.ip_country",
            "ip_latitude_field": "event.ip_latitude",
            "ip_longitude_field": "event.ip_longitude",
        },
        "artefact_paths": {
            "edge_catalogue_index": folder.relative("edge_catalogue_index_3B", seed=seed),
            "edge_alias_blob": folder.relative("edge_alias_blob_3B", seed=seed),
            "edge_alias_index": folder.relative("edge_alias_index_3B", seed=seed),
        },
        "virtual_edge_rng_binding": {
            "module": "2B.virtual_edge",
            "substream_label": "cdn_edge_pick",
            "event_schema": "schemas.layer1.yaml#/rng/events/cdn_edge_pick",
        },
    }


_TESTS = (
    ("ALIAS_FIDELITY", "alias_max_abs_error", "1.2e-7"),
    ("EDGE_USAGE_VS_WEIGHT", "max_abs_deviation", "0.02"),
    ("IP_COUNTRY_MIX", "max_abs_deviation", "0.05"),
    ("SETTLEMENT_COHERENCE", "max_mismatch_rate", "0.0"),
)


def _write_validation_contract(folder: Folder) -> None:
    types = {
        "manifest_fingerprint": STRING,
        "test_id": STRING,
        "test_type": STRING,
        "scope": STRING,
        "target_population": struct_of(("virtual_mode",)),
        "inputs": struct_of(("datasets",)),
        "thresholds": struct_of(("metric", "limit")),
        "severity": STRING,
        "enabled": BOOL,
        "description": STRING,
        "profile": STRING,
    }
    rows = [
        {
            "manifest_fingerprint": folder.identity.manifest_fingerprint,
            "test_id": f"{kind.lower()}_v1",
            "test_type": kind,
            "scope": "GLOBAL",
            "target_population": {"virtual_mode": "VIRTUAL_ONLY"},
            "inputs": {"datasets": "edge_catalogue_3B"},
            "thresholds": {"metric": metric, "limit": limit},
            "severity": "BLOCKING",
            "enabled": True,
            "description": None,
            "profile": None,
        }
        for kind, metric, limit in _TESTS
    ]
    write_nested(folder.path("virtual_validation_contract_3B"), rows, types)
