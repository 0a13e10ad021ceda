"""`seg5b diff`: two runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from seg5b.cli.common import CommandOutput, json_option, page_target, reporting, runs_root_option, write_page
from seg5b.cli.terminal import hint, stdout

if TYPE_CHECKING:
    from seg5b.comparison import Section
    from seg5b.runs.root import RunRoot


@click.command()
@click.argument("left", metavar="RUN")
@click.argument("right", metavar="RUN")
@runs_root_option
@click.option("--all", "everything", is_flag=True, help="Also show where nothing differs.")
@click.option("--out", metavar="FILE", help="Write it as an HTML page, all sections, - for stdout. Never into a run.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
@click.option("--exit-code", is_flag=True, help="End with exit status 1 where anything differs.")
@json_option
@reporting
def diff(
    left: str,
    right: str,
    runs_root: Path | None,
    everything: bool,
    out: str | None,
    overwrite: bool,
    exit_code: bool,
) -> CommandOutput:
    """Compare two runs: specification, policies, sealed inputs, totals and profiles of the arrivals, checks, realism gates, and
    published files.

    A RUN is a run id below --runs-root, how it begins, or the path of a run folder.

    Example: seg5b diff 41044c48 b1c2
    """
    from seg5b.comparison import compare_runs
    from seg5b.contracts import ContractSource

    if out == "-" and click.get_current_context().params.get("as_json"):
        raise click.UsageError("--json and --out - both print to stdout: name a file")
    target = page_target(out, overwrite)
    found = compare_runs(_opened(left, runs_root), _opened(right, runs_root), ContractSource.packaged())

    write_page(target, found.html)

    def show() -> None:
        if out == "-":
            return
        stdout.print(f"left   {found.left}\nright  {found.right}")
        for section in found.sections:
            if not (section.differences or everything):
                continue
            if section.differences:
                stdout.print(_table(section))
            else:
                stdout.print(f"{section.title}:", end=" ")
            if section.note:
                stdout.print(hint(section.note), soft_wrap=True)
        if found.same:
            stdout.print("nothing differs")

    status = {"status": "FAIL"} if exit_code and not found.same else {}
    return {"path": out, **found.as_dict(), **status}, show


def _table(section: Section) -> Table:
    changes = any(each.change for each in section.differences)
    table = Table(section.title, title_justify="left")
    for name in ("left", "right", "change")[: 3 if changes else 2]:
        table.add_column(name, justify="right" if changes else "left", overflow="fold")
    for each in section.differences:
        table.add_row(each.name, each.left, each.right, *([each.change] if changes else []))
    return table


def _opened(named: str, runs_root: Path | None) -> RunRoot:
    from seg5b.api import open_run
    from seg5b.runs.root import RECEIPT_NAME

    path = Path(named).absolute()
    return (open_run(path.parent, path.name) if (path / RECEIPT_NAME).is_file() else open_run(runs_root, named)).root
