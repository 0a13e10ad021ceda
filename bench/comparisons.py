"""Programs of others beside S4: scripts that a user would write instead, and a published generator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from machine import version
from pipeline import say

HERE = Path(__file__).parent
SCRIPTS = {
    "polars_7": ("polars", "numpy_polars", "7"),
    "polars_all": ("polars", "numpy_polars", "all"),
    "pandas_7": ("pandas", "numpy_pandas", "7"),
    "pandas_all": ("pandas", "numpy_pandas", "all"),
}
"""Name of a baseline: the package that it takes, its module in bench/baselines/, its columns."""
ONE_THREAD = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def scripts(run: Path, folder: Path, processes: int, arrivals: int) -> dict[str, Any]:
    """Arrivals per second of each script, with a process on every core, each of one thread. Counted from when the first
    process begins to expand until the last one ends: starting up and reading counts are left out, in their favour."""
    found: dict[str, Any] = {}
    for name, (package, module, columns) in SCRIPTS.items():
        if version(package) is None:
            found[name] = {"skipped": f"{package} is not installed"}
            continue
        options = ["--columns", columns, "--arrivals", str(arrivals)]
        found[name] = _script(f"baselines.{module}", run, folder, processes, options)
        say(f"  {name}: {found[name]['arrivals_per_s'] / 1e6:.2f} million arrivals a second")
    return found


def _script(module: str, run: Path, folder: Path, processes: int, options: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", module, str(run), str(folder), *options]
    begun = time.monotonic()
    started = [
        subprocess.Popen(
            [*command, "--share", f"{number}/{processes}"],
            cwd=HERE, env={**os.environ, **ONE_THREAD}, stdout=subprocess.PIPE, text=True,
        )
        for number in range(processes)
    ]  # fmt: skip
    outputs = [process.communicate()[0] for process in started]
    seconds = time.monotonic() - begun
    shutil.rmtree(folder, ignore_errors=True)
    if any(process.returncode for process in started):
        raise SystemExit(f"{module} failed")
    told = [json.loads(output) for output in outputs]
    arrivals = sum(each["arrivals"] for each in told)
    expanding = max(each["ended"] for each in told) - min(each["began"] for each in told)
    return {
        "processes": processes,
        "arrivals": arrivals,
        "seconds": round(seconds, 2),
        "expanding_s": expanding,
        "arrivals_per_s": arrivals / expanding,
        "bytes_per_arrival": sum(each["bytes"] for each in told) / arrivals,
    }


def tpch(folder: Path, scale: float) -> dict[str, Any]:
    """Rows of lineitem per second that tpchgen-cli writes as Parquet, with its own defaults otherwise."""
    program = shutil.which(
        "tpchgen-cli", path=f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if program is None:
        return {"skipped": "tpchgen-cli is not installed"}
    import pyarrow.parquet as pq

    command = [program, "parquet", "--scale-factor", f"{scale:g}", "--tables", "lineitem"]
    begun = time.monotonic()
    subprocess.run([*command, "--output-dir", str(folder)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begun
    files = list(folder.rglob("*.parquet"))
    rows = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
    size = sum(file.stat().st_size for file in files)
    shutil.rmtree(folder)
    told = {"table": "lineitem", "scale_factor": scale, "rows": rows, "seconds": round(seconds, 2)}
    return {**told, "rows_per_s": rows / seconds, "bytes_per_row": size / rows}
