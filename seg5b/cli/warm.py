"""`seg5b warm`: compile everything ahead, so that the first run of a machine is as fast as its second."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import click

from seg5b.cli.common import CommandOutput, compute_of, computing_options, engine_of, json_option, reporting, tuning_of
from seg5b.cli.terminal import progress_reporter, stdout
from seg5b.pipeline import STATE_IDS

_WORLD: Final[dict[str, Any]] = {
    "name": "warm",
    "horizon": {"start": "2026-10-30", "days": 4},
    "places": {"countries": {"US": 2, "GB": 1}},
    "merchants": {"count": 12},
    "volume": {"weekly_total": 3000},
}
"""Every kernel and every scan has work in it, for as few rows as the laws of S1 allow."""


@click.command()
@computing_options
@json_option
@reporting
def warm(**options: Any) -> CommandOutput:
    """Compile all kernels and scans, for the CPU or the CUDA device that a run would take: a world of a few merchants is made
    and realised twice in a temporary folder, and removed. What is compiled is kept (`seg5b doctor` says where), so later runs
    of this release on this machine start warm.

    Example: seg5b warm
    """
    from seg5b.contracts import ContractSource
    from seg5b.options import Options
    from seg5b.pipeline import run_states
    from seg5b.runs.root import open_root
    from seg5b.world import World

    compute, engine, tuning = compute_of(options), engine_of(options), tuning_of(options)
    with tempfile.TemporaryDirectory(prefix="seg5b-warm-") as folder:
        seconds: list[dict[str, float]] = []
        for turn in ("first", "second"):
            runs = Path(folder) / turn
            root = open_root(runs, World.from_mapping(_WORLD).make(runs))
            chosen = Options(tuning=tuning, engine=engine, compute=compute)
            result = run_states(
                root, ContractSource.packaged(), STATE_IDS, reporter=progress_reporter(), options=chosen
            )
            seconds.append({state.state: round(state.seconds, 3) for state in result.states})
    first, second = (sum(each.values()) for each in seconds)
    payload = {"backend": dict(result.backend), "first_s": seconds[0], "second_s": seconds[1]}

    def show() -> None:
        stdout.print(f"backend {result.backend['backend']} ({result.backend['reason']})", soft_wrap=True)
        stdout.print(f"first {first:.1f} s, then {second:.1f} s: the difference was compiling, which is kept")

    return payload, show
