"""`seg5b export`: a dataset as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seg5b.cli.common import CommandOutput, json_option, open_run_options, reporting, run_options


@click.command()
@run_options
@click.option("--dataset", default="arrival_events_5B", show_default=True, help="Dataset id of the 5B dictionary.")
@click.option("--scenario", help="Scenario, where the dataset has one. [default: the first]")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--merchant", "merchants", type=click.IntRange(0, 2**64 - 1), multiple=True, help="Only this merchant.")
@click.option("--column", "columns", multiple=True, help="Only this column. Repeatable; the order counts.")
@click.option("--limit", type=click.IntRange(0), default=0, help="At most so many rows. [default: all]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@json_option
@reporting
def export(
    dataset: str,
    scenario: str | None,
    form: str,
    merchants: tuple[int, ...],
    columns: tuple[str, ...],
    limit: int,
    out: Path,
    **options: Any,
) -> CommandOutput:
    """Write a Parquet dataset as CSV or JSON lines, in the row form of the contracts: instants as RFC 3339 with
    microseconds, wall clocks without suffix.

    Example: seg5b export --dataset arrival_events_5B --limit 1000 --out arrivals.csv
    """
    from seg5b.export import Selection, export_text
    from seg5b.gate import open_gate
    from seg5b.runs.scratch import reader_scratch

    root, contracts = open_run_options(options)
    scenario = scenario or open_gate(root, contracts, state="S5").scenario_ids[0]
    entry = contracts.dictionary("5B").entry(dataset)
    source = root.resolve(entry.render(root.identity.tokens(scenario)))
    with reader_scratch(root, "export") as scratch:
        rows = export_text(source, out, form, Selection(merchants, columns, limit), scratch)
    payload = {"run_id": root.identity.run_id, "dataset": dataset, "scenario": scenario, "rows": rows, "path": str(out)}
    return payload, lambda: click.echo(f"{rows:,} rows of {dataset} in {out}")
