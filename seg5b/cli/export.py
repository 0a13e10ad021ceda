"""`seg5b export`: rows of a dataset as files, on stdout, in object storage, as tables of a lake."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from seg5b.cli.common import (
    MERCHANT_ID,
    CommandOutput,
    json_option,
    memory_option,
    open_run_options,
    reporting,
    run_options,
    threads_option,
)
from seg5b.cli.terminal import end_of_pipe, progress_reporter
from seg5b.options import DEFAULT_MEMORY_GB

_AS_ASKED = (
    *("dataset", "scenarios", "merchants", "since", "until", "where", "limit", "order", "compression", "ids"),
    "overwrite",
)
"""Options that are fields of the request as they are."""
_FORMATS = ("parquet", "csv", "jsonl", "arrow", "delta", "iceberg")


@click.command()
@run_options
@click.option("--dataset", default="arrival_events", show_default=True, help="Dataset id, with or without _5B.")
@click.option("--scenario", "scenarios", multiple=True, help="Scenario, or all. Repeatable. [default: the first]")
@click.option("--merchant", "merchants", type=MERCHANT_ID, multiple=True, help="Only this merchant. Repeatable.")
@click.option("--from", "since", metavar="MOMENT", help="First moment: a date (UTC), or RFC 3339 with Z or an offset.")
@click.option("--to", "until", metavar="MOMENT", help="The moment after the last, in the same form.")
@click.option("--where", metavar="SQL", help="Condition in DuckDB's SQL over the columns.")
@click.option(
    "--columns",
    multiple=True,
    metavar="A,B,...",
    help="Only these, in this order; varying: all but those that only say which run it is. [default: all]",
)
@click.option("--limit", type=click.IntRange(1), help="At most so many rows. [default: all]")
@click.option("--order", type=click.Choice(["merchant", "time"]), default="merchant", show_default=True)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="[default: what the name of --out ends in]")
@click.option("--compression", help="snappy, zstd, gzip, lz4 or none, as the format has it.")
@click.option(
    "--partition-by",
    multiple=True,
    metavar="A,B,...",
    help="A folder for each value of day, month (UTC), or a column of text or flags.",
)
@click.option(
    "--ids",
    type=click.Choice(["uint64", "int64", "string", "prefixed"]),
    help="Form of ids. [default: uint64 in Parquet and Arrow, string in Delta and Iceberg, prefixed (id_1) in CSV and JSON]",
)
@click.option(
    "--out",
    metavar="FILE|FOLDER|-|URL",
    required=True,
    help="Where to: a file, a folder, stdout (-), s3://bucket/key, iceberg://catalog/namespace/table.",
)
@click.option("--overwrite", is_flag=True, help="Replace what an earlier export left there.")
@click.option(
    "--compat",
    type=click.Choice(["reference"]),
    help="The whole run, as a run root of the reference engine below the folder --out: texts and moments in plain text.",
)
@click.option(
    "--through",
    type=click.Choice(["S1", "S2", "S3", "S4", "S5"], case_sensitive=False),
    help="With --compat: the last state whose outputs come along. [default: S5]",
)
@threads_option
@memory_option
@json_option
@reporting
def export(
    out: str, threads: int | None, memory_gb: float | None, compat: str | None, through: str | None, **options: Any
) -> CommandOutput:
    """Write rows of a dataset as Parquet, Arrow, CSV, JSON lines, or as a Delta or Iceberg table.

    Nothing is replaced without --overwrite, and what is written appears whole. Ids and clocks come in forms that
    readers take up correctly by default. --compat reference writes the whole run instead, for programs that read the
    reference engine's.

    Example: seg5b export --from 2026-03-01 --to 2026-03-02 --order time --out day.parquet
    """
    from seg5b.export import ExportRequest, export_dataset

    if compat:
        return _reference_root(out, threads, through or "S5", options)
    if through:
        raise click.UsageError("--through belongs to --compat: rows of one dataset are of one state")
    if out == "-" and click.get_current_context().params.get("as_json"):
        raise click.UsageError("--json and --out - both print to stdout: name a file")
    root, contracts = open_run_options(options)
    request = ExportRequest(
        out,
        columns=names_of(options["columns"]),
        format=options["form"],
        partition_by=names_of(options["partition_by"]),
        **{name: options[name] for name in _AS_ASKED},
    )
    memory, reporter = memory_gb or DEFAULT_MEMORY_GB, progress_reporter()
    try:
        done = export_dataset(root, contracts, request, memory_limit_gb=memory, threads=threads, reporter=reporter)
        sys.stdout.flush()
    except BrokenPipeError:
        end_of_pipe()
    payload = {
        "run_id": root.identity.run_id,
        "dataset": done.dataset_id,
        "scenario": done.scenarios[0] if len(done.scenarios) == 1 else None,
        "scenarios": list(done.scenarios),
        "rows": done.rows,
        "files": done.files,
        "path": out,
        "format": done.shape.format.value,
        "compression": done.shape.compression,
        "ids": done.shape.ids.value,
    }
    return payload, lambda: click.echo(f"{done.rows:,} rows of {done.dataset_id} in {out}", err=out == "-")


_CHOOSING = (
    "dataset",
    "merchants",
    "since",
    "until",
    "where",
    "columns",
    "limit",
    "order",
    "form",
    "compression",
    "ids",
)
_OF_ROWS = (*_CHOOSING, "scenarios", "partition_by", "overwrite", "memory_gb")
"""Options that say nothing of a whole run."""


def _reference_root(out: str, threads: int | None, through: str, options: dict[str, Any]) -> CommandOutput:
    from seg5b.export import export_reference_root

    context = click.get_current_context()
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in _OF_ROWS and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"--compat writes the whole run and replaces nothing: leave out {', '.join(given)}")
    root, contracts = open_run_options(options)
    started = time.process_time()
    done = export_reference_root(root, contracts, out, through=through, threads=threads, reporter=progress_reporter())
    payload = {
        "run_id": root.identity.run_id,
        "path": str(done.path),
        "form": "reference",
        "through": through,
        "rows": done.rows,
        "files": done.files,
        "size_bytes": done.size_bytes,
        "published_bytes": done.published_bytes,
        "cpu_s": round(time.process_time() - started, 3),
        "datasets": done.receipt["datasets"],
    }
    words = f"{done.rows:,} rows in {done.files} files, read back and found equal, in {done.path}"
    return payload, lambda: click.echo(words)


def names_of(given: Sequence[str]) -> tuple[str, ...]:
    """Names that were given one by one, or several with commas."""
    return tuple(name.strip() for each in given for name in each.split(",") if name.strip())
