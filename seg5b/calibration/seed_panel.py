"""One world under several seeds, each in a run of its own: realised, scored, and compared with the laws and with one another
(docs/laws#certification)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seg5b.calibration.agreement import MOST_Z, Agreement, agreements, equal_datasets
from seg5b.calibration.candidates import CandidateRunner
from seg5b.calibration.derive import Derived, derive_run
from seg5b.calibration.panel import LEAST_P, Variation, faults_of, variations
from seg5b.calibration.panel_budgets import CERTIFICATION_BUDGET_S
from seg5b.gate import scenarios_of_run
from seg5b.pipeline import STATE_IDS
from seg5b.realism import Scoreboard, laws
from seg5b.realism.board import BOARD, CANDIDATE_BOARD
from seg5b.realism.decide import below_bplus, failed
from seg5b.realism.files import reports_folder
from seg5b.runs.ledger import ledger_files, worked_seconds_of
from seg5b.runs.root import RunRoot

METRICS = ("T1", "T2", "T3", "T6", "T7")


@dataclass(frozen=True, slots=True)
class SeedPanel:
    """Runs of a panel and their boards, in order of the seeds; ``rows`` one per seed, fields as in docs/laws#certification;
    ``variations`` and ``agreements`` are what they are compared in, ``equal`` datasets that two seeds share, in words."""

    roots: tuple[RunRoot, ...]
    boards: tuple[Scoreboard, ...]
    rows: tuple[dict[str, Any], ...]
    variations: tuple[Variation, ...]
    agreements: tuple[Agreement, ...]
    equal: tuple[str, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Everything that is wrong with the seeds, one reason each."""
        told = (each.fault for each in self.agreements if each.fault)
        return (*_failures(self.rows), *faults_of(self.variations), *told, *self.equal)


def realise_panel(base: RunRoot, runner: CandidateRunner, seeds: Sequence[int]) -> SeedPanel:
    """Realise and score the base's world under every seed, and compare the seeds.

    Raises `RunError` ``5B.CALIBRATION.SEED_NOT_IN_WORLD``, and what the states raise; a seed that S5 rejects is a reason, not
    an error.
    """
    lanes = [derive_run(base, runner.contracts, seed=seed) for seed in dict.fromkeys(seeds)]
    rows, boards = [], []
    for derived in lanes:
        status = runner.realise(derived if derived.root is not base else Derived(base, STATE_IDS))
        board = runner.score(derived.root, f"seed {derived.root.identity.seed}")
        boards.append(board)
        rows.append(_row(derived.root, board, status))
    return _compared(tuple(derived.root for derived in lanes), runner, boards, rows)


def _compared(
    roots: tuple[RunRoot, ...], runner: CandidateRunner, boards: Sequence[Scoreboard], rows: Sequence[dict[str, Any]]
) -> SeedPanel:
    differing, agreeing, equal = variations(boards), list[Agreement](), list[str]()
    if all(row["realised"] for row in rows):
        runner.report_step("comparing the seeds with one another")
        scenarios = [scenario.scenario_id for scenario in scenarios_of_run(roots[0], runner.contracts)]
        memory = runner.tuning.query_memory_gb
        agreeing = agreements(roots, runner.contracts, scenarios, memory_limit_gb=memory)
        equal = equal_datasets(roots, runner.contracts, scenarios)
    return SeedPanel(roots, tuple(boards), tuple(rows), tuple(differing), tuple(agreeing), tuple(equal))


def _row(root: RunRoot, board: Scoreboard, status: str) -> dict[str, Any]:
    s4, s5 = worked_seconds_of(root, "S4"), worked_seconds_of(root, "S5")
    lane = None if s4 is None or s5 is None else s4 + s5
    ledger = ledger_files(root)
    return {
        "seed": root.identity.seed,
        "run_id": root.identity.run_id,
        "hard_failures": failed(board.gates, laws.FROZEN),
        "major_failures": failed(board.gates, laws.PRIMARY),
        "major_bplus_failures": below_bplus(board.gates, (*laws.PRIMARY, "T13", "T15")),
        "own_failures": failed(board.gates, laws.OWN),
        "s5_status": status,
        "s5_pass": status == "PASS",
        "realised": board.facts["arrivals"] > 0,
        "validation_report_status": board.facts["validation_report_status"],
        "s4_seconds": s4,
        "s5_seconds": s5,
        "s4s5_seconds": lane,
        "runtime_budget_seconds": CERTIFICATION_BUDGET_S,
        "runtime_budget_pass": lane is not None and lane <= CERTIFICATION_BUDGET_S,
        "metrics": {metric: board.gate(metric).value for metric in METRICS},
        "p1_gateboard_path": str(reports_folder(root) / BOARD),
        "p2_gateboard_path": str(reports_folder(root) / CANDIDATE_BOARD),
        "state_runs_path": str(ledger[-1]) if ledger else None,
        "p2_lane_decision": board.decision["p2"]["lane_decision"],
        "p2_phase_grade": board.decision["p2"]["phase_grade"],
    }


def _failures(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Gates that fail and verdicts of S5 against a seed, a reason each."""
    reasons = []
    for row in rows:
        for name in ("hard_failures", "major_failures", "own_failures"):
            if row[name]:
                reasons.append(f"seed {row['seed']}: {name.replace('_', ' ')} {' '.join(row[name])}")
        if not row["s5_pass"]:
            reasons.append(f"seed {row['seed']}: S5 is {row['s5_status']}")
    return reasons


def comparison_json(found: SeedPanel) -> dict[str, Any]:
    """How the seeds differ from the law and agree with one another."""
    return {
        "least_p": LEAST_P,
        "most_z": MOST_Z,
        "variations": [each.as_json() for each in found.variations],
        "agreements": [each.as_json() for each in found.agreements],
    }
