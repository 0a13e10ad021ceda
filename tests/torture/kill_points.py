"""A process is killed at a call of the file system, or at any moment: nothing is half-published, and the next run goes on
(law L12)."""

from __future__ import annotations

import json
import random
import time
from functools import partial
from pathlib import Path

from seg5b.api import open_run
from seg5b.digests import content_digests
from tests.torture.bench import REPOSITORY, Bench
from tests.torture.judging import goes_on, not_by_halves
from tests.torture.shim import Strike
from tests.torture.verdict import Case, first_wrong

KILLED = "killed at a call"
DEMO = "demo killed at random"
POINTS = {"sync": 32, "rename": 21, "link": 7, "open": 16, "mkdir": 12, "unlink": 12, "write": 20}
"""Points per kind, spread over the calls that an untouched run makes."""
_SHORT = {("rename", 10), ("write", 11)}


def cases() -> list[Case]:
    """Every point, then writes that are cut in half, then the demo."""
    found = [
        Case(
            KILLED,
            f"{kind} {point} of {points}",
            partial(_killed, kind, point, points, "kill"),
            (kind, point) in _SHORT,
        )
        for kind, points in POINTS.items()
        for point in range(1, points + 1)
    ]
    found += [
        Case(KILLED, f"half of write {point} of 10", partial(_killed, "write", point, 10, "torn"), point == 7)
        for point in range(1, 11)
    ]
    return found + [Case(DEMO, f"seed {seed}", partial(_demo, seed)) for seed in range(1, 3)]


def _killed(kind: str, point: int, points: int, how: str, bench: Bench, folder: Path) -> str:
    runs_root = bench.copy(bench.world, folder / "runs")
    strike = Strike((kind,), bench.numbered(kind, point, points), how)
    ended = bench.seg5b("run", "--json", "--runs-root", runs_root, strike=strike, below=runs_root)
    if ended.status not in (-9, 0):
        return f"not killed: {ended.cause()}"
    return first_wrong(lambda: not_by_halves(bench, runs_root), lambda: goes_on(bench, runs_root))


def _demo(seed: int, bench: Bench, folder: Path) -> str:
    """A demo that is killed after a few seconds, again and again, until it has nothing left to do."""
    moments, command = random.Random(seed), ("demo",)
    for _ in range(40):
        with bench.started(*command, "--runs-root", folder, "--json", env=bench.environment()) as process:
            until = time.monotonic() + moments.uniform(2.0, 15.0)
            while process.popen.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            if process.popen.poll() is not None:
                ended = process.ended()
                break
        # A demo that died before its world was made leaves no run, and is begun anew.
        command = ("run",) if list(folder.glob("*/run_receipt.json")) else ("demo",)
    else:
        return "it does not come to an end"
    if ended.status:
        return ended.cause()
    run = open_run(folder)
    remembered = json.loads((REPOSITORY / "tests/golden/demo.json").read_text("utf-8"))
    digests = content_digests(run.root, run.contracts, threads=2)
    return "" if digests == remembered["digests"] else "other digests than those of the demo"
