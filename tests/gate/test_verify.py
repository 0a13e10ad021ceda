"""Nobody swaps bytes after the gate unnoticed (law L2)."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from seg5b.errors import GateError
from seg5b.gate import files, open_gate


@pytest.fixture
def gate(sealed):
    """An open gate for S4."""
    return open_gate(sealed.root, sealed.contracts, state="S4")


def _refused(gate, artifact_id: str, scenario_id: str | None = None, reason: str = "SEALED_CONTENT_CHANGED") -> str:
    with pytest.raises(GateError) as caught:
        gate.verify(artifact_id, scenario_id)
    assert caught.value.code == f"5B.S4.{reason}"
    assert caught.value.where and "seg5b s0" in caught.value.remedy
    return caught.value.what


def _part(world, artifact_id: str):
    return world.place(artifact_id) / "part-00000.parquet"


def test_everything_that_is_listed_can_be_verified(sealed, gate) -> None:
    listed = {artifact_id for artifact_id, _ in gate.content}
    assert len(listed) == 30
    for artifact_id in sorted(listed):
        gate.verify(artifact_id)


def test_a_swap_of_equal_size_and_time_is_seen(sealed, gate) -> None:
    path = _part(sealed, "s1_site_weights")
    gate.verify("s1_site_weights")
    before, body = path.stat(), bytearray(path.read_bytes())
    body[3] ^= 1
    path.write_bytes(bytes(body))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    what = _refused(gate, "s1_site_weights")
    assert sealed.sha(bytes(body)) in what
    assert "part-00000.parquet" in what


def test_another_size_is_seen_before_anything_is_hashed(sealed, gate, monkeypatch) -> None:
    _part(sealed, "s1_site_weights").write_bytes(b"longer than it was when the gate was sealed")
    monkeypatch.setattr("seg5b.gate.access.hash_files", lambda *_: pytest.fail("hashed"))
    assert "43 bytes" in _refused(gate, "s1_site_weights")


def test_missing_and_new_files_are_seen(sealed, gate) -> None:
    path = _part(sealed, "site_timezones")
    sealed.write(path.with_name("part-00001.parquet"), b"x")
    assert "not sealed ['data/layer1/2A/" in _refused(gate, "site_timezones")
    path.unlink()
    assert "sealed but absent ['data/layer1/2A/" in _refused(gate, "site_timezones")
    path.with_name("part-00001.parquet").unlink()
    assert "empty folder" in _refused(gate, "site_timezones")
    sealed.place("edge_alias_blob_3B").unlink()
    assert "does not exist" in _refused(gate, "edge_alias_blob_3B")


def test_a_link_in_place_of_a_file_is_seen(sealed, gate) -> None:
    path = _part(sealed, "zone_alloc")
    outside = sealed.root.path.parent / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    assert "leads outside" in _refused(gate, "zone_alloc")


def test_each_scenario_is_verified_alone_or_with_the_others(sealed, gate) -> None:
    name = "merchant_zone_scenario_local_5A"
    sealed.place(name, "stress_v1").write_bytes(b"merchant_zone_scenario_local_5A stress_v2")
    gate.verify(name, "baseline_v1")
    assert "scenario_id=stress_v1" in _refused(gate, name, "stress_v1")
    assert "scenario_id=stress_v1" in _refused(gate, name)


def test_without_the_list_nothing_can_be_verified(sealed, gate) -> None:
    sealed.content().unlink()
    bare = open_gate(sealed.root, sealed.contracts, state="S4")
    assert "is missing" in _refused(bare, "zone_alloc", reason="SEALED_CONTENT_MISSING")
    assert "lists no file" in _refused(gate, "s3_day_effects", reason="SEALED_CONTENT_MISSING")


def test_a_list_that_was_edited_with_the_bytes_does_not_convince(sealed, gate) -> None:
    """Where the sealed row holds a content digest too, the receipt binds it."""
    path = sealed.place("edge_universe_hash_3B")
    path.write_bytes(b"another universe")
    content = json.loads(sealed.content().read_bytes())
    entry = next(entry for entry in content["entries"] if entry["artifact_id"] == "edge_universe_hash_3B")
    entry.update(size_bytes=16, sha256_hex=sealed.sha(b"another universe"))
    sealed.content().write_bytes(sealed.canon(content))
    again = open_gate(sealed.root, sealed.contracts, state="S4")
    assert "edge_universe_hash_3B has SHA-256" in _refused(again, "edge_universe_hash_3B")
    with pytest.raises(GateError) as caught:
        again.sealed_bytes("edge_universe_hash_3B")
    assert caught.value.code == "5B.S4.SEALED_CONTENT_CHANGED"


def test_an_untouched_file_is_hashed_once_in_a_process(sealed, gate, monkeypatch) -> None:
    gate.verify("edge_catalogue_3B")
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    gate.verify("edge_catalogue_3B")
    _part(sealed, "edge_catalogue_3B").touch()
    with pytest.raises(pytest.fail.Exception, match="hashed again"):
        gate.verify("edge_catalogue_3B")


def test_a_file_that_changes_while_it_is_read_is_refused(sealed, gate, monkeypatch) -> None:
    path = _part(sealed, "edge_catalogue_3B")
    real = hashlib.file_digest

    def meddle(stream, name):
        digest = real(stream, name)
        path.write_bytes(path.read_bytes())
        return digest

    path.touch()
    monkeypatch.setattr(hashlib, "file_digest", meddle)
    assert "changes while it is read" in _refused(gate, "edge_catalogue_3B")


def test_long_hashing_tells_its_progress(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(files, "_QUIET_BELOW", 1000)
    paths = [tmp_path / str(number) for number in range(30)]
    for path in paths:
        path.write_bytes(b"x" * 100)
    heard: list[str] = []
    assert len(set(files.hash_files(paths, heard.append))) == 1
    assert len(heard) == 10
    quiet: list[str] = []
    files.hash_files(paths[:9], quiet.append)
    assert quiet == []
