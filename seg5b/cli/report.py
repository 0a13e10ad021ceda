"""`seg5b report`: a run as one HTML page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from seg5b.cli.common import (
    CommandOutput,
    json_option,
    memory_option,
    open_run_options,
    reporting,
    run_options,
    threads_option,
)
from seg5b.cli.terminal import progress_reporter, stdout
from seg5b.options import DEFAULT_MEMORY_GB


@click.command()
@run_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="File to write, anywhere but in a run.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file that is there.")
@threads_option
@memory_option
@json_option
@reporting
def report(out: Path, overwrite: bool, threads: int | None, memory_gb: float | None, **options: Any) -> CommandOutput:
    """Draw a run as one HTML page: verdict, gates, and figures that answer pointer and keyboard.

    The page needs no network and no other file; its figures are drawn by the browser. S1-S4 must be done; S5 and a gateboard
    are shown when they are there. Nothing is written into the run.

    Example: seg5b report --out report.html
    """
    from seg5b.page import write_page

    root, contracts = open_run_options(options)
    started = time.monotonic()
    written = write_page(
        root,
        contracts,
        out,
        overwrite=overwrite,
        threads=threads,
        memory_limit_gb=memory_gb or DEFAULT_MEMORY_GB,
        reporter=progress_reporter(),
    )
    seconds = time.monotonic() - started

    def show() -> None:
        verdict = written.verdict or "not validated"
        click.echo(f"{verdict}: {written.arrivals:,} arrivals, {written.size_bytes / 1e6:.1f} MB in {seconds:.1f} s")
        stdout.print(str(written.path), soft_wrap=True)

    return {
        "run_id": root.identity.run_id,
        "path": str(written.path),
        "size_bytes": written.size_bytes,
        "arrivals": written.arrivals,
        "verdict": written.verdict or None,
        "seconds": round(seconds, 3),
    }, show
