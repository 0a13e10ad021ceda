"""Scratch space of those who read a run, while another process may begin to write to it (laws L16, L18).

A reader's folder lies in the run's ``tmp``, where there is room for it, and holds a lock file that the reader keeps locked:
whoever sweeps ``tmp`` leaves it alone until the reader has ended, however it ends. Where the file system has no locks, the
lock file says whose it is. A reader that may not write to the run works in the system's folder for such things.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from seg5b.runs.owner import has_ended, owner_in, this_process
from seg5b.runs.root import RunRoot

_log = logging.getLogger("seg5b")
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What ``flock`` answers on a file system without locks."""
_LOCK = "reader.lock"
_TRIES = 10


@contextmanager
def reader_scratch(root: RunRoot, label: str) -> Iterator[Path]:
    """A fresh folder for what a reader spills, an absolute path; removed at the end whatever happens. Raises `OSError` where
    there is no room for one anywhere."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(_claimed(root.path.absolute() / "tmp", label))
        except OSError as cause:
            _log.info("no scratch space in the run (%s): the system's is used", cause.strerror or cause)
            named = TemporaryDirectory(prefix=f"seg5b_{label}_", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(named))
        stack.callback(shutil.rmtree, elsewhere(folder), ignore_errors=True)
        yield folder


def elsewhere(folder: Path) -> Path:
    """Where to put what finds no room in the scratch ``folder`` of a reader: a folder of the system's that whoever needs it
    makes, and that goes with the other."""
    return Path(gettempdir()) / f"seg5b_elsewhere_{folder.name}"


def sweep(leftover: Path) -> None:
    """Delete what lies in ``tmp``, unless it is the scratch of a reader that is still at work."""
    if leftover.is_symlink() or not leftover.is_dir():
        leftover.unlink(missing_ok=True)
        return
    with ExitStack() as stack:
        try:
            handle = stack.enter_context((leftover / _LOCK).open("r+b"))
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held while the folder goes, so that no reader takes it
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as cause:
            owner = owner_in(leftover / _LOCK) if cause.errno in NO_LOCKS else None
            if owner is None or not has_ended(owner):
                return
        shutil.rmtree(leftover, ignore_errors=True)


def has_reader(leftover: Path) -> bool:
    """Whether what lies in ``tmp`` is the scratch of a reader that is still at work, as far as this host can tell."""
    try:
        with (leftover / _LOCK).open("r+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as cause:
        owner = owner_in(leftover / _LOCK) if cause.errno in NO_LOCKS else None
        return owner is None or not has_ended(owner)
    return False


@contextmanager
def _claimed(tmp: Path, label: str) -> Iterator[Path]:
    """A folder that no sweeper takes. One that was swept before it was locked is not used. Raises `OSError`."""
    for _ in range(_TRIES):
        folder = tmp / f"{label}_{uuid.uuid4().hex}"
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            try:
                handle = stack.enter_context((folder / _LOCK).open("x"))
                json.dump(this_process(), handle)
                handle.flush()
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            except OSError as cause:
                if cause.errno not in NO_LOCKS:
                    raise
            if os.fstat(handle.fileno()).st_nlink:
                yield folder
                return
    raise OSError(errno.EBUSY, "scratch space is swept again and again", str(tmp))
