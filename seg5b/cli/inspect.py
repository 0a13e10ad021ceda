"""`seg5b status`, `verify` and `digest`: what a run holds, and whether it still holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from seg5b.cli.common import (
    CommandOutput,
    compute_of,
    computing_options,
    engine_of,
    json_option,
    open_run_options,
    reporting,
    run_options,
    threads_option,
    tuning_of,
)
from seg5b.cli.terminal import program, progress_reporter, stdout
from seg5b.options import Options, Tuning
from seg5b.pipeline import STATE_IDS
from seg5b.runs.dropped import dropped_files, how_to_make_again
from seg5b.runs.ledger import last_records

if TYPE_CHECKING:
    from seg5b.contracts import ContractSource
    from seg5b.replay import ReplayReport
    from seg5b.runs.root import RunRoot


@click.command()
@run_options
@json_option
@reporting
def status(**options: Any) -> CommandOutput:
    """Show the last record of every state of a run, and whether what a state published is still there or was dropped to save
    space.

    Example: seg5b status --json
    """
    from seg5b.listing import gone_files

    root, contracts = open_run_options(options)
    last, dropped = last_records(root), dropped_files(root)
    gone = gone_files(root, contracts, last, but={each.path for each in dropped})

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
                held = f"{record['status']}, {len(gone[state])} files gone" if state in gone else record["status"]
                table.add_row(state, held, record["finished_at_utc"], seconds, record.get("error_code") or "")
        stdout.print(table)
        if gone:
            first = next(iter(gone))
            stdout.print(
                f"{first} passed, but {gone[first][0]} is gone: `{program()} run --from {first} --run-id "
                f"{root.identity.run_id}` makes again what is missing",
                soft_wrap=True,
            )
        if sealed := last.get("S0", {}).get("sealed_inputs_digest"):
            stdout.print(f"inputs and policies sealed as {sealed}", soft_wrap=True)
        if dropped:
            size = sum(each.size_bytes for each in dropped) / 1e6
            names = ", ".join(sorted({each.dataset_id for each in dropped}))
            stdout.print(f"dropped by prune: {names}, {size:.1f} MB; {how_to_make_again(root)}", soft_wrap=True)
        stdout.print(str(root.path), soft_wrap=True)

    facts = {"gone": gone, "dropped": [asdict(each) for each in dropped]}
    return {"run_id": root.identity.run_id, "path": str(root.path), "states": last, **facts}, show


def _parts(value: str) -> int:
    """``all``, which is 0, or how many."""
    if value == "all":
        return 0
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither 'all' nor a number of parts")
    return int(value)


@click.command()
@run_options
@click.option(
    "--replay",
    "parts",
    type=_parts,
    metavar="[all|N]",
    is_flag=False,
    flag_value="all",
    help="Also make S1-S4 again from the sealed inputs, and compare: all, or N parts of each dataset.",
)
@computing_options
@json_option
@reporting
def verify(parts: int | None, **options: Any) -> CommandOutput:
    """Re-hash a published bundle and everything it seals; name whatever differs.

    Hashes tell whether a run is as it was sealed, but not who sealed what: with --replay the run is made again, in memory and
    by any engine, and the first row that is published otherwise is named. Nothing is written into the run.

    Example: seg5b verify --run-id 76011997f9c4b1e2cead2ca31591c5c3 --replay all
    """
    from seg5b.validation import verify_validation_bundle

    root, contracts = open_run_options(options)
    report = verify_validation_bundle(root, contracts, threads=options["threads"])
    replayed = None if parts is None else _replayed(root, contracts, parts or None, options)
    problems = [*report.problems, *(replayed.problems if replayed else ())]
    notes = [*report.notes, *(replayed.notes if replayed else ())]
    status = "FAIL" if problems else "PASS"

    def show() -> None:
        for problem in problems:
            click.echo(f"{problem.code}: {problem.path}: {problem.what}")
        for note in notes:
            click.echo(f"note: {note}")
        told = f"{report.files} files, {report.size_bytes / 1e9:.2f} GB re-hashed"
        if replayed:
            seconds = sum(replayed.seconds.values())
            told += f"; {replayed.files} files, {replayed.size_bytes / 1e9:.2f} GB made again in {seconds:.1f} s"
            told += f" behind gate {replayed.gate[:12]}"
        click.echo(f"{status}: {told}")

    return {
        "status": status,
        "run_id": root.identity.run_id,
        "files": report.files,
        "size_bytes": report.size_bytes,
        "bundle_digest": report.bundle_digest,
        "problems": [problem.as_json() for problem in problems],
        "notes": notes,
        "replay": replayed and _figures(replayed),
    }, show


def _replayed(root: RunRoot, contracts: ContractSource, parts: int | None, options: Mapping[str, Any]) -> ReplayReport:
    from seg5b.replay import replay

    return replay(
        root,
        contracts,
        parts=parts,
        reporter=progress_reporter(),
        options=Options(tuning=tuning_of(options), engine=engine_of(options), compute=compute_of(options)),
    )


def _figures(report: ReplayReport) -> dict[str, Any]:
    return {
        "files": report.files,
        "size_bytes": report.size_bytes,
        "encoded_otherwise": report.encoded_otherwise,
        "gate_digest": report.gate,
        "seconds": {state: round(seconds, 3) for state, seconds in report.seconds.items()},
    }


@click.command()
@run_options
@click.option(
    "--bytes", "of_bytes", is_flag=True, help="Of files as they lie on disk, which the release of pyarrow signs."
)
@click.option(
    "--check",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Compare with what `seg5b digest --json` wrote to this file before; exit status 1 where anything differs.",
)
@threads_option
@json_option
@reporting
def digest(of_bytes: bool, check: Path | None, threads: int | None, **options: Any) -> CommandOutput:
    """SHA-256 of the rows of every published 5B dataset: equal for equal inputs, on any machine and backend, under any
    release of pyarrow.

    Example: seg5b digest --json > expected.json; seg5b digest --check expected.json
    """
    from seg5b.digests import compared, content_digests, dataset_digests, dataset_rows, expected_digests

    root, contracts = open_run_options(options)
    expected = None if check is None else expected_digests(check)
    of = expected.of if expected else ("bytes" if of_bytes else "content")
    if of == "bytes":
        found = dataset_digests(root, contracts)
    else:
        with progress_reporter().track("digests", dataset_rows(root, contracts), "rows") as advance:
            found = content_digests(root, contracts, threads=threads or Tuning().threads, advance=advance)
    differing = compared(found, expected.digests) if expected else {}

    def show() -> None:
        for dataset, value in found.items():
            click.echo(f"{value}  {dataset}")
        for dataset, what in differing.items():
            click.echo(f"{dataset}: {what}")
        if expected:
            click.echo(f"{'FAIL' if differing else 'PASS'}: {len(found)} datasets compared with {check}")

    identity = root.identity
    result: dict[str, Any] = {
        "run_id": identity.run_id,
        "seed": identity.seed,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "of": of,
        "digests": found,
    }
    checked = {"status": "FAIL" if differing else "PASS", "differing": differing} if expected else {}
    return {**result, **checked}, show
