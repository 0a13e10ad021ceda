"""What telling costs: a run as it is, beside the same run with no log, no progress and no heartbeat, in pairs.

    python bench/logging_cost.py [--world demo_classic] [--pairs 5] [--out FILE]

Each run is a process of its own on a fresh copy of one world, warm; which of a pair goes first alternates. One JSON on stdout:
of every pair the relative change of CPU seconds and of wall seconds, (with - without) / without, and their medians. The bound
is one per cent of CPU seconds; wall seconds are shown beside it, since other programs disturb them more than logging could.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

from machine import machine

from seg5b.world import make_world

BOUND: Final = 0.01
_RUN: Final = """
import json, logging, resource, sys, time
from seg5b.contracts import ContractSource
from seg5b.options import Options
from seg5b.pipeline import STATE_IDS, run_states
from seg5b.progress import Lines, Silent
from seg5b.runs.root import open_root
from pathlib import Path
told = sys.argv[2] == "told"
if not told:
    logging.disable(logging.CRITICAL)
root = open_root(Path(sys.argv[1]))
start = time.perf_counter()
run_states(root, ContractSource.packaged(), STATE_IDS, reporter=Lines(1.0) if told else Silent(), options=Options())
wall = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime}))
"""


def one_run(world: Path, scratch: Path, manner: str) -> dict[str, float]:
    """Seconds of S0-S5 on a copy of a world, ``told`` or ``silent``."""
    runs = scratch / "runs"
    shutil.copytree(world, runs)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUN, str(runs), manner], capture_output=True, check=True, text=True
        )
    finally:
        shutil.rmtree(runs)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def pair(world: Path, scratch: Path, number: int) -> dict[str, Any]:
    """Both manners once, the silent one first in every other pair."""
    order = ("told", "silent") if number % 2 == 0 else ("silent", "told")
    found = {manner: one_run(world, scratch, manner) for manner in order}
    change = {name: found["told"][name] / found["silent"][name] - 1.0 for name in ("cpu_s", "wall_s")}
    return {"first": order[0], **found, "change": change}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="demo_classic", help="preset that is realised")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--out", type=Path, help="also write the JSON there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seg5b-logging-") as folder:
        scratch, world = Path(folder), Path(folder) / "world"
        make_world(options.world, runs_root=world)
        one_run(world, scratch, "told")  # warm: kernels, files
        pairs = []
        for number in range(options.pairs):
            pairs.append(pair(world, scratch, number))
            print(
                f"pair {number + 1}: CPU {pairs[-1]['change']['cpu_s']:+.2%}, wall {pairs[-1]['change']['wall_s']:+.2%}",
                file=sys.stderr,
            )
    medians = {name: median(each["change"][name] for each in pairs) for name in ("cpu_s", "wall_s")}
    report = {
        "machine": machine(),
        "world": options.world,
        "load": os.getloadavg(),
        "pairs": pairs,
        "median_change": medians,
        "bound": BOUND,
        "within_bound": medians["cpu_s"] <= BOUND,
    }
    text = json.dumps(report, indent=2) + "\n"
    if options.out:
        options.out.write_text(text, "utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
