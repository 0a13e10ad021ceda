"""One digest, whatever a run is made with (law L9)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa

from tests.torture.bench import Bench
from tests.torture.insider import mend_upstream
from tests.torture.judging import goes_on, whole
from tests.torture.rewriting import rewrite
from tests.torture.shim import Strike
from tests.torture.verdict import Case

IDENTITY = "one digest"
STATES = ("s0", "s1", "s2", "s3", "s4", "s5")


@dataclass(frozen=True, slots=True)
class Cell:
    """A way of making a run: options, variables, umask, and the states of each command."""

    options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    umask: int = -1
    commands: tuple[tuple[str, ...], ...] = (("run",),)
    killed: bool = False
    shuffled: bool = False


CELLS: dict[str, Cell] = {
    "1 thread": Cell(("--threads", "1")),
    "3 threads": Cell(("--threads", "3")),
    "8 threads": Cell(("--threads", "8")),
    "chunks of 1,000": Cell(("--chunk-arrivals", "1000")),
    "chunks of 7,777, 3 threads": Cell(("--chunk-arrivals", "7777", "--threads", "3")),
    "memory of 0.3 GB": Cell(("--memory", "0.3")),
    "PYTHONOPTIMIZE=2": Cell(env={"PYTHONOPTIMIZE": "2"}),
    "PYTHONHASHSEED=0": Cell(env={"PYTHONHASHSEED": "0"}),
    "PYTHONHASHSEED=4242": Cell(env={"PYTHONHASHSEED": "4242"}),
    "TZ=Pacific/Kiritimati": Cell(env={"TZ": "Pacific/Kiritimati"}),
    "TZ=America/St_Johns": Cell(env={"TZ": "America/St_Johns"}),
    "LC_ALL=C, no UTF-8": Cell(env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "LC_ALL=tr_TR.UTF-8": Cell(env={"LC_ALL": "tr_TR.UTF-8"}),
    "umask 077": Cell(umask=0o077),
    "umask 000": Cell(umask=0),
    "states singly": Cell(commands=tuple((state,) for state in STATES)),
    "states by twos": Cell(commands=tuple(("run", "--from", f"S{n}", "--to", f"S{n + 1}") for n in (0, 2, 4))),
    "killed in S4, resumed": Cell(killed=True),
    "Arrow without SIMD": Cell(env={"ARROW_USER_SIMD_LEVEL": "NONE"}),
    "Arrow with SSE4.2": Cell(env={"ARROW_USER_SIMD_LEVEL": "SSE4_2"}),
    "Arrow with AVX2": Cell(env={"ARROW_USER_SIMD_LEVEL": "AVX2"}),
    "numba without SVML": Cell(env={"NUMBA_DISABLE_INTEL_SVML": "1"}),
    "rows of inputs in another order": Cell(shuffled=True),
    "numba without CPU features": Cell(env={"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}),
    "Dask workers": Cell(("--engine", "dask", "--workers", "1")),
}
_SHORT = {"TZ=America/St_Johns"}


def cases() -> list[Case]:
    """Every cell of the matrix."""
    return [Case(IDENTITY, name, partial(_made, cell), name in _SHORT) for name, cell in CELLS.items()]


def _made(cell: Cell, bench: Bench, folder: Path) -> str:
    runs_root = bench.copy(bench.world, folder / "runs")
    if cell.shuffled:
        _shuffle(bench.run_of(runs_root))
    if cell.killed:
        strike = Strike(("rename",), bench.numbered("rename", 3, 5))
        bench.seg5b("run", "--runs-root", runs_root, strike=strike, below=runs_root)
        return goes_on(bench, runs_root)
    for command in cell.commands:
        ended = bench.seg5b(*command, "--json", "--runs-root", runs_root, *cell.options, env=cell.env, umask=cell.umask)
        if ended.status:
            return f"{' '.join(command)}: {ended.out[:200] or ended.cause()}"
    return whole(bench, runs_root)


SHUFFLED = (
    "data/layer2/5A/merchant_zone_scenario_local/**/*.parquet",
    "data/layer2/5A/merchant_zone_profile/**/*.parquet",
    "data/layer1/1B/site_locations/**/*.parquet",
    "data/layer1/2A/site_timezones/**/*.parquet",
    "data/layer1/2B/s1_site_weights/**/*.parquet",
    "data/layer1/2B/s4_group_weights/**/*.parquet",
    "data/layer1/3A/zone_alloc/**/*.parquet",
    "data/layer1/3B/virtual_classification/**/*.parquet",
    "data/layer1/3B/virtual_settlement/**/*.parquet",
)
"""Inputs whose order of rows means nothing."""


def _shuffle(run: Path) -> None:
    """Put the rows of inputs into another order, and mend the bundles that state their digests."""
    for number, file in enumerate(file for pattern in SHUFFLED for file in sorted(run.glob(pattern))):
        rewrite(file, partial(_in_another_order, number))
    for segment in ("1A", "1B", "2A", "2B", "3A", "3B", "5A"):
        mend_upstream(run, segment)


def _in_another_order(seed: int, table: pa.Table) -> pa.Table:
    return table.take(random.Random(seed).sample(range(table.num_rows), table.num_rows))
