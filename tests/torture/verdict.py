"""A case, what is right for it, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Case:
    """Something to break. ``judge(bench, folder)`` does it in an empty folder of its own and returns "" if what seg5b did is
    right, else what was wrong, in one line. ``short``: belongs to the short form, which is part of `make test`.
    """

    kind: str
    name: str
    judge: Callable[..., str]
    short: bool = False


HUNG = "hung for "
"""How a verdict on a command that had to be killed begins."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``wrong`` is "" where everything was right."""

    case: Case
    wrong: str
    seconds: float


def first_wrong(*findings: Callable[[], str]) -> str:
    """The first of several findings that says something; later ones are not looked at then."""
    return next((wrong for finding in findings if (wrong := finding())), "")


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended: ``status`` (negative: a signal), what it printed, and how long it took. ``hung``: it had to be
    killed, and ``err`` ends with where its threads were."""

    status: int
    out: str
    err: str
    seconds: float
    hung: bool

    def cause(self) -> str:
        """What it died of, as short as it can be said: the exception and the line of seg5b that it left."""
        if self.hung:
            return f"{HUNG}{self.seconds:.0f} s in {_place(self.err.rpartition('Thread 0x')[0] or self.err)}"
        last = next((line for line in reversed(self.err.splitlines()) if line.strip()), "nothing on stderr")
        return f"status {self.status}: {last[:160]} ({_place(self.err)})"


def _place(text: str) -> str:
    """The innermost line of seg5b that a traceback, or a dump of threads, names."""
    frames = [line.strip() for line in text.splitlines() if "/seg5b/" in line and "File " in line]
    if not frames:
        return "no frame of seg5b"
    name, _, rest = frames[-1].partition('"')[2].partition('"')
    return f"{name.rpartition('/seg5b/')[2] or Path(name).name}{rest.replace(', line ', ':').split(',')[0].split(' in ')[0]}"
