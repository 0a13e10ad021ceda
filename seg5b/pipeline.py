"""The states in order: gate, time grid, latent field, bucket counts, arrivals, validation."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seg5b.backends.base import Backend
from seg5b.backends.choose import choose_backend
from seg5b.context import Stage, Tuning
from seg5b.contracts import ContractSource
from seg5b.errors import RunError, Seg5bError
from seg5b.frames import Frames, frames_for
from seg5b.gate import Gate, GateProgress, open_gate, run_gate
from seg5b.progress import Reporter, Silent, StepProgress
from seg5b.publish import staging_folder
from seg5b.runs.lock import exclusive
from seg5b.runs.records import StateTimer, append_record, run_log
from seg5b.runs.root import RunRoot
from seg5b.stages import s1_grid, s2_latent, s3_counts, s4_arrivals
from seg5b.validation import validate

STATES = ("S0", "S1", "S2", "S3", "S4", "S5")
PURPOSE = {
    "S0": "verify upstream and seal the inputs",
    "S1": "lay the time grid and group the series",
    "S2": "draw latent fields and realise intensities",
    "S3": "draw bucket counts",
    "S4": "expand counts to arrivals",
    "S5": "validate everything and publish the bundle",
}
OUTPUTS = {
    "S0": "s0_gate_receipt_5B, sealed_inputs_5B, sealed_content_5B",
    "S1": "s1_time_grid_5B, s1_grouping_5B",
    "S2": "s2_realised_intensity_5B",
    "S3": "s3_bucket_counts_5B",
    "S4": "arrival_events_5B, s4_arrival_summary_5B, s4_arrival_anomalies_5B",
    "S5": "validation_bundle_5B",
}
_STAGES: Mapping[str, Callable[[Stage], dict[str, Any]]] = {
    "S1": s1_grid.run,
    "S2": s2_latent.run,
    "S3": s3_counts.run,
    "S4": s4_arrivals.run,
}
_log = logging.getLogger("seg5b")


@dataclass(frozen=True, slots=True)
class StateResult:
    """What a state came to: its run record and how long it took."""

    state: str
    seconds: float
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunResult:
    """All states of one call. ``backend``: what computed and why."""

    run_id: str
    path: Path
    backend: Mapping[str, str | int]
    states: tuple[StateResult, ...] = field(default=())

    def facts(self, state: str) -> Mapping[str, Any]:
        """The run record of a state."""
        return next(result.record for result in self.states if result.state == state)


def states_between(first: str, last: str) -> tuple[str, ...]:
    """States from ``first`` to ``last``, both included. Raises `RunError` ``5B.RUN.STATE_UNKNOWN``."""
    for state in (first, last):
        if state not in STATES:
            raise RunError("5B.RUN.STATE_UNKNOWN", f"{state!r} is no state", remedy=f"use one of {', '.join(STATES)}")
    chosen = STATES[STATES.index(first) : STATES.index(last) + 1]
    if not chosen:
        raise RunError("5B.RUN.STATE_UNKNOWN", f"{first} comes after {last}", remedy="turn --from and --to round")
    return chosen


def run_states(
    root: RunRoot,
    contracts: ContractSource,
    states: Sequence[str],
    *,
    backend: Backend | None = None,
    reporter: Reporter | None = None,
    tuning: Tuning | None = None,
    options: Mapping[str, Any] | None = None,
) -> RunResult:
    """Run ``states`` in order; the first failure ends the call. One process at a time may write to a run.

    ``options`` go to S0 (``depth``) and S5 (``mode``). Every state leaves a run record, PASS or FAIL. Raises the
    `Seg5bError` of the state that failed.
    """
    backend = backend or choose_backend()
    frames = frames_for(backend)
    work = _Work(root, contracts, backend, frames, reporter or Silent(), tuning or Tuning(), options or {})
    with exclusive(root), run_log(root):
        _log.info("run %s on %s (%s)", root.identity.run_id, backend.name, backend.reason)
        _log.info("columns are read by %s (%s)", frames.name, frames.reason)
        results = tuple(work.attempt(state) for state in states)
    return RunResult(root.identity.run_id, root.path, backend.describe(), results)


@dataclass(frozen=True, slots=True)
class _Work:
    root: RunRoot
    contracts: ContractSource
    backend: Backend
    frames: Frames
    reporter: Reporter
    tuning: Tuning
    options: Mapping[str, Any]

    def attempt(self, state: str) -> StateResult:
        """Run one state and leave its record whatever happens."""
        timer, reached = StateTimer.start(), GateProgress()
        _log.info("%s: %s -> %s", state, PURPOSE[state], OUTPUTS[state])
        try:
            facts = self._dispatch(state, reached)
        except Exception as failure:
            partial = reached.summary() if state == "S0" else {}
            append_record(self.root, self.contracts, state, timer, {**partial, **self._failed(state, failure)})
            _log.error("%s FAIL %s", state, failure)
            raise
        record = append_record(
            self.root, self.contracts, state, timer, {**self._common(), "status": "PASS", "error_code": None, **facts}
        )
        _log.info("%s PASS in %.1f s", state, timer.elapsed_s())
        return StateResult(state, timer.elapsed_s(), record)

    def _dispatch(self, state: str, reached: GateProgress) -> dict[str, Any]:
        if state == "S0":
            return self._gate(reached)
        gate = open_gate(self.root, self.contracts, state=state)
        _log.info("%s: gated inputs hold, %d sealed, scenarios %s", state, len(gate.rows), ", ".join(gate.scenario_ids))
        if state == "S5":
            return self._validate(gate)
        with staging_folder(self.root.tmp(), state) as folder:
            stage = Stage(
                state, self.root, self.contracts, gate, self.backend, self.frames, self.reporter, folder, self.tuning
            )
            facts = _STAGES[state](stage)
            published = stage.publish_all()
        done = len(gate.scenario_ids)
        return {
            "outcome": published.outcome.value,
            "published_files": published.files,
            "scenario_set": list(gate.scenario_ids),
            "scenario_count_requested": done,
            "scenario_count_succeeded": done,
            "scenario_count_failed": 0,
            **facts,
        }

    def _gate(self, reached: GateProgress) -> dict[str, Any]:
        report = run_gate(
            self.root,
            self.contracts,
            depth=self.options.get("depth", "content"),
            note=lambda line: _log.info("S0: %s", line),
            progress=reached,
            set_aside=self.options.get("reseal", False),
        )
        return {"scenario_set": list(report.scenario_ids), "outcome": report.outcome.value, **report.summary}

    def _validate(self, gate: Gate) -> dict[str, Any]:
        with StepProgress(self.reporter, "checks") as progress:
            outcome = validate(
                self.root,
                self.contracts,
                gate,
                mode=self.options.get("mode"),
                progress=progress,
            )
        failure = outcome.failure()
        if failure is not None:
            raise failure
        assert outcome.published is not None
        _log.info("S5: bundle %s %s", outcome.bundle_digest, outcome.bundle_path)
        counted = Counter(result.status.value for result in outcome.checks)
        return {
            "outcome": outcome.published.value,
            "validation_mode": outcome.metrics["mode"],
            "metrics": outcome.metrics,
            "checks": dict(counted),
            "warned": [result.check_id for result in outcome.checks if result.status.value == "WARN"],
            "bundle_digest": outcome.bundle_digest,
        }

    def _common(self) -> dict[str, Any]:
        return {"backend": {**self.backend.describe(), "frames": self.frames.name}, "validation_mode": "full"}

    def _failed(self, state: str, failure: Exception) -> dict[str, Any]:
        if isinstance(failure, Seg5bError):
            code, context = failure.code, failure.as_dict()
        else:
            code, context = f"5B.{state}.UNEXPECTED", {"what": f"{type(failure).__name__}: {failure}"}
        return {**self._common(), "status": "FAIL", "error_code": code, "error_context": context}
