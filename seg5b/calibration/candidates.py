"""Realising and scoring a candidate: a base run or one derived from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seg5b.backends.base import Backend
from seg5b.calibration.derive import Derived
from seg5b.contracts import ContractSource
from seg5b.errors import ValidationFailure
from seg5b.options import ComputeOptions, EngineOptions, Options, Tuning
from seg5b.pipeline import run_states
from seg5b.progress import Reporter, Silent, StepProgress
from seg5b.realism import Scoreboard, score_run, write_boards
from seg5b.run_tables.outputs import dataset_path
from seg5b.runs.ledger import last_records
from seg5b.runs.root import RunRoot

ReportStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class CandidateRunner:
    """Realises and scores candidates. ``backend`` None: what ``compute`` chooses; ``report_step`` is
    called with one line per step."""

    contracts: ContractSource
    backend: Backend | None = None
    reporter: Reporter | None = None
    tuning: Tuning = Tuning()
    engine: EngineOptions = field(default_factory=EngineOptions)
    report_step: ReportStep = lambda line: None
    compute: ComputeOptions = field(default_factory=ComputeOptions)

    def realise(self, derived: Derived) -> str:
        """Run the states of a run that has no bundle yet; returns S5's status, ``PASS`` or ``FAIL``.

        A verdict against the run is a result; any other `Seg5bError` is raised.
        """
        if is_sealed(derived.root, self.contracts):
            return "PASS"
        self.report_step(
            f"{derived.root.identity.run_id}: {derived.states[0]} to {derived.states[-1]}, {len(derived.states)} states"
        )
        try:
            run_states(
                derived.root,
                self.contracts,
                derived.states,
                backend=self.backend,
                reporter=self.reporter,
                options=Options(tuning=self.tuning, engine=self.engine, compute=self.compute),
            )
        except ValidationFailure:
            return "FAIL"
        return "PASS"

    def score(self, root: RunRoot, label: str, baseline: Mapping[str, Any] | None = None) -> Scoreboard:
        """Score a run and write its boards; ``baseline`` is the board to compare with."""
        self.report_step(f"{root.identity.run_id}: scoring {label}")
        with StepProgress(self.reporter or Silent(), "checks") as progress:
            board = score_run(
                root,
                self.contracts,
                baseline=baseline,
                threads=self.tuning.threads,
                memory_limit_gb=self.tuning.query_memory_gb,
                progress=progress,
            )
        path = None if baseline is None else str(baseline.get("run", {}).get("run_id"))
        write_boards(root, board, label=label, baseline_path=path)
        return board


def is_sealed(root: RunRoot, contracts: ContractSource) -> bool:
    """Whether S5 passed last and its bundle is there."""
    flag = dataset_path(root, contracts, "validation_passed_flag_5B")
    return flag.is_file() and last_records(root).get("S5", {}).get("status") == "PASS"
