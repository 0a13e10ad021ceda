"""``python -m tests.mutation.costs``: what each check takes of S5's time on the demo, into ``costs.json``.

Shares of one sitting, not seconds: other machines have other seconds. Checks that share a walk or a scan have none of their
own: their cost is that of the lane ``totals``, or of the table that is scanned.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any
from unittest import mock

from seg5b.api import open_run, run
from seg5b.gate import open_gate
from seg5b.timers import Timers
from seg5b.validation import runner, validate
from seg5b.world import make_world

FILE = Path(__file__).with_name("costs.json")


def measured(runs_root: Path) -> dict[str, Any]:
    """Shares in percent by check and by lane, of a run whose S4 is done. What is kept of a scan is made anew."""
    found, timers, seconds = open_run(runs_root), Timers(), defaultdict[str, float](float)
    gate, find = open_gate(found.root, found.contracts, state="S5"), runner._find

    def timed(subject: Any, check: Any) -> Any:
        start = time.perf_counter()
        try:
            return find(subject, check)
        finally:
            seconds[check.check_id] += time.perf_counter() - start

    started = time.perf_counter()
    with mock.patch.object(runner, "_find", timed):
        validate(found.root, found.contracts, gate, threads=1, timers=timers)
    total = time.perf_counter() - started

    def shares(part: Any) -> dict[str, float]:
        return {name: round(100 * value / total, 2) for name, value in sorted(part.items())}

    return {"checks": shares(seconds), "lanes": shares(timers.seconds())}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="costs_") as folder:
        make_world("demo_classic", runs_root=Path(folder))
        run(folder, last="S4", backend="cpu")
        FILE.write_text(json.dumps(measured(Path(folder)), indent=1) + "\n", encoding="utf-8")
    print(f"wrote {FILE}")
