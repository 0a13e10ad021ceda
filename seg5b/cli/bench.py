"""`seg5b bench`: the times of a run against budgets and a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from seg5b.cli.common import CommandOutput, json_option, open_run_options, reporting, run_options
from seg5b.cli.terminal import stdout


@click.command()
@run_options
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="What --lock wrote, the output of an earlier `seg5b bench --json`, or a segment_state_runs.jsonl.",
)
@click.option(
    "--budget",
    type=click.Choice(["box", "workstation", "reference_engine"]),
    help="Whose budgets to judge by. [default: workstation where a CUDA device drew, else box]",
)
@click.option(
    "--lock",
    type=click.Path(path_type=Path),
    help="Write times and structure of this run to a new file, the baseline of later ones, and a page for people beside it.",
)
@json_option
@reporting
def bench(baseline: Path | None, budget: str | None, lock: Path | None, **options: Any) -> CommandOutput:
    """Score the times of a run's states: shares, lanes within each, budget colours of the reference world, hotspots,
    change to a baseline, and what stands against a certificate.

    Exit status 1 when a state is slower than the baseline by more than a fifth.

    Example: seg5b bench --baseline before.json
    """
    from seg5b.calibration import score_performance
    from seg5b.calibration.baseline import write_lock
    from seg5b.calibration.performance import elapsed_csv
    from seg5b.realism.files import write_realism_report

    root, _ = open_run_options(options)
    report = score_performance(root, baseline, budget)
    write_realism_report(root, "performance.json", report)
    write_realism_report(root, "performance_states.csv", elapsed_csv(report))
    if lock is not None:
        write_lock(root, report, lock)

    def show() -> None:
        table = Table(
            *("state", "seconds", "cold", "share", f"budget ({report['budget']})", "baseline s", "change"),
            title=f"run {root.identity.run_id}",
        )
        for each in report["states"]:
            change = each["regression_fraction"]
            before = "-" if each["baseline_s"] is None else f"{each['baseline_s']:.2f}"
            shown = "-" if change is None else f"{change:+.1%}"
            cold = f"{each['cold_s']:.1f}" if each["cold_s"] else "-"
            share = f"{each['segment_share']:.1%}"
            table.add_row(each["state"], f"{each['elapsed_s']:.2f}", cold, share, each["colour"], before, shown)
        stdout.print(table)
        stdout.print(_lanes_table(report["states"]))
        for lane, each in report["lane_budgets"].items():
            measured = "not measured" if each["measured_s"] is None else f"{each['measured_s']:.1f} s"
            stdout.print(f"{lane} lane: {measured} of {each['target_s']:.0f} s: {each['colour']}")
        for each in report["hotspots"]:
            code = f" ({each['code_refs'][0]})" if each["code_refs"] else ""
            actions = "".join(f": {action}" for action in each["candidate_actions"])
            stdout.print(
                f"{each['title']} hotspot {each['state']}, most in {each['lane']}{code}{actions}", soft_wrap=True
            )
        for reason in report["against_a_certificate"]:
            stdout.print(f"no certificate: {reason}", soft_wrap=True)
        stdout.print(report["verdict"])

    return {"status": "FAIL" if report["slower_than_baseline"] else "PASS", **report}, show


def _lanes_table(states: Sequence[Mapping[str, Any]]) -> Table:
    """Where the time of each state went, longest lane first."""
    table = Table("state", "lane", "seconds", "of state", title="lanes, seconds of all threads together")
    for each in states:
        lanes: Mapping[str, float] = each["lane_decomposition"] or {}
        for name, seconds in sorted(lanes.items(), key=lambda lane: -lane[1]):
            share = f"{seconds / each['elapsed_s']:.0%}" if each["elapsed_s"] else "-"
            table.add_row(each["state"], name.replace("_", " "), f"{seconds:.2f}", share)
        if not lanes:
            table.add_row(each["state"], "none measured", "-", "-")
    return table
