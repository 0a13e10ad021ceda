"""Whether P2 goes back to the segments before 5B (docs/laws#upstream-reopen)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seg5b.foreign_json import TEXT, Form, Maybe
from seg5b.realism import laws
from seg5b.realism.board import BOARD
from seg5b.realism.decide import t6_distance, t7_distance
from seg5b.realism.files import report_if_any
from seg5b.realism.owners import OWNERS, trial_command, world_knobs
from seg5b.runs.root import RunRoot

UNLOCK, HOLD = "UNLOCK_P2_UPSTREAM_REOPEN", "HOLD_P2_UPSTREAM_REOPEN"
SCORED_FORM: Form = {"p2": Maybe({"frozen_failures": Maybe([TEXT])})}
"""What is read of a gateboard."""
_T6_AIM = 0.70
_T7_AIM = (max(low for low, _ in laws.VIRTUAL_BOUNDS) + min(high for _, high in laws.VIRTUAL_BOUNDS)) / 2


@dataclass(frozen=True, slots=True)
class Reopen:
    """The decision and why."""

    decision: str
    reason: str


def decide_reopen(t6: float, t7: float, t7_reachable: bool, frozen: Sequence[str] | None) -> Reopen:
    """First that holds. ``t7_reachable``: whether policies alone bring T7 into band B; ``frozen``: rails that failed at the
    last score, None where the run was not scored."""
    open_gates = [name for name, far in (("T6", t6_distance(t6)), ("T7", t7_distance(t7))) if far > 0.0]
    if not open_gates:
        return Reopen(HOLD, "T6 and T7 lie within band B: nothing is to be reopened")
    if frozen is None:
        return Reopen(HOLD, "the frozen rails are not known: score the run first (`seg5b score`)")
    if frozen:
        return Reopen(HOLD, f"frozen rails fail and come first: {' '.join(frozen)}")
    if "T7" in open_gates and not t7_reachable:
        return Reopen(UNLOCK, "no allowed value of the policies brings T7 into band B, and the frozen rails hold")
    if "T7" in open_gates:
        return Reopen(HOLD, "policies reach T7: sweep them first (`seg5b sweep`)")
    return Reopen(HOLD, "T7 lies within band B; T6 is left, and tempering and routing are to be tried first")


def frozen_failures(root: RunRoot) -> list[str] | None:
    """Frozen rails that failed when the run was last scored; None if it was not. Raises as `report_if_any`."""
    found: list[str] | None = report_if_any(root, BOARD, SCORED_FORM).get("p2", {}).get("frozen_failures")
    return found


def upstream_reopen(root: RunRoot, found: Mapping[str, Any], busiest: Sequence[str]) -> dict[str, Any]:
    """Fields of ``upstream_reopen.json`` from a sensitivity; ``busiest``: home countries of the ten busiest zones."""
    observed, feasible = found["baseline_observed"], found["local_feasibility_verdict"]
    frozen = frozen_failures(root)
    decided = decide_reopen(observed["t6"], observed["t7"], feasible["t7_reachable_for_b"], frozen)
    return {
        "phase": "P2.6",
        "decision": decided.decision,
        "reason": decided.reason,
        "verdict": feasible["verdict"],
        "frozen_failures": frozen,
        "owners": {gate_id: _owner(root, gate_id, found, busiest) for gate_id in laws.PRIMARY},
    }


def _owner(root: RunRoot, gate_id: str, found: Mapping[str, Any], busiest: Sequence[str]) -> dict[str, Any]:
    """Who owns a gate upstream; for a world with a specification its keys, values to try and how."""
    owner, knobs = OWNERS[gate_id], dict(world_knobs(root).get(gate_id, ()))
    tried: dict[str, Any] = {}
    if knobs:
        observed = found["baseline_observed"]
        if gate_id == "T7":
            tried = virtual_trial(knobs, observed["t7"], found["virtual_mode_mass"]["share_virtual_only"])
        else:
            tried = places_trial(knobs.get("places.countries"), observed["t6"], busiest)
    return {
        "upstream": owner.secondary,
        "spec_keys": knobs,
        "try": tried,
        "command": trial_command(root, tried) if tried else None,
    }


def virtual_trial(knobs: Mapping[str, Any], t7: float, only: float) -> dict[str, float]:
    """``virtual.only`` under which T7 would come to lie in the middle of what both bands hold: what merchants without sites
    have now, and what is missing. Nothing where T7 lies within B, and where the specification may not state it."""
    if t7_distance(t7) == 0.0 or "virtual.only" not in knobs:
        return {}
    return {"virtual.only": round(max(only + _T7_AIM - t7, 0.0), 4)}


def places_trial(countries: Any, t6: float, busiest: Sequence[str]) -> dict[str, float]:
    """Weights of the countries of the ten busiest zones under which their share would fall from t to 0.70: times
    f = 0.7 (1 - t) / (t 0.3), all other weights being kept. Nothing where T6 lies within B, or where the specification weighs
    none of them or no other country."""
    if t6_distance(t6) == 0.0 or not isinstance(countries, Mapping) or countries.keys() <= set(busiest):
        return {}
    factor = _T6_AIM * (1.0 - t6) / (t6 * (1.0 - _T6_AIM))
    weighed = [name for name in busiest if isinstance(countries.get(name), (int, float))]
    return {f"places.countries.{name}": float(f"{countries[name] * factor:.4g}") for name in weighed}
