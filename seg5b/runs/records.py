"""Run records, one JSON line per state and attempt, and the run's log file.

Source: docs/laws#run-record.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.runs.growing import append_line, end_last_line
from seg5b.runs.root import RunRoot

_MICROS = "%Y-%m-%dT%H:%M:%S.%fZ"


def utc_text(moment: datetime) -> str:
    """RFC 3339 with microseconds and ``Z``."""
    return moment.astimezone(UTC).strftime(_MICROS)


@dataclass(frozen=True, slots=True)
class StateTimer:
    """Start of a state: wall clock for the record, monotonic clock for its length."""

    started: datetime
    monotonic_s: float

    @classmethod
    def start(cls) -> StateTimer:
        """Start now."""
        return cls(datetime.now(UTC), time.monotonic())

    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.monotonic_s


def append_record(
    root: RunRoot,
    contracts: ContractSource,
    state: str,
    timer: StateTimer,
    facts: Mapping[str, Any],
    lanes_s: Mapping[str, float],
    compile_s: float = 0.0,
) -> dict[str, Any]:
    """Append a state's record to ``segment_state_runs`` of the UTC day on which it started; returns the record.

    ``facts`` holds ``status``, ``error_code`` and whatever the state reports; ``lanes_s`` seconds by lane, all threads
    together (`seg5b.timers.Timers`); ``compile_s`` those that were spent compiling loops. Raises `OSError` where it cannot
    be written.
    """
    identity = root.identity
    record = {
        "layer": "layer2",
        "segment": "5B",
        "state": state,
        "state_id": f"5B.{state}",
        "parameter_hash": identity.parameter_hash,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "seed": identity.seed,
        "run_id": identity.run_id,
        "started_at_utc": utc_text(timer.started),
        "finished_at_utc": utc_text(datetime.now(UTC)),
        "durations": {
            "wall_ms": round(1000 * timer.elapsed_s()),
            "lanes_s": {name: round(seconds, 3) for name, seconds in lanes_s.items()},
            "compile_s": round(compile_s, 3),
        },
        **facts,
    }
    entry = contracts.dictionary("5B").entry("segment_state_runs")
    path = root.resolve(entry.render({"utc_day": timer.started.strftime("%Y-%m-%d")}))
    append_line(path, json.dumps(record, sort_keys=True))
    return record


@contextmanager
def run_log(root: RunRoot) -> Iterator[None]:
    """Copy the log of everything inside to ``run_log_<run_id>.log`` in the run folder: of this thread, and of those that
    `seg5b.parallel.Pool` starts for it. A log that cannot be written is no reason to stop: the rest of it is missing."""
    path = root.path / f"run_log_{root.identity.run_id}.log"
    handler: logging.Handler
    try:
        end_last_line(path)
        handler = _LogFile(path, encoding="utf-8")
    except OSError as cause:
        logging.getLogger("seg5b").warning("no log of this run is kept: %s", cause.strerror or cause)
        handler = logging.NullHandler()
    mark = object()
    handler.addFilter(lambda _: _LOGGED.get() is mark)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)-7s %(name)s %(message)s")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    token = _LOGGED.set(mark)
    try:
        with _informed(handler):
            yield
    finally:
        _LOGGED.reset(token)
        with suppress(OSError):  # what it still holds finds no room
            handler.close()


_LOGGED: ContextVar[object] = ContextVar("seg5b_run_log", default=None)
"""Whose log the lines of a thread belong to."""
_LOGGING = Lock()
_levels: list[int] = []
"""Level of the logger before each run that is logged now."""


@contextmanager
def _informed(handler: logging.Handler) -> Iterator[None]:
    """The package's logger lets lines of level INFO pass as long as anyone logs a run."""
    logger = logging.getLogger("seg5b")
    with _LOGGING:
        _levels.append(logger.level)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        with _LOGGING:
            logger.removeHandler(handler)
            first = _levels[0]
            _levels.pop()
            if not _levels:
                logger.setLevel(first)


class _LogFile(logging.FileHandler):
    """A file that loses lines where the system refuses them, instead of printing a traceback for each."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Say nothing: what the log was about is told by its own error."""
