"""Reading and hashing files that may be damaged, missing or misplaced: every fault becomes one `DamageError` with its
reason. What the system refuses is no fault of theirs, and stays the `OSError` that it is (law L16).

The callers know the state and the code; they turn `DamageError` into the typed error that the user sees.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from seg5b.foreign_json import parse_json
from seg5b.hashing import (
    ConcatenatedSha256,
    FileChangedError,
    concatenated_sha256,
    remembered_sha256,
    side_by_side,
)
from seg5b.refusals import pass_on_refusal

_T = TypeVar("_T")
_QUIET_BELOW = 1 << 28


class DamageError(Exception):
    """A file or folder that cannot be used; the text says why, in words that follow its name."""


class AbsentError(DamageError):
    """DamageError of one kind: nothing is there."""


def inside(path: Path, fence: Path) -> Path:
    """``path``, when no symbolic link carries it out of ``fence``. Raises `DamageError`."""
    try:
        if path.resolve().is_relative_to(fence.resolve()):
            return path
    except (OSError, RuntimeError, ValueError) as cause:  # RuntimeError: a loop of symbolic links
        pass_on_refusal(cause)
        raise DamageError(f"cannot be resolved: {cause}") from cause
    raise DamageError(f"leads outside {fence}")


def checked_file(path: Path, fence: Path | None = None) -> Path:
    """``path``, when it is a regular file (inside ``fence``). Raises `DamageError`."""
    if fence is not None:
        inside(path, fence)
    try:
        if path.is_file():
            return path
        raise DamageError("is not a regular file") if path.exists() else AbsentError("does not exist")
    except (OSError, ValueError) as cause:
        pass_on_refusal(cause)
        raise DamageError(f"cannot be looked up: {cause}") from cause


def may_exist(path: Path) -> bool:
    """Whether something is there; also True where that cannot be determined, so that reading it says why."""
    try:
        return path.exists()
    except OSError:
        return True


def is_folder(path: Path) -> bool:
    """Whether a folder is there. Raises `DamageError` where that cannot be determined."""
    try:
        return path.is_dir()
    except OSError as cause:
        pass_on_refusal(cause)
        raise DamageError(f"cannot be looked up: {cause.strerror or cause}") from cause


def read_bytes(path: Path, fence: Path | None = None) -> bytes:
    """Whole content of a small file. Raises `DamageError`."""
    with _readable():
        return checked_file(path, fence).read_bytes()


def read_json(path: Path, fence: Path | None = None) -> Any:
    """Strictly parsed content of a JSON file. Raises `DamageError`."""
    content = read_bytes(path, fence)
    try:
        return parse_json(content)
    except ValueError as cause:
        raise DamageError(f"is not JSON: {cause}") from cause


def regular_files(folder: Path, fence: Path) -> list[Path]:
    """Every regular file below ``folder``, at any depth, in ascending relative POSIX path order.

    Raises `DamageError` for folders behind symbolic links (a walk would not see what lies there) and for
    links that leave ``fence``.
    """
    inside(folder, fence)
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_unreadable):
        here = Path(parent)
        linked = next((name for name in sorted(folders) if (here / name).is_symlink()), None)
        if linked is not None:
            raise DamageError(f"holds the symbolic link {(here / linked).relative_to(folder)} to a folder")
        paths = (here / name for name in names)
        found += (path if not path.is_symlink() else inside(path, fence) for path in paths if path.is_file())
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _unreadable(cause: OSError) -> None:
    raise DamageError(f"cannot be listed: {cause.strerror or cause}") from cause


def file_size(path: Path) -> int:
    """Size in bytes. Raises `DamageError`."""
    with _readable():
        return path.stat().st_size


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, from memory where the file did not change since (`remembered_sha256`).

    Raises `DamageError`, also when the file changes while it is read.
    """
    with _readable():
        try:
            return remembered_sha256(path)
        except FileChangedError as cause:
            raise DamageError("changes while it is read") from cause


def hash_files(paths: Sequence[Path], note: Callable[[str], None]) -> list[str]:
    """`file_sha256` of each path, in order, side by side.

    ``note`` is called after each tenth of the bytes when there are more than 256 MiB. Raises `DamageError`, whose
    text starts with the file it concerns.
    """
    sizes = [_named(file_size, path) for path in paths]
    progress = _Tenths(sum(sizes), note)
    digests = []
    for size, digest in zip(sizes, side_by_side(_named_sha256, paths), strict=True):
        digests.append(digest)
        progress.add(size)
    return digests


def concatenated_digest(files: list[Path]) -> str:
    """SHA-256 of the contents of ``files``, one after the other, nothing between them. Raises
    `DamageError`."""
    with _readable():
        return concatenated_sha256(files)


def add_member(digest: ConcatenatedSha256, path: Path) -> str:
    """Append a file to a bundle's digest; returns the file's own. Raises `DamageError`."""
    with _readable():
        return digest.add(path)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        pass_on_refusal(cause)
        raise DamageError(f"cannot be read: {cause.strerror or cause}") from cause


def _named_sha256(path: Path) -> str:
    return _named(file_sha256, path)


def _named(function: Callable[[Path], _T], path: Path) -> _T:
    try:
        return function(path)
    except DamageError as cause:
        raise DamageError(f"{path} {cause}") from cause


class _Tenths:
    """Reports how far a long hashing has come, at most ten times."""

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
