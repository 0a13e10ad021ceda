"""Damaged files and folders, each with its reason."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from seg5b.errors import InputError
from seg5b.gate.files import (
    AbsentError,
    DamageError,
    checked_file,
    concatenated_digest,
    file_sha256,
    file_size,
    hash_files,
    inside,
    is_folder,
    may_exist,
    read_bytes,
    read_json,
    regular_files,
)

TOO_LONG = "x" * 300


def test_what_cannot_be_looked_up_is_damage_and_may_exist(tmp_path: Path) -> None:
    path = tmp_path / TOO_LONG
    assert may_exist(path)
    with pytest.raises(DamageError, match="cannot be looked up"):
        checked_file(path)
    with pytest.raises(DamageError, match="cannot be looked up"):
        is_folder(path)


def test_absent_and_special_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(AbsentError, match="does not exist"):
        read_bytes(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    with pytest.raises(DamageError, match="not a regular file"):
        read_bytes(tmp_path / "pipe")
    assert not may_exist(tmp_path / "nothing")


def test_a_circle_of_links_cannot_be_resolved(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(DamageError, match=r"cannot be resolved|does not exist"):
        checked_file(tmp_path / "a", tmp_path)


def test_links_inside_the_fence_are_fine(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert inside(tmp_path / "b", tmp_path) == tmp_path / "b"
    assert regular_files(tmp_path, tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert read_json(tmp_path / "b", tmp_path) == 1


def test_files_are_listed_in_order_of_their_whole_path(tmp_path: Path) -> None:
    for name in ("b", "a.x", "a/z", "a-"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    names = [path.relative_to(tmp_path).as_posix() for path in regular_files(tmp_path, tmp_path)]
    assert names == ["a-", "a.x", "a/z", "b"]


def test_a_folder_that_cannot_be_listed_is_damage(tmp_path: Path) -> None:
    with pytest.raises(DamageError, match="cannot be listed"):
        regular_files(tmp_path / "nothing", tmp_path)


def test_a_disk_error_while_reading_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing about the content (law L16)."""
    path = tmp_path / "a"
    path.write_bytes(b"1")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Input/output error"):
        read_bytes(path)
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(OSError, match="Input/output error"):
        concatenated_digest([path])
    with pytest.raises(OSError, match="Input/output error"):
        file_sha256(path)


def test_the_size_of_an_absent_file_is_damage(tmp_path: Path) -> None:
    with pytest.raises(DamageError, match="cannot be read"):
        file_size(tmp_path / "nothing")
    with pytest.raises(DamageError, match=r"nothing cannot be read"):
        hash_files([tmp_path / "nothing"], print)


def test_a_file_that_changes_while_it_is_sealed_stops_the_gate(world, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.place("edge_alias_blob_3B")
    real = hashlib.file_digest

    def meddle(stream, name):
        digest = real(stream, name)
        path.write_bytes(path.read_bytes())
        return digest

    path.touch()
    monkeypatch.setattr(hashlib, "file_digest", meddle)
    error = world.refused(InputError, "5B.S0.SEALED_INPUTS_INCOMPLETE")
    assert "edge_alias_blob_3B.bin changes while it is read" in error.what
