"""One content, whatever releases of the packages a run is made with: the oldest that are allowed, and the newest (law L9).

Files carry the release of pyarrow that wrote them, so values are compared, and not bytes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seg5b.api import open_run
from seg5b.digests import content_digests
from tests.torture.bench import COLD_S, HERE, REPOSITORY, Bench
from tests.torture.verdict import WAITS, Case, Ended, Told

PACKAGES = "releases of packages"
OLDEST, NEWEST = "the oldest that are allowed", "the newest"
_INSTALL_S = 420.0
_WORLD = "import sys, pathlib; from tests.worlds import JUDGED; JUDGED.make(pathlib.Path(sys.argv[1]))"


def cases() -> list[Case]:
    """Oldest and newest."""
    return [Case(PACKAGES, which, partial(_made, which)) for which in (OLDEST, NEWEST)]


def required(which: str) -> list[str]:
    """What pip is asked for: the requirements of the project, each pinned to its lower bound for the oldest. The release of
    the time zones stays that of this process: a world names it, and is another one with another."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    found: list[str] = project["dependencies"]
    found = [re.sub(r">=([0-9.]+).*", r"==\1", each) for each in found] if which == OLDEST else found
    return [f"tzdata=={version('tzdata')}" if each.startswith("tzdata") else each for each in found]


def content(runs_root: Path) -> dict[str, str]:
    """What the datasets of a run hold (docs/laws#content-digest)."""
    run = open_run(runs_root)
    return content_digests(run.root, run.contracts, threads=1)


def _made(which: str, bench: Bench, folder: Path) -> str | Told:
    place = folder / "venv"
    python = place / "bin" / "python"
    installed = _run([sys.executable, "-m", "venv", str(place)]) or _run(
        [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *required(which)]
    )
    if installed:
        return Told("", {"skipped": f"pip: {installed}"})
    runs_root = folder / "runs"
    own = {"NUMBA_CACHE_DIR": str(folder / "kernels"), "XDG_CACHE_HOME": str(folder / "kernels")}
    environment = bench.environment(**own) | HERE
    # The world too: old releases of pyarrow do not read all that new ones write.
    if failed := _run([str(python), "-W", "ignore", "-c", _WORLD, str(runs_root)], env=environment, cwd=REPOSITORY):
        return f"the world: {failed}"
    with bench.started("run", "--json", "--runs-root", runs_root, env=environment, python=python) as process:
        ended: Ended = process.ended(COLD_S)
        WAITS.longest_s = 0.0
    if ended.status:
        return ended.out[:300] or ended.cause()
    told = {"releases": _releases(python)}
    same = content(runs_root) == content(bench.clean)
    return Told("" if same else "other values", told)


def _run(command: list[str], **how: Any) -> str:
    """Run a program; the last line that it printed if it failed, or "" if it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_S, **how)
    except subprocess.TimeoutExpired:
        return f"no end in {_INSTALL_S:.0f} s"
    said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return (said[-1][:200] if said else f"status {done.returncode}") if done.returncode else ""


def _releases(python: Path) -> str:
    """Names and releases of the packages that bear on bytes."""
    names = "numpy", "numba", "pyarrow", "duckdb", "tzdata"
    program = f"from importlib.metadata import version; print(', '.join(f'{{n}} {{version(n)}}' for n in {names}))"
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=False).stdout.strip()
