"""Folders with odd names: every command works below them as below any other. A name that is no text is refused."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from tests.torture.bench import Bench
from tests.torture.judging import whole
from tests.torture.verdict import Case

NAMES = "odd names"
NO_TEXT = b"\xff\xfe"
ODD: tuple[bytes, ...] = (
    b"$home",
    b"[/b]",
    b"[bold",
    b"a b",
    b"q\"uo'te",
    b"x=1",
    b"*?[a]",
    NO_TEXT,
    b"n" * 200,
    b"line\nbreak",
    b"%s{0}",
    b"#?&;",
    b"~",
    b"back\\slash",
    "ünï-京".encode(),
)
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("run", "--json"),
    ("verify", "--json"),
    ("digest",),
    ("status",),
    ("verify",),
    ("run",),
    ("score", "--json"),
    ("report", "--json", "--out", "{folder}/report.html"),
)


def cases() -> list[Case]:
    """Each name for the folder that holds the runs."""
    short = (b"a b",)
    return [Case(NAMES, repr(os.fsdecode(name))[:40], partial(_named, name), name in short) for name in ODD]


def _named(name: bytes, bench: Bench, folder: Path) -> str:
    runs_root = bench.copy(bench.world, folder / os.fsdecode(name))
    for command in COMMANDS:
        words = (word.replace("{folder}", str(folder)) for word in command)
        ended = bench.seg5b(*words, "--runs-root", runs_root)
        if name == NO_TEXT and "5B.RUN.PATH_NOT_TEXT" in ended.out + ended.err:
            return ""
        if ended.status:
            told = ended.out[:200] if "--json" in command and ended.out else ended.cause()
            return f"{' '.join(command)}: {told}"
    return whole(bench, runs_root)
