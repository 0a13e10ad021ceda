"""Publication: staged, synced, then renamed into place without ever replacing anything (law L12).

A target that exists with equal bytes is left alone; one with other bytes is a conflict. A process that is killed at
any instant leaves the target either absent or whole.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from seg5b.errors import PublishError
from seg5b.hashing import sha256_file, tree_digests

_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_NO_FLAG = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
"""What renaming with the flag is answered with by file systems (NFS, FUSE), kernels and sandboxes that do not know it. Where
something else is meant, renaming without it says so again."""
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK)
"""What making a hard link is answered with where a file cannot have (another) one."""


class Outcome(Enum):
    """What publication did."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"


@contextmanager
def staging_folder(scratch: Path, label: str) -> Iterator[Path]:
    """A fresh folder below ``scratch`` (same file system as the target), removed at the end whatever happens."""
    folder = scratch / f"{label}_{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish_bytes(content: bytes, target: Path, *, scratch: Path, state: str) -> Outcome:
    """Publish one small file from memory. Errors as `publish`."""
    with staging_folder(scratch, "bytes") as folder:
        staged = folder / target.name
        staged.write_bytes(content)
        return publish(staged, target, state=state)


Same = Callable[[Path, Path], bool]


def _nothing_else(published: Path, staged: Path) -> bool:
    return False


def publish(staged: Path, target: Path, *, state: str, same: Same = _nothing_else) -> Outcome:
    """Move a staged file or folder to ``target`` durably, refusing to replace.

    Parameters: ``staged`` on the same file system as ``target``; ``state`` (``S0`` .. ``S5``) names the error codes;
    ``same(published, staged)``: whether two files of different bytes count as equal.

    Returns `Outcome.UNCHANGED` when the target already holds the same (the staged copy stays where it is).
    Raises `PublishError` ``5B.<state>.IO_WRITE_CONFLICT`` when it holds others, ``5B.<state>.IO_WRITE_FAILED`` when
    the file system refuses.
    """
    try:
        make_folders(target.parent)
        _sync_tree(staged)
        try:
            _rename_without_replacing(staged, target)
        except FileExistsError:
            outcome = _accept_equal(staged, target, state, same)
            _sync_tree(target)  # whoever put it there may have been cut off before it was safe
            sync(target.parent)
            return outcome
        sync(target.parent)
    except OSError as cause:
        raise PublishError(
            f"5B.{state}.IO_WRITE_FAILED",
            f"could not publish: {cause.strerror or cause}",
            where=str(target),
            remedy="free space or fix permissions, then run the state again",
        ) from cause
    return Outcome.WRITTEN


def put_in_place(staged: Path, target: Path, *, replace: bool) -> None:
    """Move a staged file or folder to ``target`` durably, for what is no output of a run. ``replace``: in place of a file that
    is there. Raises `FileExistsError` where something is there that is not to be replaced, and `OSError`."""
    _sync_tree(staged)
    if replace:
        staged.replace(target)
    else:
        _rename_without_replacing(staged, target)
    sync(target.parent)


def _accept_equal(staged: Path, target: Path, state: str, same: Same) -> Outcome:
    new, old = _digests(staged, target.name), _digests(target, target.name)
    changed = sorted(name for name in new.keys() | old.keys() if new.get(name) != old.get(name))
    files = {name: (target / name, staged / name) if target.is_dir() else (target, staged) for name in changed}
    if new.keys() == old.keys() and all(same(*pair) for pair in files.values()):
        return Outcome.UNCHANGED
    raise PublishError(
        f"5B.{state}.IO_WRITE_CONFLICT",
        f"already published with other content ({len(changed)} of {len(new | old)} files differ, first {changed[0]!r})",
        where=str(target),
        remedy="nothing was replaced; reseal the run (`seg5b s0 --reseal`) to set the old outputs aside",
    )


def _digests(path: Path, name: str) -> dict[str, str]:
    """Digests of a folder's files, or of a file under ``name``: what it was staged as does not count."""
    return tree_digests(path) if path.is_dir() else {name: sha256_file(path)}


def _sync_tree(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _sync_tree(child)
    sync(path)


def make_folders(folder: Path) -> None:
    """Make a folder with those above it, so that they outlive a power cut. Raises `OSError`."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk itself when this returns. Raises `OSError`."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _rename_without_replacing(source: Path, target: Path) -> None:
    """``renameat2(RENAME_NOREPLACE)``; plain ``rename`` would silently replace a file or an empty folder. Raises `OSError`."""
    code = _renamed_by_flag(source, target)
    if code in _NO_FLAG:
        _rename_guarded(source, target)
    elif code:
        raise OSError(code, os.strerror(code), str(target))


def _renamed_by_flag(source: Path, target: Path) -> int:
    """0, or the error number."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return errno.ENOSYS
    flag = ctypes.c_uint(_RENAME_NOREPLACE)
    return ctypes.get_errno() if rename(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flag) else 0


def _rename_guarded(source: Path, target: Path) -> None:
    """The same where the flag is unknown. A hard link refuses to replace a file; folders, and file systems without links, are
    guarded by a look before the rename: one process at a time publishes to a run, so nothing comes in between."""
    if not source.is_dir():
        try:
            os.link(source, target)
        except OSError as cause:
            if cause.errno not in _NO_LINKS:
                raise
        else:
            source.unlink()
            return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)
