"""Limits that a process is started under, and a disk that is full: as for faults (law L16)."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from tests.torture.bench import Bench
from tests.torture.judging import broken_and_mended, ended_well, goes_on, not_by_halves
from tests.torture.verdict import Case, Told, first_wrong

LIMITS = "limits"
DISK = "full disk"
NOBODY = 65534
"""The user that has no rights."""
MEBIBYTE = 1 << 20
# Files of 16 KiB must be allowed: what the command prints goes to a file.
VALUES: dict[str, tuple[int, ...]] = {
    "RLIMIT_AS": tuple(size * MEBIBYTE for size in (600, 900, 1200, 1500, 2000, 2500, 3000, 4000)),
    "RLIMIT_FSIZE": (1 << 14, 1 << 16, 1 << 18, 1 << 20),
    "RLIMIT_NOFILE": (12, 20, 28, 40, 64),
    "RLIMIT_NPROC": (1, 4, 8, 16),
}
DISK_KIB = (1700, 1800, 2000, 2300, 2600, 3000, 3500, 4000, 4500, 5000)
"""Sizes of the disk: the world alone needs about 1,600, a whole run 5,500."""
_SHORT = {("RLIMIT_FSIZE", 1 << 20)}


def cases() -> list[Case]:
    """Limits by name and value; disks by size."""
    found = [
        Case(LIMITS, f"{name} {value:,}", partial(_limited, name, value), (name, value) in _SHORT)
        for name, values in VALUES.items()
        for value in values
    ]
    return found + [Case(DISK, f"{size:,} KiB", partial(_full, size)) for size in DISK_KIB]


def _limited(name: str, value: int, bench: Bench, folder: Path) -> str | Told:
    runs_root = bench.copy(bench.world, folder / "runs")
    how: dict[str, Any] = {"limits": {getattr(resource, name): value}}
    if name == "RLIMIT_NPROC":
        # It counts what its user runs, and does not hold for root: another user has nothing else under way.
        if os.geteuid() != 0:
            return Told("", {"skipped": "only root can run a command as another user"})
        _give(bench.folder, folder)
        how |= {"user": NOBODY, "env": {"HOME": str(folder), "NUMBA_CACHE_DIR": str(folder)}}
    ended = bench.seg5b("run", "--json", "--runs-root", runs_root, **how)
    return broken_and_mended(bench, ended, runs_root)


def _give(above: Path, folder: Path) -> None:
    """Let that user write into a case's folder, and reach it."""
    above.chmod(0o755)
    for path in (folder.parent, folder, *folder.rglob("*")):
        os.chown(path, NOBODY, -1)


def can_mount() -> bool:
    """Whether this process may mount a file system in memory."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def _mount(place: Path, size_kib: int, *how: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", ",".join((f"size={size_kib}k", *how)), "tmpfs", str(place)]
    subprocess.run(command, check=True, capture_output=True)


def _full(size_kib: int, bench: Bench, folder: Path) -> str | Told:
    if not can_mount():
        return Told("", {"skipped": "only root can mount a file system in memory"})
    place = folder / "disk"
    place.mkdir()
    _mount(place, size_kib)
    try:
        runs_root = bench.copy(bench.world, place / "runs")
        ended = bench.seg5b("run", "--json", "--runs-root", runs_root)
        wrong = first_wrong(lambda: ended_well(ended), lambda: not_by_halves(bench, runs_root))
        _mount(place, 64 * DISK_KIB[-1], "remount")
        return wrong or goes_on(bench, runs_root)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)
