"""A witness: a candidate under a few seeds before a whole certification, with words and budgets of its own
(docs/laws#witness)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from seg5b.calibration.candidates import CandidateRunner
from seg5b.calibration.panel_budgets import Budget, panel_budgets
from seg5b.calibration.seed_panel import SeedPanel, comparison_json, realise_panel
from seg5b.realism.files import write_realism_report
from seg5b.runs.records import utc_text
from seg5b.runs.root import RunRoot

WITNESS = "witness.json"
SEEDS = (42, 7)
LEAST_SEEDS = 2


@dataclass(frozen=True, slots=True)
class Witness:
    """What a few seeds say. ``reasons`` why they do not bear the candidate out, one each; ``budgets`` decide nothing."""

    panel: SeedPanel
    reasons: tuple[str, ...]
    budgets: tuple[Budget, ...]

    @property
    def decision(self) -> str:
        """``WITNESS_STABLE`` or ``HOLD_WITNESS``: words of ours, which freeze nothing and are no certification."""
        return "HOLD_WITNESS" if self.reasons else "WITNESS_STABLE"

    @property
    def branch(self) -> str:
        """What P2 goes on with: ``UNLOCK_P3`` or ``HOLD_P2_REOPEN``."""
        return "HOLD_P2_REOPEN" if self.reasons else "UNLOCK_P3"


def witness(base: RunRoot, runner: CandidateRunner, seeds: Sequence[int] = SEEDS) -> Witness:
    """Realise and score the base's world under a few seeds and write ``witness.json``. A certification, and so T10, is not
    touched. Raises as `seg5b.calibration.seed_panel.realise_panel`."""
    panel = realise_panel(base, runner, seeds)
    few = len(panel.roots) < LEAST_SEEDS
    reasons = (*([f"a witness takes {LEAST_SEEDS} seeds or more"] if few else []), *panel.reasons)
    found = Witness(panel, reasons, panel_budgets("witness", panel.roots))
    write_realism_report(base, WITNESS, witness_json(found))
    return found


def witness_json(found: Witness) -> dict[str, Any]:
    """The report ``witness.json``."""
    return {
        "generated_utc": utc_text(datetime.now(UTC)),
        "phase": "P2.5",
        "segment": "5B",
        "decision": found.decision,
        "branch": found.branch,
        "reasons": list(found.reasons),
        "seeds": [root.identity.seed for root in found.panel.roots],
        "runs": [root.identity.run_id for root in found.panel.roots],
        "rows": list(found.panel.rows),
        "budgets": [each.as_json() for each in found.budgets],
        **comparison_json(found.panel),
    }
