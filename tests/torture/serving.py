"""A program: runs `seg5b` commands, each in a child forked from a process that is warm, or once in this very process.

``python -m tests.torture.serving RUNS_ROOT``: realise that run, so that modules and kernels are loaded, then read requests,
one JSON object per line: ``argv``, ``env`` (all of it), ``out`` and ``err`` (files), ``plant`` (a defect of
`tests.torture.planted`, or ""), ``limits`` (resource limits by number), ``user`` (who becomes it, or null). Answers with the child's process id, and with its exit status when it has ended.

``python -m tests.torture.serving - PLANT ARGUMENT...``: one command, in this process.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from seg5b.cli import main
from tests.torture.planted import PLANTED


def serve(runs_root: str) -> None:
    """Answer requests until standard input ends; a child returns from here with its status."""
    silent, out = os.open(os.devnull, os.O_WRONLY), os.dup(1)
    os.dup2(silent, 1)
    with suppress(SystemExit):
        main(["run", "--runs-root", runs_root, "--json"])
    os.dup2(out, 1)
    print("ready", flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(ask)
            run(ask["plant"], ask["argv"])
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(ask: dict[str, Any]) -> None:
    for descriptor, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, ask["out"], os.O_WRONLY),
        (2, ask["err"], os.O_WRONLY),
    ):
        os.dup2(os.open(path, flags | os.O_CREAT, 0o600), descriptor)
    os.environ.clear()
    os.environ.update(ask["env"])
    for limit, value in ask["limits"].items():
        resource.setrlimit(int(limit), (value, value))
    if ask["user"] is not None:
        os.setuid(ask["user"])
    ctypes.CDLL(None).torture_arm()


def run(plant: str, argv: list[str]) -> None:
    """Run a command with a defect planted or none, and exit as it does. SIGUSR1 shows where all threads are."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    if plant:
        PLANTED[plant].plant()
    sys.argv = [str(Path("seg5b")), *argv]
    sys.exit(main(argv))


if __name__ == "__main__":
    if sys.argv[1] == "-":
        run(sys.argv[2], sys.argv[3:])
    serve(sys.argv[1])
