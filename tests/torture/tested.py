"""Named inputs and odd worlds, which are tests, as cases: each file of them in a process of its own (law L16)."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.torture.bench import HERE, REPOSITORY, Bench
from tests.torture.verdict import WAITS, Case, Told

TESTED = "named inputs and odd worlds"
FILES = {
    "inputs that readers once fell for": "test_foreign_bytes.py",
    "worlds without a kind of merchant, JSON of S5 that holds anything": "test_odd_worlds.py",
}
_LIMIT_S = 400.0


def cases() -> list[Case]:
    """Each file of tests."""
    return [Case(TESTED, name, partial(_passed, file)) for name, file in FILES.items()]


def _passed(file: str, bench: Bench, folder: Path) -> str | Told:
    """All of its tests pass."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "--basetemp",
        str(folder / "tests"),
        f"tests/torture/{file}",
    ]
    environment = bench.environment() | HERE
    try:
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return f"no end in {_LIMIT_S:.0f} s"
    failed = re.findall(r"^FAILED \S+::(.*)$", done.stdout, re.MULTILINE)
    passed = re.search(r"(\d+) passed", done.stdout)
    if failed or done.returncode or passed is None:
        return (
            f"{len(failed)} failed: {failed[0][:160]}" if failed else f"pytest: {done.stdout[-160:]}{done.stderr[-80:]}"
        )
    longest = re.search(r"^([\d.]+)s call", done.stdout, re.MULTILINE)
    WAITS.longest_s = float(longest[1]) if longest else 0.0
    return Told("", {"inputs": int(passed[1])})
