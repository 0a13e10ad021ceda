"""Progress of long work: bars on a terminal and in a notebook, lines at a cadence in logs, or a function of one's own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import copy_context
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

Advance = Callable[[int], None]
Report = Callable[[str, int, int], None]
"""``(label, done, total)``: so many units of the work of that name are done, of so many."""

LOGGER: Final = "seg5b.progress"
"""Name of the logger of `Lines`."""
EVERY_S: Final = 10.0
_log = logging.getLogger(LOGGER)


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


class Bars:
    """A bar per piece of work on ``console``, as wide as it allows; silent where that is neither a terminal nor a
    notebook."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def track(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        """Show a bar with what is done and the time left until the work ends, and the rate where there is room."""
        shown = self._console.is_terminal or self._console.is_jupyter
        columns = _columns(self._console.width)
        with Progress(*columns, console=self._console, transient=True, disable=not shown, expand=True) as bar:
            task = bar.add_task(label, total=total, unit=unit)
            yield lambda done: bar.advance(task, done)


class Lines:
    """A line in the log (`LOGGER`, level INFO) every ``every_s`` seconds while a piece of work lasts, also while nothing of it
    gets done, and one when it has ended after longer than that."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s

    @contextmanager
    def track(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        """Count the reports, and log them."""
        work, ended = _Counted(label, total, unit), threading.Event()

        def beat() -> None:
            while not ended.wait(self._every_s):
                _log.info("%s", work.line())

        # The lines belong to the log of whoever started the work.
        teller = threading.Thread(target=copy_context().run, args=(beat,), name="seg5b progress", daemon=True)
        try:
            teller.start()
        except RuntimeError:  # no thread is to be had: the work goes on untold
            yield work.advance
            return
        try:
            yield work.advance
        finally:
            ended.set()
            teller.join()
        if work.seconds() > self._every_s:
            _log.info("%s", work.line())


class Called:
    """Calls a function ``(label, done, total)`` at the beginning of each piece of work and whenever more of it is done."""

    def __init__(self, report: Report) -> None:
        self._report = report

    @contextmanager
    def track(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        """Pass the reports on, summed."""
        work = _Counted(label, total, unit)
        self._report(label, 0, total)

        def advance(done: int) -> None:
            work.advance(done)
            self._report(label, work.done, total)

        yield advance


class Both:
    """Reports to two."""

    def __init__(self, first: Reporter, second: Reporter) -> None:
        self._first, self._second = first, second

    @contextmanager
    def track(self, label: str, total: int, unit: str) -> Iterator[Advance]:
        """Pass the reports on to both."""
        with self._first.track(label, total, unit) as one, self._second.track(label, total, unit) as other:

            def advance(done: int) -> None:
                one(done)
                other(done)

            yield advance


def reporter_of(progress: Reporter | Report | bool) -> Reporter:
    """What a caller of the Python interface asks for: True for bars, where there is a terminal or a notebook; False for none; a
    function ``(label, done, total)``; or a `Reporter`. Lines go to the log in any case."""
    if progress is True:
        chosen: Reporter = Bars(Console(stderr=True, highlight=False, markup=False, emoji=False))
    elif progress is False:
        chosen = Silent()
    else:
        chosen = progress if hasattr(progress, "track") else Called(progress)
    return Both(chosen, Lines())


class _Counted:
    """How much of a piece of work is done, since when."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._begun, self.done = time.monotonic(), 0
        self._lock = threading.Lock()

    def advance(self, done: int) -> None:
        with self._lock:
            self.done += done

    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def line(self) -> str:
        share, seconds = self.done / max(self._total, 1), self.seconds()
        told = f"{self._label}: {share:.0%}, {self.done:,} of {self._total:,} {self._unit}, "
        told += f"{rate(self.done, seconds)}{self._unit}/s, {_clock(seconds)}"
        return told + (f", {_clock(seconds / share - seconds)} left" if 0 < share < 1 else "")


_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def rate(done: float, seconds: float) -> str:
    """Units a second with a decimal prefix: ``1.2 M``."""
    speed = done / seconds if seconds > 0 else 0.0
    scale, prefix = next((known for known in _PREFIXES if speed >= known[0]), (1.0, ""))
    return f"{speed / scale:.1f} {prefix}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


class _Rate(ProgressColumn):
    """Units a second, on the average since the beginning."""

    def render(self, task: Task) -> Text:
        return Text(f"{rate(task.completed, task.elapsed or 0.0)}{task.fields['unit']}/s", justify="right")


class _Left(ProgressColumn):
    """Time left at the average rate. Parts end in bursts: a rate over the last seconds would swing from minutes to hours."""

    def render(self, task: Task) -> Text:
        share, elapsed = task.completed / max(task.total or 1, 1), task.elapsed or 0.0
        return Text(f"{_clock(elapsed / share - elapsed)} left" if share > 0 else "", justify="right")


_ROOM_FOR_RATE: Final = 80


def _columns(width: int) -> list[ProgressColumn]:
    """What fits into ``width`` columns, on one line."""
    label = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=max(2 * width // 5, 12))
    )
    share = TextColumn("{task.percentage:>3.0f}%", table_column=Column(no_wrap=True))
    left = _Left(table_column=Column(no_wrap=True, width=13))
    speed = [_Rate(table_column=Column(no_wrap=True, width=18))] if width >= _ROOM_FOR_RATE else []
    return [label, BarColumn(bar_width=None), share, *speed, left]


def unreported(*_: object) -> None:
    """Receives the steps of a caller that shows none."""


class StepProgress:
    """Turns calls ``(label, done, total)`` into one piece of work per label. Use as a context manager."""

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
