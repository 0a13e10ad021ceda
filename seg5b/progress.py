"""Progress of long work: a bar with elapsed time, rate and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

Advance = Callable[[int], None]


class Reporter(Protocol):
    """Where long work reports to."""

    def track(self, label: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Report ``total`` units of work; the function it gives adds how many more are done."""
        ...


class Silent:
    """Reports nothing."""

    @contextmanager
    def track(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        """Take the reports and say nothing."""
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
        """Show a bar with rate, time spent and time left until the work ends."""
        bar = Progress(
            TextColumn("  {task.description:<28}", markup=False),
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


def unreported(*_: object) -> None:
    """Receives the steps of a caller that shows none."""


class StepProgress:
    """Turns calls ``(label, done, total)`` into one bar per label. Use as a context manager."""

    def __init__(self, reporter: Reporter, unit: str) -> None:
        self._reporter, self._unit = reporter, unit
        self._stack = ExitStack()
        self._label, self._done = "", 0
        self._advance: Advance = lambda done: None

    def __enter__(self) -> StepProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, label: str, done: int, total: int) -> None:
        """``done`` of ``total`` units of the work called ``label`` are done."""
        if label != self._label:
            self._stack.close()
            self._advance = self._stack.enter_context(self._reporter.track(label, total, self._unit))
            self._label, self._done = label, 0
        self._advance(done - self._done)
        self._done = done
