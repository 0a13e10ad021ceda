"""Every reader of files that others wrote, by the name of what it reads, in a world that is otherwise sound (law L16)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from seg5b.clocks import covering_cache, read_manifest
from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.foreign_json import COUNT, TEXT, ForeignJsonError, Form, read_json
from seg5b.gate.bundles import Bundle, locate, verify_upstream_bundle
from seg5b.gate.laws import LAWS
from seg5b.gate.scenarios import read_scenarios
from seg5b.inputs.edges import read_catalogue, read_edge_tables, read_universe_hash
from seg5b.inputs.groups import read_groups
from seg5b.inputs.profile import read_profile, read_virtual_modes
from seg5b.inputs.settlement import read_settlement
from seg5b.inputs.sites import read_sites
from seg5b.inputs.surface import scan_components
from seg5b.policy import AliasLayoutPolicy, EdgeTemper
from seg5b.resources import resource_root
from seg5b.runs.root import RunRoot, open_root
from seg5b.validation.alias_blobs import BlobError, BlobSlice, decoded_masses

CODE = "5B.TEST.MUTATED"
NO_TEMPER = EdgeTemper(enabled=False, top_k=10, redirect_p=0.0)
Read = Callable[[Path], object]
JSON = ("edge_universe_hash_3B", "tz_timetable_cache manifest", "receipt", *(f"bundle {law.segment}" for law in LAWS))
PARQUET = (
    "virtual_classification_3B",
    "virtual_settlement_3B",
    "edge_catalogue_3B",
    "edge_alias_index_3B",
    "s4_group_weights",
    "merchant_zone_profile_5A",
    "s1_site_weights",
    "merchant_zone_scenario_local_5A",
    "scenario_manifest_5A",
)
BLOBS = ("edge_alias_blob_3B", "edge_alias_index_3B", "s2_alias_blob", "s2_alias_index")
CACHES = ("tz_timetable_cache", "tz_timetable_cache manifest")


def file_of(root: RunRoot, name: str) -> Path:
    """The file that a reader is given."""
    if name == "receipt":
        return root.path / "run_receipt.json"
    if name.startswith("bundle "):
        law = next(law for law in LAWS if law.segment == name[7:])
        return locate(root, ContractSource.packaged(), law).index
    dataset, _, manifest = name.partition(" ")
    entry = ContractSource.packaged().dictionary("5B").entry(dataset)
    path = root.resolve(entry.render(root.identity.tokens("baseline_v1")))
    suffix = "json" if manifest else "bin" if dataset == "tz_timetable_cache" else "parquet"
    return next(iter(sorted(path.rglob(f"*.{suffix}")))) if path.is_dir() else path


def readers_of(root: RunRoot) -> dict[str, Read]:
    """What reads each file, in a world that is otherwise sound."""
    contracts, identity = ContractSource.packaged(), root.identity
    layout = AliasLayoutPolicy.load(resource_root() / "config/layer1/2B/policy/alias_layout_policy_v1.json", contracts)
    catalogue, index, blob, zones = (
        file_of(root, name)
        for name in ("edge_catalogue_3B", "edge_alias_index_3B", "edge_alias_blob_3B", "site_timezones")
    )

    def edges(_: Path) -> object:
        return read_edge_tables(read_catalogue([catalogue], code=CODE), index, blob, layout, NO_TEMPER, code=CODE)

    readers: dict[str, Read] = {
        "edge_catalogue_3B": edges,
        "edge_alias_index_3B": edges,
        "edge_alias_blob_3B": edges,
        "edge_universe_hash_3B": lambda file: read_universe_hash(
            file.read_bytes(), contracts, identity, code=CODE, where=str(file)
        ),
        "virtual_classification_3B": lambda file: read_virtual_modes([file], code=CODE),
        "virtual_settlement_3B": lambda file: read_settlement([file], code=CODE),
        "s4_group_weights": lambda file: read_groups([file], code=CODE),
        "merchant_zone_profile_5A": lambda file: read_profile([file], code=CODE),
        "s1_site_weights": lambda file: read_sites([file], [zones], code=CODE),
        "merchant_zone_scenario_local_5A": lambda file: scan_components([file], "baseline_v1", code=CODE),
        "scenario_manifest_5A": lambda file: read_scenarios(file, contracts, identity.manifest_fingerprint),
        "tz_timetable_cache": lambda file: covering_cache([file], 0, code=CODE),
        "tz_timetable_cache manifest": lambda file: read_manifest(file, code=CODE),
        "s2_alias_blob": lambda file: _site_slices(file, file_of(root, "s2_alias_index"), layout),
        "s2_alias_index": lambda file: _site_slices(file_of(root, "s2_alias_blob"), file, layout),
        "receipt": lambda file: open_root(file.parent.parent, file.parent.name),
    }
    for law in LAWS:
        bundle = locate(root, contracts, law)
        readers[f"bundle {law.segment}"] = partial(_verify, bundle, contracts)
    return readers


def _verify(bundle: Bundle, contracts: ContractSource, _: Path) -> object:
    return verify_upstream_bundle(bundle, contracts, "digest")


_SITE_INDEX: Form = {
    "merchants": [dict.fromkeys(("merchant_id", "offset", "length", "sites"), COUNT) | {"checksum": TEXT}]
}


def _site_slices(blob: Path, index: Path, layout: AliasLayoutPolicy) -> object:
    """As S5 reads the tables of sites, whose check tells what these two errors say."""
    try:
        rows = read_json(index, _SITE_INDEX)["merchants"]
        pieces = [BlobSlice(r["merchant_id"], r["offset"], r["length"], r["sites"], r["checksum"]) for r in rows]
        return [decoded_masses(blob.read_bytes(), piece, layout) for piece in pieces]
    except (ForeignJsonError, BlobError) as cause:
        raise InputError(CODE, str(cause)[:600], where=str(index), remedy="restore it") from cause
