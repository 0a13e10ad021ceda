"""Hashing bytes and files with SHA-256: the one place of the product that turns the content of files into digests.

Digests are 64 lowercase hex digits.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from seg5b.parallel import in_order

_T = TypeVar("_T")
_BLOCK_BYTES = 1 << 20
_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
_MOST_THREADS = 16
"""More threads than these only wait for the disk."""

_Key = tuple[str, int, int, int, int]
_REMEMBERED: dict[_Key, str] = {}


class FileChangedError(Exception):
    """A file that was written to while it was hashed."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Size in bytes and SHA-256 of a file; both None where there is no file of that name."""

    size_bytes: int | None
    sha256_hex: str | None


def sha256_hex(content: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises `OSError`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def concatenated_sha256(paths: Iterable[Path]) -> str:
    """SHA-256 of the bytes of several files, one after the other, nothing between them. Raises `OSError`."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


class ConcatenatedSha256:
    """Digest of files one after the other which also gives each file's own, with one reading of each."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()

    def add(self, path: Path) -> str:
        """Append a file; returns the SHA-256 of that file alone. Raises `OSError`."""
        own = hashlib.sha256()
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK_BYTES):
                self._whole.update(block)
                own.update(block)
        return own.hexdigest()

    def hexdigest(self) -> str:
        """Digest of everything appended so far."""
        return self._whole.hexdigest()


def tree_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every regular file below ``folder``, keyed by relative POSIX path in ascending order. Raises
    `OSError`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def file_digest(path: Path) -> FileDigest:
    """Size and digest of one file. Raises `OSError` where a file is there and the system does not let it be read: that
    says nothing about its content."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return FileDigest(stream.tell(), digest)
    except (OSError, ValueError) as cause:
        return _absent(cause)


def remembered_file_digest(path: Path) -> FileDigest:
    """`file_digest` by `remembered_sha256`; a file that changes meanwhile has none. Raises as `file_digest`."""
    try:
        return FileDigest(path.stat().st_size, remembered_sha256(path))
    except (OSError, ValueError, FileChangedError) as cause:
        return _absent(cause)


def _absent(cause: Exception) -> FileDigest:
    """No digest, where no file of that name is there or can be. Raises any other `OSError`."""
    if isinstance(cause, OSError) and cause.errno not in _NO_FILE:
        raise cause
    return FileDigest(None, None)


def file_digests(
    paths: Sequence[Path],
    threads: int | None = None,
    done: Callable[[int], None] | None = None,
    *,
    remember: bool = False,
) -> list[FileDigest]:
    """`file_digest` of many files in order, side by side; ``done`` is told how many are finished after each. With
    ``remember``, `remembered_file_digest`. Raises as `file_digest`."""
    digests, hasher = [], remembered_file_digest if remember else file_digest
    for number, digest in enumerate(side_by_side(hasher, paths, threads), start=1):
        digests.append(digest)
        if done:
            done(number)
    return digests


def remembered_sha256(path: Path) -> str:
    """`sha256_file`, from memory where this process hashed the file before and it did not change since.

    A digest is remembered under (path, size, modification and status-change times, inode): any write to a file moves one
    of them, so that a process which runs several states reads each sealed file once. Raises `OSError`, and
    `FileChangedError` when the file changes while it is read.
    """
    with path.open("rb") as stream:
        before = _key(path, os.fstat(stream.fileno()))
        if before in _REMEMBERED:
            return _REMEMBERED[before]
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        after = _key(path, os.fstat(stream.fileno()))
    if after != before:
        raise FileChangedError(str(path))
    _REMEMBERED[before] = digest
    return digest


def _key(path: Path, status: os.stat_result) -> _Key:
    return str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def side_by_side(hasher: Callable[[Path], _T], paths: Sequence[Path], threads: int | None = None) -> Iterator[_T]:
    """``hasher`` of each path, in order, on a pool of threads (hashing releases the interpreter lock).

    ``threads`` None for every core this process may use, at most 16. Raises what ``hasher`` raises, and as `Pool.submit`.
    """
    chosen = threads or min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    for _, result in in_order(paths, hasher, min(chosen, max(len(paths), 1)), label="hash"):
        yield result
