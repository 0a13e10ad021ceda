"""Certification across seeds: the same world realised four times, each scored, their gates compared with what the laws
expect of each and with one another (docs/laws#certification)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean, pstdev
from typing import Any

from seg5b.calibration.agreement import Agreement
from seg5b.calibration.candidates import CandidateRunner
from seg5b.calibration.panel import Variation
from seg5b.calibration.panel_budgets import Budget, panel_budgets
from seg5b.calibration.seed_panel import METRICS, SeedPanel, comparison_json, realise_panel
from seg5b.realism import Scoreboard, laws
from seg5b.realism.files import reports_folder, write_realism_report
from seg5b.realism.records import Verdict
from seg5b.realism.score import CERTIFICATION
from seg5b.runs.records import utc_text
from seg5b.runs.root import RunRoot

_ZERO = 1e-12


@dataclass(frozen=True, slots=True)
class Stability:
    """A metric across seeds. ``cv`` is infinite where there are fewer values than a panel must have seeds; ``applicable``
    false where no seed has the metric at all (a horizon without offset changes)."""

    metric: str
    values: tuple[float, ...]
    cv: float
    applicable: bool = True
    sufficient: bool = True


@dataclass(frozen=True, slots=True)
class Certification:
    """Result of the panel of seeds; ``rows`` one per seed, fields as in docs/laws#certification; ``variations`` and
    ``agreements`` are what the seeds are compared in, and everything wrong with them is among ``veto_reasons``. ``budgets``
    decide nothing; ``required`` are seeds that had to be there, ``least`` how many."""

    rows: tuple[dict[str, Any], ...]
    stability: tuple[Stability, ...]
    veto_reasons: tuple[str, ...]
    variations: tuple[Variation, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    budgets: tuple[Budget, ...] = ()
    required: tuple[int, ...] = laws.REQUIRED_SEEDS
    least: int = len(laws.REQUIRED_SEEDS)

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


def stability_of(metric: str, boards: Sequence[Scoreboard], least: int = len(laws.REQUIRED_SEEDS)) -> Stability:
    """One metric across boards, of which there must be ``least``."""
    gates = [board.gate(metric) for board in boards]
    if gates and all(gate.verdict is Verdict.NOT_APPLICABLE for gate in gates):
        return Stability(metric, (), 0.0, applicable=False)
    values = tuple(float(gate.value) for gate in gates if gate.value is not None)
    enough = len(values) >= least
    return Stability(metric, values, coefficient_of_variation(values) if enough else math.inf, sufficient=enough)


def certify(
    base: RunRoot,
    runner: CandidateRunner,
    seeds: Sequence[int] = laws.REQUIRED_SEEDS,
    *,
    least: int | None = None,
) -> Certification:
    """Realise and score the base's world under every seed, each in its own run; writes the seed gateboard, stability
    and closure below the base's reports.

    ``least``: any panel of so many seeds will do; None asks for the reference's four. The world must carry the seeds or be one
    that can be given them. Raises as `seg5b.calibration.seed_panel.realise_panel`; a seed that S5 rejects is a veto, not an
    error.
    """
    required, floor = (laws.REQUIRED_SEEDS, len(laws.REQUIRED_SEEDS)) if least is None else ((), least)
    panel = realise_panel(base, runner, seeds)
    found = Certification(
        rows=panel.rows,
        stability=tuple(stability_of(metric, panel.boards, floor) for metric in METRICS),
        veto_reasons=(*_missing(panel, required, floor), *panel.reasons),
        variations=panel.variations,
        agreements=panel.agreements,
        budgets=panel_budgets("certification", panel.roots),
        required=required,
        least=floor,
    )
    _write(base, found, panel)
    return found


def _missing(panel: SeedPanel, required: Sequence[int], least: int) -> list[str]:
    """Seeds that a panel must have and has not, a reason each."""
    mapped = {root.identity.seed for root in panel.roots}
    reasons = [f"seed {seed} is not mapped" for seed in required if seed not in mapped]
    if not required and len(mapped) < least:
        reasons.append(f"the panel takes {least} seeds, and has {len(mapped)}")
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
        "budgets": [each.as_json() for each in found.budgets],
        "required_seeds": list(found.required),
        "least_seeds": found.least,
        "t10_overall_cv": cv,
        "available_seeds": [row["seed"] for row in found.rows if row["s5_pass"]],
        "runs": [row["run_id"] for row in found.rows],
        "artifacts": {
            name: str(reports_folder(base) / name)
            for name in ("certification_seeds.json", "certification_stability.json", "certification_panel.json")
        },
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


def _write(base: RunRoot, found: Certification, panel: SeedPanel) -> None:
    of_base = [board for board in panel.boards if board.facts["run"]["run_id"] == base.identity.run_id]
    digest = of_base[0].facts["run"]["sealed_inputs_digest"] if of_base else None
    seeds = {
        "generated_utc": utc_text(datetime.now(UTC)),
        "phase": "P4.4",
        "segment": "5B",
        "required_seeds": list(found.required),
        "least_seeds": found.least,
        "rows": list(found.rows),
        "veto_reasons": list(found.veto_reasons),
    }
    write_realism_report(base, "certification_seeds.json", seeds)
    write_realism_report(base, "certification_stability.json", stability_json(found))
    write_realism_report(base, "certification_panel.json", {"phase": "P4.7", **comparison_json(panel)})
    write_realism_report(base, CERTIFICATION, {**certification_json(base, found), "sealed_inputs_digest": digest})
