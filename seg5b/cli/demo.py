"""`seg5b demo`: from nothing to a validated bundle in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seg5b.cli.common import CommandOutput, backend_options, json_option, reporting
from seg5b.cli.run import payload_of, realise, show_result
from seg5b.cli.terminal import program, stdout
from seg5b.cli.world import made_world
from seg5b.pipeline import STATE_IDS


@click.command()
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=42, show_default=True)
@click.option(
    "--runs-root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to make the run in. [default: $SEG5B_RUNS_ROOT or ./runs]",
)
@backend_options
@json_option
@reporting
def demo(seed: int, runs_root: Path | None, **options: Any) -> CommandOutput:
    """Make the demo world, realise its arrivals and validate them.

    Example: seg5b demo
    """
    run_id, path, _ = made_world("demo", (seed,), runs_root, unique_keys=False)
    run = {"runs_root": path.parent, "run_id": run_id, "contracts_root": None, "external_roots": ()}
    result = realise({**options, **run, "contracts_layout": "contracts"}, STATE_IDS)
    payload = payload_of(result)
    arrivals = next(iter(sorted((path / "data/layer2/5B/arrival_events").glob("*/*"))), path)

    def show() -> None:
        show_result(result)
        stdout.print(f"verdict   {payload['status']}")
        stdout.print(f"arrivals  {arrivals}", soft_wrap=True)
        stdout.print("try       python, then: import seg5b", soft_wrap=True)
        stdout.print(f"          run = seg5b.open_run('{path.parent}', '{run_id}')", soft_wrap=True)
        stdout.print("          run.table('arrival_events_5B', 'baseline_v1')", soft_wrap=True)
        stdout.print(f"          {program()} verify --runs-root {path.parent} --run-id {run_id}", soft_wrap=True)
        stdout.print(
            f"          {program()} world make --preset reference && {program()} run    (123 million arrivals)",
            soft_wrap=True,
        )

    return payload, show
