"""Scenarios and stated overlays of a specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from seg5b.world.plan import Overlay, ScenarioPlan
from seg5b.world.spec.moments import spans
from seg5b.world.spec.refusal import refusal

KINDS: Final = {
    "campaign": "CAMPAIGN",
    "outage": "OUTAGE",
    "payday": "PAYDAY",
    "public_holiday": "HOLIDAY",
    "season": "SEASON",
    "stress": "STRESS",
}


def scenario_plans(
    complete: Mapping[str, Any], countries: Sequence[str], zones: Sequence[str], classes: Sequence[str]
) -> tuple[ScenarioPlan, ...]:
    """The scenarios. Raises `WorldError` ``5B.WORLD.SPEC_INVALID``: an id twice, an overlay of a place, class or
    channel that the world lacks, or without a length."""
    channels = tuple(complete.get("channels", ("card_present", "card_not_present")))
    known = {
        "countries": countries,
        "zones": zones,
        "classes": classes,
        "channels": channels,
    }
    plans: dict[str, ScenarioPlan] = {}
    for place, stated in enumerate(complete["scenarios"]):
        key = f"scenarios.{place}"
        if stated["id"] in plans:
            raise refusal(f"{key}.id", stated["id"], "is there twice", "give each scenario an id of its own")
        overlays = tuple(_overlay(each, f"{key}.overlays.{at}", known) for at, each in enumerate(stated["overlays"]))
        drawn = stated["calendar"] == "drawn_v1"
        plans[stated["id"]] = ScenarioPlan(stated["id"], stated["kind"] == "baseline", drawn, overlays)
    return tuple(plans.values())


def _overlay(stated: Mapping[str, Any], key: str, known: Mapping[str, Sequence[str]]) -> Overlay:
    for scope, names in known.items():
        for name in stated.get(scope, ()):
            if name not in names:
                raise refusal(f"{key}.{scope}", name, "is not in this world", f"it has {', '.join(names[:10])}")
    if stated["type"] == "outage" and stated["factor"] > 1:
        raise refusal(f"{key}.factor", stated["factor"], "of an outage is above 1", "use type: campaign")
    return Overlay(
        name=stated["name"],
        kind=KINDS[stated["type"]],
        spans=spans(stated, key),
        factor=stated["factor"],
        ramp_in_hours=stated.get("ramp_in_hours", None if stated["type"] == "season" else 0),
        ramp_out_hours=stated["ramp_out_hours"],
        local=stated["clock"] == "local",
        **{scope: tuple(stated.get(scope, ())) for scope in known},
    )
