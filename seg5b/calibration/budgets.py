"""Time budgets of the reference world, by the machine that they are for (docs/laws#performance-budgets)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

REFERENCE_ARRIVALS: Final = 124_000_000
"""Arrivals of the reference world."""
LEAST_PART: Final = 0.5
"""Part of the reference world below which a world says nothing about its budgets."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """``states``: target and stretch of each state, seconds. ``lanes``: the same of sums of states: all of one run
    (candidate), of two seeds (witness), of the panel of seeds (certification)."""

    states: Mapping[str, tuple[float, float]]
    lanes: Mapping[str, tuple[float, float]]

    def scaled(self, arrivals: int | None) -> Budgets:
        """Budgets of a world with so many arrivals: time grows with them, from the reference world on. None: as they are."""
        factor = max((arrivals or 0) / REFERENCE_ARRIVALS, 1.0)
        return Budgets(_times(self.states, factor), _times(self.lanes, factor))


def _times(table: Mapping[str, tuple[float, float]], factor: float) -> dict[str, tuple[float, float]]:
    return {name: (target * factor, stretch * factor) for name, (target, stretch) in table.items()}


def _own(states: Mapping[str, float]) -> Budgets:
    """Machines of a kind differ by a factor of two, so the stretch is twice the target; a seed is a run."""
    run = sum(states.values())
    lanes = {"candidate": run, "witness": 2.0 * run, "certification": 4.0 * run}
    return Budgets(*({name: (seconds, 2.0 * seconds) for name, seconds in table.items()} for table in (states, lanes)))


BUDGETS: Final[Mapping[str, Budgets]] = {
    "box": _own({"S1": 1.5, "S2": 2.5, "S3": 2.5, "S4": 13.0, "S5": 12.0}),
    "workstation": _own({"S1": 1.0, "S2": 1.0, "S3": 1.0, "S4": 2.5, "S5": 5.0}),
    "reference_engine": Budgets(
        {"S1": (90.0, 120.0), "S2": (35.0, 45.0), "S3": (35.0, 45.0), "S4": (240.0, 300.0), "S5": (5.0, 8.0)},
        {"candidate": (420.0, 480.0), "witness": (840.0, 960.0), "certification": (1800.0, 2100.0)},
    ),
}
"""``box``: two cores and 24 GB; ``workstation``: one H200-class GPU and 16 cores; ``reference_engine``: what that engine
allowed itself, its S5 for a sample of half a per cent."""


def budgets_for(backend: str) -> str:
    """Which budgets a run is held to by default: those of a workstation where a CUDA device drew."""
    return "workstation" if backend == "cuda" else "box"
