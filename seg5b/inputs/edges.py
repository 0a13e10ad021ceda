"""Virtual edges: catalogue, alias blob, and the tempering of busy zones. Law L7.tables; docs/laws#edge-alias-blob."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.foreign_json import SHA256, ForeignJsonError, checked, parse_json
from seg5b.inputs.alias_tables import AliasTables, build_tables
from seg5b.policy import AliasLayoutPolicy, EdgeTemper
from seg5b.refusals import pass_on_refusal
from seg5b.runs.identity import RunIdentity
from seg5b.tables.reading import Kind, column_names, numbers, read_columns, read_rows, text

HEADER_BYTES = 16
ENTRY_BYTES = 8
_RESTORE = "restore the file that segment 3B wrote"


@dataclass(frozen=True, slots=True)
class EdgeCatalogue:
    """Edges of each virtual merchant in edge_id text order: ``edge_id`` (uint64 values), ``tzid``, ``weight``."""

    edge_id: dict[int, list[int]]
    tzid: dict[int, list[str]]
    weight: dict[int, list[float]]


@dataclass(frozen=True, slots=True)
class EdgeTables:
    """One alias table per virtual merchant as decoded from the blob, then one per merchant that has edges outside the
    busy zones.

    ``edge_id`` uint64 [E], ``tzid`` [E], ``is_busy`` uint8 [E]; ``by_merchant`` and ``plain_by_merchant`` give table
    numbers.
    """

    tables: AliasTables
    edge_id: np.ndarray
    tzid: tuple[str, ...]
    is_busy: np.ndarray
    by_merchant: dict[int, int]
    plain_by_merchant: dict[int, int]


def read_catalogue(files: Sequence[Path], *, code: str) -> EdgeCatalogue:
    """Read ``edge_catalogue_3B``.

    Raises `InputError` ``code``: unreadable, an id that is not a non-zero 64-bit hexadecimal number, an id twice, a
    weight that is negative or not finite, weights without a finite sum.
    """
    kinds = {"merchant_id": Kind.ID, "edge_id": Kind.TEXT, "tzid_operational": Kind.TEXT}
    weighted = "edge_weight" in column_names(files[0], code=code)
    columns = read_columns(files, {**kinds, **({"edge_weight": Kind.NUMBER} if weighted else {})}, code=code)
    merchants = numbers(columns, "merchant_id").tolist()
    weights = numbers(columns, "edge_weight").tolist() if weighted else [1.0] * len(merchants)
    rows = zip(
        merchants, text(columns, "edge_id").strings(), text(columns, "tzid_operational").strings(), weights, strict=True
    )
    catalogue = EdgeCatalogue(defaultdict(list), defaultdict(list), defaultdict(list))
    previous = None
    for merchant, edge, tzid, weight in sorted(rows, key=lambda row: (row[0], row[1].encode())):
        if (merchant, edge) == previous:
            raise InputError(
                code, f"edge {edge} of merchant {merchant} occurs twice", where=str(files[0]), remedy=_RESTORE
            )
        if not 0.0 <= weight < np.inf:
            what = f"edge {edge} of merchant {merchant} has weight {weight}"
            raise InputError(code, what, where=str(files[0]), remedy=_RESTORE)
        previous = (merchant, edge)
        catalogue.edge_id[merchant].append(_edge_number(edge, merchant, files[0], code))
        catalogue.tzid[merchant].append(tzid)
        catalogue.weight[merchant].append(weight)
    if not sum(map(sum, catalogue.weight.values())) < np.inf:
        raise InputError(code, "the edge weights have no finite sum", where=str(files[0]), remedy=_RESTORE)
    return catalogue


def _edge_number(edge: str, merchant: int, file: Path, code: str) -> int:
    digits = edge.isascii() and 0 < len(edge) <= 16 and all(c in "0123456789abcdefABCDEF" for c in edge)
    number = int(edge, 16) if digits else 0
    if not number:
        what = f"edge id {edge!r} of merchant {merchant} is not a non-zero 64-bit hexadecimal number"
        raise InputError(code, what, where=str(file), remedy=_RESTORE)
    return number


def read_edge_tables(
    catalogue: EdgeCatalogue,
    index_file: Path,
    blob_file: Path,
    layout: AliasLayoutPolicy,
    temper: EdgeTemper,
    *,
    code: str,
) -> EdgeTables:
    """Decode ``edge_alias_blob_3B`` by ``edge_alias_index_3B`` and build the tempering tables.

    Raises `InputError` ``code`` for every index row, slice, checksum or digest that does not hold.
    """
    try:
        blob = blob_file.read_bytes()
    except OSError as cause:
        pass_on_refusal(cause)
        raise InputError(code, f"cannot be read: {cause}", where=str(blob_file), remedy=_RESTORE) from cause
    slices = _index(index_file, blob, code)
    if slices.keys() != catalogue.edge_id.keys():
        odd = min(slices.keys() ^ catalogue.edge_id.keys())
        what = f"merchant {odd} is in only one of edge catalogue and alias index"
        raise InputError(code, what, where=str(index_file), remedy=_RESTORE)
    decoded = {
        merchant: decode_slice(
            blob,
            offset,
            length,
            len(catalogue.edge_id[merchant]),
            checksum,
            layout,
            owner=f"merchant {merchant}",
            code=code,
        )
        for merchant, (offset, length, checksum) in sorted(slices.items())
    }
    return _assemble(catalogue, decoded, temper, code, str(blob_file))


def _index(file: Path, blob: bytes, code: str) -> dict[int, tuple[int, int, str]]:
    """(offset, length, checksum) per merchant; the GLOBAL row must name the blob's digest and size."""
    kinds = {
        "scope": Kind.TEXT,
        "merchant_id": Kind.ID,
        "blob_offset_bytes": Kind.INTEGER,
        "blob_length_bytes": Kind.INTEGER,
        "merchant_alias_checksum": Kind.TEXT,
        "blob_sha256_hex": Kind.TEXT,
    }
    slices: dict[int, tuple[int, int, str]] = {}
    digest = None
    for scope, merchant, offset, length, checksum, sha in read_rows([file], kinds, code=code):
        if scope == "GLOBAL":
            digest = (sha, length)
        elif scope != "MERCHANT" or None in (merchant, offset, length, checksum):
            raise InputError(
                code, f"index row {scope!r} of merchant {merchant} is incomplete", where=str(file), remedy=_RESTORE
            )
        elif merchant in slices:
            raise InputError(code, f"merchant {merchant} occurs twice", where=str(file), remedy=_RESTORE)
        else:
            slices[merchant] = (offset, length, checksum)
    actual = (hashlib.sha256(blob).hexdigest(), len(blob))
    if digest != actual:
        what = f"index names a blob of digest and size {digest}, the file has {actual}"
        raise InputError(code, what, where=str(file), remedy=_RESTORE)
    return slices


def decode_slice(
    blob: bytes,
    offset: int,
    length: int,
    entries: int,
    checksum: str,
    layout: AliasLayoutPolicy,
    *,
    owner: str,
    code: str,
) -> tuple[np.ndarray, np.ndarray]:
    """One alias slice as (probability float64 [n], alias int32 [n]).

    Raises `InputError` ``code``: outside the blob, wrong length, header, entry count, alias index or checksum.
    """
    order = "<" if layout.endianness == "little" else ">"
    raw = blob[offset : offset + length] if offset >= 0 and length >= 0 else b""
    problem = None
    if len(raw) != length or length < HEADER_BYTES or offset % layout.alignment_bytes:
        problem = f"offset {offset} and length {length} do not fit a blob of {len(blob)} bytes"
    elif hashlib.sha256(raw).hexdigest() != checksum:
        problem = "checksum differs"
    else:
        count, bits, zero0, zero1 = np.frombuffer(raw, f"{order}u4", 4).tolist()
        if count != entries or length != HEADER_BYTES + ENTRY_BYTES * count:
            problem = f"holds {count} entries in {length} bytes, the catalogue has {entries}"
        elif bits != layout.prob_qbits or zero0 or zero1:
            problem = f"header says {bits} probability bits and reserved words {zero0}, {zero1}"
    if problem is None:
        pairs = np.frombuffer(raw, f"{order}u4", 2 * entries, HEADER_BYTES).reshape(entries, 2)
        if (pairs[:, 1] >= entries).any():
            problem = f"alias index {pairs[:, 1].max()} is not below {entries}"
        else:
            return pairs[:, 0] / 2.0**layout.prob_qbits, pairs[:, 1].astype(np.int32)
    raise InputError(code, f"alias slice of {owner}: {problem}", where="edge_alias_blob_3B", remedy=_RESTORE)


def busy_zones(catalogue: EdgeCatalogue, top_k: int) -> set[str]:
    """The ``top_k`` zones with the largest sums of edge weight over all merchants; ties go to the smaller name."""
    total: dict[str, float] = defaultdict(float)
    for merchant in sorted(catalogue.tzid):
        for tzid, weight in zip(catalogue.tzid[merchant], catalogue.weight[merchant], strict=True):
            total[tzid] += weight
    return set(sorted(total, key=lambda tzid: (-total[tzid], tzid.encode()))[:top_k])


def _assemble(
    catalogue: EdgeCatalogue,
    decoded: dict[int, tuple[np.ndarray, np.ndarray]],
    temper: EdgeTemper,
    code: str,
    where: str,
) -> EdgeTables:
    busy = busy_zones(catalogue, temper.top_k) if temper.enabled else set()
    merchants = list(decoded)
    plain = {
        merchant: [
            position
            for position, tzid in enumerate(catalogue.tzid[merchant])
            if tzid not in busy and catalogue.weight[merchant][position] > 0.0
        ]
        for merchant in merchants
        if busy
    }
    plain = {merchant: positions for merchant, positions in plain.items() if positions}
    start = np.cumsum([0, *(len(catalogue.edge_id[merchant]) for merchant in merchants)])
    plain_start = np.cumsum([0, *map(len, plain.values())])
    weights = [catalogue.weight[merchant][position] for merchant, positions in plain.items() for position in positions]
    again = build_tables(
        np.array(weights), plain_start.astype(np.int64), names=[f"merchant {m}" for m in plain], code=code, where=where
    )
    ids = [edge for merchant in merchants for edge in catalogue.edge_id[merchant]]
    ids += [catalogue.edge_id[merchant][position] for merchant, positions in plain.items() for position in positions]
    zones = [tzid for merchant in merchants for tzid in catalogue.tzid[merchant]]
    zones += [catalogue.tzid[merchant][position] for merchant, positions in plain.items() for position in positions]
    tables = AliasTables(
        np.concatenate([start, plain_start[1:] + start[-1]]).astype(np.int64),
        np.concatenate([*(decoded[merchant][0] for merchant in merchants), again.probability]),
        np.concatenate([*(decoded[merchant][1] for merchant in merchants), again.alias]).astype(np.int32),
    )
    return EdgeTables(
        tables,
        np.array(ids, np.uint64),
        tuple(zones),
        np.array([tzid in busy for tzid in zones], np.uint8),
        {merchant: table for table, merchant in enumerate(merchants)},
        {merchant: len(merchants) + table for table, merchant in enumerate(plain)},
    )


def read_universe_hash(
    content: bytes, contracts: ContractSource, identity: RunIdentity, *, code: str, where: str
) -> str:
    """``universe_hash`` of ``edge_universe_hash_3B`` (its bytes are ``content``), 64 hex digits.

    Raises `InputError` ``code`` when it does not follow its schema or belongs to another world.
    """
    try:
        payload = checked(parse_json(content), {"manifest_fingerprint": SHA256, "universe_hash": SHA256})
    except ForeignJsonError as cause:
        raise InputError(code, f"the universe hash is not usable: {cause}", where=where, remedy=_RESTORE) from cause
    contracts.validate(
        contracts.dictionary("5B").entry("edge_universe_hash_3B").schema_ref, payload, code=code, where=where
    )
    if payload["manifest_fingerprint"] != identity.manifest_fingerprint:
        raise InputError(code, "universe hash of another world", where=where, remedy=_RESTORE)
    return str(payload["universe_hash"])
