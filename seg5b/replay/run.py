"""A whole run, made again in memory: start at `replay`."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seg5b.backends.base import Backend
from seg5b.computing import Computing
from seg5b.context import Replay, StateWork
from seg5b.contracts import EVENTS, ContractSource
from seg5b.engines import Engine, open_engine
from seg5b.errors import NO_VERDICT, BackendError, Interruption, Seg5bError
from seg5b.gate import open_gate
from seg5b.options import EVENT_FORMS, Options
from seg5b.pipeline import STATES
from seg5b.progress import Reporter, Silent
from seg5b.refusals import typed_failures
from seg5b.replay.gate import judge_gate, recorded_gates
from seg5b.replay.outputs import Compared, compare_outputs, unmade
from seg5b.runs import RunRoot
from seg5b.states import s1_grid, s2_latent, s3_counts, s4_arrivals
from seg5b.validation import Problem
from seg5b.validation.bundle.published import published_places

_MAKERS: Mapping[str, Callable[[StateWork], Any]] = {
    "S1": s1_grid.run,
    "S2": s2_latent.run,
    "S3": s3_counts.run,
    "S4": s4_arrivals.run,
}


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """``problems``: what is published otherwise than it is made. ``files`` were compared, of ``size_bytes`` bytes, some
    ``encoded_otherwise``: other bytes that say the same, by another release of the encoder. ``gate``: digest of the
    gate, empty where it does not open; whoever noted it when S0 printed it need not trust the run's records.
    ``seconds`` by state, and ``notes`` on what else a reader should know."""

    problems: tuple[Problem, ...] = ()
    files: int = 0
    size_bytes: int = 0
    encoded_otherwise: int = 0
    gate: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the run is what its inputs make."""
        return not self.problems


def replay(
    root: RunRoot,
    contracts: ContractSource,
    *,
    parts: int | None = None,
    backend: Backend | None = None,
    reporter: Reporter | None = None,
    options: Options | None = None,
) -> ReplayReport:
    """Make S1-S4 again from the sealed inputs and compare; each state from what is published by those before it.

    ``parts``: only so many parts of each dataset that has parts, always the same ones; the summary of arrivals and logs of
    events follow from all parts, and are compared only then. ``options``: engine, tuning and what computes (without a
    ``backend``) are heeded. Files are compared byte by byte as they are made; scratch space is needed for small tables and for
    what differs.

    Raises `SystemRefusal`, `EngineError` and `BackendError`, which say nothing of the run. Whatever else stops a state is a
    problem.
    """
    options, started = options or Options(), time.monotonic()
    computing = Computing.of(options, backend)
    computing.refuse_early(needed=True)
    found, seconds = Compared(), dict[str, float]()
    with (
        typed_failures("RUN", str(root.path)),
        open_engine(options.engine, threads=options.tuning.parts_at_once) as engine,
        tempfile.TemporaryDirectory(prefix="seg5b_replay_") as scratch,
    ):
        tools = _Tools(root, contracts, computing, reporter or Silent(), engine, options)
        gate, odd = judge_gate(root, contracts)
        found.problems += odd
        seconds["S0"] = time.monotonic() - started
        for state_id in _MAKERS:
            started = time.monotonic()
            _state(tools, state_id, Replay(parts), Path(scratch) / state_id, found)
            seconds[state_id] = time.monotonic() - started
        found.problems += unmade(root, contracts, found)
    return ReplayReport(
        tuple(found.problems),
        found.files,
        found.size_bytes,
        found.encoded_otherwise,
        gate,
        seconds,
        _notes(root, found),
    )


@dataclass(frozen=True, slots=True)
class _Tools:
    root: RunRoot
    contracts: ContractSource
    computing: Computing
    reporter: Reporter
    engine: Engine
    options: Options


def _state(tools: _Tools, state_id: str, scope: Replay, folder: Path, found: Compared) -> None:
    """Make one state again and add how its files compare."""
    (state,) = (state for state in STATES if state.id == state_id)
    root, contracts = tools.root, tools.contracts
    try:
        gate = open_gate(root, contracts, state=state_id)
        scenarios = gate.scenario_ids
        logs = {
            name: file.suffix.removeprefix(".")
            for name, _, file in published_places(root, contracts, scenarios)
            if name.startswith(EVENTS)
        }
        found.skipped |= logs.keys() if scope.parts is not None else set()
        form = next((form for form in EVENT_FORMS if form in logs.values() and scope.parts is None), None)
        tuning = replace(tools.options.tuning, event_logs=form)
        work = StateWork(
            state_id,
            state.reads,
            root,
            contracts,
            gate,
            tools.computing,
            tools.reporter,
            folder,
            tools.engine,
            tuning,
            f"replay-{uuid.uuid4().hex}",
            replay=scope,
        )
        folder.mkdir()
        _MAKERS[state_id](work)
    except (*NO_VERDICT, BackendError, Interruption):
        raise
    except Seg5bError as cause:
        found.stopped.add(state_id)
        found.problems.append(Problem.of(root, cause, f"{state_id} stops"))
        return
    found.scenarios |= set(scenarios)
    compare_outputs(work, found)


def _notes(root: RunRoot, found: Compared) -> tuple[str, ...]:
    notes = []
    gates = recorded_gates(root)
    if len(gates) > 1:
        moments = ", ".join(f"{digest[:12]} at {moment}" for digest, moment in gates)
        notes.append(f"the run was sealed {len(gates)} times: {moments}")
    if not gates:
        notes.append("no run record tells which gate this run was begun behind")
    if found.skipped:
        notes.append(f"not compared, since they follow from all parts: {', '.join(sorted(found.skipped))}")
    if found.encoded_otherwise:
        notes.append(
            f"{found.encoded_otherwise} files hold the same in other bytes, as another release of pyarrow writes"
        )
    return tuple(notes)
