"""Every decoder of foreign bytes is fuzzed, in a process of its own (law L16)."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.torture.bench import HERE, LIMIT_S, REPOSITORY, Bench
from tests.torture.decoders import NAMES
from tests.torture.fuzz import RESULT
from tests.torture.verdict import WAITS, Case, Told

FUZZED = "decoders fuzzed"
SECONDS = 20
_MOST = 10**9
SHORT = "few executions of "
"""How the names of cases of the short form begin."""


def cases() -> list[Case]:
    """Each decoder for so many seconds; in the short form one of them for a few hundred executions."""
    found = [Case(FUZZED, name, partial(_fuzzed, name, _MOST)) for name in NAMES]
    return [*found, Case(FUZZED, f"{SHORT}{NAMES[0]}", partial(_fuzzed, NAMES[0], 500), short=True)]


def _fuzzed(name: str, most: int, bench: Bench, folder: Path) -> Told:
    runs_root = bench.copy(bench.world, folder / "runs")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.torture.fuzz",
        name,
        str(SECONDS),
        str(most),
        str(runs_root),
    ]
    environment = bench.environment() | HERE
    try:
        done = subprocess.run(
            [*command, str(folder), bench.plant],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S + SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Told(f"no end in {LIMIT_S + SECONDS:.0f} s", {})
    result = folder / RESULT
    facts = json.loads(result.read_bytes()) if result.is_file() else {}
    WAITS.longest_s = facts.get("longest_s", 0.0)
    findings = facts.get("findings", [])
    if findings:
        return Told(f"{len(findings)} findings: {findings[0]}", facts)
    died = done.returncode and not facts.get("executions")
    return Told(f"status {done.returncode}: {done.stderr[-200:]}" if died or done.returncode < 0 else "", facts)
