"""`seg5b score`: the realism gates of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from seg5b.cli.common import (
    CommandOutput,
    engine_of,
    engine_options,
    json_option,
    memory_option,
    open_run_options,
    reporting,
    run_options,
    threads_option,
)
from seg5b.cli.terminal import progress_reporter, stdout
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.progress import StepProgress


@click.command()
@run_options
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="gateboard.json of another run, for deltas and the runtime veto.",
)
@click.option("--label", default="baseline", show_default=True, help="Name of the candidate on the P2 board.")
@threads_option
@memory_option
@engine_options
@json_option
@reporting
def score(
    baseline: Path | None, label: str, threads: int | None, memory_gb: float | None, **options: Any
) -> CommandOutput:
    """Judge a realised run by the gates T1-T20, all of it, and write the gateboard.

    Exit status 1 when a gate that counts is not within band B, and when S5 has not passed the outputs that are there: then the
    board is shown all the same, the grade is FAIL, and what S5 objects to is said.

    Example: seg5b score --json
    """
    from seg5b.engines import open_engine
    from seg5b.parallel import all_threads
    from seg5b.realism import board_json, clipped_means, no_grade, require_realised, score_run, write_boards
    from seg5b.realism.files import BOARD_FORM, read_report
    from seg5b.realism.owners import repairs

    root, contracts = open_run_options(options)
    require_realised(root, contracts)
    before = None if baseline is None else read_report(baseline, BOARD_FORM)
    with (
        open_engine(engine_of(options), threads=threads or all_threads()) as engine,
        StepProgress(progress_reporter(), "steps") as progress,
    ):
        board = score_run(
            root,
            contracts,
            baseline=before,
            threads=threads,
            engine=engine,
            memory_limit_gb=memory_gb or DEFAULT_MEMORY_GB,
            progress=progress,
        )
    paths = write_boards(root, board, label=label, baseline_path=None if baseline is None else str(baseline))
    grade = board.decision["grade"]

    def show() -> None:
        table = Table("gate", "what", "measured", "verdict", title=f"run {root.identity.run_id}", title_justify="left")
        for gate in board.gates:
            table.add_row(gate.gate_id, gate.law.title, gate.shown, gate.graded)
        stdout.print(table)
        for line in repairs(root, board):
            stdout.print(line, soft_wrap=True, markup=False)
        for gate in board.gates:
            if gate.reason:
                stdout.print(f"{gate.gate_id}: {gate.reason}", soft_wrap=True, markup=False)
        for line in (*clipped_means(board), *no_grade(board)):
            stdout.print(line, soft_wrap=True, markup=False)
        candidate = board.decision["p2"]
        stdout.print(f"grade {grade}, lane {candidate['lane_decision']}, candidate {candidate['phase_grade']}")
        stdout.print(str(paths["markdown"]), soft_wrap=True)

    status = "FAIL" if grade in ("HOLD_REMEDIATE", "FAIL") else "PASS"
    files = {name: str(path) for name, path in paths.items()}
    return {"status": status, "grade": grade, **board_json(board), "files": files}, show
