"""Datasets of the edges of segment 3B: catalogue, its index, and the routing blob."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg5b.hashing import sha256_hex
from seg5b.world.alias import LAYOUT_VERSION, EncodedSlice, encode_blob
from seg5b.world.edges import WorldEdges
from seg5b.world.folder import Folder
from seg5b.world.row_digests import quoted, row_digests
from seg5b.world.tables import FLOAT64, INT64, STRING, UINT64, coded, repeated, write_table
from seg5b.world.world import BuiltWorld

VERSION = "v1.0.0"
_STREAM = "3B.edge_catalogue"
_SPREAD_DEG = 0.35


def write_catalogue(folder: Folder, world: BuiltWorld, edges: WorldEdges, seed: int) -> list[str]:
    """``edge_catalogue_3B``; returns the digest of each edge."""
    constant: dict[str, object] = {
        "seed": seed,
        "manifest_fingerprint": folder.identity.manifest_fingerprint,
        "tz_source": "POLYGON",
        "hrsl_tile_id": None,
        "spatial_surface_id": None,
        "cdn_policy_id": "cdn_country_weights",
        "cdn_policy_version": VERSION,
        "rng_stream_id": _STREAM,
    }
    columns = _catalogue_columns(world, edges, seed)
    digests = row_digests(constant, _as_json(world, columns))
    count = edges.zone.size
    texts = {name: repeated(value, count) for name, value in constant.items() if isinstance(value, str)}
    nothing = {name: np.full(count, None) for name, value in constant.items() if value is None}
    named = {
        "country_iso": coded(columns["country_iso"], world.planet.countries).dictionary_decode(),
        "tzid_operational": coded(columns["tzid_operational"], world.planet.tzids).dictionary_decode(),
    }
    write_table(
        folder.path("edge_catalogue_3B", seed=seed),
        {
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
            "hrsl_tile_id": STRING,
            "spatial_surface_id": STRING,
            "cdn_policy_id": STRING,
            "cdn_policy_version": STRING,
            "rng_stream_id": STRING,
            "rng_event_id": STRING,
            "sampling_rank": INT64,
            "edge_digest": STRING,
        },
        {"seed": np.full(count, seed, np.uint64), **texts, **nothing, **columns, **named, "edge_digest": digests},
    )
    return digests


def _catalogue_columns(world: BuiltWorld, edges: WorldEdges, seed: int) -> dict[str, Any]:
    """Columns of the catalogue that are not the same in every row; countries and zones as codes of the planet."""
    merchant_id = world.merchants.id[edges.merchant]
    latitude, longitude = _scattered(world, edges, seed)
    event = [
        sha256_hex(f"{_STREAM}|{merchant}|{number}".encode())
        for merchant, number in zip(merchant_id.tolist(), edges.seq_index.tolist(), strict=True)
    ]
    return {
        "merchant_id": merchant_id,
        "edge_id": edges.edge_id,
        "edge_seq_index": edges.seq_index,
        "country_iso": world.planet.home[edges.zone],
        "lat_deg": latitude,
        "lon_deg": longitude,
        "tzid_operational": edges.zone,
        "edge_weight": edges.weight,
        "rng_event_id": event,
        "sampling_rank": edges.seq_index,
    }


def _as_json(world: BuiltWorld, columns: Mapping[str, Any]) -> dict[str, Iterable[str]]:
    """The same columns as JSON has them."""
    named = {"country_iso": quoted(world.planet.countries), "tzid_operational": quoted(world.planet.tzids)}
    return {
        **{name: map(repr, columns[name].tolist()) for name in columns if isinstance(columns[name], np.ndarray)},
        **{name: map('"{}"'.format, columns[name]) for name in ("edge_id", "rng_event_id")},
        **{name: map(texts.__getitem__, columns[name].tolist()) for name, texts in named.items()},
    }


def _scattered(world: BuiltWorld, edges: WorldEdges, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitude and longitude of each edge in degrees, around its city, or the place of its zone."""
    planet, cities = world.planet, world.plan.edge_cities
    middle_north, middle_east = planet.latitude[edges.zone], planet.longitude[edges.zone]
    if cities:
        middle_north = np.array([city.latitude for city in cities])[edges.city]
        middle_east = np.array([city.longitude for city in cities])[edges.city]
    spread = world.plan.spread_deg if cities else _SPREAD_DEG
    north, east = (
        spread * (2 * world.draws.uniform(label, seed, edges.merchant, edges.seq_index) - 1)
        for label in ("edge north", "edge east")
    )
    latitude = np.clip(middle_north + north, -90.0, 90.0)
    return latitude, (middle_east + east + 540.0) % 360.0 - 180.0


def write_catalogue_index(folder: Folder, world: BuiltWorld, edges: WorldEdges, digests: list[str], seed: int) -> None:
    """``edge_catalogue_index_3B``: the digest of each merchant's edges, and of all."""
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


def write_edge_blob(folder: Folder, world: BuiltWorld, edges: WorldEdges, seed: int) -> None:
    """``edge_alias_blob_3B`` and ``edge_alias_index_3B``: one slice for each virtual merchant."""
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
