"""One at a time, whoever comes."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

from seg5b.runs.alone import alone
from seg5b.world import World

SPEC = {
    "name": "both",
    "horizon": {"start": "2026-03-20", "days": 2},
    "places": {"countries": ["GB"]},
    "merchants": {"count": 9},
}


def add(folder: Path) -> None:
    with alone(folder / "lock"):
        file = folder / "count"
        before = int(file.read_text()) if file.exists() else 0
        time.sleep(0.02)
        file.write_text(str(before + 1))


def make(folder: Path) -> None:
    World.from_mapping(SPEC).make(folder)


def all_of(processes: list[multiprocessing.context.SpawnProcess]) -> list[int | None]:
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def test_nobody_comes_between(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    assert all_of([context.Process(target=add, args=(tmp_path,)) for _ in range(6)]) == [0] * 6
    assert (tmp_path / "count").read_text() == "6" and not (tmp_path / "lock").exists()


def test_two_make_the_same_world_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    assert all_of([context.Process(target=make, args=(tmp_path / "runs",)) for _ in range(3)]) == [0] * 3
    (made,) = (tmp_path / "runs").iterdir()
    assert (made / "run_receipt.json").exists()
