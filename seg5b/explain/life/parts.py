"""What a life is made of: sections of sentences and tables, and the integers behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """A small table. ``rows`` hold a text for each of ``columns``; ``numbers`` names columns that are set to the right;
    ``picked`` is the row that the arrival took, marked in a column of the name ``mark``."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[str] = frozenset()
    picked: int | None = None
    mark: str = "picked"

    def with_mark(self) -> Table:
        """The same with the mark as a column of its own, in front; without one where no row is picked."""
        if self.picked is None:
            return self
        rows = tuple(("✓" if place == self.picked else "", *row) for place, row in enumerate(self.rows))
        return Table(self.caption, (self.mark, *self.columns), rows, self.numbers)

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "caption": self.caption,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "picked": self.picked,
        }


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter: its title, sentences in order, then tables."""

    title: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        tables = [table.as_dict() for table in self.tables]
        return {"title": self.title, "sentences": list(self.sentences), "tables": tables}


@dataclass(frozen=True, slots=True)
class Integers:
    """Values behind one decision, by name: message, digest, key, counter, words, table slot. Large integers are texts."""

    title: str
    values: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {"title": self.title, "values": dict(self.values)}


@dataclass(frozen=True, slots=True)
class Life:
    """One arrival, or one bucket, as a story: ``holds`` says whether all that it tells is what was published."""

    title: str
    run_id: str
    holds: bool
    sections: tuple[Section, ...]
    integers: tuple[Integers, ...]

    def as_dict(self) -> dict[str, Any]:
        """For machines: the same sections, with their tables and integers."""
        return {
            "title": self.title,
            "sections": [section.as_dict() for section in self.sections],
            "integers": [each.as_dict() for each in self.integers],
        }
