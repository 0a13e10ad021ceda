"""`seg5b runs`, `scenarios` and `datasets`: what there is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from seg5b.cli.common import CommandOutput, json_option, open_run_options, reporting, run_options, runs_root_option
from seg5b.cli.terminal import hint, stdout


@click.command()
@runs_root_option
@json_option
@reporting
def runs(runs_root: Path | None) -> CommandOutput:
    """List the runs below a folder, the newest last: world, seed, scenarios, and how far each is.

    Other commands take the beginning of a run id.

    Example: seg5b runs --runs-root runs
    """
    from seg5b.contracts import ContractSource
    from seg5b.listing import runs_below
    from seg5b.runs.root import default_runs_root

    folder = runs_root or default_runs_root()
    found = runs_below(folder, ContractSource.packaged())

    def show() -> None:
        table = Table("run", "world", "seed", "scenarios", "state", "derived from")
        for run in found:
            base = run.derived_from[:8] if run.derived_from else ""
            how = f"{run.state} {run.status}".strip() or "not run"
            table.add_row(run.run_id[:8], run.world, str(run.seed), ", ".join(run.scenarios), how, base)
        if found:
            stdout.print(table)
        else:
            stdout.print(hint(f"no run below {folder}: make a world with `seg5b world make`"), soft_wrap=True)

    return {"runs_root": str(folder), "runs": [{**asdict(run), "path": str(run.path)} for run in found]}, show


@click.command()
@run_options
@json_option
@reporting
def scenarios(**options: Any) -> CommandOutput:
    """List the scenarios of a run: kind, horizon, and how many arrivals are published.

    Example: seg5b scenarios --json
    """
    from seg5b.listing import scenarios_of

    root, contracts = open_run_options(options)
    found = scenarios_of(root, contracts)

    def show() -> None:
        table = Table("scenario", "kind", "from (UTC)", "to (UTC)", "arrivals", title=f"run {root.identity.run_id}")
        for each in found:
            arrivals = "none yet" if each.arrivals is None else f"{each.arrivals:,}"
            table.add_row(
                each.scenario_id,
                each.kind,
                f"{each.start_utc:%Y-%m-%d %H:%M}",
                f"{each.end_utc:%Y-%m-%d %H:%M}",
                arrivals,
            )
        stdout.print(table)

    rows = [
        {**asdict(each), "start_utc": each.start_utc.isoformat(), "end_utc": each.end_utc.isoformat()} for each in found
    ]
    return {"run_id": root.identity.run_id, "scenarios": rows}, show


@click.command()
@run_options
@json_option
@reporting
def datasets(**options: Any) -> CommandOutput:
    """List the published datasets of a run: rows, bytes, files, and where they lie.

    Example: seg5b datasets --run-id 41044c48
    """
    from seg5b.listing import datasets_of

    root, contracts = open_run_options(options)
    found = datasets_of(root, contracts)

    def show() -> None:
        table = Table("dataset", "scenario", "state", "rows", "MB", "files", title=f"run {root.identity.run_id}")
        for each in found:
            cells = (f"{each.rows:,}", f"{each.bytes / 1e6:,.1f}", str(each.files))
            table.add_row(each.dataset_id, each.scenario_id, each.state, *cells)
        stdout.print(table if found else hint("nothing is published yet: `seg5b run`"))
        stdout.print(str(root.path), soft_wrap=True)

    return {
        "run_id": root.identity.run_id,
        "datasets": [{**asdict(each), "path": str(each.path)} for each in found],
    }, show
