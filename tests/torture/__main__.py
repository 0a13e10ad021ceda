"""``python -m tests.torture``: break runs of a tiny world in every way, print one table, write docs/reliability.md."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.torture.bench import Bench
from tests.torture.planted import PLANTED
from tests.torture.suite import all_cases, notices, work_through
from tests.torture.table import PAGE, console_table, page


def main() -> int:
    """Exit status 1 if a case is wrong or a planted defect goes unnoticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kind", action="append", help="Only cases of this kind. Repeatable.")
    parser.add_argument("--name", default="", help="Only cases that have this in their name.")
    parser.add_argument("--every", type=int, default=1, help="Only one case in so many, of each kind.")
    parser.add_argument("--short", action="store_true", help="Only the short form.")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="Cases side by side.")
    parser.add_argument("--page", action="store_true", help=f"Write {PAGE.name}.")
    chosen = parser.parse_args()
    cases = [
        case
        for case in all_cases()
        if (not chosen.kind or case.kind in chosen.kind)
        and chosen.name in case.name
        and (case.short or not chosen.short)
    ]
    cases = [
        case
        for kind in dict.fromkeys(case.kind for case in cases)
        for case in [case for case in cases if case.kind == kind][:: chosen.every]
    ]
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture_") as folder:
        bench = Bench(Path(folder), chosen.threads)
        verdicts = []
        for verdict in work_through(bench, cases, chosen.threads):
            verdicts.append(verdict)
            if verdict.wrong:
                print(f"WRONG  {verdict.case.kind}: {verdict.case.name}: {verdict.wrong}", flush=True)
        found = {} if chosen.kind or chosen.name else {plant: notices(bench, plant) for plant in PLANTED}
        bench.close()
    minutes = (time.monotonic() - start) / 60
    print(console_table(verdicts, found, minutes))
    if chosen.page:
        PAGE.write_text(page(verdicts, found, minutes, chosen.every), encoding="utf-8")
    missed = [plant for plant, verdict in found.items() if not verdict.wrong]
    return int(bool(missed) or any(verdict.wrong for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
