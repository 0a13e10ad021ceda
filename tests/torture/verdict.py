"""A case, what is right for it, and what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Told:
    """What a case tells that has more to say than right or wrong: ``wrong`` as below, and facts for its table."""

    wrong: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """Something to break. ``judge(bench, folder)`` does it in an empty folder of its own and returns "" if what seg5b did is
    right, else what was wrong, in one line; or that as `Told`. ``short``: belongs to the short form, which is part of
    `make test`.
    """

    kind: str
    name: str
    judge: Callable[..., str | Told]
    short: bool = False


HUNG = "hung for "
"""How a verdict on a command that had to be killed begins."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``wrong`` is "" where everything was right; ``wait_s``: seconds of the longest command of the case."""

    case: Case
    wrong: str
    wait_s: float
    facts: Mapping[str, Any] = field(default_factory=dict)


def first_wrong(*findings: Callable[[], str]) -> str:
    """The first of several findings that says something; later ones are not looked at then."""
    return next((wrong for finding in findings if (wrong := finding())), "")


class Waits(threading.local):
    """Seconds of the longest command that ended in this thread since ``longest_s`` was set to 0."""

    longest_s = 0.0


WAITS = Waits()


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended: ``status`` (negative: a signal), what it printed, and how long it took. ``hung``: it had to be
    killed, and ``err`` ends with where its threads were."""

    status: int
    out: str
    err: str
    seconds: float
    hung: bool

    def __post_init__(self) -> None:
        WAITS.longest_s = max(WAITS.longest_s, self.seconds)

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
