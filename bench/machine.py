"""What every result carries: the machine, its device and driver, versions, and the time.

    python bench/machine.py [--cuda]

One JSON on stdout. With --cuda the exit status is 1 where no CUDA device can be used.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seg5b import __version__
from seg5b.backends.choose import cuda_facts

PACKAGES = ("numba", "llvmlite", "numpy", "pyarrow", "duckdb", "dask", "polars", "pandas", "tpchgen-cli")


def machine() -> dict[str, Any]:
    """Processor, memory, versions, what CUDA offers or what stands in its way, and when this was asked."""
    cuda = cuda_facts()
    return {
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "seg5b": __version__,
        "packages": {**{name: version(name) for name in PACKAGES}, **cuda.pop("packages")},
        "cuda": {**cuda, "driver_release": driver_release()},
    }


def processor() -> str:
    """The processor's name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def driver_release() -> str | None:
    """Release of the NVIDIA driver, as ``nvidia-smi`` names it; None where it cannot be asked."""
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return told[0] if told else None


def version(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuda", action="store_true", help="fail where no CUDA device can be used")
    options = parser.parse_args()
    found = machine()
    if options.cuda and (obstacle := found["cuda"]["obstacle"]):
        raise SystemExit(f"no CUDA: {obstacle}")
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
