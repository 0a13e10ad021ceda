"""What is strange but readable ends in verdicts or typed errors, never in a traceback, and never without end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from seg5b import api
from seg5b.options import Options
from seg5b.pipeline import run_states
from seg5b.run_tables.outputs import scans_folder
from seg5b.validation import CHECKS, Status
from tests.validation.harness import Run, edit, put
from tests.worlds import copy_run


def failed(run: Run) -> set[str]:
    return {name for name, result in run.judge(CHECKS).items() if result.status is Status.FAIL}


def test_a_grouping_without_rows(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    edit(run.path("s1_grouping_5B"), lambda table: table.slice(0, 0))
    assert "s1.grouping_domain" in failed(run)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")], ids=str)
def test_weights_that_are_none(value: float | None, plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    edit(run.gate.files("s1_site_weights")[0], put("p_weight", value))
    assert {"inputs.sealed", "outputs.readable"} <= failed(run)


def test_a_pipe_in_place_of_a_file_is_not_waited_for(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    for path in (run.path("s1_time_grid_5B"), run.path("arrival_events_5B", 1)):
        path.unlink()
        os.mkfifo(path)
    assert "outputs.readable" in failed(run)


def test_whoever_asks_to_compute_again_believes_nothing_that_is_kept(tiny_run: Path, tmp_path: Path) -> None:
    run = api.open_run(copy_run(tiny_run, tmp_path).path.parent)
    seen = []
    for _ in range(2):
        run_states(run.root, run.contracts, ("S5",), options=Options(recompute=True))
        kept = [path for scenario in run.scenarios for path in scans_folder(run.root, scenario).rglob("part.json")]
        seen.append({path: path.stat().st_mtime_ns for path in kept})
    assert seen[0] and seen[0].keys() == seen[1].keys()
    assert not seen[0].items() & seen[1].items()


def test_instants_that_readers_would_show_elsewhere(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)

    def moved(table: pa.Table) -> pa.Table:
        place = table.column_names.index("ts_utc")
        return table.set_column(place, "ts_utc", table.column("ts_utc").cast(pa.timestamp("us", tz="Asia/Tokyo")))

    edit(run.path("arrival_events_5B", 1), moved)
    assert "outputs.metadata" in failed(run)
