"""The seven upstream validation bundles: small members, indexes whose digests hold, and flags.

Laws: docs/laws#upstream-bundles. Members describe what the generator wrote; they are no evidence of upstream checks.
"""

from __future__ import annotations

from typing import Any

from seg5b.hashing import concatenated_sha256, sha256_file, sha256_hex
from seg5b.world.folder import Folder
from seg5b.world.identity import CREATED_UTC, canon
from seg5b.world.tables import INT64, STRING, write_nested
from seg5b.world.world import BuiltWorld

_MADE_BY = "seg5b.world"
_INDEX = "index.json"
_INDEX_5A = "validation_bundle_index_5A.json"


def write_bundles(folder: Folder, world: BuiltWorld) -> None:
    """Write all seven. Every dataset that the members name must be on disk already."""
    for segment in ("1A", "1B"):
        _write_first(folder, world, segment)
    _write_2a(folder, world)
    _write_2b(folder, world)
    _write_3a(folder, world)
    _write_3b(folder, world)
    _write_5a(folder, world)


def _bundle(folder: Folder, segment: str) -> str:
    """Path of a segment's bundle folder, ending in ``/``."""
    relative = folder.relative(f"validation_bundle_{segment}")
    return relative.removesuffix(_INDEX)


def _text_flag(folder: Folder, segment: str, digest: str) -> None:
    folder.write(folder.relative(f"validation_passed_flag_{segment}"), f"sha256_hex = {digest}\n".encode())


def _write_all(folder: Folder, base: str, members: dict[str, Any]) -> None:
    for path, payload in members.items():
        folder.write(base + path, canon(payload))


def _item(folder: Folder, base: str, path: str) -> dict[str, str]:
    return {"path": path, "sha256_hex": sha256_file(folder.root / (base + path))}


_FIRST_MEMBERS = (
    ("MANIFEST", "summary"),
    ("parameter_hash_resolved", "table"),
    ("manifest_fingerprint_resolved", "table"),
    ("rng_accounting", "table"),
    ("s9_summary", "summary"),
    ("egress_checksums", "table"),
    ("index", "table"),
)


def _write_first(folder: Folder, world: BuiltWorld, segment: str) -> None:
    """1A and 1B: the index lists itself and enters the digest."""
    base = _bundle(folder, segment)
    checksums = {}
    if segment == "1B":
        paths = [folder.path("site_locations", seed=seed) for seed in folder.identity.seeds]
        checksums = {path.relative_to(folder.root).as_posix(): sha256_file(path) for path in paths}
    contents: dict[str, Any] = {
        "MANIFEST": {**folder.stamp(), "segment_id": segment, "made_by": _MADE_BY},
        "parameter_hash_resolved": {"parameter_hash": folder.identity.parameter_hash},
        "manifest_fingerprint_resolved": {"manifest_fingerprint": folder.identity.manifest_fingerprint},
        "rng_accounting": {"events": 0, "draws": 0, "note": "hashed choices, no generator"},
        "s9_summary": {"merchants": int(world.merchants.id.size), "sites": int(world.sites.row.size)},
        "egress_checksums": {"files": checksums},
    }
    index = [
        {
            "artifact_id": name,
            "kind": kind,
            "path": f"{name}.json",
            "mime": "application/json",
            "notes": None,
        }
        for name, kind in _FIRST_MEMBERS
    ]
    _write_all(folder, base, {f"{name}.json": payload for name, payload in contents.items()})
    folder.write(base + _INDEX, canon(index))
    members = sorted(f"{name}.json" for name, _ in _FIRST_MEMBERS)
    _text_flag(folder, segment, concatenated_sha256([folder.root / (base + path) for path in members]))


def _write_2a(folder: Folder, world: BuiltWorld) -> None:
    base = _bundle(folder, "2A")
    cache = folder.root / (folder.relative("tz_timetable_cache") + "tz_timetable_cache.json")
    folder.write(base + "evidence/s3/tz_timetable_cache.json", cache.read_bytes())
    members = {
        f"evidence/s4/seed={seed}/s4_legality_report.json": {
            "seed": seed,
            "sites_total": int(world.sites.row.size),
            "status": "PASS",
        }
        for seed in folder.identity.seeds
    }
    members["checks.json"] = {**folder.stamp(), "zones": len(world.cache.steps), "status": "PASS"}
    _write_all(folder, base, members)
    files = sorted([*members, "evidence/s3/tz_timetable_cache.json"])
    folder.write(base + _INDEX, canon({"files": [_item(folder, base, path) for path in files]}))
    _text_flag(folder, "2A", concatenated_sha256([folder.root / (base + path) for path in files]))


def _write_2b(folder: Folder, world: BuiltWorld) -> None:
    """2B: the index lists paths from the run root; the folder holds only index and flag."""
    fingerprint = folder.identity.manifest_fingerprint
    part = f"manifest_fingerprint={fingerprint}"
    members: dict[str, Any] = {
        f"data/layer1/2B/s0_gate_receipt/{part}/s0_gate_receipt_2B.json": _receipt(folder, "2B"),
        f"data/layer1/2B/sealed_inputs/{part}/sealed_inputs_2B.json": [],
    }
    for seed in folder.identity.seeds:
        members[f"data/layer1/2B/s7_audit_report/seed={seed}/{part}/s7_audit_report.json"] = {
            **folder.stamp(),
            "seed": seed,
            "merchants": int(world.merchants.id.size),
            "status": "PASS",
        }
    _write_all(folder, "", members)
    items = [_item(folder, "", path) for path in sorted(members)]
    folder.write(folder.relative("validation_bundle_2B"), canon(items))
    _text_flag(folder, "2B", concatenated_sha256([folder.root / path for path in sorted(members)]))


_MEMBERS_3A = (
    ("s0_gate_receipt_3A", "gate"),
    ("sealed_inputs_3A", "sealed_inputs"),
    ("s1_escalation_queue", "escalation"),
    ("s2_country_zone_priors", "priors"),
    ("s3_zone_shares", "shares"),
    ("rng_event_zone_dirichlet", "rng_event"),
    ("rng_trace_log", "rng_trace"),
    ("rng_audit_log", "rng_audit"),
    ("s4_zone_counts", "counts"),
    ("zone_alloc", "egress"),
    ("zone_alloc_universe_hash", "universe_hash"),
    ("s6_validation_report_3A", "validation_report"),
    ("s6_issue_table_3A", "validation_issues"),
    ("s6_receipt_3A", "validation_receipt"),
)


def _write_3a(folder: Folder, world: BuiltWorld) -> None:
    """3A: the digest runs over the members' hex digests in order of their ids."""
    base = _bundle(folder, "3A")
    paths = {name: _path_3a(folder, name) for name, _ in _MEMBERS_3A}
    for name, path in paths.items():
        if not (folder.root / path).exists():
            folder.write(path, _content_3a(folder, world, name))
    members = [
        {
            "logical_id": name,
            "path": paths[name],
            "schema_ref": _schema_3a(name),
            "role": role,
            "sha256_hex": sha256_file(folder.root / paths[name]),
            "size_bytes": (folder.root / paths[name]).stat().st_size,
        }
        for name, role in sorted(_MEMBERS_3A)
    ]
    receipt = next(str(item["sha256_hex"]) for item in members if item["logical_id"] == "s6_receipt_3A")
    folder.write(base + _INDEX, canon({**folder.stamp(), "s6_receipt_digest": receipt, "members": members}))
    _text_flag(folder, "3A", sha256_hex("".join(str(item["sha256_hex"]) for item in members).encode("ascii")))


def _path_3a(folder: Folder, name: str) -> str:
    if name == "zone_alloc":
        return folder.path(name).relative_to(folder.root).as_posix()
    if name == "zone_alloc_universe_hash":
        return folder.relative(name)
    identity = folder.identity
    part = f"manifest_fingerprint={identity.manifest_fingerprint}"
    if name.startswith("rng_"):
        run = f"seed={identity.seeds[0]}/parameter_hash={identity.parameter_hash}/run_id={identity.run_id}"
        return f"logs/layer1/3A/rng/{name.removeprefix('rng_')}/{run}/{name}.jsonl"
    if name.endswith("_3A"):
        return f"data/layer1/3A/{name.removesuffix('_3A')}/{part}/{name}.json"
    return f"data/layer1/3A/{name}/seed={identity.seeds[0]}/{part}/{name}.json"


def _content_3a(folder: Folder, world: BuiltWorld, name: str) -> bytes:
    if name.startswith("rng_"):
        line = {"event": name, "draws": "0", "blocks": 0, "note": "hashed choices, no generator"}
        return canon(line) + b"\n"
    if name == "s0_gate_receipt_3A":
        return canon(_receipt(folder, "3A"))
    return canon({**folder.stamp(), "member": name, "rows": len(world.rows), "made_by": _MADE_BY})


def _schema_3a(name: str) -> str:
    if name.startswith("rng_"):
        return f"schemas.layer1.yaml#/rng/{name}"
    room = "egress" if name == "zone_alloc" else "validation"
    return f"schemas.3A.yaml#/{room}/{name}"


_MEMBERS_3B = (
    "s0_gate_receipt_3B",
    "sealed_inputs_3B",
    "s4_run_summary_3B",
    "s5_digest_summary_3B",
    "s5_manifest_3B",
    "s5_rng_summary_3B",
    "s5_structural_summary_3B",
)


def _write_3b(folder: Folder, world: BuiltWorld) -> None:
    base = _bundle(folder, "3B")
    virtual = int((world.merchants.mode_code > 0).sum())
    contents = {
        f"{name}.json": {**folder.stamp(), "member": name, "virtual_merchants": virtual, "made_by": _MADE_BY}
        for name in _MEMBERS_3B
    }
    contents["s0_gate_receipt_3B.json"] = _receipt(folder, "3B")
    _write_all(folder, base, contents)
    members = []
    for path in sorted(contents):
        name = path.removesuffix(".json")
        members.append(
            {
                "logical_id": name,
                "schema_ref": f"schemas.3B.yaml#/validation/{name}",
                "role": "evidence",
                **_item(folder, base, path),
                "size_bytes": (folder.root / (base + path)).stat().st_size,
            }
        )
    manifest = sha256_file(folder.root / (base + "s5_manifest_3B.json"))
    folder.write(base + _INDEX, canon({**folder.stamp(), "s5_manifest_digest": manifest, "members": members}))
    _text_flag(folder, "3B", concatenated_sha256([folder.root / (base + path) for path in sorted(contents)]))


def _write_5a(folder: Folder, world: BuiltWorld) -> None:
    """5A: JSON flag; the issue table is an empty Parquet file."""
    base = _bundle(folder, "5A")
    fingerprint = folder.identity.manifest_fingerprint
    report = {
        **folder.stamp(),
        "rows": len(world.rows),
        "active_rows": int((world.rows.weekly > 0).sum()),
        "overall_status": "PASS",
        "made_by": _MADE_BY,
    }
    folder.write(base + "reports/validation_report_5A.json", canon(report))
    issues = {"manifest_fingerprint": STRING, "issue_code": STRING, "severity": STRING, "count": INT64}
    write_nested(folder.root / (base + "issues/validation_issue_table_5A.parquet"), [], issues)
    paths = ["issues/validation_issue_table_5A.parquet", "reports/validation_report_5A.json"]
    index = {
        "manifest_fingerprint": fingerprint,
        "segment_id": "5A",
        "s5_spec_version": "1.0.0",
        "generated_utc": CREATED_UTC,
        "overall_status": "PASS",
        "summary": {
            "scenario_count": len(world.plan.scenarios),
            "parameter_hashes": [folder.identity.parameter_hash],
            "issue_count": 0,
        },
        "entries": [_item(folder, base, path) for path in paths],
    }
    folder.write(base + _INDEX_5A, canon(index))
    digest = concatenated_sha256([folder.root / (base + path) for path in paths])
    flag = {"bundle_digest_sha256": digest, "manifest_fingerprint": fingerprint}
    folder.write(folder.relative("validation_passed_flag_5A"), canon(flag))


def _receipt(folder: Folder, segment: str) -> dict[str, Any]:
    return {**folder.stamp(), "segment_id": segment, "status": "PASS", "made_by": _MADE_BY}
