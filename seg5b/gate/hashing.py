"""Hashing many files at once, and never twice while they stay as they are.

A digest is remembered under (path, size, modification and status-change times, inode): any write to a file
moves one of them, so that one process which runs several states reads each sealed file once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from seg5b.gate.files import DamageError

_T = TypeVar("_T")
_Key = tuple[str, int, int, int, int]
_KNOWN: dict[_Key, str] = {}
_MOST_THREADS = 16
_QUIET_BELOW = 1 << 28


def file_size(path: Path) -> int:
    """Size in bytes. Raises `DamageError`."""
    try:
        return path.stat().st_size
    except OSError as cause:
        raise DamageError(f"cannot be read: {cause.strerror or cause}") from cause


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 lowercase hex digits, from memory where the file did not change since.

    Raises `DamageError`, also when the file changes while it is read.
    """
    try:
        with path.open("rb") as stream:
            before = _key(path, os.fstat(stream.fileno()))
            if before in _KNOWN:
                return _KNOWN[before]
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            after = _key(path, os.fstat(stream.fileno()))
    except OSError as cause:
        raise DamageError(f"cannot be read: {cause.strerror or cause}") from cause
    if after != before:
        raise DamageError("changes while it is read")
    _KNOWN[before] = digest
    return digest


def hash_files(paths: Sequence[Path], note: Callable[[str], None]) -> list[str]:
    """`file_sha256` of each path, in order, on a pool of threads (hashing lets go of the interpreter lock).

    ``note`` hears about each tenth of the bytes when there are more than 256 MiB. Raises `DamageError`, whose
    text starts with the file it concerns.
    """
    sizes = [_named(file_size, path) for path in paths]
    steps = _Tenths(sum(sizes), note)
    threads = min(_MOST_THREADS, os.cpu_count() or 1, max(1, len(paths)))
    digests = []
    with ThreadPoolExecutor(threads, thread_name_prefix="seg5b-hash") as pool:
        for size, digest in zip(sizes, pool.map(_named_sha256, paths), strict=True):
            digests.append(digest)
            steps.add(size)
    return digests


def _named_sha256(path: Path) -> str:
    return _named(file_sha256, path)


def _named(function: Callable[[Path], _T], path: Path) -> _T:
    try:
        return function(path)
    except DamageError as cause:
        raise DamageError(f"{path} {cause}") from cause


def _key(path: Path, status: os.stat_result) -> _Key:
    return str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


class _Tenths:
    """Says how far a long hashing is, at most ten times."""

    def __init__(self, total: int, note: Callable[[str], None]) -> None:
        self._total, self._note = total, note
        self._done, self._said = 0, 0

    def add(self, size: int) -> None:
        """Count ``size`` more bytes."""
        self._done += size
        if self._total < _QUIET_BELOW:
            return
        tenth = 10 * self._done // self._total
        if tenth > self._said:
            self._said = tenth
            self._note(f"hashed {self._done / 1e9:.2f} of {self._total / 1e9:.2f} GB")
