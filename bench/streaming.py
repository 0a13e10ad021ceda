"""A stream on a pipe that is read as fast as it comes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipeline import gigabytes

from seg5b.api import open_run


def streamed(root: Path, rows: int) -> dict[str, Any]:
    """Seconds until the first arrival is there, arrivals a second from then on and by second of a core, memory."""
    scenario = open_run(root).scenarios[0]
    command = [sys.executable, "-m", "seg5b", "stream", "--runs-root", str(root), "--scenario", scenario]
    start = time.monotonic()
    process = subprocess.Popen([*command, "--limit", str(rows)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as pipe:
        begun = os.read(pipe.fileno(), 1)
        first_s = time.monotonic() - start
        lines = 0
        while piece := os.read(pipe.fileno(), 1 << 20):
            lines += piece.count(b"\n")
        seconds = time.monotonic() - start
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not begun:
        raise SystemExit(f"stream failed: {process.returncode}")
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return {
        "rows": lines,
        "first_s": round(first_s, 2),
        "rows_per_s": lines / (seconds - first_s),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "rows_per_cpu_s": lines / cpu_seconds,
        "peak_gb": gigabytes(usage.ru_maxrss * 1024),
    }
