"""Progress of long work: a bar with elapsed time, rate and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

Advance = Callable[[int], None]


class Reporter(Protocol):
    """Where long work reports to."""

    @contextmanager
    def track(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        """Report ``total`` units of work; the yielded function adds how many more are done."""


class Silent:
    """Reports nothing."""

    @contextmanager
    def track(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        yield lambda done: None


_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


class _Rate(ProgressColumn):
    """Units a second, with a decimal prefix."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed or 0.0
        scale, prefix = next((known for known in _PREFIXES if speed >= known[0]), (1.0, ""))
        return Text(f"{speed / scale:6.1f} {prefix}{task.fields['unit']}/s")


class TerminalReporter:
    """A bar per piece of work on ``console``; silent when that is not a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def track(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        bar = Progress(
            TextColumn("  {task.description:<28}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            _Rate(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        with bar:
            task = bar.add_task(label, total=total, unit=unit)
            yield lambda done: bar.advance(task, done)
