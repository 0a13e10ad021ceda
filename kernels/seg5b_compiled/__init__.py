"""How compiled loops are kept between processes; for the kernels, and for the loops that judge what they made.

numba keeps a compiled function in files beside an index, and trusts them: a file that is cut or changed ends in an error of
the unpickler or worse, at every start. Here each file carries its digest, one that does not match is no file, and what
cannot be kept is compiled again next time (law L16).
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import pickle
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

_DIGEST_BYTES = 32
_log = logging.getLogger("seg5b.compiled")


def source_digest(package: Path) -> str:
    """First 16 hex digits of the SHA-256 over every source file of a package and its subpackages, in order of their paths.

    numba decides whether a kept function is stale from the file of the outermost function alone, but a loop is made of
    functions from many files: a folder named after all of them can never hold a stale one.
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def cache_folder(name: str) -> Path:
    """A folder of this name that can be written: below ``NUMBA_CACHE_DIR`` or ``XDG_CACHE_HOME`` if set, else ``~/.cache``;
    where that cannot be had, below a temporary folder that only this user may enter, or one of this process alone."""
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home
        home = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return _writable(Path(home) / "seg5b" / name)
    with suppress(OSError):
        mine = Path(tempfile.gettempdir()) / f"seg5b-{os.geteuid()}"
        with suppress(FileExistsError):
            mine.mkdir(mode=0o700)
        if _is_private(mine):
            return _writable(mine / name)
    alone = Path(tempfile.mkdtemp(prefix="seg5b-"))
    atexit.register(shutil.rmtree, alone, ignore_errors=True)
    return alone


def _writable(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
    return folder


def _is_private(folder: Path) -> bool:
    """Whether what lies there was put there by this user: it will be executed."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def kept(compile_: Callable[..., Any], function: Callable[..., Any], folder: Path) -> Any:
    """``compile_(function)``, numba's dispatcher with its cache switched on, its compiled forms kept in ``folder``."""
    from numba import config  # here: most commands compile nothing, and it takes as long to import as all the rest

    _tell_of_compiling()
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        dispatcher = compile_(function)
    finally:
        config.CACHE_DIR = before
    if not hasattr(dispatcher, "_cache"):
        return dispatcher  # the simulator's, or compilation is switched off
    files = dispatcher._cache._cache_file
    files.__class__ = type("CheckedFiles", (_Checked, type(files)), {})
    dispatcher._cache._guard_against_spurious_io_errors = _without_cache_if_refused
    return dispatcher


_COUNTING = threading.Lock()
_spent: list[float] = []
"""Seconds of each function that was compiled in this process."""


def compiled_seconds() -> float:
    """Seconds that this process has spent compiling so far, all threads together; none for what was found in the cache."""
    with _COUNTING:
        return sum(_spent)


@cache
def _tell_of_compiling() -> None:
    """From now on the log says which functions are compiled, and how long each took; what is taken from the cache is not."""
    from numba.core import event

    class Telling(event.Listener):  # type: ignore[misc]
        """Tells of the function that was asked for, not of those that it calls."""

        def __init__(self) -> None:
            self._thread = threading.local()

        def on_start(self, event: Any) -> None:
            started = self._thread.__dict__.setdefault("started", [])
            if not started:
                _log.info("compiling %s", _name(event))
            started.append(time.perf_counter())

        def on_end(self, event: Any) -> None:
            seconds = time.perf_counter() - self._thread.started.pop()
            if not self._thread.started:
                with _COUNTING:
                    _spent.append(seconds)
                _log.info("compiled %s in %.1f s", _name(event), seconds)

    event.register("numba:compile", Telling())


def _name(event: Any) -> str:
    return str(event.data["dispatcher"].py_func.__qualname__)


@contextmanager
def _without_cache_if_refused() -> Iterator[None]:
    with suppress(OSError):
        yield


class _Checked:
    """numba's index and data files (``IndexDataCacheFile``), each behind the SHA-256 of the rest of it."""

    def _load_index(self: Any) -> dict[Any, str]:
        try:
            version, stamp, names = _read(Path(self._index_path))
        except OSError:
            return {}
        return dict(names) if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self: Any, overloads: dict[Any, str]) -> None:
        _write(self, self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self: Any, name: str) -> Any:
        return _read(Path(self._data_path(name)))

    def _save_data(self: Any, name: str, data: Any) -> None:
        _write(self, self._data_path(name), data)


def _write(files: Any, path: str, data: Any) -> None:
    content = files._dump(data)
    with files._open_for_write(path) as stream:
        stream.write(hashlib.sha256(content).digest() + content)


def _read(path: Path) -> Any:
    content = path.read_bytes()
    if hashlib.sha256(content[_DIGEST_BYTES:]).digest() != content[:_DIGEST_BYTES]:
        raise OSError(f"{path} is damaged")
    try:
        return pickle.loads(content[_DIGEST_BYTES:])
    except Exception as cause:  # another release of numba wrote it, whose classes are not here
        raise OSError(f"{path} is another release's") from cause
