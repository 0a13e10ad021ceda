"""Write `demo.json` again, after a change that changes bytes on purpose: python -m tests.golden.remember RUNS_ROOT

RUNS_ROOT holds a demo that was made under the releases of constraints.txt.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seg5b.api import Run, open_run
from seg5b.digests import content_digests, dataset_digests

GOLDEN = Path(__file__).with_name("demo.json")
SIGNING = ("pyarrow", "tzdata")
"""Packages whose release shows in the bytes: a Parquet file names its writer, a time-zone cache its source."""
COMPUTING = ("numba", "numpy")


def found(run: Run) -> dict[str, Any]:
    """What is remembered of a realised demo: identity, releases, and a SHA-256 per dataset of bytes and of content."""
    return {
        "about": "The demo, as seg5b digest and seg5b digest --bytes tell it. Tested and told in test_demo.py.",
        "identity": {
            name: getattr(run.identity, name) for name in ("run_id", "seed", "parameter_hash", "manifest_fingerprint")
        },
        "bytes_depend_on": {name: version(name) for name in SIGNING},
        "made_with": {name: version(name) for name in COMPUTING},
        "datasets": dataset_digests(run.root, run.contracts),
        "content": content_digests(run.root, run.contracts, threads=2),
    }


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(found(open_run(sys.argv[1])), indent=2) + "\n", "utf-8")
