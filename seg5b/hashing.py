"""Hashing files side by side, always from their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from seg5b.query import usable_cores


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Size in bytes and SHA-256 (64 hex digits) of a file; both None when it cannot be read."""

    size_bytes: int | None
    sha256_hex: str | None


def file_digest(path: Path) -> FileDigest:
    """Size and digest of one file."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return FileDigest(stream.tell(), digest)
    except (OSError, ValueError):
        return FileDigest(None, None)


def file_digests(
    paths: Sequence[Path], threads: int | None = None, done: Callable[[int], None] | None = None
) -> list[FileDigest]:
    """Digests of many files in order, on a pool of threads (hashing releases the interpreter lock). ``done`` hears
    how many are finished."""
    digests = []
    with ThreadPoolExecutor(threads or usable_cores(), thread_name_prefix="seg5b-hash") as pool:
        for number, digest in enumerate(pool.map(file_digest, paths), start=1):
            digests.append(digest)
            if done:
                done(number)
    return digests


def concatenated_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of the bytes of several files, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
