"""End to end: make a world, realise it, say how long each state took and how much memory was needed.

    python bench/pipeline.py --preset reference --runs-root /tmp/bench > bench/results/pipeline.json

Every state runs in a process of its own, so its peak memory is its own. The files stay where --runs-root says.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STATES = ("s0", "s1", "s2", "s3", "s4", "s5")


def machine() -> dict[str, Any]:
    """Processor, memory and versions, as anyone would name them."""
    from importlib.metadata import version

    model = _cpu_model()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    packages = ("seg5b", "numba", "numpy", "pyarrow", "duckdb")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9, 1),
        "python": sys.version.split()[0],
        "packages": {name: version(name) for name in packages},
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def timed(arguments: list[str]) -> dict[str, Any]:
    """Run one command of the command line; seconds, CPU seconds, peak memory, and its JSON."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "seg5b", *arguments, "--json"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed: {output.decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(time.monotonic() - start, 2),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "peak_gb": round(usage.ru_maxrss * 1024 / 1e9, 2),
        "result": json.loads(output),
    }


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="demo")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--runs-root", type=Path, default=None)
    chosen = parser.parse_args()
    runs_root = chosen.runs_root or Path(tempfile.mkdtemp(prefix="seg5b-bench-"))
    where = ["--runs-root", str(runs_root)]
    timed(["demo", "--runs-root", str(runs_root / "warm")])  # compiles and caches the kernels
    made = timed(["world", "make", "--preset", chosen.preset, *where])
    run = ["--run-id", made["result"]["run_id"], "--backend", chosen.backend]
    states = {state: timed([state, *where, *run]) for state in STATES}
    arrivals = next(s["record"]["total_arrivals"] for s in states["s4"]["result"]["states"])
    figures = {name: {k: v for k, v in facts.items() if k != "result"} for name, facts in states.items()}
    for name, facts in figures.items():
        facts["state_seconds"] = states[name]["result"]["states"][0]["seconds"]
    report = {
        "preset": chosen.preset,
        "machine": machine(),
        "backend": states["s4"]["result"]["backend"],
        "arrivals": arrivals,
        "world": {k: v for k, v in made.items() if k != "result"},
        "states": figures,
        "seconds_s0_to_s5": round(sum(facts["seconds"] for facts in figures.values()), 2),
    }
    json.dump(report, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
