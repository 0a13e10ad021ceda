"""`seg5b status`, `verify` and `digest`: what a run holds, and whether it still holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from seg5b.cli.common import json_option, open_run_options, reporting, run_options, stdout
from seg5b.pipeline import STATE_IDS
from seg5b.runs.ledger import last_records

if TYPE_CHECKING:
    from seg5b.validation import VerifyReport

Output = tuple[Mapping[str, Any], Callable[[], None]]


@click.command()
@run_options
@json_option
@reporting
def status(**options: Any) -> Output:
    """Show the last record of every state of a run.

    Example: seg5b status --json
    """
    root, _ = open_run_options(options)
    last = last_records(root)

    def show() -> None:
        table = Table(
            "state", "status", "finished", "seconds", "error", title=f"run {root.identity.run_id}", title_justify="left"
        )
        for state in STATE_IDS:
            record = last.get(state)
            if record is None:
                table.add_row(state, "not run", "", "", "")
            else:
                seconds = f"{record['durations']['wall_ms'] / 1000:.1f}"
                row = (state, record["status"], record["finished_at_utc"], seconds, record.get("error_code") or "")
                table.add_row(*row)
        stdout.print(table)
        stdout.print(str(root.path), soft_wrap=True)

    return {"run_id": root.identity.run_id, "path": str(root.path), "states": last}, show


@click.command()
@run_options
@json_option
@reporting
def verify(**options: Any) -> Output:
    """Re-hash a published bundle and everything it seals; name whatever differs.

    Example: seg5b verify --run-id 76011997f9c4b1e2cead2ca31591c5c3
    """
    from seg5b.validation import verify_bundle

    root, contracts = open_run_options(options)
    report = verify_bundle(root, contracts)

    def show() -> None:
        for problem in report.problems:
            click.echo(f"{problem.code}: {problem.path}: {problem.what}")
        click.echo(f"{_verdict(report)}: {report.files} files, {report.size_bytes / 1e9:.2f} GB re-hashed")

    return {
        "status": _verdict(report),
        "run_id": root.identity.run_id,
        "files": report.files,
        "size_bytes": report.size_bytes,
        "bundle_digest": report.bundle_digest,
        "problems": [{"code": p.code, "path": p.path, "what": p.what} for p in report.problems],
    }, show


def _verdict(report: VerifyReport) -> str:
    return "PASS" if report.ok else "FAIL"


@click.command()
@run_options
@json_option
@reporting
def digest(**options: Any) -> Output:
    """SHA-256 of every published 5B dataset: equal for equal inputs, on any machine and backend.

    Example: seg5b digest --json > expected.json
    """
    from seg5b.digests import dataset_digests

    root, contracts = open_run_options(options)
    digests = dataset_digests(root, contracts)

    def show() -> None:
        for dataset, value in digests.items():
            click.echo(f"{value}  {dataset}")

    return {"run_id": root.identity.run_id, "digests": digests}, show
