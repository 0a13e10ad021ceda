"""A planted fault, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Edit:
    """``old`` occurs exactly once in a source file and becomes ``new``. ``@name@`` stands for a place of the world
    (`tests.mutation.places`)."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``kind``: what is wrong, as the table groups them; ``does``: one sentence.

    Code: ``edits`` make a copy of the sources with which S1-S4 run. ``judged_by_the_same``: with which S5 and the score run
    too, as where the wrong line is one that both use. Data: ``act`` changes the files of a finished run, whose records are
    mended afterwards. ``quick``: also part of `make test`, on a small world.
    """

    name: str
    kind: str
    does: str
    world: str = "many"
    edits: tuple[Edit, ...] = ()
    act: Callable[[Path], None] | None = None
    judged_by_the_same: bool = False
    quick: bool = False

    @property
    def compiles(self) -> bool:
        """Whether a kernel is another one."""
        return any(edit.file.startswith("kernels/") for edit in self.edits)


@dataclass(frozen=True, slots=True)
class Noticed:
    """Who noticed a fault. ``checks``: ids of S5 that failed; a code in brackets where S5 came to no verdict. ``grade`` of
    the score, asked where S5 passed, and ``gates`` of it that are not what they are without a fault. ``replayed``: datasets that
    replay names, None where it was not asked, because S5 or the score had noticed. ``changed``: datasets that differ from the lawful run's."""

    checks: tuple[str, ...] = ()
    grade: str = ""
    gates: tuple[str, ...] = ()
    replayed: tuple[str, ...] | None = None
    changed: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """``S5``, ``score``, ``replay`` or ``nothing``."""
        if self.checks:
            return "S5"
        if self.gates:
            return "score"
        return "replay" if self.replayed else "nothing"

    @property
    def named(self) -> tuple[str, ...]:
        """What noticed it, as it is pinned: check ids, else gates, else ``replay``, else nothing."""
        return self.checks or self.gates or (("replay",) if self.replayed else ())

    def as_json(self) -> dict[str, Any]:
        """To be kept."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Noticed:
        """From what was kept."""
        lists: Mapping[str, Sequence[str] | None] = {n: kept[n] for n in ("checks", "gates", "replayed", "changed")}
        tuples: dict[str, Any] = {name: None if value is None else tuple(value) for name, value in lists.items()}
        return cls(grade=kept["grade"], seconds=kept["seconds"], **tuples)
