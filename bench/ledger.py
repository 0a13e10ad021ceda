"""What a sitting leaves: one JSON, written anew after every piece, and a history with a line for each piece."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

QUIET_CORES = 0.2
"""A piece is quiet if everything else on the machine used less of its cores than this while it ran; the
kernel's own work of writing files counts as else."""


@dataclass
class Ledger:
    """The JSON ``out`` and the history ``history`` (None: none). ``head``: what is true of the whole sitting."""

    out: Path
    history: Path | None
    head: dict[str, Any]
    pieces: dict[str, Any] = field(default_factory=dict)

    def measure(self, name: str, piece: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Run a piece, note how quiet the machine was meanwhile, and write what is known by now."""
        busy, own, begun = busy_seconds(), own_seconds(), time.monotonic()
        try:
            figures = piece()
        except (SystemExit, subprocess.SubprocessError, OSError) as cause:  # the other pieces can still be measured
            figures = {"failed": str(cause)}
        seconds = time.monotonic() - begun
        others = max(busy_seconds() - busy - (own_seconds() - own), 0.0) / seconds
        entry = {"took_s": round(seconds, 1), "others_cores": round(others, 2), "quiet": others < QUIET_CORES}
        self.pieces[name] = {**entry, "figures": figures}
        self._write()
        if self.history is not None and not figures.keys() & {"skipped", "failed"}:
            line = {**self.head["history"], "piece": name, **self.pieces[name]}
            append_line(self.history, json.dumps(line, sort_keys=True))
        return figures

    def _write(self) -> None:
        quiet = all(piece["quiet"] for piece in self.pieces.values())
        head = {name: value for name, value in self.head.items() if name != "history"}
        text = json.dumps({**head, "quiet": quiet, "pieces": self.pieces}, indent=1)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.out.with_suffix(".writing")
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(self.out)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file that grows; one that was torn off before stays a line of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as stream:
        stream.write(("\n" if torn else "") + line + "\n")


def busy_seconds() -> float:
    """CPU seconds that all cores of the machine have worked since it started, waiting and idling aside."""
    try:
        name, *ticks = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
    except OSError:
        return own_seconds()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
    assert name == "cpu"
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """CPU seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
