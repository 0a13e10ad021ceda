"""`seg5b events`: records of random events, made again for any slice of a run."""

from __future__ import annotations

import sys
from typing import Any

import click

from seg5b.cli.common import (
    MERCHANT_ID,
    CommandOutput,
    backend_option,
    chunk_option,
    compute_of,
    device_option,
    frames_option,
    json_option,
    open_run_options,
    reporting,
    run_options,
)
from seg5b.cli.terminal import end_of_pipe, progress_reporter
from seg5b.options import EVENT_FAMILIES, EVENT_FORMS, Options, Tuning


@click.command()
@run_options
@click.option(
    "--family",
    "families",
    type=click.Choice(tuple(EVENT_FAMILIES)),
    multiple=True,
    help="Only events of this log. Repeatable. [default: all]",
)
@click.option("--scenario", "scenarios", multiple=True, help="Only this scenario. Repeatable. [default: all]")
@click.option("--merchant", "merchants", type=MERCHANT_ID, multiple=True, help="Only this merchant. Repeatable.")
@click.option("--zone", "zones", metavar="TZID", multiple=True, help="Only series of this time zone. Repeatable.")
@click.option(
    "--from",
    "since",
    metavar="MOMENT",
    help="Only buckets that end after this moment: a date (UTC), or RFC 3339 with Z or an offset.",
)
@click.option("--to", "until", metavar="MOMENT", help="Only buckets that begin before this moment, in the same form.")
@click.option(
    "--format",
    "form",
    type=click.Choice(EVENT_FORMS),
    help="[default: what the name of --out ends in, else jsonl]",
)
@click.option(
    "--out", metavar="FILE|-|URL", required=True, help="Where to: a file, stdout (-), s3://bucket/key. Never a run."
)
@click.option("--overwrite", is_flag=True, help="Replace the file.")
@backend_option
@device_option
@frames_option
@chunk_option
@json_option
@reporting
def events(out: str, form: Any, chunk_arrivals: int | None, overwrite: bool, **options: Any) -> CommandOutput:
    """Write every random event of a run, or a slice of them: as a run with --event-logs does, line for line.

    The records are made again from the sealed inputs and what S1-S3 published, whether or not the run kept logs. A latent path
    is drawn for the whole horizon: it is there if any chosen series follows it.

    Example: seg5b events --family arrival_site_pick --from 2026-03-01 --to 2026-03-02 --out picks.jsonl
    """
    from seg5b.replay import EventRequest, regenerate_events

    if out == "-" and click.get_current_context().params.get("as_json"):
        raise click.UsageError("--json and --out - both print to stdout: name a file")
    root, contracts = open_run_options(options)
    chosen = {name: options[name] for name in ("families", "scenarios", "merchants", "zones", "since", "until")}
    request = EventRequest(out, form, overwrite=overwrite, **chosen)
    computing = Options(tuning=Tuning(chunk_arrivals), compute=compute_of(options))
    try:
        done = regenerate_events(root, contracts, request, reporter=progress_reporter(), options=computing)
        sys.stdout.flush()
    except BrokenPipeError:
        end_of_pipe()
    total = sum(done.events.values())
    payload = {
        "run_id": root.identity.run_id,
        "path": out,
        "format": done.form,
        "records": total,
        "logs": [
            {"family": family, "scenario": scenario, "records": records}
            for (family, scenario), records in done.events.items()
        ],
    }
    return payload, lambda: click.echo(f"{total:,} records of random events in {out}", err=out == "-")
