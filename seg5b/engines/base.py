"""What an engine offers: one function, applied to many items, somewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """Shares out work. ``remote``: other processes do it, so that a function sees nothing of this process but its item."""

    name: str
    remote: bool

    def run(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """(item, ``function(item)``) for each item, as they are done. ``function`` is of a module's top level, and may be
        applied to an item twice, also at the same time.

        The first failure is raised as it was, and ends the rest: items under way may be finished, others are not begun.
        Raises `EngineError` for what fails beside the function.
        """

    def describe(self) -> dict[str, str | int]:
        """Name and size, for run records."""
