"""What is told of the steps of making a world while it is made."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with a step's label, the units done and the units in all."""


class Steps:
    """A step of ``total`` parts that are told one by one."""

    def __init__(self, report: Progress, label: str, total: int) -> None:
        self._report, self._label, self._total, self._done = report, label, total, 0
        report(label, 0, total)

    def done(self) -> None:
        """One more part is done."""
        self._done += 1
        self._report(self._label, self._done, self._total)
