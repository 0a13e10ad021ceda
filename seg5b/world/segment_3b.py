"""Datasets of segment 3B: virtual merchants, their settlement, their edges and the edge routing blob."""

from __future__ import annotations

import numpy as np

from seg5b.hashing import sha256_file, sha256_hex
from seg5b.world.alias import LAYOUT_VERSION
from seg5b.world.edges import WorldEdges, make_edges, settlement_site_id
from seg5b.world.folder import Folder
from seg5b.world.identity import CREATED_UTC
from seg5b.world.row_digests import quoted, row_digests
from seg5b.world.segment_3b_edges import VERSION, write_catalogue, write_catalogue_index, write_edge_blob
from seg5b.world.steps import Steps
from seg5b.world.tables import (
    BOOL,
    FLOAT64,
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

_RULES = "mcc_channel_rules"


EDGE_STEPS = 3
"""Parts of `write_virtual` that are told one by one."""


def write_virtual(folder: Folder, world: BuiltWorld, seed: int, steps: Steps) -> WorldEdges:
    """Every 3B dataset of one seed; those without a seed in their path follow the first."""
    edges = make_edges(world.plan, world.merchants, world.trade(), world.planet, world.draws, seed)
    _write_classification(folder, world, seed)
    _write_settlement(folder, world, edges, seed)
    steps.done()
    digests = write_catalogue(folder, world, edges, seed)
    steps.done()
    write_catalogue_index(folder, world, edges, digests, seed)
    write_edge_blob(folder, world, edges, seed)
    if seed == folder.identity.seeds[0]:
        _write_universe(folder, seed)
        _write_validation_contract(folder)
    steps.done()
    return edges


def _write_classification(folder: Folder, world: BuiltWorld, seed: int) -> None:
    mode = world.merchants.mode_code
    count = mode.size
    reasons = ("DEFAULT_GUARD", "RULE_MATCH")
    modes = quoted(MODES)
    digests = row_digests(
        {},
        {
            "merchant_id": map(str, world.merchants.id.tolist()),
            "virtual_mode": (modes[code] for code in mode.tolist()),
        },
    )
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
            "rule_version": repeated(VERSION, count),
            "source_policy_id": repeated(_RULES, count),
            "source_policy_version": repeated(VERSION, count),
            "notes": np.full(count, None),
            "classification_digest": digests,
        },
    )


def _write_settlement(folder: Folder, world: BuiltWorld, edges: WorldEdges, seed: int) -> None:
    planet, ids = world.planet, world.merchants.id[edges.virtual]
    count = ids.size
    latitude, longitude = planet.latitude[edges.hub], planet.longitude[edges.hub]
    digests = row_digests({}, {"lat_deg": map(repr, latitude.tolist()), "lon_deg": map(repr, longitude.tolist())})
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


def _write_universe(folder: Folder, seed: int) -> None:
    """``edge_universe_hash_3B`` and ``virtual_routing_policy_3B``, which repeats its hash."""
    digests = {
        "cdn_weights": sha256_hex(b"cdn_country_weights|" + VERSION.encode()),
        "edge_alias_index": sha256_file(folder.path("edge_alias_index_3B", seed=seed)),
        "edge_catalogue_index": sha256_file(folder.path("edge_catalogue_index_3B", seed=seed)),
        "virtual_rules": sha256_hex(f"{_RULES}|{VERSION}".encode()),
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
        "virtual_validation_policy_version": VERSION,
        "cdn_key_digest": sha256_hex(b"cdn_key_digest|" + VERSION.encode()),
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
