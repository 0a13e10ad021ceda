"""Consistent lies: flag and digest agree, but the index does not speak of this run or of these bytes (law L2)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seg5b.errors import GateError
from seg5b.gate import run_gate

MISMATCH = "5B.S0.UPSTREAM_GATE_MISMATCH"


def _list_of(index):
    return index if isinstance(index, list) else index.get("files", index.get("members", index.get("entries")))


def _wrong_digest(segment: str) -> Callable:
    return lambda world: world.edit_index(segment, lambda index: _list_of(index)[0].update(sha256_hex="0" * 64))


def _identity(segment: str, key: str) -> Callable:
    return lambda world: world.edit_index(segment, lambda index: index.update({key: "9" * 64}))


def _other_flag_identity(world) -> None:
    body = world.flag("5A").read_bytes()
    world.flag("5A").write_bytes(body.replace(world.FINGERPRINT.encode(), b"9" * 64))


def _flag_without_identity(world) -> None:
    digest = world.flag("5A").read_bytes().split(b'"')[3].decode()
    world.flag("5A").write_bytes(world.canon({"bundle_digest_sha256": digest}))


def _failed_status(world) -> None:
    world.edit_index("5A", lambda index: index.update(overall_status="FAIL"))


def _wrong_size(world) -> None:
    world.edit_index("3B", lambda index: index["members"][0].update(size_bytes=1))


def _change(name: str, old: bytes, new: bytes) -> Callable:
    def change(world) -> None:
        path = next(world.root.path.rglob(name))
        path.write_bytes(path.read_bytes().replace(old, new))

    return change


LIES: dict[str, Callable] = {
    **{f"{segment}-digest": _wrong_digest(segment) for segment in ("2A", "2B", "3A", "3B", "5A")},
    "3A-fingerprint": _identity("3A", "manifest_fingerprint"),
    "3A-parameters": _identity("3A", "parameter_hash"),
    "3B-fingerprint": _identity("3B", "manifest_fingerprint"),
    "3B-parameters": _identity("3B", "parameter_hash"),
    "3B-size": _wrong_size,
    "5A-fingerprint": _identity("5A", "manifest_fingerprint"),
    "5A-parameters": _identity("5A", "parameter_hash"),
    "5A-flag-fingerprint": _other_flag_identity,
    "5A-flag-without-fingerprint": _flag_without_identity,
    "5A-status": _failed_status,
    "3A-json-member": _change("s6_receipt_3A.json", b"1", b"2"),
    "3A-json-member-cut": _change("s6_receipt_3A.json", b"}", b""),
    "3A-lines-member": _change("rng_audit_log.jsonl", b"1", b"2"),
    "3A-folder-member": _change("part-00001.parquet", b"two", b"ten"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_depth_content_sees_the_lie_and_depth_digest_does_not(world, lie: Callable) -> None:
    lie(world)
    world.refused(GateError, MISMATCH)
    run_gate(world.root, world.contracts, depth="digest")


def test_3a_json_members_are_compared_in_canonical_form(world) -> None:
    path = next(world.root.path.rglob("s6_receipt_3A.json"))
    path.write_bytes('{"a":"é",   "b":1}'.encode())
    run_gate(world.root, world.contracts)


def test_a_3a_member_path_may_not_climb(world) -> None:
    world.edit_index("3A", lambda index: index["members"][0].update(path="../../etc/hostname"))
    assert "climbs" in world.refused(GateError, MISMATCH).what


def test_a_3a_member_behind_a_link_out_of_the_run_is_refused(world) -> None:
    path = next(world.root.path.rglob("rng_audit_log.jsonl"))
    outside = world.root.path.parent / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    assert "leads outside" in world.refused(GateError, MISMATCH).what
