"""``python -m tests.torture``: break runs of a tiny world in every way, print one table, write docs/reliability.md."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.torture.bench import Bench
from tests.torture.planted import PLANTED
from tests.torture.suite import all_cases, case_of, judged, notices, work_through
from tests.torture.table import PAGE, Plant, console_table, page
from tests.torture.verdict import Verdict


def main() -> int:
    """Exit status 1 if a case is wrong, or a planted defect goes unnoticed or has a case that is wrong without it."""
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
            if len(verdicts) % 50 == 0:
                print(
                    f"{len(verdicts)} of {len(cases)} cases after {(time.monotonic() - start) / 60:.0f} minutes",
                    flush=True,
                )
            if verdict.wrong:
                print(f"WRONG  {verdict.case.kind}: {verdict.case.name}: {verdict.wrong}", flush=True)
        plants = [] if chosen.kind or chosen.name else list(_plants(bench, verdicts))
        bench.close()
    minutes = (time.monotonic() - start) / 60
    print(console_table(verdicts, plants, minutes))
    if chosen.page:
        PAGE.write_text(page(_in_order(verdicts), plants, minutes, chosen.every), encoding="utf-8")
    return int(not all(plant.noticed for plant in plants) or any(verdict.wrong for verdict in verdicts))


def _plants(bench: Bench, verdicts: list[Verdict]) -> Iterator[Plant]:
    """What each planted defect comes to; its case is judged without it too, if that was not done before."""
    judged_before = {(verdict.case.kind, verdict.case.name): verdict for verdict in verdicts}
    for name in PLANTED:
        case = case_of(name)
        without = judged_before.get((case.kind, case.name)) or judged(bench, case)
        yield Plant(name, notices(bench, name), without)


def _in_order(verdicts: list[Verdict]) -> list[Verdict]:
    """As the cases stand in their harnesses, and not as they ended."""
    order = {(case.kind, case.name): number for number, case in enumerate(all_cases())}
    return sorted(verdicts, key=lambda verdict: order[verdict.case.kind, verdict.case.name])


if __name__ == "__main__":
    sys.exit(main())
