"""One fault after another: planted, made, judged."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.mutation.judging import judge, replayed
from tests.mutation.planting import Program, Sources
from tests.mutation.records import Fault, Noticed
from tests.mutation.worlds import World, copied, dataset_of, digests, run_of, sources_digest

Judge = Callable[[Path], dict[str, Any]]


class Bench:
    """Below ``folder``: worlds, which several benches may share one after another, and sources of this bench alone, as
    ``name``."""

    def __init__(self, folder: Path, name: str = "0") -> None:
        self._worlds, self._own = folder / "worlds", folder / f"bench_{name}"
        shutil.rmtree(self._own / "run", ignore_errors=True)
        self._sources = Sources(self._own)
        self._compiled = False

    def world(self, name: str) -> World:
        """A world, made when it is first asked for."""
        return World(name, self._worlds)

    def lawful(self, name: str) -> dict[str, Any]:
        """What the score says of a world without a fault."""
        kept = self.world(name).lawful / "judged.json"
        if not kept.exists():
            copy = copied(self.world(name).lawful, self._own / "run")
            kept.write_text(json.dumps(judge(copy)))
            shutil.rmtree(copy)
        return dict(json.loads(kept.read_text()))

    def tried(self, fault: Fault, *, control: bool = False, scored: bool = True) -> Noticed:
        """Plant a fault and see who notices. ``control``: there is none, and everything is asked; not the score
        where it is not ``scored``. Raises AssertionError for
        a fault that changes nothing."""
        started, world = time.monotonic(), self.world(fault.world)
        usual, runs_root = self.lawful(fault.world) if scored else {"gates": {}}, self._own / "run"
        shutil.rmtree(runs_root, ignore_errors=True)
        with self._made(fault, world, runs_root, scored) as judged:
            changed = _changed(fault, run_of(world.lawful), run_of(runs_root))
            assert control or changed, f"{fault.name} changes nothing"
            said = judged(runs_root)
        gates = tuple(gate for gate, verdict in said["gates"].items() if verdict != usual["gates"].get(gate))
        gates = (said["grade"],) if said["grade"].startswith("[") else gates
        seen = said["checks"] or gates
        names = None if seen and not control else tuple(replayed(runs_root))
        shutil.rmtree(runs_root)
        seconds = round(time.monotonic() - started, 1)
        return Noticed(tuple(said["checks"]), said["grade"], gates, names, changed, seconds)

    @contextmanager
    def _made(self, fault: Fault, world: World, runs_root: Path, scored: bool) -> Iterator[Judge]:
        """A run with the fault, and who judges it."""
        if fault.act is not None:
            run = run_of(copied(world.lawful, runs_root))
            fault.act(run)
            for bundle in run.glob("data/layer2/5B/validation*"):
                shutil.rmtree(bundle)
            yield partial(judge, scored=scored)
            return
        if fault.compiles and not self._compiled:
            self._sources.compiled().realise(copied(self.world("judged").sealed, runs_root), "S1", "S4")
            shutil.rmtree(runs_root)
            self._compiled = True
        copied(world.sealed, runs_root)
        with self._sources.planted(fault.edits, world.places) as program:
            program.realise(runs_root, "S1", "S4")
            yield partial(_judged_by, program) if fault.judged_by_the_same else partial(judge, scored=scored)


def _judged_by(program: Program, runs_root: Path) -> dict[str, Any]:
    return dict(json.loads(program.run("tests.mutation.judging", runs_root).splitlines()[-1]))


def _changed(fault: Fault, lawful: Path, run: Path) -> tuple[str, ...]:
    """Datasets with a file that is not what it is without the fault. The audit log names the code that ran and
    when, and records tell times, so they count only where files of the lawful run were changed."""
    before, after = (digests(each, records=fault.act is not None) for each in (lawful, run))
    other = {dataset_of(name) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return tuple(sorted(other - ({"rng/audit"} if fault.act is None else set())))


_bench: Bench | None = None


def _start(folder: Path, names: Any) -> None:
    global _bench
    _bench = Bench(folder, names.get())


def _try(fault_name: str) -> Noticed | str:
    from tests.mutation.faults import CONTROLS, FAULTS

    assert _bench is not None
    try:
        return _bench.tried((FAULTS | CONTROLS)[fault_name], control=fault_name in CONTROLS)
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"


def work_through(folder: Path, faults: Sequence[Fault], jobs: int) -> Iterator[tuple[Fault, Noticed | str]]:
    """Each fault with who noticed it, as they end; a text where it could not be tried. The worlds are made first, by one."""
    for world in dict.fromkeys(fault.world for fault in faults):
        Bench(folder).lawful(world)
    context = multiprocessing.get_context("spawn")
    names = context.Manager().Queue()
    for number in range(jobs):
        names.put(str(number))
    with ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(folder, names)) as pool:
        waiting = {pool.submit(_try, fault.name): fault for fault in faults}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


class Results:
    """What is known of faults, one record a line, of the sources as they are: a later run goes on with the others."""

    def __init__(self, file: Path) -> None:
        self._file, self.found = file, dict[str, Noticed]()
        if file.is_file():
            for line in file.read_text("utf-8").splitlines():
                kept = json.loads(line)
                if kept["code"] == sources_digest():
                    self.found[kept["fault"]] = Noticed.of(kept)

    def add(self, fault: Fault, noticed: Noticed) -> None:
        """Keep what came of a fault."""
        self.found[fault.name] = noticed
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"fault": fault.name, "code": sources_digest(), **noticed.as_json()}) + "\n")
