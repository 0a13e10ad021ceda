"""Where arrivals are delivered to, and how a place says that it has them."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

_PIECE_BYTES = 1 << 16  # what a pipe holds: whoever reads slowly is waited for before a piece is begun


@dataclass(frozen=True, slots=True)
class Part:
    """Arrivals that follow each other: the ``offset`` of the first one, their ``lines`` of JSON, each with its line end, and
    whose they are: ``merchants`` uint64 [n]."""

    offset: int
    lines: bytes
    merchants: np.ndarray


class Sink(Protocol):
    """Takes arrivals in their order. ``most_rows``: of one part. ``acknowledged``: that many arrivals, from the first on and
    without a gap, are where they should be; those need not be delivered again."""

    most_rows: int
    acknowledged: int

    def send(self, part: Part) -> None:
        """Deliver a part, or begin to. Waits while the place is slow. Raises `PublishError` ``5B.STREAM.*``, `OSError`."""

    def idle(self) -> None:
        """Nothing is due at the moment: see what was acknowledged meanwhile. Raises as `send`."""

    def finish(self) -> None:
        """Wait until all that was sent is acknowledged. Raises as `send`."""

    def close(self, patience_s: float) -> None:
        """Wait so long for what is under way, at most, and let go of the place."""


class StdoutSink:
    """Standard output. A row is acknowledged when the system has taken its line: a pipe, a file, not yet whoever reads them.
    An interruption waits for the end of the line that is being written."""

    most_rows = 1 << 13

    def __init__(self) -> None:
        sys.stdout.flush()
        self._handle = sys.stdout.fileno()
        self.acknowledged = 0

    def send(self, part: Part) -> None:
        """Write lines. Raises `BrokenPipeError` where nobody reads them any more."""
        view, at = memoryview(part.lines), 0
        try:
            while at < len(view):
                select.select([], [self._handle], [])  # here an interruption is heard
                with _uninterrupted():
                    at += os.write(self._handle, view[at : at + _PIECE_BYTES])
        except KeyboardInterrupt:
            end = part.lines.find(b"\n", max(at - 1, 0)) + 1 if at else 0
            with _uninterrupted():
                while at < end:
                    at += os.write(self._handle, view[at:end])
            raise
        finally:
            self.acknowledged += part.lines.count(b"\n", 0, at)

    def idle(self) -> None:
        """Nothing comes back from a pipe."""

    def finish(self) -> None:
        """Nothing is held back."""

    def close(self, patience_s: float) -> None:
        """Standard output stays open."""


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM are heard after this. Masking them would not do: another thread takes them, and Python raises in this
    one, after a call has done its work and before what it returned is known."""
    heard: list[int] = []
    before: dict[signal.Signals, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for kind in (signal.SIGINT, signal.SIGTERM):
                before[kind] = signal.signal(kind, lambda number, frame: heard.append(number))
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        for number in heard:
            signal.raise_signal(number)
