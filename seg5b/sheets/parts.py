"""What a sheet is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """A small table. ``rows`` hold a text for each of ``columns``; ``numbers`` names columns that are set to the right;
    ``picked`` is the row that was taken, marked in a column of the name ``mark``."""

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
