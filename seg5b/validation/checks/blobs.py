"""The routing tables of 2B and 3B are whole and agree with the weights beside them (docs/laws#alias-slice)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from seg5b.foreign_json import COUNT, SHA256, TEXT, Form
from seg5b.hashing import sha256_file
from seg5b.query import parquet
from seg5b.run_tables.inputs import INCONSISTENT, sealed_json
from seg5b.run_tables.measures import run_measures
from seg5b.run_tables.subject import Subject
from seg5b.validation.alias_blobs import BlobError, BlobSlice, decoded_masses
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

MASS_TOLERANCE = 1.2e-7
_FIELD = "inputs_ok"
_BLOCK = "structural_checks.routing_ids_known"
_COMPONENTS = ("cdn_weights_digest", "edge_alias_index_digest", "edge_catalogue_index_digest", "virtual_rules_digest")
_UNIVERSE: Form = dict.fromkeys(("manifest_fingerprint", "parameter_hash", *_COMPONENTS, "universe_hash"), SHA256)
_SITE_INDEX: Form = {
    "blob_sha256": SHA256,
    "blob_size_bytes": COUNT,
    "merchants_count": COUNT,
    "merchants": [dict.fromkeys(("merchant_id", "offset", "length", "sites"), COUNT) | {"checksum": TEXT}],
}


def _weights(subject: Subject, sql: str) -> dict[int, list[float]]:
    """Weights per merchant in entry order, divided by their sum; a weight that is none, or a sum that is not finite, gives
    NaN, which no entry equals."""
    table: dict[int, list[float]] = {}
    for merchant, weight in subject.rows(sql):
        table.setdefault(merchant, []).append(math.nan if weight is None else weight)
    return {merchant: _normalised(own, sum(own) or 1.0) for merchant, own in table.items()}


def _normalised(weights: Sequence[float], total: float) -> list[float]:
    return [weight / total if math.isfinite(total) else math.nan for weight in weights]


def _slices(
    subject: Subject, blob: bytes, slices: Iterable[BlobSlice], weights: Mapping[int, Sequence[float]], covering: bool
) -> tuple[list[Key], int]:
    """What is wrong with the slices, and how many entries were compared; ``covering``: every weighted merchant must
    have a slice."""
    wrong: list[Key] = []
    seen: set[int] = set()
    entries = 0
    for piece in slices:
        own = weights.get(piece.merchant_id, ())
        if piece.merchant_id in seen or len(own) != piece.entries:
            problem = f"occurs twice, or has {piece.entries} entries for {len(own)} weights"
        else:
            try:
                gap = np.abs(decoded_masses(blob, piece, subject.policies.alias) - np.asarray(own)).max()
                problem = f"an entry misses its weight by {gap:.3g}" if not gap <= MASS_TOLERANCE else ""
            except BlobError as cause:
                problem = str(cause)
        seen.add(piece.merchant_id)
        entries += piece.entries
        if problem:
            wrong.append({"merchant_id": piece.merchant_id, "problem": problem})
    wrong += [{"merchant_id": m, "problem": "has no slice"} for m in sorted(weights.keys() - seen)] if covering else []
    return wrong, entries


def _site_blob(subject: Subject) -> Finding:
    index = sealed_json(subject, "s2_alias_index", _SITE_INDEX)
    blob = subject.gate.path("s2_alias_blob").read_bytes()
    wrong: list[Key] = []
    stated = (index["blob_sha256"], index["blob_size_bytes"], index["merchants_count"])
    rows: list[dict[str, Any]] = index["merchants"]
    actual = (hashlib.sha256(blob).hexdigest(), len(blob), len(rows))
    if stated != actual:
        wrong.append({"problem": f"index states {stated}, found {actual}"})
    slices = [
        BlobSlice(row["merchant_id"], row["offset"], row["length"], row["sites"], row["checksum"]) for row in rows
    ]
    real = "SELECT merchant_id, weight FROM sites WHERE country <> '' ORDER BY merchant_id, country, site_order"
    weights = _weights(subject, real)
    found, entries = _slices(subject, blob, slices, weights, covering=True)
    wrong += found
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), entries)


def _edge_blob(subject: Subject) -> Finding:
    blob = subject.gate.path("edge_alias_blob_3B").read_bytes()
    rows = subject.rows(
        f"""SELECT scope, merchant_id::UBIGINT, blob_offset_bytes::BIGINT, blob_length_bytes::BIGINT,
                   edge_count_total::BIGINT, alias_table_length::BIGINT, merchant_alias_checksum, blob_sha256_hex
            FROM {parquet(subject.gate.files("edge_alias_index_3B"))}"""
    )
    wrong: list[Key] = []
    whole = [(row[7], row[3], row[4]) for row in rows if row[0] == "GLOBAL"]
    own = [row for row in rows if row[0] == "MERCHANT"]
    actual = (hashlib.sha256(blob).hexdigest(), len(blob), sum(row[4] or 0 for row in own))
    if whole != [actual] or len(whole) + len(own) != len(rows):
        wrong.append({"problem": f"GLOBAL rows state {whole}, found {actual}"})
    incomplete = [row[1] for row in own if None in row[1:7] or row[4] != row[5]]
    wrong += [{"merchant_id": merchant, "problem": "index row is incomplete"} for merchant in incomplete]
    slices = [BlobSlice(row[1], row[2], row[3], row[4], row[6]) for row in own if row[1] not in incomplete]
    weights = _weights(subject, "SELECT merchant_id, weight FROM edges ORDER BY merchant_id, edge_text")
    found, entries = _slices(subject, blob, slices, weights, covering=True)
    wrong += found
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), entries)


def _universe(subject: Subject) -> Finding:
    """The universe hash is that of its components, two of which are sealed files, and the routing policy states the
    same hash."""
    payload = sealed_json(subject, "edge_universe_hash_3B", _UNIVERSE)
    wrong: list[Key] = []
    for key in ("manifest_fingerprint", "parameter_hash"):
        if payload[key] != getattr(subject.root.identity, key):
            wrong.append({"component": key, "stated": payload[key]})
    for key, artifact_id in (
        ("edge_alias_index_digest", "edge_alias_index_3B"),
        ("edge_catalogue_index_digest", "edge_catalogue_index_3B"),
    ):
        found = sha256_file(subject.gate.path(artifact_id))
        if payload[key] != found:
            wrong.append({"component": key, "stated": payload[key], "found": found})
    joined = b"".join(bytes.fromhex(payload[key]) for key in _COMPONENTS)
    if hashlib.sha256(joined).hexdigest() != payload["universe_hash"]:
        wrong.append({"component": "universe_hash", "stated": payload["universe_hash"]})
    policy = sealed_json(subject, "virtual_routing_policy_3B", {"edge_universe_hash": SHA256})
    if policy["edge_universe_hash"] != payload["universe_hash"]:
        wrong.append({"component": "virtual_routing_policy_3B", "stated": policy["edge_universe_hash"]})
    return Finding(len(wrong), tuple(wrong), len(_COMPONENTS) + 1)


def _no_physical(subject: Subject) -> str:
    measures = run_measures(subject)
    return "" if measures.arrivals > measures.virtual else "no physical arrivals, so that 2B is not required"


def _no_virtual(subject: Subject) -> str:
    merchants = subject.row("SELECT count(*) FROM modes WHERE classified_mode <> 'NON_VIRTUAL'")[0]
    return "" if merchants else "no merchant is virtual"


CHECKS = (
    Check(
        "inputs.site_blob",
        INCONSISTENT,
        _FIELD,
        _BLOCK,
        "2B's alias blob and index agree, and each decoded entry is its site's weight within 1.2e-7",
        Compute(_site_blob),
        needs=("sites",),
        applies=_no_physical,
        per_scenario=False,
        switches=("realism_checks.routing_realism.require_no_missing_alias_rows",),
    ),
    Check(
        "inputs.edge_blob",
        INCONSISTENT,
        _FIELD,
        _BLOCK,
        "3B's alias blob and index agree, and each decoded entry is its edge's weight within 1.2e-7",
        Compute(_edge_blob),
        needs=("edges", "modes"),
        applies=_no_virtual,
        per_scenario=False,
        switches=("realism_checks.routing_realism.require_no_missing_alias_rows",),
    ),
    Check(
        "inputs.universe_hash",
        INCONSISTENT,
        _FIELD,
        _BLOCK,
        "3B's universe hash is that of its components, and 3B's routing policy names it",
        Compute(_universe),
        per_scenario=False,
    ),
)
