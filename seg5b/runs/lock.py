"""One writer per run, and who it is.

The lock is an advisory one on the receipt: it ends with the process, however that ends. A file system without such locks
(some network mounts) gets a lock file instead, made by whoever comes first; one that a dead process of this host left is
taken over, another host's is not. Beside either, ``tmp/writer.json`` says who writes, for those who have to wait.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from seg5b.errors import RunError
from seg5b.runs.owner import has_ended, in_words, owner_in, this_process
from seg5b.runs.root import RECEIPT_NAME, RunRoot
from seg5b.runs.scratch import NO_LOCKS, sweep

_log = logging.getLogger("seg5b")
_OWNER, _LOCK_FILE = "writer.json", "writer.lock"


@contextmanager
def exclusive(root: RunRoot) -> Iterator[None]:
    """Hold the run for writing; what a killed process left in ``tmp/`` is removed first, less what it meant to keep and what
    readers are working with.

    Raises `RunError` ``5B.RUN.BUSY`` while another process or thread writes to the run, with who it is and since when;
    `OSError` where the run cannot be written to.
    """
    with ExitStack() as stack:
        receipt = stack.enter_context((root.path / RECEIPT_NAME).open("rb"))
        scratch = root.tmp()
        try:
            fcntl.flock(receipt, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # closing is not enough: a process that was forked meanwhile has it open too
            stack.callback(fcntl.flock, receipt, fcntl.LOCK_UN)
        except BlockingIOError:
            raise _busy(root, owner_in(scratch / _OWNER)) from None
        except OSError as cause:
            if cause.errno not in NO_LOCKS:
                raise
            stack.enter_context(_lock_file(root, scratch / _LOCK_FILE))
        for leftover in scratch.iterdir():
            if leftover == root.kept() or leftover.name.startswith(_LOCK_FILE):
                continue
            sweep(leftover)
        _say(scratch / _OWNER, this_process())
        try:
            yield
        finally:
            (scratch / _OWNER).unlink(missing_ok=True)


def note_state(root: RunRoot, state_id: str) -> None:
    """Let others know which state the process that holds the run is at."""
    path = root.path / "tmp" / _OWNER
    owner = owner_in(path)
    if owner is not None:
        with suppress(OSError):  # a notice, and no reason to end
            _say(path, {**owner, "state": state_id})


def _say(path: Path, owner: Mapping[str, Any]) -> None:
    """In one step: who looks meanwhile sees the one or the other."""
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_text(json.dumps(owner))
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def writer_of(root: RunRoot) -> str:
    """Who writes to a run at this moment, at which state and since when, in words that end in a comma; empty if nobody does,
    as far as this host can tell."""
    owner = owner_in(root.path / "tmp" / _OWNER)
    return "" if owner is None or has_ended(owner) else in_words(owner)


@contextmanager
def _lock_file(root: RunRoot, path: Path) -> Iterator[None]:
    _make_way(root, path)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise _busy(root, owner_in(path), path) from None
    _log.info("this file system has no locks: %s stands for one", path.name)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(json.dumps(this_process()))
        yield
    finally:
        path.unlink(missing_ok=True)


def _make_way(root: RunRoot, path: Path) -> None:
    """Remove the lock file of a process that has ended. One process at a time may, and looks again once it may: another
    one's new lock is never taken for the old one."""
    owner = owner_in(path)
    if owner is None or not has_ended(owner):
        return  # there is none, or whose it is cannot be told: making one will fail
    guard = path.with_name(f"{path.name}.taken-over")
    try:
        guard.mkdir()
    except FileExistsError:
        raise _busy(root, owner, guard) from None
    try:
        if owner_in(path) == owner:
            path.unlink()
    finally:
        guard.rmdir()


def _busy(root: RunRoot, owner: Mapping[str, Any] | None, lock_file: Path | None = None) -> RunError:
    remedy = "wait for it to end, or work on another run"
    if lock_file is not None:
        remedy += f"; if it has ended, remove {lock_file}"
    what = "another process is writing to this run" if owner is None else f"{in_words(owner)} is writing to this run"
    return RunError("5B.RUN.BUSY", what, where=str(root.path), remedy=remedy)
