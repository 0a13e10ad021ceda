"""`seg5b.run` beside others: in threads, in an event loop, in processes that were forked or spawned, in a notebook."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import seg5b
from seg5b.digests import dataset_digests
from seg5b.errors import RunError
from tests.long import LONG
from tests.worlds import copy_run

PATIENCE_S = 180


@pytest.fixture
def worlds(tiny_world: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Runs roots with an unrealised tiny world of their own, by name."""
    return lambda name: copy_run(tiny_world, tmp_path / name).path.parent


def digests(runs_root: Path) -> dict[str, str]:
    run = seg5b.open_run(runs_root)
    return dataset_digests(run.root, run.contracts)


def realise(runs_root: Path) -> Path:
    seg5b.run(runs_root, last="S4", backend="cpu")
    return runs_root


def test_in_an_event_loop(worlds: Callable[[str], Path], tiny_digests: dict[str, str]) -> None:
    """Straight in a coroutine it blocks the loop, as any computation does; in an executor the loop goes on."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    async def main() -> list[Path]:
        inside = realise(worlds("inside"))
        beside = asyncio.ensure_future(tick())
        done = [inside, *await asyncio.gather(*(asyncio.to_thread(realise, worlds(name)) for name in "ab"))]
        beside.cancel()
        return done

    assert [digests(place) for place in asyncio.run(main())] == [tiny_digests] * 3
    assert ticks > 10


def test_two_runs_in_two_threads(worlds: Callable[[str], Path], tiny_digests: dict[str, str]) -> None:
    """Each has its bytes, its log and its records."""
    logger = logging.getLogger("seg5b")
    before = logger.level, list(logger.handlers)
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(realise, [worlds("one"), worlds("two")]))
    for place in places:
        assert digests(place) == tiny_digests
        root = seg5b.open_run(place).root
        (log,) = root.path.glob("run_log_*.log")
        text = log.read_text()
        other = next(str(one) for one in places if one != place)
        assert text.count(" PASS in ") == 5 and other not in text
    assert (logger.level, logger.handlers) == before


def test_one_run_in_two_threads(worlds: Callable[[str], Path], tiny_digests: dict[str, str]) -> None:
    """One of them writes, the other is told so; neither waits for the other."""
    place, barrier = worlds("one"), threading.Barrier(2, timeout=PATIENCE_S)

    def attempt(_: int) -> str:
        barrier.wait()
        try:
            realise(place)
        except RunError as failure:
            return failure.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        ends = set(pool.map(attempt, range(2)))
    assert ends == {"done", "5B.RUN.BUSY"} and digests(place) == tiny_digests


PROGRAM = """
import multiprocessing, sys, threading
import seg5b
from seg5b.options import Options

AGAIN = {"first": "S5", "backend": "cpu", "options": Options(recompute=True)}

def realise(place):
    seg5b.run(place, last="S4", backend="cpu")
    run = seg5b.open_run(place)
    print(len(run.table("arrival_events_5B", "baseline_v1")), flush=True)

if __name__ == "__main__":
    method, mine, others = sys.argv[1], sys.argv[2], sys.argv[3:]
    seg5b.run(mine, backend="cpu")  # S5 too: numba, Arrow and DuckDB have all been at work, with threads
    context = multiprocessing.get_context(method)
    at_work = threading.Thread(target=seg5b.run, args=(mine,), kwargs=AGAIN)
    at_work.start()  # and another thread is in the middle of it
    children = [context.Process(target=realise, args=(place,)) for place in others]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        assert child.exitcode == 0, child.exitcode
    at_work.join()
"""


@pytest.mark.parametrize("method", [pytest.param("fork", marks=LONG), "spawn"])
def test_in_processes_made_after_seg5b_was_used(
    worlds: Callable[[str], Path], tmp_path: Path, tiny_digests: dict[str, str], method: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    places = [worlds(name) for name in ("parent", "one", "two")]
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", str(program), method]
    done = subprocess.run([*command, *map(str, places)], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert len(set(done.stdout.split())) == 1
    assert [digests(place) for place in places[1:]] == [tiny_digests] * 2


def test_in_a_notebook(worlds: Callable[[str], Path], tiny_digests: dict[str, str]) -> None:
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebooks = pytest.importorskip("nbformat").v4
    place = worlds("notebook")
    cell = f"import seg5b\nprint(seg5b.run({str(place)!r}, last='S4', backend='cpu').run_id)"
    notebook = notebooks.new_notebook(cells=[notebooks.new_code_cell(cell)])
    client.NotebookClient(notebook, timeout=PATIENCE_S).execute()
    assert digests(place) == tiny_digests and "error" not in json.dumps(notebook.cells[0].outputs)
