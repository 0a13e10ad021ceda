"""Where an export goes: a file, a folder, stdout, an object.

It appears there whole or not at all, replaces nothing without being told to, and never lies in a run (law L18).
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import uuid
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from seg5b.errors import PublishError
from seg5b.publish import put_in_place
from seg5b.runs.root import RECEIPT_NAME

STDOUT: Final = "-"
_OF_AN_EXPORT = re.compile(r"part-\d{6}\.(parquet|arrow|(csv|jsonl)(\.gz|\.zst)?)|[^/=]+=[^/]*")
"""Names of files and folders that an export into a folder makes."""


class Target(Protocol):
    """Gives streams to write to. Leaving it without an exception brings all of it into place."""

    def __enter__(self) -> Target: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...

    def open(self, name: str) -> Any:
        """A stream for the file ``name`` below the target, or for the target itself where it is one file. Closed by the
        caller, one after the other."""


def _refused(reason: str, what: str, path: str | Path, remedy: str) -> PublishError:
    return PublishError(f"5B.EXPORT.{reason}", what, where=str(path), remedy=remedy)


def check_place(path: Path, *, overwrite: bool, folder: bool) -> None:
    """Whether an export may go to ``path``. Raises `PublishError` ``5B.EXPORT.TARGET_IN_RUN``,
    ``5B.EXPORT.TARGET_SPECIAL``, ``5B.EXPORT.TARGET_EXISTS``, ``5B.EXPORT.TARGET_NOT_OURS``, ``5B.EXPORT.NO_FOLDER``."""
    if not path.parent.is_dir():
        raise _refused("NO_FOLDER", f"there is no folder {path.parent}", path, "make it, or name another")
    place = path.parent.resolve() / path.name
    for above in (place, *place.parents):
        if (above / RECEIPT_NAME).exists():
            raise _refused(
                "TARGET_IN_RUN", "that lies in a run, which nothing is written to", path, "name another place"
            )
    if not os.path.lexists(path):
        return
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        what = "a symbolic link is there" if stat.S_ISLNK(mode) else "what is there is neither a file nor a folder"
        raise _refused(
            "TARGET_SPECIAL", what, path, "name a file; --out - writes to stdout, and to whatever it is led to"
        )
    if stat.S_ISDIR(mode) != folder:
        remedy = "name a file in it, or say --partition-by" if not folder else "name a folder"
        raise _refused("TARGET_EXISTS", f"a {'file' if folder else 'folder'} is there", path, remedy)
    if not overwrite:
        raise _refused("TARGET_EXISTS", "something is there already", path, "name another place, or say --overwrite")


class LocalFile:
    """A file, written beside its place under a hidden name."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        check_place(path, overwrite=overwrite, folder=False)
        self._path, self._overwrite = path, overwrite
        self._staged = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex}.partial")
        self._stream: BinaryIO | None = None

    def __enter__(self) -> LocalFile:
        return self

    def open(self, name: str) -> BinaryIO:
        """The file. Raises `OSError`."""
        self._stream = self._staged.open("xb")
        return self._stream

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            _close(self._stream, kind)
            if kind is None:
                check_place(self._path, overwrite=self._overwrite, folder=False)
                _put(self._staged, self._path, replace=self._overwrite)
        finally:
            self._staged.unlink(missing_ok=True)


class LocalFolder:
    """A folder of files, filled beside its place under a hidden name. With ``overwrite`` the folder of an earlier export makes
    room, one that holds anything else does not."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        check_place(path, overwrite=overwrite, folder=True)
        _check_ours(path)
        self._path = path
        self._staged = path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex}.partial")
        self._stream: BinaryIO | None = None

    def __enter__(self) -> LocalFolder:
        self._staged.mkdir()
        return self

    def open(self, name: str) -> BinaryIO:
        """A file in the folder. Raises `OSError`."""
        file = self._staged / name
        file.parent.mkdir(parents=True, exist_ok=True)
        self._stream = file.open("xb")
        return self._stream

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        old = self._staged.with_suffix(".old")
        try:
            _close(self._stream, kind)
            if kind is None:
                if os.path.lexists(self._path):
                    _check_ours(self._path)
                    self._path.rename(old)
                try:
                    _put(self._staged, self._path, replace=False)
                except BaseException:
                    if old.exists():
                        old.rename(self._path)
                    raise
                shutil.rmtree(
                    old, ignore_errors=True
                )  # only now: where it cannot go back, it stays under its hidden name
        finally:
            shutil.rmtree(self._staged, ignore_errors=True)


def _close(stream: BinaryIO | None, failed: type[BaseException] | None) -> None:
    """What is left open after a failure; that it cannot be written out then is no news."""
    if stream is not None:
        with suppress(OSError) if failed else nullcontext():
            stream.close()


def _put(staged: Path, path: Path, *, replace: bool) -> None:
    try:
        put_in_place(staged, path, replace=replace)
    except FileExistsError:
        raise _refused("TARGET_EXISTS", "something came there meanwhile", path, "name another place") from None


def _check_ours(folder: Path) -> None:
    if not folder.is_dir():
        return
    for path in folder.rglob("*"):
        if not _OF_AN_EXPORT.fullmatch(path.name) or path.is_symlink() or path.is_dir() != ("=" in path.name):
            what = f"the folder holds {path.relative_to(folder)}, which no export wrote"
            raise _refused("TARGET_NOT_OURS", what, folder, "name another folder, or empty this one yourself")


class Stdout:
    """Standard output, as bytes."""

    def __init__(self, *, binary: bool) -> None:
        if binary and sys.stdout.isatty():
            raise _refused(
                "TARGET_SPECIAL", "a terminal does not show this format", STDOUT, "lead it to a file or program"
            )

    def __enter__(self) -> Stdout:
        return self

    def open(self, name: str) -> _Piped:
        """Standard output; closing it leaves the descriptor open."""
        sys.stdout.flush()
        return _Piped()

    def __exit__(self, *_: object) -> None:
        return


class _Piped:
    """A descriptor that counts what went through it, since a pipe cannot say."""

    def __init__(self) -> None:
        self._stream = sys.stdout.buffer
        self._written = 0
        self.closed = False

    def write(self, piece: Any) -> int:
        self._stream.write(piece)
        size = memoryview(piece).nbytes
        self._written += size
        return size

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.flush()

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


class Objects:
    """An object at an ``s3://`` URL, or those below one. Each object appears when it is whole; of several, those that were
    written before a failure are deleted again."""

    def __init__(self, url: str, *, overwrite: bool, folder: bool) -> None:
        from seg5b.tables.objects import ObjectStore

        self._store = ObjectStore(url)
        self._opened: list[tuple[str, Any]] = []
        if not self._store.exists():
            return
        if folder:
            remedy = "name another prefix: the objects below one are not replaced"
            raise _refused("TARGET_EXISTS", "objects are there already", url, remedy)
        if not overwrite:
            raise _refused("TARGET_EXISTS", "an object is there already", url, "name another, or say --overwrite")

    def __enter__(self) -> Objects:
        return self

    def open(self, name: str) -> Any:
        """A new object. Raises `PublishError` ``5B.EXPORT.STORE_FAILED``."""
        self._opened.append((name, self._store.open(name)))
        return self._opened[-1][1]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            return
        for name, stream in self._opened:
            if stream.closed and name:
                self._store.delete(name)
            stream.abandon()


def target_of(out: str, *, overwrite: bool, folder: bool, binary: bool) -> Target:
    """The target that ``out`` names. Raises `PublishError` as `check_place`, ``5B.EXPORT.TARGET_UNKNOWN`` for a URL of
    another kind than ``s3://``."""
    if out == STDOUT:
        if folder:
            raise _refused("TARGET_UNKNOWN", "stdout is no folder", out, "name a folder, or leave out --partition-by")
        return Stdout(binary=binary)
    if out.startswith("s3://"):
        return Objects(out, overwrite=overwrite, folder=folder)
    if "://" in out:
        what = f"{out.split('://')[0]}:// is no place that is written to"
        raise _refused("TARGET_UNKNOWN", what, out, "name a file, a folder, - or an s3:// URL")
    path = Path(out)
    return (LocalFolder if folder else LocalFile)(path, overwrite=overwrite)
