"""Every upstream table can be wrong; what comes back is one typed error with code, place and remedy (design 6)."""

from __future__ import annotations

import hashlib
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.clocks import read_tz_cache
from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.inputs.edges import EdgeCatalogue, read_catalogue, read_edge_tables
from seg5b.inputs.groups import read_groups
from seg5b.inputs.profile import read_profile, read_virtual_modes
from seg5b.inputs.settlement import read_settlement
from seg5b.inputs.sites import read_sites
from seg5b.inputs.surface import scan_components
from seg5b.policy import AliasLayoutPolicy, EdgeTemper
from seg5b.runs.root import open_root

CODE = "5B.TEST.DAMAGED"
Rows = list[dict[str, Any]]
NO_TEMPER = EdgeTemper(enabled=False, top_k=10, redirect_p=0.0)


@pytest.fixture
def tables(demo_world: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A private copy of one dataset's folder or file, by artefact id."""
    root, contracts = open_root(demo_world), ContractSource.packaged()

    def copy(artifact_id: str) -> Path:
        entry = contracts.dictionary("5B").entry(artifact_id)
        source = root.resolve(entry.render(root.identity.tokens("baseline_v1")))
        target = tmp_path / artifact_id
        target.mkdir()
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
        return target

    return copy


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def _damage(folder: Path, change: Callable[[Rows], Rows]) -> list[Path]:
    """Rewrite the dataset's rows through ``change``; types stay where they still fit."""
    (file,) = _files(folder)
    table = pq.ParquetFile(file).read()
    rows = change(table.to_pylist())
    kept = [field for field in table.schema if field.name in rows[0]]
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema([field.with_nullable(True) for field in kept])), file)
    return [file]


def _set(name: str, value: Any) -> Callable[[Rows], Rows]:
    """First row's column becomes ``value``."""
    return lambda rows: [{**rows[0], name: value}, *rows[1:]]


def _without(name: str) -> Callable[[Rows], Rows]:
    return lambda rows: [{key: value for key, value in row.items() if key != name} for row in rows]


def _doubled(rows: Rows) -> Rows:
    return [rows[0], *rows]


SITES = (_set("p_weight", float("nan")), _set("p_weight", -0.5), _set("p_weight", float("inf")), _set("p_weight", None),
         _set("merchant_id", None), _set("site_order", 2**31 - 1), _without("p_weight"), _doubled)  # fmt: skip


@pytest.mark.parametrize("damage", range(len(SITES)))
def test_site_weights(tables: Callable[[str], Path], damage: int) -> None:
    zones = _files(tables("site_timezones"))
    weights = _damage(tables("s1_site_weights"), SITES[damage])
    with pytest.raises(InputError, match=CODE):
        read_sites(weights, zones, code=CODE)


def _no_weight(rows: Rows) -> Rows:
    first = rows[0]["merchant_id"]
    return [{**row, "p_weight": 0.0} if row["merchant_id"] == first else row for row in rows]


def test_sites_without_any_weight(tables: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match="sum to 0"):
        read_sites(_damage(tables("s1_site_weights"), _no_weight), _files(tables("site_timezones")), code=CODE)


ZONES = (_set("tzid", None), _without("tzid"), _doubled, lambda rows: rows[1:])


@pytest.mark.parametrize("damage", range(len(ZONES)))
def test_site_zones(tables: Callable[[str], Path], damage: int) -> None:
    weights = _files(tables("s1_site_weights"))
    with pytest.raises(InputError, match=CODE):
        read_sites(weights, _damage(tables("site_timezones"), ZONES[damage]), code=CODE)


GROUPS = (_set("p_group", float("nan")), _set("p_group", -1.0), _set("utc_day", "2026-13-01"), _set("utc_day", "yesterday"),
          _set("tz_group_id", None), _doubled)  # fmt: skip


@pytest.mark.parametrize("damage", range(len(GROUPS)))
def test_group_weights(tables: Callable[[str], Path], damage: int) -> None:
    with pytest.raises(InputError, match=CODE):
        read_groups(_damage(tables("s4_group_weights"), GROUPS[damage]), code=CODE)


MODES = (_set("virtual_mode", "SOMETIMES"), _set("virtual_mode", None), _without("virtual_mode"),
         lambda rows: [{**rows[0], "virtual_mode": "HYBRID"}, {**rows[0], "virtual_mode": "VIRTUAL_ONLY"}, *rows[1:]])  # fmt: skip


@pytest.mark.parametrize("damage", range(len(MODES)))
def test_virtual_modes(tables: Callable[[str], Path], damage: int) -> None:
    """Defect D11: an unknown mode must not become NON_VIRTUAL."""
    with pytest.raises(InputError, match=CODE):
        read_virtual_modes(_damage(tables("virtual_classification_3B"), MODES[damage]), code=CODE)


PROFILES = (_set("demand_class", None), _set("channel_group", "  "), _without("channel_group"),
            lambda rows: [{**rows[0], "demand_class": "other"}, *rows])  # fmt: skip


@pytest.mark.parametrize("damage", range(len(PROFILES)))
def test_profile(tables: Callable[[str], Path], damage: int) -> None:
    with pytest.raises(InputError, match=CODE):
        read_profile(_damage(tables("merchant_zone_profile_5A"), PROFILES[damage]), code=CODE)


def test_settlement_twice(tables: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match="occurs twice"):
        read_settlement(_damage(tables("virtual_settlement_3B"), _doubled), code=CODE)


CATALOGUE = (_set("edge_id", "0000000000000000"), _set("edge_id", "not hexadecimal"), _set("edge_id", "1" * 17),
             _set("edge_weight", -1.0), _set("edge_weight", float("nan")), _set("tzid_operational", None), _doubled)  # fmt: skip


@pytest.mark.parametrize("damage", range(len(CATALOGUE)))
def test_edge_catalogue(tables: Callable[[str], Path], damage: int) -> None:
    with pytest.raises(InputError, match=CODE):
        read_catalogue(_damage(tables("edge_catalogue_3B"), CATALOGUE[damage]), code=CODE)


def _rehashed(index: Path, blob: Path) -> None:
    """Make the GLOBAL row fit the blob's bytes, so that only the planted damage is left."""

    def change(rows: Rows) -> Rows:
        content = blob.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        return [
            {**row, "blob_sha256_hex": digest, "blob_length_bytes": len(content)} if row["scope"] == "GLOBAL" else row
            for row in rows
        ]

    _damage(index, change)


def _edge_tables(catalogue: EdgeCatalogue, index: Path, blob: Path) -> None:
    (index_file,), (blob_file,) = _files(index), list(blob.iterdir())
    read_edge_tables(catalogue, index_file, blob_file, _layout(), NO_TEMPER, code=CODE)


def _layout() -> AliasLayoutPolicy:
    from seg5b.resources import resource_root

    path = resource_root() / "config/layer1/2B/policy/alias_layout_policy_v1.json"
    return AliasLayoutPolicy.load(path, ContractSource.packaged())


def _patched(offset: int, word: int) -> Callable[[bytes], bytes]:
    return lambda raw: raw[:offset] + struct.pack("<I", word) + raw[offset + 4 :]


BLOBS = {
    "entry count": _patched(0, 3),
    "probability bits": _patched(4, 31),
    "reserved word": _patched(8, 1),
    "alias index": _patched(20, 10_000),
    "probability": _patched(16, 12345),
    "cut short": lambda raw: raw[:-8],
    "empty": lambda raw: b"",
}


@pytest.mark.parametrize("damage", BLOBS)
@pytest.mark.parametrize("rehash", [False, True], ids=["digest kept", "digest renewed"])
def test_alias_blob(tables: Callable[[str], Path], damage: str, rehash: bool) -> None:
    """The blob's digest notices any change; slice checks notice each on its own when the digest was renewed."""
    catalogue = read_catalogue(_files(tables("edge_catalogue_3B")), code=CODE)
    index, blob = tables("edge_alias_index_3B"), tables("edge_alias_blob_3B")
    (file,) = list(blob.iterdir())
    file.write_bytes(BLOBS[damage](file.read_bytes()))
    if rehash:
        _rehashed(index, file)
    with pytest.raises(InputError, match=CODE):
        _edge_tables(catalogue, index, blob)


INDEX = (_set("blob_offset_bytes", -8), _set("blob_offset_bytes", 10**9), _set("blob_length_bytes", 24), _set("merchant_id", 5),
         _set("merchant_alias_checksum", "0" * 64), _set("scope", "SITE"), _doubled, lambda rows: rows[:-1])  # fmt: skip


@pytest.mark.parametrize("damage", range(len(INDEX)))
def test_alias_index(tables: Callable[[str], Path], damage: int) -> None:
    catalogue = read_catalogue(_files(tables("edge_catalogue_3B")), code=CODE)
    index = tables("edge_alias_index_3B")
    _damage(index, INDEX[damage])
    with pytest.raises(InputError, match=CODE):
        _edge_tables(catalogue, index, tables("edge_alias_blob_3B"))


CACHES = {
    "magic": lambda raw: b"TZC2" + raw[4:],
    "version": lambda raw: raw[:4] + b"\2\0" + raw[6:],
    "more zones than there are": lambda raw: raw[:6] + struct.pack("<I", 10**6) + raw[10:],
    "fewer zones than there are": lambda raw: raw[:6] + struct.pack("<I", 1) + raw[10:],
    "cut short": lambda raw: raw[:-5],
    "left over": lambda raw: raw + b"\0",
    "empty": lambda raw: b"",
}


@pytest.mark.parametrize("damage", CACHES)
def test_tz_cache(tables: Callable[[str], Path], damage: str) -> None:
    (file,) = tables("tz_timetable_cache").rglob("*.bin")
    file.write_bytes(CACHES[damage](file.read_bytes()))
    with pytest.raises(InputError, match=CODE):
        read_tz_cache(file, code=CODE)


def test_tz_cache_vector(tmp_path: Path) -> None:
    """The bytes of docs/laws#tz-cache."""
    raw = bytes.fromhex(
        "545a433101000200000007004574632f555443010000000000000000000080000000000d004575726f70652f4c6f6e646f6e02"
        "0000000000000000000080ffffffff9079c869000000003c000000"
    )
    (tmp_path / "cache.bin").write_bytes(raw)
    cache = read_tz_cache(tmp_path / "cache.bin", code=CODE)
    assert cache.tzids == ("Etc/UTC", "Europe/London")
    assert cache.offset_min.tolist() == [0, -1, 60]
    assert cache.second.tolist() == [-(2**63), -(2**63), 1774746000]
    summer = cache.within(1774746000_000_000, 1774746001_000_000)
    assert summer.offset_min.tolist() == [0, 60]


SURFACES = (_set("scenario_id", "another_v1"), _set("merchant_id", None), _set("tzid", None), _set("channel_group", " "),
            _without("tzid"))  # fmt: skip


@pytest.mark.parametrize("damage", range(len(SURFACES)))
def test_surface_keys(tables: Callable[[str], Path], damage: int) -> None:
    folder = tables("merchant_zone_scenario_local_5A")
    (file,) = _files(folder)
    pq.write_table(pq.ParquetFile(file).read().slice(0, 2000), file)
    with pytest.raises(InputError, match=CODE):
        scan_components(_damage(folder, SURFACES[damage]), "baseline_v1", code=CODE)


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_not_a_parquet_file(tables: Callable[[str], Path], cut: int) -> None:
    (file,) = _files(tables("s4_group_weights"))
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError, match=CODE):
        read_groups([file], code=CODE)


def test_flipped_bit_in_a_page(tables: Callable[[str], Path]) -> None:
    """Page checksums, where the writer set them, catch what still decodes."""
    (file,) = _files(tables("s4_group_weights"))
    table = pq.ParquetFile(file).read()
    pq.write_table(table, file, write_page_checksum=True, compression="NONE", use_dictionary=False)
    position = table.schema.get_field_index("p_group")
    column = pq.ParquetFile(file).metadata.row_group(0).column(position)
    raw = bytearray(file.read_bytes())
    raw[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    file.write_bytes(raw)
    with pytest.raises(InputError, match=CODE):
        read_groups([file], code=CODE)


def test_merchants_are_unsigned(tmp_path: Path) -> None:
    file = tmp_path / "modes.parquet"
    pq.write_table(pa.table({"merchant_id": np.array([-1], np.int64), "virtual_mode": ["HYBRID"]}), file)
    with pytest.raises(InputError, match="does not convert"):
        read_virtual_modes([file], code=CODE)
