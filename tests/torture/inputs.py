"""Mutated inputs as cases: every reader of foreign files, in a process of its own that has little memory (law L16).

``python -m tests.torture.inputs KIND COUNT RUNS_ROOT FOLDER PLANT`` prints what came of them as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from seg5b.runs.root import RunRoot, open_root
from tests.torture.bench import HERE, LIMIT_S, REPOSITORY, Bench
from tests.torture.bombs import bomb_inputs
from tests.torture.mutations import Tally, byte_inputs, json_inputs, parquet_inputs, yaml_inputs
from tests.torture.planted import PLANTED
from tests.torture.readers import BLOBS, CACHES, JSON
from tests.torture.verdict import WAITS, Case, Ended, Told

MUTATED = "mutated inputs"
BOMBS = "bombs"
MOST_BYTES = 4 << 30
"""Address space of the process: what takes a stranger's word for a size fails."""
Make = Callable[[RunRoot, Path, int, Tally], None]


def _json(root: RunRoot, _: Path, count: int, tally: Tally) -> None:
    json_inputs(root, count * 4 // 5, tally)
    byte_inputs(root, JSON, count - count * 4 // 5, tally)


INPUTS: dict[str, Make] = {
    "JSON": _json,
    "Parquet": lambda root, _, count, tally: parquet_inputs(root, count, tally),
    "blobs and indexes": lambda root, _, count, tally: byte_inputs(root, BLOBS, count, tally),
    "YAML": lambda _, folder, count, tally: yaml_inputs(folder, count, tally),
    "time-zone caches": lambda root, _, count, tally: byte_inputs(root, CACHES, count, tally),
    BOMBS: lambda _, folder, __, tally: bomb_inputs(folder, tally),
}
"""Kinds of input, and what makes so many of one and has them read."""
COUNTS = {"JSON": 400, "Parquet": 360, "blobs and indexes": 160, "YAML": 480, "time-zone caches": 160, BOMBS: 0}
_SHORT = {BOMBS}


def cases() -> list[Case]:
    """One for each kind."""
    return [Case(MUTATED, kind, partial(_judge, kind, COUNTS[kind]), kind in _SHORT) for kind in INPUTS]


def _judge(kind: str, count: int, bench: Bench, folder: Path) -> Told:
    runs_root = bench.copy(bench.world, folder / "runs")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        __name__,
        kind,
        str(count),
        str(runs_root),
        str(folder),
        bench.plant,
    ]
    start, environment = time.monotonic(), bench.environment() | HERE
    try:
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False, timeout=2 * LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return Told(f"{kind}: no end in {2 * LIMIT_S:.0f} s", {})
    if done.returncode:
        return Told(Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - start, False).cause(), {})
    facts = json.loads(done.stdout)
    WAITS.longest_s, wrong = facts["longest_s"], facts["wrong"]
    return Told(f"{len(wrong)} of {facts['inputs']}: {wrong[0]}" if wrong else "", facts)


def main(kind: str, count: str, runs_root: str, folder: str, plant: str) -> None:
    """Make the inputs of a kind, have them read, and print what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    if plant:
        PLANTED[plant].plant()
    tally = Tally()
    INPUTS[kind](open_root(Path(runs_root)), Path(folder), int(count), tally)
    print(
        json.dumps(
            {
                "inputs": tally.inputs,
                "codes": dict(tally.codes),
                "longest_s": tally.longest_s,
                "wrong": tally.wrong,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
