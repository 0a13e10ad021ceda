"""The seven bundles, judged by the laws of docs/laws#upstream-bundles written out again."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from seg5b.runs import RunRoot

SEGMENTS = ("1A", "1B", "2A", "2B", "3A", "3B", "5A")


def bundle(demo: RunRoot, segment: str) -> Path:
    layer = "layer2" if segment == "5A" else "layer1"
    part = f"manifest_fingerprint={demo.identity.manifest_fingerprint}"
    return demo.path / "data" / layer / segment / "validation" / part


def index_of(demo: RunRoot, segment: str) -> object:
    name = "validation_bundle_index_5A.json" if segment == "5A" else "index.json"
    return json.loads((bundle(demo, segment) / name).read_text())


def items(demo: RunRoot, segment: str) -> list[dict]:
    index = index_of(demo, segment)
    if isinstance(index, list):
        return index
    return next(index[key] for key in ("files", "members", "entries") if key in index)


def base(demo: RunRoot, segment: str) -> Path:
    return demo.path if segment in ("2B", "3A") else bundle(demo, segment)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def flagged(demo: RunRoot, segment: str) -> str:
    text = (bundle(demo, segment) / "_passed.flag").read_text()
    if segment == "5A":
        flag = json.loads(text)
        assert flag["manifest_fingerprint"] == demo.identity.manifest_fingerprint
        return flag["bundle_digest_sha256"]
    match = re.fullmatch(r"sha256_hex = ([a-f0-9]{64})\n", text)
    assert match
    return match[1]


@pytest.mark.parametrize("segment", SEGMENTS)
def test_the_flag_carries_the_digest(demo: RunRoot, segment: str) -> None:
    members = items(demo, segment)
    if segment == "3A":
        ordered = sorted(members, key=lambda item: item["logical_id"])
        digest = sha256("".join(item["sha256_hex"] for item in ordered).encode())
    else:
        paths = sorted(item["path"] for item in members)
        digest = sha256(b"".join((base(demo, segment) / path).read_bytes() for path in paths))
    assert flagged(demo, segment) == digest


@pytest.mark.parametrize("segment", ("2A", "2B", "3A", "3B", "5A"))
def test_every_member_digest_holds(demo: RunRoot, segment: str) -> None:
    for item in items(demo, segment):
        content = (base(demo, segment) / item["path"]).read_bytes()
        assert item["sha256_hex"] == sha256(content)
        assert item.get("size_bytes", len(content)) == len(content)


@pytest.mark.parametrize("segment", ("1A", "1B", "2A"))
def test_the_folder_holds_what_the_index_lists(demo: RunRoot, segment: str) -> None:
    folder = bundle(demo, segment)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    listed = {item["path"] for item in items(demo, segment)}
    assert found - {"_passed.flag", "index.json"} == listed - {"index.json"}
    assert ("index.json" in listed) == (segment != "2A")


@pytest.mark.parametrize("segment", ("3A", "3B", "5A"))
def test_indexes_name_this_run(demo: RunRoot, segment: str) -> None:
    index = index_of(demo, segment)
    assert isinstance(index, dict)
    assert index["manifest_fingerprint"] == demo.identity.manifest_fingerprint
    assert index.get("parameter_hash", demo.identity.parameter_hash) == demo.identity.parameter_hash


def test_receipt_digests_point_at_their_members(demo: RunRoot) -> None:
    by_id = {item["logical_id"]: item["sha256_hex"] for item in items(demo, "3A")}
    assert index_of(demo, "3A")["s6_receipt_digest"] == by_id["s6_receipt_3A"]
    by_id = {item["logical_id"]: item["sha256_hex"] for item in items(demo, "3B")}
    assert index_of(demo, "3B")["s5_manifest_digest"] == by_id["s5_manifest_3B"]


def test_json_members_of_3a_are_canonical(demo: RunRoot) -> None:
    """Their digest is defined over the canonical payload, so file and payload must agree."""
    for item in items(demo, "3A"):
        if item["path"].endswith(".json"):
            text = (demo.path / item["path"]).read_text()
            assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_every_seed_has_its_reports(demo: RunRoot) -> None:
    for segment in ("2A", "2B"):
        paths = " ".join(item["path"] for item in items(demo, segment))
        assert "seed=42/" in paths and "seed=7/" in paths
