"""Publication of one file or folder: into place without replacing, equal content accepted, everything else refused."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seg5b import publish as room
from seg5b.errors import PublishError
from seg5b.hashing import sha256_file, tree_digests
from seg5b.publish import Outcome, publish, publish_bytes, staging_folder

CONFLICT, FAILED = "5B.S1.IO_WRITE_CONFLICT", "5B.S1.IO_WRITE_FAILED"
Content = bytes | dict[str, bytes]
EMPTY: dict[str, bytes] = {}


def put(path: Path, content: Content) -> Path:
    """A file, or a folder of files by relative path."""
    if isinstance(content, bytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path
    path.mkdir(parents=True)
    for name, each in content.items():
        put(path / name, each)
    return path


def held(path: Path) -> Content:
    """What `put` would make it from."""
    if path.is_file():
        return path.read_bytes()
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def without_flag(code: int | None) -> object:
    """A C library whose renaming with the flag ends in ``code``; None: one that has no such function."""

    class Library:
        def renameat2(self, *_: object) -> int:
            ctypes.set_errno(code or 0)
            return -1

    return object() if code is None else Library()


UNKNOWN_FLAG = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
UNKNOWN_LINK = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
WAYS: dict[str, tuple[int | None, int]] = {
    **{f"no rename flag, {errno.errorcode[code]}": (code, 0) for code in UNKNOWN_FLAG},
    "no such call": (None, 0),
    **{f"no links, {errno.errorcode[code]}": (errno.EINVAL, code) for code in UNKNOWN_LINK},
}


@pytest.fixture(params=["rename flag", *WAYS])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All ways into place: the kernel's flag, file systems that do not know it, and those that have no hard links either."""
    if request.param in WAYS:
        flag, link = WAYS[request.param]
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: without_flag(flag))
        if link:
            monkeypatch.setattr(os, "link", refuse(link))
    return str(request.param)


FILE, OTHER = b"one", b"two"
FOLDER: dict[str, bytes] = {"part-0": b"a", "deep/part-1": b"b"}
SOURCES: dict[str, Content] = {"a file": FILE, "a folder": FOLDER}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_staged_comes_into_place_whole(kind: str, tmp_path: Path) -> None:
    staged, target = put(tmp_path / "tmp/staged", SOURCES[kind]), tmp_path / "data/deep/target"
    assert publish(staged, target, state="S1") is Outcome.WRITTEN
    assert held(target) == SOURCES[kind] and not staged.exists()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", SOURCES)
def test_equal_content_is_left_alone_and_the_staged_copy_stays(kind: str, tmp_path: Path) -> None:
    target = put(tmp_path / "target", SOURCES[kind])
    before = {path: path.stat().st_mtime_ns for path in (target, *target.rglob("*"))}
    staged = put(tmp_path / "staged", SOURCES[kind])
    assert publish(staged, target, state="S1") is Outcome.UNCHANGED
    assert held(staged) == SOURCES[kind]
    assert {path: path.stat().st_mtime_ns for path in (target, *target.rglob("*"))} == before


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("old", "new", "differing"),
    [
        (OTHER, FILE, "1 of 1 files differ, first 'target'"),
        ({**FOLDER, "part-0": b"x"}, FOLDER, "1 of 2 files differ, first 'part-0'"),
        ({**FOLDER, "part-2": b"c"}, FOLDER, "1 of 3 files differ, first 'part-2'"),
        ({"part-0": b"a"}, FOLDER, "1 of 2 files differ, first 'deep/part-1'"),
        (EMPTY, FOLDER, "2 of 2 files differ, first 'deep/part-1'"),
        (EMPTY, FILE, "1 of 1 files differ, first 'target'"),
        (FILE, FOLDER, "3 of 3 files differ, first 'deep/part-1'"),
        (FOLDER, FILE, "3 of 3 files differ, first 'deep/part-1'"),
    ],
    ids=[
        "a file by a file",
        "another part",
        "a part too many",
        "a part too few",
        "an empty folder by a folder",
        "an empty folder by a file",
        "a file by a folder",
        "a folder by a file",
    ],
)
def test_nothing_is_ever_replaced(old: Content, new: Content, differing: str, tmp_path: Path) -> None:
    staged, target = put(tmp_path / "tmp/target", new), put(tmp_path / "target", old)
    with pytest.raises(PublishError) as caught:
        publish(staged, target, state="S1")
    assert (caught.value.code, caught.value.where) == (CONFLICT, str(target))
    assert differing in caught.value.what and "seg5b s0 --reseal" in caught.value.remedy
    assert held(target) == old and held(staged) == new


def test_an_empty_folder_is_not_replaced_by_an_empty_folder_either(tmp_path: Path) -> None:
    staged, target = put(tmp_path / "staged", EMPTY), put(tmp_path / "target", EMPTY)
    inode = target.stat().st_ino
    assert publish(staged, target, state="S1") is Outcome.UNCHANGED
    assert target.stat().st_ino == inode and staged.is_dir()


def refuse(code: int) -> Callable[..., None]:
    def refused(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return refused


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_another_refusal_of_a_link_is_no_reason_to_rename(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, target = put(tmp_path / "staged", FILE), tmp_path / "target"
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: without_flag(errno.EINVAL))
    monkeypatch.setattr(os, "link", refuse(code))
    with pytest.raises(PublishError) as caught:
        publish(staged, target, state="S1")
    assert caught.value.code == FAILED and not target.exists() and held(staged) == FILE


@pytest.mark.usefixtures("way")
def test_a_link_to_nothing_is_in_the_way(tmp_path: Path) -> None:
    staged, target = put(tmp_path / "staged", FILE), tmp_path / "target"
    target.symlink_to(tmp_path / "nothing")
    with pytest.raises(PublishError) as caught:
        publish(staged, target, state="S1")
    assert caught.value.code == FAILED and target.is_symlink() and held(staged) == FILE


@pytest.mark.parametrize(("step", "code"), [("_sync_tree", errno.EIO), ("_rename_without_replacing", errno.EXDEV)])
def test_what_the_file_system_refuses_is_a_typed_error(
    step: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, target = put(tmp_path / "staged", FILE), tmp_path / "target"
    monkeypatch.setattr(room, step, refuse(code))
    with pytest.raises(PublishError) as caught:
        publish(staged, target, state="S1")
    assert (caught.value.code, caught.value.where) == (FAILED, str(target))
    assert os.strerror(code) in caught.value.what and caught.value.remedy
    assert not target.exists() and held(staged) == FILE


def test_a_parent_that_is_a_file_is_a_typed_error(tmp_path: Path) -> None:
    staged = put(tmp_path / "staged", FILE)
    put(tmp_path / "data", OTHER)
    with pytest.raises(PublishError) as caught:
        publish(staged, tmp_path / "data/target", state="S1")
    assert caught.value.code == FAILED and held(staged) == FILE


def test_a_staged_file_that_is_gone_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(PublishError) as caught:
        publish(tmp_path / "staged", tmp_path / "target", state="S1")
    assert caught.value.code == FAILED


def test_all_of_it_is_synced_before_and_its_folder_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged, target = put(tmp_path / "staged", FOLDER), tmp_path / "data/target"
    synced: list[str] = []
    monkeypatch.setattr(room, "sync", lambda path: synced.append(f"{path.name}{'' if target.exists() else ' staged'}"))
    publish(staged, target, state="S1")
    assert synced[0] == f"{tmp_path.name} staged", "the name of the folder that was made for it"
    assert sorted(synced[1:-1]) == ["deep staged", "part-0 staged", "part-1 staged", "staged staged"]
    assert synced[-1] == "data"
    synced.clear()
    publish(put(tmp_path / "again", FOLDER), target, state="S1")
    assert sorted(synced[-5:]) == ["data", "deep", "part-0", "part-1", "target"], (
        "who put it there may have been cut off"
    )


def test_bytes_are_published_as_a_file(tmp_path: Path) -> None:
    scratch, target = tmp_path / "tmp", tmp_path / "data/flag"
    for expected in (Outcome.WRITTEN, Outcome.UNCHANGED):
        assert publish_bytes(FILE, target, scratch=scratch, state="S1") is expected
    with pytest.raises(PublishError, match="IO_WRITE_CONFLICT"):
        publish_bytes(OTHER, target, scratch=scratch, state="S1")
    assert target.read_bytes() == FILE and list(scratch.iterdir()) == [], "no scratch is left"


def test_a_staging_folder_is_fresh_and_goes_whatever_happens(tmp_path: Path) -> None:
    with staging_folder(tmp_path, "S1") as first, staging_folder(tmp_path, "S1") as second:
        assert first != second and first.is_dir() and first.name.startswith("S1_")
    with pytest.raises(KeyboardInterrupt), staging_folder(tmp_path, "S1") as folder:
        put(folder / "half", FILE)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_digests_of_a_tree(tmp_path: Path) -> None:
    put(tmp_path / "tree", {"b": b"", "a/c": b"abc"})
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert list(tree_digests(tmp_path / "tree")) == ["a/c", "b"]
    assert tree_digests(tmp_path / "tree")["a/c"] == sha256_file(tmp_path / "tree/a/c") == abc
