"""What a life is made of: sections of sentences and tables, and the integers behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seg5b.sheets import Section


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
