"""What is told of the steps of making a world while it is made."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with a step's label, the units done and the units in all."""


def untold(label: str, done: int, total: int) -> None:
    """Receives the steps where nobody asks for them."""
