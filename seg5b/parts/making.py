"""One function makes a part, whoever calls it: a thread of the process that publishes, or a worker on another machine."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from seg5b.computing import Computing
from seg5b.context import Replay, ScenarioWork, StateWork
from seg5b.contracts import ContractSource
from seg5b.engines import LocalEngine
from seg5b.errors import EngineError
from seg5b.evidence import TraceRow
from seg5b.gate import open_gate
from seg5b.options import ComputeOptions, Tuning
from seg5b.parts.checkpoints import NO_SUMS, FinishedPart, PartCheckpoints
from seg5b.parts.compared import ComparedPart, ComparedParts
from seg5b.policy import RngPolicy
from seg5b.progress import Advance, Silent, unreported
from seg5b.resources import resource_root
from seg5b.runs import RunRoot
from seg5b.timers import profiled


class PartStore(Protocol):
    """Where a maker leaves its parts: `PartCheckpoints` keep them, `ComparedParts` compare them with published ones."""

    @property
    def folder(self) -> Path:
        """A folder for what parts share, such as a sorted copy of an input."""

    def writing(self, number: int) -> AbstractContextManager[Any]:
        """What `seg5b.tables.RowGroupWriter` can write a part to."""

    def keep(
        self, number: int, written: Any, trace: Sequence[TraceRow], sums: Mapping[str, Any], side: bytes = b""
    ) -> FinishedPart:
        """Finish a part that is written: what it drew, small sums (JSON numbers) by name, the content of its side file."""

    def side(self, number: int) -> bytes:
        """Content of a finished part's side file."""


class Maker(Protocol):
    """Makes the parts of one scenario; several threads may call it at once."""

    @property
    def sizes(self) -> Sequence[int]:
        """Units of work (arrivals, cells or series) in each part."""

    @property
    def kept(self) -> PartStore:
        """Where it leaves what it finished."""

    def make(self, number: int, advance: Advance) -> FinishedPart:
        """Make one part and record it as finished. ``advance`` is called with units done."""


Opener = Callable[[ScenarioWork], Maker]
"""Opens a scenario for the making of its parts: a function of a module's top level, so that it can be named to others."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a process needs to open one scenario of a state as the process that publishes has it.

    ``key``: digest of all that the parts follow from; ``gate_digest``: the gate's; ``compute``: what it is to
    compute with; ``replay``: as of `StateWork`.
    """

    root: RunRoot
    contracts: ContractSource
    state: str
    reads: tuple[str, ...]
    scenario_id: str
    key: str
    gate_digest: str
    tuning: Tuning
    compute: ComputeOptions
    opener: Opener
    replay: Replay | None

    @property
    def name(self) -> tuple[str, ...]:
        """Tells the assignments that a process has apart."""
        return (str(self.root.path), self.state, self.scenario_id, self.key)


@dataclass(frozen=True, slots=True)
class PartTask:
    """One part to make, wherever."""

    assignment: Assignment
    number: int


def part_store(
    work: ScenarioWork, rng: RngPolicy, dataset_id: str, parts: int, sums: Mapping[str, int | float] = NO_SUMS
) -> PartStore:
    """Where the finished parts of a scenario's dataset go, which has so many ``parts``; ``sums``: as of
    `PartCheckpoints`."""
    if work.state.replay is not None:
        return ComparedParts(work.path(dataset_id), parts)
    return PartCheckpoints(work.state.kept_folder() / work.scenario_id, work.state.key, rng.families, sums)


def write_parts(
    work: ScenarioWork, maker: Maker, opener: Opener, dataset_id: str, *, label: str, unit: str
) -> list[FinishedPart]:
    """Write a dataset of a scenario by its parts: those that were finished before, and the others made by the state's
    engine. A dataset whose contract names a file is that file if it has one part, and a folder of that name if it has
    more; one whose contract names a folder always is one.

    ``maker`` is what ``opener`` gives for ``work``, which this process has already; ``label`` names the work
    to the user, ``unit`` what `Maker.sizes` counts.
    Returns the parts in order. In a replay nothing is written: the parts that it asks for are made and compared.
    Raises the first failure of a part; `EngineError` as `seg5b.engines.Engine.run`.
    """
    name, kept = f"{label} {work.scenario_id}", maker.kept
    if isinstance(kept, ComparedParts):
        return _made_again(work, maker, kept, opener, dataset_id, label=name, unit=unit)
    assert isinstance(kept, PartCheckpoints)
    parts, target = _made(work, maker, kept, opener, label=name, unit=unit), work.target(dataset_id)
    in_one_file = len(parts) == 1 and bool(target.suffix)
    if not in_one_file:
        target.mkdir()
    for part in parts:
        staged = target if in_one_file else target / kept.file(part.number).name
        kept.stage(part.number, staged)
        work.state.record_digest(staged, part.sha256_hex)
    return parts


def _made_again(
    work: ScenarioWork, maker: Maker, kept: ComparedParts, opener: Opener, dataset_id: str, *, label: str, unit: str
) -> list[FinishedPart]:
    state, sizes = work.state, maker.sizes
    assert state.replay is not None
    chosen = state.replay.chosen(f"{work.scenario_id}|{dataset_id}", len(sizes))
    parts = {}
    with state.reporter.track(f"replay: {label}", sum(sizes[number] for number in chosen), unit) as advance:
        for number, part in _by_engine(work, maker, opener, chosen, advance):
            assert isinstance(part, ComparedPart)
            kept.take(part)
            parts[number] = part
    state.compared.update((kept.published(number), parts.get(number)) for number in range(len(sizes)))
    return [parts[number] for number in chosen]


def _made(
    work: ScenarioWork, maker: Maker, kept: PartCheckpoints, opener: Opener, *, label: str, unit: str
) -> list[FinishedPart]:
    state, numbers = work.state, range(len(maker.sizes))
    kept.sweep()
    with state.reporter.track(label, sum(maker.sizes), unit) as advance:
        parts = {number: part for number in numbers if (part := kept.find(number)) is not None}
        advance(sum(maker.sizes[number] for number in parts))
        if parts:
            state.log.info("%d of %d parts were finished before", len(parts), len(numbers))
        tasks = [number for number in numbers if number not in parts]
        try:
            for number, part in _by_engine(work, maker, opener, tasks, advance):
                parts[number] = part
        except BaseException:
            kept.tidy()
            raise
    return [parts[number] for number in numbers]


def _by_engine(
    work: ScenarioWork, maker: Maker, opener: Opener, numbers: Sequence[int], advance: Advance
) -> Iterator[tuple[int, FinishedPart]]:
    engine, assignment = work.state.engine, _assignment(work, opener)
    with _held(assignment, maker, advance):
        for task, part in engine.run(make_part, [PartTask(assignment, number) for number in numbers]):
            if engine.remote:
                advance(maker.sizes[task.number])
            yield task.number, part


def make_part(task: PartTask) -> FinishedPart:
    """Make one part: read sealed and published files, write one file under a name of its own among the finished parts.

    Raises what the state raises; `EngineError` ``5B.ENGINE.WORKER_DIFFERS`` in a process that sees another gate than the
    one that asks.
    """
    held = _HELD.get(task.assignment.name)
    maker, advance = held if held is not None else (_opened(task.assignment), unreported)
    with profiled(f"{task.assignment.state} {task.assignment.scenario_id} part {task.number}"):
        return maker.make(task.number, advance)


_HELD: dict[tuple[str, ...], tuple[Maker, Advance]] = {}
"""What this process has open itself."""
_OPENED: dict[tuple[str, ...], Maker] = {}
"""What it opened for another one: the latest only, since each holds the tables of a scenario."""
_OPENING = Lock()


@contextmanager
def _held(assignment: Assignment, maker: Maker, advance: Advance) -> Iterator[None]:
    _HELD[assignment.name] = (maker, advance)
    try:
        yield
    finally:
        del _HELD[assignment.name]


def _assignment(work: ScenarioWork, opener: Opener) -> Assignment:
    state, root = work.state, work.state.root
    # what comes with the package lies elsewhere on another machine
    others = tuple(path.absolute() for path in root.external_roots if path != resource_root())
    return Assignment(
        replace(root, path=root.path.absolute(), external_roots=others),
        state.contracts,
        state.id,
        state.reads,
        work.scenario_id,
        state.key,
        state.gate.digest,
        state.tuning,
        state.computing.elsewhere,
        opener,
        state.replay,
    )


def _opened(assignment: Assignment) -> Maker:
    """The scenario, opened by a process that does not publish."""
    with _OPENING:
        if assignment.name not in _OPENED:
            _OPENED.clear()
            _OPENED[assignment.name] = assignment.opener(_scenario(assignment))
        return _OPENED[assignment.name]


@cache
def _computing(options: ComputeOptions) -> Computing:
    """What this process computes with: streams, compiled kernels and the trial of a device serve all states and scenarios."""
    return Computing(options)


def _scenario(assignment: Assignment) -> ScenarioWork:
    contracts, others = assignment.contracts, assignment.root.external_roots
    root = replace(assignment.root, external_roots=(*others, resource_root()))
    gate = open_gate(root, contracts, state=assignment.state)
    if gate.digest != assignment.gate_digest:
        raise EngineError(
            "5B.ENGINE.WORKER_DIFFERS",
            f"a worker refuses: it sees another gate, {gate.digest[:12]} instead of {assignment.gate_digest[:12]}",
            where=platform.node(),
            remedy="let all workers see the same run folder",
        )
    tuning = assignment.tuning
    # a replay writes nothing into a run
    scratch = root.tmp() if assignment.replay is None else Path(tempfile.gettempdir())
    state = StateWork(
        assignment.state,
        assignment.reads,
        root,
        contracts,
        gate,
        _computing(assignment.compute),
        Silent(),
        scratch,
        LocalEngine(tuning.parts_at_once),
        tuning,
        assignment.key,
        replay=assignment.replay,
    )
    return ScenarioWork.open(state, assignment.scenario_id, missing="S1_OUTPUT_MISSING")
