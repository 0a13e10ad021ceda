"""`seg5b plan`: what a run will come to."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table

from seg5b.cli.common import CommandOutput, json_option, open_run_options, reporting, run_options
from seg5b.cli.terminal import program, stdout


@click.command()
@run_options
@json_option
@reporting
def plan(**options: Any) -> CommandOutput:
    """Show what a run will come to before it is run: rows, bytes, seconds, memory, and whether the disk has room.

    Nothing is computed or written. A specification is forecast by `seg5b world check`, before its world is made.

    Example: seg5b plan --runs-root runs
    """
    from seg5b.planning import plan_run

    root, contracts = open_run_options(options)
    found = plan_run(root, contracts)

    def show() -> None:
        table = Table("state", "dataset", "scenario", title=f"run {found.run_id}", title_justify="left")
        table.add_column("rows", justify="right")
        table.add_column("MB", justify="right")
        for each in found.tables:
            about = "" if each.exact else "about "
            table.add_row(
                each.state, each.dataset_id, each.scenario_id, f"{about}{each.rows:,}", f"{each.bytes / 1e6:,.1f}"
            )
        stdout.print(table)
        stdout.print(
            f"about {found.arrivals:,} arrivals, {found.bytes / 1e9:.2f} GB on disk, {found.seconds:,.0f} s on two cores, "
            f"{found.memory_bytes / 1e9:.1f} GB of memory at most; seconds and memory within a factor of two",
            soft_wrap=True,
        )
        room = "has room" if found.fits else "lacks room: what is written is staged beside what is there"
        stdout.print(f"the disk {room}: {found.free_bytes / 1e9:.1f} GB are free", soft_wrap=True)
        if found.finished:
            stdout.print(f"finished, and kept while nothing changes: {', '.join(found.finished)}", soft_wrap=True)
        stdout.print(f"next: {program()} run --runs-root {root.path.parent} --run-id {found.run_id}", soft_wrap=True)

    return found.as_dict(), show
