"""The preloaded shim: how it is built, how it is told what to break, and what it saw."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
KINDS = ("open", "read", "write", "sync", "rename", "mkdir", "unlink", "link", "lock")
"""Kinds of calls: open for writing, open for reading, write, fsync and fdatasync, rename, mkdir, unlink and rmdir, link,
flock."""


def compiler() -> str | None:
    """The system's C compiler, if it has one."""
    return shutil.which("cc")


def build(folder: Path) -> Path:
    """Compile the shim into ``folder``; returns the library."""
    library = folder / "shim.so"
    command = [compiler() or "cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True)
    return library


@dataclass(frozen=True, slots=True)
class Strike:
    """What to break: the ``at``-th call (from 1) of ``kinds`` whose path has ``path`` in it, and how.

    ``do``: ``kill``, ``torn`` (half of a write, then kill), ``short`` (half of a write), or an errno to fail with.
    ``on``: that call and all later ones. ``room``: bytes that the disk still has; writes beyond fail with ``do``.
    """

    kinds: tuple[str, ...] = KINDS
    at: int = 0
    do: str | int = "kill"
    on: bool = False
    path: str = ""
    room: int | None = None

    def environment(self) -> dict[str, str]:
        """The variables that the shim reads."""
        return {
            "TORTURE_KINDS": ",".join(self.kinds),
            "TORTURE_AT": str(self.at),
            "TORTURE_DO": str(self.do),
            "TORTURE_ON": str(int(self.on)),
            "TORTURE_PATH": self.path,
            "TORTURE_ROOM": "" if self.room is None else str(self.room),
        }

    def __str__(self) -> str:
        """As it stands in names of cases."""
        what = self.do if isinstance(self.do, str) else os.strerror(self.do)
        if self.room is not None:
            return f"{what} after {self.room:,} bytes"
        where = f" of *{self.path}*" if self.path else ""
        return f"{what} at {'+'.join(self.kinds)} {self.at}{where}{' and later' if self.on else ''}"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the shim saw: its kind, its bytes if it is a write, and its path."""

    kind: str
    size: int
    path: str


def calls(log: Path) -> list[Call]:
    """What a log says, in order."""
    found = []
    for line in log.read_bytes().splitlines():
        _, kind, size, path = line.split(b" ", 3)
        found.append(Call(kind.decode(), int(size), os.fsdecode(path)))
    return found
