"""Certification across seeds: the same world realised four times, each scored, their gates compared with what the laws
expect of each and with one another (docs/laws#certification)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean, pstdev
from typing import Any

from seg5b.calibration.agreement import MOST_Z, Agreement, agreements, equal_datasets
from seg5b.calibration.candidates import CandidateRunner
from seg5b.calibration.derive import Derived, derive_run
from seg5b.calibration.panel import LEAST_P, Variation, faults_of, variations
from seg5b.gate import scenarios_of_run
from seg5b.pipeline import STATE_IDS
from seg5b.realism import Scoreboard, laws
from seg5b.realism.board import BOARD, CANDIDATE_BOARD
from seg5b.realism.decide import below_bplus, failed
from seg5b.realism.files import reports_folder, write_realism_report
from seg5b.realism.records import Verdict
from seg5b.realism.score import CERTIFICATION
from seg5b.runs.ledger import ledger_files, worked_seconds_of
from seg5b.runs.records import utc_text
from seg5b.runs.root import RunRoot

METRICS = ("T1", "T2", "T3", "T6", "T7")
CERTIFICATION_BUDGET_S = 720.0
_ZERO = 1e-12


@dataclass(frozen=True, slots=True)
class Stability:
    """A metric across seeds. ``cv`` is infinite where there are fewer than four values; ``applicable`` false where no
    seed has the metric at all (a horizon without offset changes)."""

    metric: str
    values: tuple[float, ...]
    cv: float
    applicable: bool = True

    @property
    def sufficient(self) -> bool:
        """Whether there is a value for every required seed."""
        return len(self.values) >= len(laws.REQUIRED_SEEDS)


@dataclass(frozen=True, slots=True)
class Certification:
    """Result of the panel of seeds; ``rows`` one per seed, fields as in docs/laws#certification; ``variations`` and
    ``agreements`` are what the seeds are compared in, and everything wrong with them is among ``veto_reasons``."""

    rows: tuple[dict[str, Any], ...]
    stability: tuple[Stability, ...]
    veto_reasons: tuple[str, ...]
    variations: tuple[Variation, ...] = ()
    agreements: tuple[Agreement, ...] = ()

    @property
    def overall_cv(self) -> float:
        """Largest CV over the metrics that apply."""
        return max((each.cv for each in self.stability if each.applicable), default=math.inf)

    @property
    def grade_class(self) -> str:
        """``BPLUS``, ``B`` or ``FAIL`` by the overall CV."""
        b, bplus = (self.overall_cv <= limit for limit in laws.CV_MAX)
        return "BPLUS" if bplus else "B" if b else "FAIL"

    @property
    def all_bplus(self) -> bool:
        """Whether every seed has every major gate within B+."""
        return bool(self.rows) and not any(row["major_bplus_failures"] for row in self.rows)

    @property
    def decision(self) -> str:
        """Decision of phase P4: ``PASS_BPLUS_ROBUST``, ``PASS_B_ROBUST`` or ``HOLD_P4_REMEDIATE``."""
        if self.veto_reasons or self.grade_class == "FAIL":
            return "HOLD_P4_REMEDIATE"
        return "PASS_BPLUS_ROBUST" if self.all_bplus and self.grade_class == "BPLUS" else "PASS_B_ROBUST"

    @property
    def freeze(self) -> str:
        """Decision of phase P5: whether the segment is frozen, and at which grade, or reopened."""
        labels = {"PASS_BPLUS_ROBUST": "SEG5B_FROZEN_PASS_BPLUS", "PASS_B_ROBUST": "SEG5B_FROZEN_PASS_B"}
        return labels.get(self.decision, "HOLD_P5_REOPEN")

    @property
    def closure(self) -> str:
        """Grade under which the phases are closed, or ``HOLD_REMEDIATE``."""
        labels = {"PASS_BPLUS_ROBUST": "PASS_BPLUS_ROBUST", "PASS_B_ROBUST": "PASS_B"}
        return labels.get(self.decision, "HOLD_REMEDIATE")


def coefficient_of_variation(values: Sequence[float]) -> float:
    """abs(population standard deviation / mean). One value gives 0; a mean of 0 gives 0 where all values are, else
    infinity."""
    if len(values) == 1:
        return 0.0
    mean, spread = fmean(values), pstdev(values)
    if abs(mean) < _ZERO:
        return 0.0 if spread < _ZERO else math.inf
    return abs(spread / mean)


def stability_of(metric: str, boards: Sequence[Scoreboard]) -> Stability:
    """One metric across boards."""
    gates = [board.gate(metric) for board in boards]
    if gates and all(gate.verdict is Verdict.NOT_APPLICABLE for gate in gates):
        return Stability(metric, (), 0.0, applicable=False)
    values = tuple(float(gate.value) for gate in gates if gate.value is not None)
    enough = len(values) >= len(laws.REQUIRED_SEEDS)
    return Stability(metric, values, coefficient_of_variation(values) if enough else math.inf)


def certify(base: RunRoot, runner: CandidateRunner, seeds: Sequence[int] = laws.REQUIRED_SEEDS) -> Certification:
    """Realise and score the base's world under every seed, each in its own run; writes the seed gateboard, stability
    and closure below the base's reports.

    The world must carry the seeds or be one that can be given them. Raises `RunError`
    ``5B.CALIBRATION.SEED_NOT_IN_WORLD``, and what the states raise; a seed that S5 rejects is a veto, not an error.
    """
    chosen = list(dict.fromkeys(seeds))
    lanes = [derive_run(base, runner.contracts, seed=seed) for seed in chosen]
    rows, boards = [], []
    for derived in lanes:
        status = runner.realise(derived if derived.root is not base else Derived(base, STATE_IDS))
        board = runner.score(derived.root, f"seed {derived.root.identity.seed}")
        boards.append(board)
        rows.append(_row(derived.root, board, status))
    found = _judge([derived.root for derived in lanes], runner, boards, rows)
    _write(base, found, boards)
    return found


def _judge(
    roots: Sequence[RunRoot], runner: CandidateRunner, boards: Sequence[Scoreboard], rows: Sequence[dict[str, Any]]
) -> Certification:
    """Compare the seeds with the law and with one another."""
    stability = tuple(stability_of(metric, boards) for metric in METRICS)
    differing, agreeing, equal = variations(boards), list[Agreement](), list[str]()
    if all(row["realised"] for row in rows):
        runner.report_step("comparing the seeds with one another")
        scenarios = [scenario.scenario_id for scenario in scenarios_of_run(roots[0], runner.contracts)]
        memory = runner.tuning.query_memory_gb
        agreeing = agreements(roots, runner.contracts, scenarios, memory_limit_gb=memory)
        equal = equal_datasets(roots, runner.contracts, scenarios)
    told = [*faults_of(differing), *(each.fault for each in agreeing if each.fault), *equal]
    return Certification(tuple(rows), stability, (*_vetoes(rows), *told), tuple(differing), tuple(agreeing))


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


def _vetoes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Why the panel cannot pass, one reason each."""
    mapped = {row["seed"] for row in rows}
    reasons = [f"seed {seed} is not mapped" for seed in laws.REQUIRED_SEEDS if seed not in mapped]
    for row in rows:
        for name in ("hard_failures", "major_failures", "own_failures"):
            if row[name]:
                reasons.append(f"seed {row['seed']}: {name.replace('_', ' ')} {' '.join(row[name])}")
        if not row["s5_pass"]:
            reasons.append(f"seed {row['seed']}: S5 is {row['s5_status']}")
    return reasons


def certification_json(base: RunRoot, found: Certification) -> dict[str, Any]:
    """Fields of ``certification.json``: decisions of P4, P5 and the closure, and the variation from which T10 is
    judged."""
    cv = found.overall_cv if math.isfinite(found.overall_cv) else None
    return {
        "generated_utc": utc_text(datetime.now(UTC)),
        "phase": "P4.6",
        "decision": found.decision,
        "freeze": found.freeze,
        "closure": found.closure,
        "summary": {
            "veto_reasons": list(found.veto_reasons),
            "t10_overall_cv": cv,
            "t10_class": found.grade_class,
            "all_bplus_majors_pass": found.all_bplus,
        },
        "t10_overall_cv": cv,
        "available_seeds": [row["seed"] for row in found.rows if row["s5_pass"]],
        "runs": [row["run_id"] for row in found.rows],
        "artifacts": {
            name: str(reports_folder(base) / name)
            for name in ("certification_seeds.json", "certification_stability.json", "certification_panel.json")
        },
    }


def panel_json(found: Certification) -> dict[str, Any]:
    """How the seeds differ from the law and agree with one another: the report ``certification_panel.json``."""
    return {
        "phase": "P4.7",
        "least_p": LEAST_P,
        "most_z": MOST_Z,
        "variations": [each.as_json() for each in found.variations],
        "agreements": [each.as_json() for each in found.agreements],
    }


def stability_json(found: Certification) -> dict[str, Any]:
    """The stability report."""
    return {
        "phase": "P4.5",
        "metrics": [
            {
                "metric": each.metric,
                "seed_values": list(each.values),
                "cv": each.cv if math.isfinite(each.cv) else None,
                "sufficient": each.sufficient,
                "applicable": each.applicable,
            }
            for each in found.stability
        ],
        "t10_overall_cv": found.overall_cv if math.isfinite(found.overall_cv) else None,
        "t10_class": found.grade_class,
        "thresholds": {"b": laws.CV_MAX[0], "bplus": laws.CV_MAX[1]},
    }


def _write(base: RunRoot, found: Certification, boards: Sequence[Scoreboard]) -> None:
    of_base = [board for board in boards if board.facts["run"]["run_id"] == base.identity.run_id]
    digest = of_base[0].facts["run"]["sealed_inputs_digest"] if of_base else None
    seeds = {
        "generated_utc": utc_text(datetime.now(UTC)),
        "phase": "P4.4",
        "segment": "5B",
        "required_seeds": list(laws.REQUIRED_SEEDS),
        "rows": list(found.rows),
        "veto_reasons": list(found.veto_reasons),
    }
    write_realism_report(base, "certification_seeds.json", seeds)
    write_realism_report(base, "certification_stability.json", stability_json(found))
    write_realism_report(base, "certification_panel.json", panel_json(found))
    write_realism_report(base, CERTIFICATION, {**certification_json(base, found), "sealed_inputs_digest": digest})
