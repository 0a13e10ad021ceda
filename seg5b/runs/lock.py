"""One writer per run, and who it is.

The lock is an advisory one on the receipt: it ends with the process, however that ends. A file system without such locks
(some network mounts) gets a lock file instead, made by whoever comes first; one that a dead process of this host left is
taken over, another host's is not. Beside either, ``tmp/writer.json`` says who writes, for those who have to wait.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seg5b.errors import RunError
from seg5b.runs.root import RECEIPT_NAME, RunRoot

_log = logging.getLogger("seg5b")
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_OWNER, _LOCK_FILE = "writer.json", "writer.lock"


@contextmanager
def exclusive(root: RunRoot) -> Iterator[None]:
    """Hold the run for writing; what a killed process left in ``tmp/`` is removed first, less what it meant to keep.

    Raises `RunError` ``5B.RUN.BUSY`` while another process or thread writes to the run, with who it is and since when;
    `OSError` where the run cannot be written to.
    """
    with ExitStack() as stack:
        receipt = stack.enter_context((root.path / RECEIPT_NAME).open("rb"))
        scratch = root.tmp()
        try:
            fcntl.flock(receipt, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(root, _owner(scratch / _OWNER)) from None
        except OSError as cause:
            if cause.errno not in _NO_LOCKS:
                raise
            stack.enter_context(_lock_file(root, scratch / _LOCK_FILE))
        for leftover in scratch.iterdir():
            if leftover == root.kept() or leftover.name.startswith(_LOCK_FILE):
                continue
            shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)
        (scratch / _OWNER).write_text(json.dumps(_me()))
        try:
            yield
        finally:
            (scratch / _OWNER).unlink(missing_ok=True)


def writer_of(root: RunRoot) -> str:
    """Who writes to a run at this moment, in words; empty if nobody does, as far as this host can tell."""
    owner = _owner(root.path / "tmp" / _OWNER)
    return "" if owner is None or _has_ended(owner) else _told(owner)


@contextmanager
def _lock_file(root: RunRoot, path: Path) -> Iterator[None]:
    _make_way(root, path)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise _busy(root, _owner(path), path) from None
    _log.info("this file system has no locks: %s stands for one", path.name)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(json.dumps(_me()))
        yield
    finally:
        path.unlink(missing_ok=True)


def _make_way(root: RunRoot, path: Path) -> None:
    """Remove the lock file of a process that has ended. One process at a time may, and looks again once it may: another
    one's new lock is never taken for the old one."""
    owner = _owner(path)
    if owner is None or not _has_ended(owner):
        return  # there is none, or whose it is cannot be told: making one will fail
    guard = path.with_name(f"{path.name}.taken-over")
    try:
        guard.mkdir()
    except FileExistsError:
        raise _busy(root, owner, guard) from None
    try:
        if _owner(path) == owner:
            path.unlink()
    finally:
        guard.rmdir()


def _busy(root: RunRoot, owner: Mapping[str, Any] | None, lock_file: Path | None = None) -> RunError:
    remedy = "wait for it to end, or work on another run"
    if lock_file is not None:
        remedy += f"; if it has ended, remove {lock_file}"
    what = "another process is writing to this run" if owner is None else f"{_told(owner)} is writing to this run"
    return RunError("5B.RUN.BUSY", what, where=str(root.path), remedy=remedy)


def _me() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "process": os.getpid(),
        "process_started": _started(os.getpid()),
        "command": Path(sys.argv[0]).name + "".join(f" {word}" for word in sys.argv[1:3]) if sys.argv else "",
        "since_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _owner(path: Path) -> Mapping[str, Any] | None:
    """What a lock says of its owner; None if it says nothing that can be understood."""
    with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
        owner = json.loads(path.read_bytes())
        datetime.fromisoformat(owner["since_utc"]).astimezone(UTC)
        if isinstance(owner["process"], int) and all(isinstance(owner[key], str) for key in ("host", "command")):
            return dict(owner)
    return None


def _has_ended(owner: Mapping[str, Any]) -> bool:
    """Whether a process of this host has ended; another one may have its number since."""
    here = owner["host"] == platform.node()
    return here and _started(owner["process"]) != owner.get("process_started")


def _started(process: int) -> str:
    """When a process of this host began, in ticks since the host did, after an id of that start; empty if it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {fields[19]}"
    except (OSError, IndexError):
        return ""


def _told(owner: Mapping[str, Any]) -> str:
    since = datetime.fromisoformat(owner["since_utc"]).astimezone(UTC)
    minutes = max(0, (datetime.now(UTC) - since).total_seconds() / 60)
    return (
        f"process {owner['process']} of {owner['host']} ({owner['command'][:60]}), for {minutes:.0f} min since "
        f"{since:%Y-%m-%d %H:%M:%SZ},"
    )
