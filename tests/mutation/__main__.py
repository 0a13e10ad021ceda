"""``python -m tests.mutation``: plant faults in code and data, and see who notices.

What was tried before with these sources is not tried again (``--again`` does). ``--pin`` writes what was measured into
``expected.json``, ``--table`` the whole table.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from tests.mutation.expected import FILE, unlike
from tests.mutation.faults import CONTROLS, FAULTS
from tests.mutation.records import Noticed
from tests.mutation.table import table
from tests.mutation.trying import Results, work_through
from tests.mutation.worlds import sources_digest


def main() -> int:
    """Exit status 1 where a fault could not be tried, is not noticed as expected, or a control is not lawful."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/mutation"), help="Worlds and results; kept.")
    parser.add_argument("--jobs", type=int, default=1, help="Faults side by side.")
    parser.add_argument("--name", default="", help="Only faults that have this in their name.")
    parser.add_argument("--world", default="", help="Only faults in this world.")
    parser.add_argument("--quick", action="store_true", help="Only those of `make test`.")
    parser.add_argument("--again", action="store_true", help="Also those that were tried before.")
    parser.add_argument("--table", type=Path, help="Write the table as Markdown.")
    parser.add_argument("--json", type=Path, help="Write what was measured as JSON.")
    parser.add_argument("--pin", action="store_true", help=f"Write {FILE.name} from what was measured.")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; run it again to go on"))
    results, problems = Results(chosen.folder / "results.jsonl"), dict[str, str]()
    wanted = [
        fault
        for fault in (*CONTROLS.values(), *FAULTS.values())
        if chosen.name in fault.name
        and (not chosen.world or fault.world == chosen.world)
        and (fault.quick or not chosen.quick)
    ]
    todo = [fault for fault in wanted if chosen.again or fault.name not in results.found]
    started = time.monotonic()
    for number, (fault, noticed) in enumerate(work_through(chosen.folder, todo, chosen.jobs) if todo else (), 1):
        said = noticed if isinstance(noticed, str) else ", ".join(noticed.named) or "nobody"
        print(f"{number} of {len(todo)} ({time.monotonic() - started:.0f} s)  {fault.name}: {said}", flush=True)
        if isinstance(noticed, str):
            problems[fault.name] = f"could not be tried: {noticed}"
        else:
            results.add(fault, noticed)
    found = {fault.name: results.found[fault.name] for fault in wanted if fault.name in results.found}
    _write(chosen, found)
    problems |= _unlawful(found) | unlike({name: found[name] for name in found if name in FAULTS})
    print("\n".join(f"{name}: {problem}" for name, problem in problems.items()))
    print(_summary(found))
    return int(bool(problems))


def _write(chosen: argparse.Namespace, found: dict[str, Noticed]) -> None:
    faults = {name: FAULTS[name] for name in found if name in FAULTS}
    if chosen.table:
        chosen.table.write_text(table(faults, found), encoding="utf-8")
    if chosen.json:
        kept = {"code": sources_digest(), "faults": {name: each.as_json() for name, each in found.items()}}
        chosen.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if chosen.pin:
        pinned = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
        pinned = {name: pinned[name] for name in FAULTS if name in pinned}
        pinned |= {name: sorted(found[name].named) for name in faults}
        ordered = {name: pinned[name] for name in FAULTS if name in pinned}
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(checks)}" for name, checks in ordered.items())
        FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _unlawful(found: dict[str, Noticed]) -> dict[str, str]:
    """Controls that are not what they should be."""
    controls = {name: noticed for name, noticed in found.items() if name in CONTROLS}
    return {
        name: f"a lawful run is noticed by {', '.join(noticed.named)}"
        if noticed.named
        else f"differs in {noticed.changed}"
        for name, noticed in controls.items()
        if noticed.named or noticed.changed
    }


def _summary(found: dict[str, Noticed]) -> str:
    statuses = Counter(noticed.status for name, noticed in found.items() if name in FAULTS)
    return f"{sum(statuses.values())} faults: " + ", ".join(
        f"{statuses[status]} by {status}" for status in ("S5", "score", "replay", "nothing")
    )


if __name__ == "__main__":
    sys.exit(main())
