"""How far a state has come: facts of the scenarios that are finished, and which one is under way (docs/laws#run-record)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Reached:
    """Facts of each scenario that is finished, as the run record has them, and the scenario under way (None before the first
    and after the last)."""

    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    under_way: str | None = None

    def each(self, scenario_ids: Sequence[str]) -> Iterator[str]:
        """The scenarios in order, each under way until the next is asked for."""
        for scenario_id in scenario_ids:
            self.under_way = scenario_id
            yield scenario_id
        self.under_way = None

    def of_failure(self, scenario_ids: Sequence[str]) -> dict[str, Any]:
        """What the record of a state says that failed among these scenarios."""
        return {
            "scenario_set": list(scenario_ids),
            "scenario_count_requested": len(scenario_ids),
            "scenario_count_succeeded": len(self.details),
            "scenario_count_failed": int(self.under_way is not None),
            "first_failure_scenario": self.under_way,
            "details": dict(self.details),
        }
