"""What a command tells a person while it works, on stderr: log lines, progress, and the name of the program in hints."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from rich.console import Console

from seg5b.progress import EVERY_S, LOGGER, Bars, Both, Lines, Reporter, Silent

_WIDE: Final = 240
"""Columns of tables that go to no terminal: nothing is cut off for whoever reads them later. ``COLUMNS`` says otherwise."""


PIPE_CLOSED: Final = 141
"""Exit status of whoever writes what nobody reads any more, as the shell says it of a program that SIGPIPE ended."""


def end_of_pipe() -> NoReturn:
    """Whoever read stdout has gone: nothing is left to say, also when the interpreter flushes at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(PIPE_CLOSED)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        end_of_pipe()


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if "COLUMNS" in os.environ or stream.isatty() else _WIDE
    return _Console(
        stderr=stderr, width=width, highlight=False, markup=False, emoji=False
    )  # a path may hold [brackets]


stderr = _console(stderr=True)
stdout = _console(stderr=False)


@dataclass(frozen=True, slots=True)
class Manner:
    """How much is told. ``detail``: -1 warnings only, 0 the story and progress, 1 every line of the log; ``as_json``: lines of
    the log as JSON, no bars; ``every_s``: seconds between two lines of progress where there are no bars."""

    detail: int = 0
    as_json: bool = False
    every_s: float = EVERY_S

    @property
    def bars(self) -> bool:
        """Whether progress is drawn instead of logged."""
        return stderr.is_terminal and not self.as_json


_OPTIONS = (
    click.option("-v", "--verbose", is_flag=True, help="Tell on stderr every line of the log."),
    click.option("-q", "--quiet", is_flag=True, help="Tell on stderr nothing but warnings and errors."),
    click.option("--log-json", is_flag=True, help="Tell on stderr in JSON, one object a line."),
    click.option(
        "--progress-every",
        type=click.FloatRange(0.1),
        default=EVERY_S,
        show_default=True,
        metavar="SECONDS",
        help="Cadence of lines of progress where stderr is no terminal.",
    ),
)


def manner_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How much a command tells: ``verbose``, ``quiet``, ``log_json`` and ``progress_every``, which `manner_of` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def manner_of(options: dict[str, Any]) -> Manner:
    """The manner that options ask for; takes them out of ``options``. Raises `click.UsageError` for both -v and -q."""
    verbose, quiet = options.pop("verbose", False), options.pop("quiet", False)
    if verbose and quiet:
        raise click.UsageError("-v and -q contradict each other: state one")
    return Manner(verbose - quiet, options.pop("log_json", False), options.pop("progress_every", EVERY_S))


_manner = Manner()


def log_to_stderr(manner: Manner) -> None:
    """Log lines go to stderr in this manner from now on. A failure is not among them: it goes to the run's log, and the command
    that ends with it prints it once."""
    global _manner
    _manner = manner
    logger = logging.getLogger("seg5b")
    for handler in list(logger.handlers):
        if getattr(handler, "of_command_line", False):
            logger.removeHandler(handler)
    handler = logging.StreamHandler()
    handler.of_command_line = True  # type: ignore[attr-defined]
    handler.setFormatter(_JsonLine() if manner.as_json else logging.Formatter("%(message)s"))
    handler.addFilter(lambda record: _told(record, manner))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _told(record: logging.LogRecord, manner: Manner) -> bool:
    if record.levelno >= logging.ERROR:
        return False
    if record.levelno >= logging.WARNING:
        return True
    if record.name == LOGGER:
        return not manner.bars and manner.detail >= 0
    return manner.detail > 0 or (manner.detail == 0 and (manner.bars or manner.as_json) and record.name == "seg5b")


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps(
            {"time": moment, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        )


def manner() -> Manner:
    """The manner in which this command tells."""
    return _manner


def progress_reporter() -> Reporter:
    """Where a command's progress goes: to the log, and to bars on a terminal."""
    shown = _manner.bars and _manner.detail >= 0
    return Both(Bars(stderr) if shown else Silent(), Lines(_manner.every_s))


def program() -> str:
    """How this program is called again from here: ``seg5b`` where the shell finds it by that name, else its path."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m seg5b"
    found = shutil.which("seg5b")
    if called.name != "seg5b" or (found and Path(found).samefile(called)) or not called.exists():
        return "seg5b"
    return shlex.quote(str(called))


def hint(text: str) -> str:
    """``text`` with the commands in it, ```seg5b ...```, as they are called from here."""
    return re.sub(r"`seg5b (?=[a-z])", lambda _: f"`{program()} ", text)
