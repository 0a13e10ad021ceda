"""Decoders of foreign bytes, each as a function of bytes alone, to be fuzzed: it returns, or raises one of the errors that it
declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seg5b.clocks import read_manifest, read_tz_cache
from seg5b.contracts import ContractSource
from seg5b.errors import Seg5bError
from seg5b.foreign_json import ForeignJsonError, parse_json
from seg5b.gate.laws import json_flag_digest, text_flag_digest
from seg5b.inputs.edges import read_catalogue, read_edge_tables
from seg5b.inputs.profile import read_virtual_modes
from seg5b.policy import AliasLayoutPolicy, LgcpPolicy, RoutingPolicy
from seg5b.resources import resource_root
from seg5b.runs.ledger import read_records
from seg5b.runs.lock import writer_of
from seg5b.runs.root import RunRoot, open_root
from seg5b.twin.alias import blob_slice
from seg5b.validation.alias_blobs import BlobError, BlobSlice, decoded_masses
from tests.torture.readers import CODE, NO_TEMPER, file_of


@dataclass(frozen=True, slots=True)
class Decoder:
    """``seeds`` are sound inputs to begin with; ``declared`` are the errors that callers of ``decode`` expect."""

    decode: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    declared: tuple[type[Exception], ...] = (Seg5bError,)


NAMES = (
    "JSON",
    "policy",
    "time-zone cache",
    "time-zone manifest",
    "alias blob of sites",
    "alias blob of edges",
    "alias index of edges",
    "Parquet",
    "ledger",
    "lock",
    "flags",
)


def decoders(runs_root: Path, folder: Path) -> Mapping[str, Decoder]:
    """All of them; files are written below ``folder``, sound ones read from a world (which gets a ledger and a lock)."""
    root, contracts = open_root(runs_root), ContractSource.packaged()

    def of_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
        def decode(raw: bytes) -> object:
            (folder / name).write_bytes(raw)
            return read(folder / name)

        return decode

    def seed(name: str) -> tuple[bytes, ...]:
        return (file_of(root, name).read_bytes(),)

    policies = [
        (resource_root() / contracts.dictionary().entry(f"arrival_{name}_5B").path).read_bytes()
        for name in ("lgcp_config", "routing_policy")
    ]
    catalogue = read_catalogue([file_of(root, "edge_catalogue_3B")], code=CODE)
    layout = AliasLayoutPolicy.load(
        resource_root() / contracts.dictionary().entry("alias_layout_policy_v1").path, contracts
    )

    def edges(index: Path, blob: Path) -> object:
        return read_edge_tables(catalogue, index, blob, layout, NO_TEMPER, code=CODE)

    found = {
        "JSON": Decoder(parse_json, seed("bundle 5A") + seed("receipt"), (ForeignJsonError,)),
        "policy": Decoder(of_file("a.yaml", lambda p: _both_policies(p, contracts)), tuple(policies)),
        "time-zone cache": Decoder(of_file("a.bin", lambda p: read_tz_cache(p, code=CODE)), seed("tz_timetable_cache")),
        "time-zone manifest": Decoder(
            of_file("a.json", lambda p: read_manifest(p, code=CODE)), seed("tz_timetable_cache manifest")
        ),
        "alias blob of sites": Decoder(
            lambda raw: _slices(raw, layout), seed("s2_alias_blob"), (BlobError, ValueError)
        ),
        "alias blob of edges": Decoder(
            of_file("a.blob", lambda p: edges(file_of(root, "edge_alias_index_3B"), p)), seed("edge_alias_blob_3B")
        ),
        "alias index of edges": Decoder(
            of_file("i.parquet", lambda p: edges(p, file_of(root, "edge_alias_blob_3B"))), seed("edge_alias_index_3B")
        ),
        "Parquet": Decoder(
            of_file("m.parquet", lambda p: read_virtual_modes([p], code=CODE)), seed("virtual_classification_3B")
        ),
        "ledger": Decoder(of_file("a.jsonl", read_records), (_LINE * 2,)),
        "lock": Decoder(lambda raw: _writer(root, raw), (_OWNER,)),
        "flags": Decoder(
            _flags, (b"sha256_hex = " + b"a" * 64 + b"\n", b'{"bundle_digest_sha256":"' + b"b" * 64 + b'"}')
        ),
    }
    assert tuple(found) == NAMES
    return found


_LINE = b'{"state":"S1","status":"PASS","started_at_utc":"a","finished_at_utc":"b","durations":{"wall_ms":1},"published_files":{"a":"b"}}\n'
_OWNER = b'{"host":"h","process":1,"process_started":"1","command":"seg5b run","since_utc":"2026-01-01T00:00:00+00:00"}'


def _both_policies(path: Path, contracts: ContractSource) -> None:
    """Read as either policy; the first refusal is raised after both were tried."""
    errors = []
    for kind in (LgcpPolicy, RoutingPolicy):
        try:
            kind.load(path, contracts)
        except Seg5bError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _slices(raw: bytes, layout: AliasLayoutPolicy) -> None:
    """Both strict decoders of a slice: S5's and that of the explanations."""
    entries = int.from_bytes(raw[:4], "little")
    piece = BlobSlice(1, 0, len(raw), entries, "")
    try:
        decoded_masses(raw, piece, layout)
    except BlobError:
        blob_slice(raw, "little")


def _writer(root: RunRoot, raw: bytes) -> str:
    (root.path / "tmp").mkdir(exist_ok=True)
    (root.path / "tmp" / "writer.json").write_bytes(raw)
    return writer_of(root)


def _flags(raw: bytes) -> None:
    for read in (text_flag_digest, lambda content: json_flag_digest(content, "c" * 64)):
        try:
            read(raw)
        except ValueError:
            continue
