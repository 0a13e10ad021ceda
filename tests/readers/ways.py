"""How a reader reads: lines of Python that are run as they stand in the reference page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.readers.truth import IDS, LOCAL, OFFSETS

READS: Final = ("whole", "scenario", "merchant", "period")
QUESTIONS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "rows": ("whole", ()),
    "ids": ("whole", IDS),
    "clocks": ("whole", ("ts_utc", *LOCAL, *OFFSETS)),
    "scenario": ("scenario", (*IDS, "ts_utc", *LOCAL)),
    "merchant": ("merchant", (*IDS, "ts_utc", *LOCAL)),
    "period": ("period", (*IDS, "ts_utc", *LOCAL)),
    "night": ("period", ("ts_utc", *LOCAL, *OFFSETS)),
}
"""What is asked of every way: which read answers it, and the columns that must be right. ``night`` is the period of one."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to read the arrivals. ``source``: ``published`` (the dataset's folder in a run) or ``exported``. ``opened``:
    statements that come first. The other four are expressions: all rows, those of one scenario, of one merchant, and from one
    moment to another. ``fault``: what the reader does wrong here, if it does, and then no answer is demanded."""

    source: str
    opened: str
    whole: str
    scenario: str
    merchant: str
    period: str
    fault: str = ""

    @property
    def line(self) -> str:
        """The one that says what is special: the one that opens ``arrivals``, or the last before, or that of all rows."""
        opened = self.opened.splitlines() or [self.whole]
        return next((each.removeprefix("arrivals = ") for each in opened if each.startswith("arrivals = ")), opened[-1])


@dataclass(frozen=True, slots=True)
class Reader:
    """A library that reads. ``name``: as people call it. ``package``: whose release counts. ``beside``: other packages whose
    release matters. ``prepared``: imports and what else comes first. ``rows``: what an expression gives, row by row, values by
    column name. ``note``: what to know about it."""

    name: str
    package: str
    prepared: str
    ways: tuple[Way, ...]
    rows: Callable[[Any], Iterable[Mapping[str, Any]]]
    beside: tuple[str, ...] = ()
    note: str = ""
