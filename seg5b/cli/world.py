"""`seg5b world`: synthetic upstream worlds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from seg5b.cli.common import CommandOutput, json_option, reporting, stderr, stdout
from seg5b.progress import StepProgress, TerminalReporter


@click.group()
def world() -> None:
    """Make synthetic upstream worlds: everything that segments 1A-5A would have written."""


def made_world(
    preset: str, seeds: tuple[int, ...], runs_root: Path | None, unique_keys: bool
) -> tuple[str, Path, Mapping[str, Any]]:
    """Make a world with progress; returns run id, run folder and the comparison with the calibration targets."""
    from seg5b.runs.root import default_runs_root
    from seg5b.world import make_world, world_summary

    root = runs_root or default_runs_root()
    with StepProgress(TerminalReporter(stderr), "steps") as progress:
        run_id = make_world(preset, seeds=seeds, runs_root=root, unique_keys=unique_keys, progress=progress)
    return run_id, root / run_id, world_summary(root / run_id)


@world.command()
@click.option("--preset", type=click.Choice(["demo", "small", "reference", "large"]), default="demo", show_default=True)
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0, 2**64 - 1),
    multiple=True,
    default=(42,),
    show_default=True,
    help="Seed of the run; repeat it for a world that serves several seeds (the first is the receipt's).",
)
@click.option(
    "--runs-root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to make the run in. [default: $SEG5B_RUNS_ROOT or ./runs]",
)
@click.option("--unique-keys", is_flag=True, help="No merchant reaches one time zone through two countries.")
@json_option
@reporting
def make(preset: str, seeds: tuple[int, ...], runs_root: Path | None, unique_keys: bool) -> CommandOutput:
    """Make a complete run root with receipt, upstream datasets, blobs, bundles and policies.

    The same arguments give the same bytes. The run id is printed on the last line.

    Example: seg5b world make --preset small --seed 42 --seed 7
    """
    run_id, path, summary = made_world(preset, seeds, runs_root, unique_keys)

    def show() -> None:
        table = Table(
            "figure", "target", "made", title=f"world {preset} beside the calibration targets", title_justify="left"
        )
        for name, figure in summary.items():
            if isinstance(figure, Mapping) and "made" in figure:
                table.add_row(name, _text(figure.get("target")), _text(figure["made"]))
        stdout.print(table)
        stdout.print(f"next: seg5b run --runs-root {path.parent} --run-id {run_id}", soft_wrap=True)
        click.echo(run_id)

    return {"run_id": run_id, "path": str(path), "figures": dict(summary)}, show


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
