"""How a command ends: failures and interruptions in one line, with an exit status that says which."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from seg5b.cli.common import CommandOutput, json_option, reporting
from seg5b.errors import InputError


def ended(body: Callable[[], object], *arguments: str) -> Result:
    @click.command()
    @json_option
    @reporting
    def command() -> CommandOutput:
        body()
        return {}, lambda: None

    before = signal.getsignal(signal.SIGTERM)
    try:
        return CliRunner().invoke(command, arguments)
    finally:
        signal.signal(signal.SIGTERM, before)


def interrupt() -> None:
    raise KeyboardInterrupt


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def fill() -> None:
    raise OSError(28, "No space left on device", "a/file")


def mistake() -> None:
    raise EOFError


def fail() -> None:
    raise InputError("5B.S1.X", "a [/b] bad $value", where="x[y]")


ENDS = [
    (interrupt, 130, "5B.RUN.INTERRUPTED"),
    (terminate, 143, "5B.RUN.INTERRUPTED"),
    (fill, 1, "5B.RUN.DISK_FULL"),
    (mistake, 1, "5B.RUN.UNEXPECTED"),
    (fail, 1, "5B.S1.X"),
]


@pytest.mark.parametrize(("body", "status", "code"), ENDS)
def test_one_line(body: Callable[[], object], status: int, code: str) -> None:
    result = ended(body)
    assert result.exit_code == status and result.stdout == ""
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"error {code}: ")


@pytest.mark.parametrize(("body", "status", "code"), ENDS)
def test_json(body: Callable[[], object], status: int, code: str) -> None:
    result = ended(body, "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == status and answer["ok"] is False and answer["error"]["code"] == code


@pytest.mark.parametrize("arguments", ["doctor", "doctor --json", "completions bash"])
def test_a_closed_pipe_is_quiet(arguments: str) -> None:
    """Whoever reads takes nothing and goes: as if SIGPIPE had ended the program, which says nothing."""
    program = f"{sys.executable} -m seg5b {arguments} | (exec 0<&-; sleep 3); echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("141\n", "")
