"""What the system refuses, and whatever nobody foresaw, as typed failures (law L16)."""

from __future__ import annotations

import errno
import logging
import os
import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seg5b.errors import Interruption, Seg5bError, SystemRefusal

_log = logging.getLogger("seg5b")

_PACKAGE = Path(__file__).parent
LEAST_ADDRESS_SPACE_B = 4_000_000_000
"""What Arrow, DuckDB, LLVM and their threads reserve at most for the smallest run, rounded up: 3.0 GB by 2 threads, 3.4 GB by
32 were measured, on 2 cores. With less, whichever asks last decides what happens: an abort, a crash, an interpreter that fails
for ever."""
_AGAIN = "then run again: what was finished is kept"
_MEMORY = "OUT_OF_MEMORY", f"free memory, or ask for less (--memory, --threads, --chunk-arrivals), {_AGAIN}"
_THREADS = "NO_MORE_THREADS", f"raise the limit of threads and processes, or ask for fewer (--threads), {_AGAIN}"
_SPACE = "DISK_FULL", f"free space, {_AGAIN}"
_RIGHTS = "NOT_PERMITTED", f"mend the permissions, {_AGAIN}"
_FILES = "TOO_MANY_FILES", f"raise the limit of open files, {_AGAIN}"
_OTHER = "IO_FAILED", f"look at the disk and its mount, {_AGAIN}"
_BY_NUMBER = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: ("FILE_TOO_LARGE", f"raise the limit of file sizes, {_AGAIN}"),
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: _THREADS,
}
_NO_ROOM = "failed to map segment from shared object", "cannot allocate memory"
_NO_THREAD = "can't start new thread"
_REFUSALS = (*_BY_NUMBER, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ETIMEDOUT)


def typed(failure: BaseException, room: str, where: str = "") -> Seg5bError:
    """The failure as a typed one. ``room``: ``S0`` .. ``S5`` or ``RUN``, names the code where it has none, ``where`` the
    place where the failure names none.

    A typed failure stays what it is. What the system refuses (`OSError`, `MemoryError`, a thread that cannot start)
    becomes `SystemRefusal` ``5B.<room>.DISK_FULL``, ``FILE_TOO_LARGE``, ``TOO_MANY_FILES``, ``NOT_PERMITTED``,
    ``OUT_OF_MEMORY``, ``NO_MORE_THREADS`` or ``IO_FAILED``; Ctrl-C and the like `Interruption` ``INTERRUPTED``. Anything
    else is a fault of the program, ``5B.<room>.UNEXPECTED``: its traceback goes to the log, and the place in the code is
    named (law L16).
    """
    if isinstance(failure, Seg5bError):
        return failure
    if not isinstance(failure, Exception):
        return Interruption(
            f"5B.{room}.INTERRUPTED", "interrupted", where=where, remedy="run again: what was finished is kept"
        )
    if isinstance(failure, OSError):
        reason, remedy = _BY_NUMBER.get(failure.errno or 0, _OTHER)
        return SystemRefusal(f"5B.{room}.{reason}", _words(failure), where=_file_of(failure) or where, remedy=remedy)
    if isinstance(failure, MemoryError) or _no_room_for_code(failure):
        reason, remedy = _MEMORY
        return SystemRefusal(f"5B.{room}.{reason}", f"no more memory: {_words(failure)}", where=where, remedy=remedy)
    if _no_thread(failure):
        reason, remedy = _THREADS
        return SystemRefusal(f"5B.{room}.{reason}", "the system starts no more threads", where=where, remedy=remedy)
    _log.error("%s", "".join(traceback.format_exception(failure)))
    return Seg5bError(
        f"5B.{room}.UNEXPECTED",
        f"a fault of this program, {type(failure).__name__}: {_words(failure)}",
        where=_place(failure),
        remedy="report it, with the run's log",
    )


def refuse_little_address_space() -> None:
    """Raises `SystemRefusal` ``5B.RUN.OUT_OF_MEMORY`` where this process is limited to less than `LEAST_ADDRESS_SPACE_B` of
    address space (``ulimit -v``): said before anything begins, since hardly a library can say it later (law L16)."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if 0 <= limit < LEAST_ADDRESS_SPACE_B:
        least = LEAST_ADDRESS_SPACE_B
        raise SystemRefusal(
            "5B.RUN.OUT_OF_MEMORY",
            f"the address space of this process is limited to {limit / 1e9:.2f} GB, less than {least / 1e9:.0f} GB",
            where="ulimit -v",
            remedy=f"raise the limit (`ulimit -v {least // 1000}` or unlimited); to limit memory in use, limit the control "
            "group (a container's or service's memory), or give --memory",
        )


def refused(failure: BaseException) -> bool:
    """Whether it was the system that refused something: space, memory, files, threads, permission, a disk that works. That
    says nothing about the content of a file; a file that is not there, or not what it should be, is another matter."""
    if isinstance(failure, OSError):
        return failure.errno in _REFUSALS
    return isinstance(failure, MemoryError) or _no_room_for_code(failure) or _no_thread(failure)


def pass_on_refusal(failure: BaseException) -> None:
    """For whoever takes a failure for a fault of what was read: raises it where it is none (see `refused`)."""
    if refused(failure):
        raise failure


def refusal_in_words(text: str) -> int:
    """The error number that a library wrote out in its message; 0 if it is none of those that `refused` knows."""
    return next((number for number in _REFUSALS if os.strerror(number) in text), 0)


@contextmanager
def typed_failures(room: str, where: str = "") -> Iterator[None]:
    """Whatever fails inside fails typed: raises `Seg5bError` as `typed` gives it."""
    try:
        yield
    except Seg5bError:
        raise
    except Exception as failure:
        raise typed(failure, room, where) from failure


def _no_thread(failure: BaseException) -> bool:
    return isinstance(failure, RuntimeError) and _NO_THREAD in str(failure)


def _no_room_for_code(failure: BaseException) -> bool:
    """Whether a compiled module could not be loaded for want of memory; `ImportError` says so in words only."""
    return isinstance(failure, ImportError) and any(words in str(failure) for words in _NO_ROOM)


def _words(failure: BaseException) -> str:
    told = (failure.strerror if isinstance(failure, OSError) else "") or str(failure) or type(failure).__name__
    return " ".join(told.split())[:400]


def _file_of(failure: OSError) -> str:
    return "" if failure.filename is None else str(failure.filename)


def _place(failure: BaseException) -> str:
    """The innermost line of this package that was under way."""
    steps = [
        step for step in traceback.extract_tb(failure.__traceback__) if Path(step.filename).is_relative_to(_PACKAGE)
    ]
    return f"{Path(steps[-1].filename).relative_to(_PACKAGE.parent)}:{steps[-1].lineno}" if steps else ""
