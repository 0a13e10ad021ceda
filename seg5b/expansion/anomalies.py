"""What is unusual but allowed, reported as rows of a dataset."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from seg5b.context import ScenarioWork
from seg5b.inputs.profile import read_profile


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One finding. ``severity``: ``WARN`` or ``INFO``; ``context``: facts that identify it."""

    code: str
    severity: str
    message: str
    context: dict[str, str | int | float] = field(default_factory=dict)

    def context_json(self) -> str:
        """The context as canonical JSON."""
        return json.dumps(self.context, sort_keys=True, separators=(",", ":"))


def class_conflicts(work: ScenarioWork) -> list[Anomaly]:
    """One anomaly per series whose country components differ in demand class (law L3)."""
    profile = read_profile(work.state.gate.files("merchant_zone_profile_5A"), code=work.code("INPUTS_MISSING"))
    classes: dict[tuple[int, str], set[str]] = {}
    for (merchant, _, tzid), demand_class in profile.demand_class.items():
        classes.setdefault((merchant, tzid), set()).add(demand_class)
    found, axis = [], work.axis
    for series in range(len(axis)):
        merchant, tzid, channel = axis.key(series)
        if len(classes.get((merchant, tzid), ())) > 1:
            context: dict[str, str | int | float] = {
                "merchant_id": str(merchant),
                "tzid": tzid,
                "channel_group": channel,
                "classes": ",".join(sorted(classes[merchant, tzid])),
                "taken": axis.groups[axis.group[series]].demand_class,
            }
            message = "countries of one series differ in demand class; the larger volume decides"
            found.append(Anomaly("DEMAND_CLASS_CONFLICT", "INFO", message, context))
    return found
