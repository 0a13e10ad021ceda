"""How one state is run: what it is given, its gate, its publication, its record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg5b_compiled import compiled_seconds

from seg5b.errors import Interruption
from seg5b.options import Options
from seg5b.publish import Outcome
from seg5b.refusals import typed, typed_failures
from seg5b.timers import Timers, profiled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seg5b.computing import Computing
    from seg5b.context import StateWork
    from seg5b.contracts import ContractSource
    from seg5b.engines import Engine
    from seg5b.gate import Gate
    from seg5b.progress import Reporter
    from seg5b.runs.root import RunRoot

_log = logging.getLogger("seg5b")
_detail = logging.getLogger("seg5b.story")


@dataclass(frozen=True, slots=True)
class State:
    """One step of the main path.

    ``reads``: ids of the sealed upstream datasets, policies and own datasets that it may read; ``writes``: ids of what
    it publishes (optional ones last). ``run(session, state, facts)`` does the work and fills ``facts``, the body of
    the run record, as it learns them: they are recorded even if it fails. ``draws``: random numbers, by a backend; a state
    that draws none needs no backend.
    """

    id: str
    purpose: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    run: Callable[[Session, State, dict[str, Any]], None]
    draws: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """Where the states of one call work, with what, and where they report to. ``timers``: of the attempt under way."""

    root: RunRoot
    contracts: ContractSource
    computing: Computing
    engine: Engine
    reporter: Reporter
    options: Options
    timers: Timers = field(default_factory=Timers)


@dataclass(frozen=True, slots=True)
class StateResult:
    """What a state came to: its run record and how long it took."""

    state: str
    seconds: float
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class RunResult:
    """All states of one call. ``backend``: what computed and why, `seg5b.computing.NOT_NEEDED` if nothing had to;
    ``scenarios``: ids of those that the run realises; ``derived_from``: run id of its base, None for a base."""

    run_id: str
    path: Path
    seed: int
    scenarios: tuple[str, ...]
    derived_from: str | None
    backend: Mapping[str, str | int]
    states: tuple[StateResult, ...] = field(default=())

    @property
    def status(self) -> str:
        """PASS where every state passed, else FAIL."""
        return "PASS" if all(result.record["status"] == "PASS" for result in self.states) else "FAIL"

    def __repr__(self) -> str:
        seconds = sum(result.seconds for result in self.states)
        states = ", ".join(result.state for result in self.states)
        return f"RunResult({self.run_id}, {states}: {self.status} in {seconds:.1f} s, {self.path})"

    def _repr_html_(self) -> str:
        """What each state came to, as a notebook shows it."""
        rows = [
            f"<tr><td>{escape(each.state)}</td><td>{each.seconds:.1f}</td><td>{escape(str(each.record['status']))}</td></tr>"
            for each in self.states
        ]
        head = "<tr><th scope=col>state</th><th scope=col>seconds</th><th scope=col>result</th></tr>"
        return f"<table><caption>run <code>{escape(self.run_id)}</code></caption>{head}{''.join(rows)}</table>"

    def facts(self, state_id: str) -> Mapping[str, Any]:
        """The run record of a state."""
        return next(result.record for result in self.states if result.state == state_id)


def attempt(session: Session, state: State) -> StateResult:
    """Run one state and leave its record whatever happens: a failure carries it, too."""
    from seg5b.runs.lock import note_state
    from seg5b.runs.records import StateTimer, append_record
    from seg5b.story import outcome_lines

    note_state(session.root, state.id)
    timer, session = StateTimer.start(), replace(session, timers=Timers())
    session.computing.used = False
    compiled = compiled_seconds()
    engine = session.engine.describe()  # now: at the end it may be lost
    facts: dict[str, Any] = {}
    _log.info("%s: %s -> %s", state.id, state.purpose, ", ".join(state.writes))
    try:
        with profiled(state.id):
            state.run(session, state, facts)
    except BaseException as cause:
        failure = typed(cause, state.id, str(session.root.path))
        failed = {
            "status": "FAIL",
            "error_code": failure.code,
            "error_context": failure.as_dict(),
            "first_failure_phase": session.timers.first_failure,
        }
        with _in_any_case(state):
            told = {**facts, "backend": _made_by(session, engine), **failed}
            spent = session.timers.seconds(), compiled_seconds() - compiled
            failure.record = append_record(session.root, session.contracts, state.id, timer, told, *spent)
        _tell(state.id, outcome_lines(state.id, facts))
        _log.error("%s FAIL %s", state.id, failure)
        if failure is cause or isinstance(failure, Interruption):
            raise
        raise failure from cause
    passed = {"status": "PASS", "error_code": None, **facts, "backend": _made_by(session, engine)}
    with typed_failures(state.id, str(session.root.path)):
        spent = session.timers.seconds(), compiled_seconds() - compiled
        record = append_record(session.root, session.contracts, state.id, timer, passed, *spent)
    _tell(state.id, outcome_lines(state.id, facts))
    _log.info("%s PASS in %.1f s", state.id, timer.elapsed_s())
    return StateResult(state.id, timer.elapsed_s(), record)


def _made_by(session: Session, engine: Mapping[str, str | int]) -> dict[str, str | int]:
    """What computed for the attempt under way, for its record; of workers of a cluster, what they were told to choose."""
    workers = {"workers_backend": session.computing.elsewhere.backend} if session.engine.remote else {}
    return {**session.computing.describe(), **engine, **workers, "threads": session.options.tuning.threads}


@contextmanager
def _in_any_case(state: State) -> Iterator[None]:
    """Goes on where a failure cannot be recorded: it must not hide behind that."""
    try:
        yield
    except Exception as second:
        _log.warning("%s: the failure could not be recorded: %s", state.id, typed(second, state.id))


def opened_gate(session: Session, state: State) -> Gate:
    """The gate that S0 published, if it holds for this state. Raises `GateError` as `seg5b.gate.open_gate`."""
    from seg5b.gate import open_gate
    from seg5b.story import input_lines, settings_line

    with session.timers.lane("gate"):
        gate = open_gate(session.root, session.contracts, state=state.id)
    scenarios = ", ".join(gate.scenario_ids)
    _log.info("%s: gated inputs hold, %d sealed, scenarios %s", state.id, len(gate.rows), scenarios)
    _tell(state.id, input_lines(gate, state.reads))
    _tell(state.id, [settings_line(session.options)])
    return gate


def _tell(state_id: str, lines: Iterable[str]) -> None:
    """Lines for the log of the run; a terminal shows them when it is asked for every line."""
    for line in lines:
        _detail.info("%s: %s", state_id, line)


def realise(session: Session, state: State, run: Callable[[StateWork], dict[str, Any]], facts: dict[str, Any]) -> None:
    """Open the gate, let ``run`` write to a scratch folder, publish all of it at once. A state that is finished and
    unchanged is not run again, unless the options say so."""
    from seg5b.context import StateWork
    from seg5b.finished import finished_record, state_key
    from seg5b.publish import staging_folder

    gate = opened_gate(session, state)
    with staging_folder(session.root.tmp(), state.id) as folder:
        work = StateWork(
            state.id,
            state.reads,
            session.root,
            session.contracts,
            gate,
            session.computing,
            session.reporter,
            folder,
            session.engine,
            session.options.tuning,
            timers=session.timers,
        )
        with session.timers.lane("recognise"):
            key = state_key(work)
            found = None if key is None or session.options.recompute else finished_record(work, key)
        if found is not None:
            _log.info("%s: finished before, nothing that it follows from has changed", state.id)
            again = {"outcome": Outcome.UNCHANGED.value, "recomputed": False}
            facts |= {**carried(found), "sealed_inputs_digest": gate.sealed_inputs_digest, **again}
            return
        try:
            reported = run(replace(work, key=key or ""))
        except BaseException:
            facts |= work.reached.of_failure(gate.scenario_ids)
            raise
        with session.timers.lane("publish"):
            published = work.publish_all()
    scenarios = list(gate.scenario_ids)
    facts |= {
        "sealed_inputs_digest": gate.sealed_inputs_digest,
        "outcome": published.outcome.value,
        "recomputed": True,
        "inputs_key": key,
        "published_files": published.files,
        "scenario_set": scenarios,
        "scenario_count_requested": len(scenarios),
        "scenario_count_succeeded": len(scenarios),
        "scenario_count_failed": 0,
        **reported,
    }


_OF_THE_ATTEMPT = {"started_at_utc", "finished_at_utc", "durations", "backend", "outcome", "recomputed"}


def carried(record: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier record says of the state's results, without what it says of that attempt."""
    return {name: value for name, value in record.items() if name not in _OF_THE_ATTEMPT}
