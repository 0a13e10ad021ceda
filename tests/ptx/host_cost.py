"""What the CUDA backend costs the host: python -m tests.ptx.host_cost

For each kernel, seconds of the launching thread with launches that run nothing, and the driver's functions that a launch
calls; then the same for the parts of S4 of a tiny world, with waits, copies and bytes. It runs on the stand-in driver,
so times are those of Python and of numba-cuda, cuda.core and cuda.bindings, and compare with each other, not with a device.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from tests.ptx.emulated import DRIVER, backend
from tests.ptx.programs import kernel_cases, uploaded

LAUNCHES = 60


def kernels() -> None:
    """A line for each kernel of the registry, and one for all."""
    there = backend()
    fix = getattr(there, "fixed", None)
    print(f"{'kernel':20s} {'us a launch':>12s} {'of fixed tables':>16s}  driver calls a launch")
    sums = [0.0, 0.0]
    for case in kernel_cases(3000):
        inputs, outputs = uploaded(there, case.inputs), uploaded(there, case.outputs)
        there.launch(case.kernel, case.n, inputs, outputs)
        with DRIVER.launching_nothing():
            plain = _microseconds(there, case, inputs, outputs)
            fixed = _microseconds(there, case, fix(inputs), fix(outputs)) if fix else None
            before = DRIVER.calls_by_name()
            there.launch(case.kernel, case.n, inputs, outputs)
            calls = {
                name: n - before.get(name, 0) for name, n in DRIVER.calls_by_name().items() if n > before.get(name, 0)
            }
        sums = [sums[0] + plain, sums[1] + (fixed or 0)]
        told = ", ".join(f"{name} {n}" if n > 1 else name for name, n in calls.items())
        print(f"{case.kernel.name:20s} {plain:12.0f} {_or_dash(fixed):>16s}  {told}")
    print(f"{'all, once':20s} {sums[0]:12.0f} {_or_dash(sums[1] if fix else None):>16s}")


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _microseconds(there: Any, case: Any, inputs: Any, outputs: Any) -> float:
    """Time of this thread for a launch, the least of five rounds."""
    rounds = []
    for _ in range(5):
        start = time.thread_time_ns()
        for _ in range(LAUNCHES // 5):
            there.launch(case.kernel, case.n, inputs, outputs)
        rounds.append((time.thread_time_ns() - start) / (LAUNCHES // 5) / 1e3)
    return min(rounds)


def parts() -> None:
    """What the parts of a tiny world's S4 ask of the driver."""
    from seg5b.expansion.parts import PartMaker
    from seg5b.options import Tuning
    from tests.device.whole_states import realise
    from tests.ptx import cupy_standin
    from tests.worlds import TINY

    make, made = PartMaker.make, []

    def counted(maker: Any, number: int, advance: Any) -> Any:
        computed, start = cupy_standin.module.computed, time.thread_time()
        with DRIVER.counting() as rose:
            finished = make(maker, number, advance)
        rose["ms"] = round(1e3 * (time.thread_time() - start))
        made.append((maker.sizes[number], {**rose, "computed by cupy": cupy_standin.module.computed - computed}))
        return finished

    PartMaker.make = counted  # type: ignore[method-assign, assignment]
    try:
        with tempfile.TemporaryDirectory() as folder, DRIVER.counting() as whole:
            root = TINY.make(Path(folder))
            realise(root.path.parent, backend(), tuning=Tuning(threads=1))
    finally:
        PartMaker.make = make  # type: ignore[method-assign]
    print(f"\nS4 of a tiny world: {len(made)} parts of {sum(size for size, _ in made):,} arrivals, one thread")
    for name in made[0][1]:
        values = [counts[name] for _, counts in made]
        each = sum(values) / sum(size for size, _ in made)
        print(f"{name:20s} first part {values[0]:9,d}   last part {values[-1]:9,d}   per arrival {each:9.3f}")
    print(f"\nS0 to S4, whole: {whole}")


if __name__ == "__main__":
    kernels()
    parts()
