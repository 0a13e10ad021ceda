"""All cases, and how they are worked through."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.torture import (
    concurrency,
    faults,
    fuzzed,
    identity,
    inputs,
    kill_points,
    limits,
    names,
    packages,
    power_cuts,
    tampered,
    tested,
)
from tests.torture.bench import Bench
from tests.torture.planted import PLANTED
from tests.torture.verdict import HUNG, WAITS, Case, Verdict

HARNESSES = (
    faults,
    limits,
    concurrency,
    names,
    identity,
    packages,
    power_cuts,
    kill_points,
    inputs,
    tested,
    fuzzed,
    tampered,
)


def all_cases() -> list[Case]:
    """Cases of every harness."""
    return [case for harness in HARNESSES for case in harness.cases()]


def judged(bench: Bench, case: Case) -> Verdict:
    """Break it in a folder of its own, which is removed afterwards."""
    folder = bench.folder / "cases" / f"{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    start, WAITS.longest_s = time.monotonic(), 0.0
    try:
        told = case.judge(bench, folder)
    except Exception as cause:  # a case that cannot be judged is not right
        told = f"the harness: {type(cause).__name__}: {cause}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    wait_s = WAITS.longest_s or time.monotonic() - start
    return Verdict(case, told, wait_s) if isinstance(told, str) else Verdict(case, told.wrong, wait_s, told.facts)


def work_through(bench: Bench, cases: Iterable[Case], threads: int) -> Iterator[Verdict]:
    """Judge cases side by side. What hung is judged again in fresh processes, since a fork may hang by itself."""
    doubted = []
    with ThreadPoolExecutor(threads) as pool:
        for done in as_completed([pool.submit(judged, bench, case) for case in cases]):
            verdict = done.result()
            if HUNG in verdict.wrong:
                doubted.append(verdict)
            else:
                yield verdict
        bench.fresh = True
        yield from pool.map(lambda verdict: judged(bench, verdict.case), doubted)
        bench.fresh = False


def notices(bench: Bench, plant: str) -> Verdict:
    """Judge the case that must notice a planted defect."""
    bench.plant = plant
    try:
        return judged(bench, case_of(plant))
    finally:
        bench.plant = ""


def case_of(plant: str) -> Case:
    """The case that must notice a planted defect."""
    planted = PLANTED[plant]
    (case,) = (case for case in all_cases() if (case.kind, case.name) == (planted.kind, planted.name))
    return case
