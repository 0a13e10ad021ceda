"""Write what is remembered of a world again, after a change that changes numbers on purpose:

    python -m tests.golden.remember demo|demo_classic|small_classic|black_friday RUNS_ROOT

RUNS_ROOT holds that world, made and realised under the releases of constraints.txt.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from seg5b.api import Run, open_run
from seg5b.digests import content_digests, dataset_digests

HERE: Final = Path(__file__).parent
BYTES: Final = HERE / "demo_bytes.json"
SIGNING: Final = ("pyarrow", "tzdata")
"""Packages whose release shows in the bytes: a Parquet file names its writer, a time-zone cache its source."""
COMPUTING: Final = ("numba", "numpy")


def content_file(world: str) -> Path:
    """Digests of what a world's datasets hold, as ``seg5b digest --json`` tells them."""
    return HERE / f"{world}.json"


def bytes_of(run: Run) -> dict[str, Any]:
    """Digests of a run's files, and the releases that they depend on."""
    return {
        "about": "The files of the classic demo, as seg5b digest --bytes tells them. Tested and told in test_demo_bytes.py.",
        "bytes_depend_on": {name: version(name) for name in SIGNING},
        "made_with": {name: version(name) for name in COMPUTING},
        "datasets": dataset_digests(run.root, run.contracts),
    }


def content_of(run: Run) -> dict[str, Any]:
    """Identity of a run and digests of what it holds, with the keys of ``seg5b digest --json``."""
    identity = {name: getattr(run.identity, name) for name in ("run_id", "seed", "manifest_fingerprint")}
    return {**identity, "of": "content", "digests": content_digests(run.root, run.contracts, threads=2)}


def _write(file: Path, remembered: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(remembered, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    name, runs_root = sys.argv[1:]
    found = open_run(runs_root)
    _write(content_file(name), content_of(found))
    if name == "demo_classic":
        _write(BYTES, bytes_of(found))
