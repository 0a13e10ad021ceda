"""Reading files that may be damaged, missing or misplaced: every trouble becomes one `DamageError` with its
reason.

The callers know the state and the code; they turn `DamageError` into the typed error that the user sees.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seg5b.gate.canonical import parse_json

_BLOCK = 1 << 20


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
        raise DamageError(f"cannot be looked up: {cause}") from cause


def may_exist(path: Path) -> bool:
    """Whether something is there; also True where that cannot be told, so that reading it says why."""
    try:
        return path.exists()
    except OSError:
        return True


def is_folder(path: Path) -> bool:
    """Whether a folder is there. Raises `DamageError` where that cannot be told."""
    try:
        return path.is_dir()
    except OSError as cause:
        raise DamageError(f"cannot be looked up: {cause.strerror or cause}") from cause


def read_bytes(path: Path, fence: Path | None = None) -> bytes:
    """Whole content of a small file. Raises `DamageError`."""
    try:
        return checked_file(path, fence).read_bytes()
    except OSError as cause:
        raise DamageError(f"cannot be read: {cause.strerror or cause}") from cause


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


def blocks(path: Path) -> Iterator[bytes]:
    """Content of a file in blocks of 1 MiB. Raises `DamageError`."""
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
    except OSError as cause:
        raise DamageError(f"cannot be read: {cause.strerror or cause}") from cause


def concatenated_digest(files: list[Path]) -> str:
    """SHA-256 of the contents of ``files``, one after the other, nothing between them. Raises
    `DamageError`."""
    running = hashlib.sha256()
    for path in files:
        for block in blocks(path):
            running.update(block)
    return running.hexdigest()
