"""One process at a time at a piece of work that several may begin."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Holds off whoever else comes with the same ``lock``, a file that is there meanwhile; where there are no locks, nobody.
    What the one before did is to be looked for inside. Raises `OSError` where the file cannot be made."""
    handle = _locked(lock)
    while not _is_still(lock, handle):  # the one before took the file away
        os.close(handle)
        handle = _locked(lock)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        os.close(handle)


def _locked(lock: Path) -> int:
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _is_still(lock: Path, handle: int) -> bool:
    try:
        return os.path.samestat(lock.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
