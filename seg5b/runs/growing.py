"""Files that grow: the state ledger and the run log (law L16).

A line is appended with one write, synced, and always begins on a line of its own: a power cut leaves whole lines and at
most a torn last one, which the next line does not run into. What stands in the way of such a file is set aside under
another name, never deleted, and never a reason to refuse the run.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from seg5b.publish import make_folders, sync

_log = logging.getLogger("seg5b")


def append_line(path: Path, line: str) -> None:
    """Append a line, synced with its folder. Raises `OSError` where the system refuses; what was written of the line is
    then a torn one."""
    handle, new = _opened(path)
    try:
        left = memoryview(_line_break(handle) + line.encode() + b"\n")
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    if new:
        sync(path.parent)


def end_last_line(path: Path) -> None:
    """Make sure that what others append to ``path`` begins on a line of its own, and that it can be appended to. Raises
    `OSError`."""
    handle, _ = _opened(path)
    try:
        os.write(handle, _line_break(handle))
    finally:
        os.close(handle)


def _opened(path: Path) -> tuple[int, bool]:
    """A regular file open for appending, and whether it is new."""
    make_folders(path.parent)
    try:
        return _open(path)
    except OSError:
        if not os.path.lexists(path):
            raise
        _set_aside(path)
        return _open(path)


def _open(path: Path) -> tuple[int, bool]:
    new = not path.exists()
    # a pipe that nobody reads would block: it is opened without waiting, and refused
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no regular file")
    return handle, new


def _set_aside(path: Path) -> None:
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.unusable-{number}")):
        number += 1
    path.rename(aside)
    _log.warning("%s cannot be appended to: set aside as %s", path.name, aside.name)


def _line_break(handle: int) -> bytes:
    size = os.fstat(handle).st_size
    return b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""
