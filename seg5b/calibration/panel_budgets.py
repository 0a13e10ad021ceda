"""Budgets of lanes beside what was measured (docs/laws#performance-budgets). A missed budget is told and decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seg5b.calibration.budgets import BUDGETS
from seg5b.realism.decide import CANDIDATE_BUDGET_S
from seg5b.runs.ledger import worked_seconds_of
from seg5b.runs.root import RunRoot

LANES_S = BUDGETS["reference_engine"].lanes
"""Target and stretch of S1-S5: of one run, of the seeds of a witness (two), of those of a certification (four)."""
CERTIFICATION_BUDGET_S = 720.0
"""S4 + S5 of one seed of a certification."""
_STATES = ("S1", "S2", "S3", "S4", "S5")


@dataclass(frozen=True, slots=True)
class Budget:
    """One lane: seconds ``measured_s`` (None where a state was not timed) beside its target and stretch."""

    lane: str
    what: str
    measured_s: float | None
    target_s: float
    stretch_s: float

    @property
    def colour(self) -> str:
        """``GREEN`` up to the target, ``AMBER`` up to the stretch, else ``RED``; ``UNMEASURED``."""
        return "UNMEASURED" if self.measured_s is None else colour_of(self.measured_s, (self.target_s, self.stretch_s))

    @property
    def shown(self) -> str:
        """The comparison in one line."""
        measured = "not measured" if self.measured_s is None else f"{self.measured_s:,.1f} s"
        stretch = f", stretch {self.stretch_s:,.0f} s" if self.stretch_s > self.target_s else ""
        return f"{self.lane} lane, {self.what}: {measured} of {self.target_s:,.0f} s{stretch}: {self.colour}"

    def as_json(self) -> dict[str, Any]:
        """Its entry of a report."""
        return {
            "what": self.what,
            "measured_s": self.measured_s,
            "target_s": self.target_s,
            "stretch_s": self.stretch_s,
            "colour": self.colour,
        }


def colour_of(seconds: float, budget: tuple[float, float]) -> str:
    """``GREEN``, ``AMBER`` or ``RED`` by target and stretch."""
    target, stretch = budget
    return "GREEN" if seconds <= target else "AMBER" if seconds <= stretch else "RED"


def panel_budgets(lane: str, roots: Sequence[RunRoot]) -> tuple[Budget, ...]:
    """Budgets of a witness or certification: all of its runs, S1-S5; and S4 + S5, of all seeds of a witness together and of
    the slowest seed of a certification."""
    whole = Budget(lane, f"S1 to S5 of {len(roots)} seeds", seconds_of_states(roots, _STATES), *LANES_S[lane])
    if lane == "witness":
        most = CANDIDATE_BUDGET_S * len(roots)
        last = Budget(lane, f"S4 + S5 of {len(roots)} seeds", seconds_of_states(roots, ("S4", "S5")), most, most)
    else:
        own = [seconds_of_states([root], ("S4", "S5")) for root in roots]
        slowest = None if None in own else max((each for each in own if each is not None), default=None)
        most = CERTIFICATION_BUDGET_S
        last = Budget(lane, "S4 + S5 of the slowest seed", slowest, most, most)
    return whole, last


def seconds_of_states(roots: Sequence[RunRoot], states: Sequence[str]) -> float | None:
    """Wall seconds of the last work of some states of some runs together; None where one has none."""
    seconds = [worked_seconds_of(root, state) for root in roots for state in states]
    return None if None in seconds else sum(each for each in seconds if each is not None)
