"""From readings to the gates by public figures (docs/laws#public-gates)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seg5b.realism.laws import GATES, PUBLIC
from seg5b.realism.records import GateResult
from seg5b.validation.records import CheckResult

_SHOWN = 3


def judge_public(results: Mapping[str, CheckResult]) -> list[GateResult]:
    """Each gate of `seg5b.realism.laws.PUBLIC` from the results of its probe, ``realism.`` and its id."""
    return [_gate(gate_id, results[f"realism.{gate_id.lower()}"]) for gate_id in PUBLIC]


def _gate(gate_id: str, result: CheckResult) -> GateResult:
    """All judged readings of all scenarios must lie in their bands; without any the gate does not apply, and says what it
    would need."""
    readings = [
        {"scenario_id": scenario, **each} for scenario, facts in result.facts.items() for each in facts["measured"]
    ]
    judged = [each for each in readings if each["judged"]]
    short = [f"{_name(each)} needs {each['short']}" for each in readings if not each["judged"]]
    beyond = [each for each in judged if not each["b"]]
    extras = {"readings_judged": len(judged), "readings_beyond_b": [_name(each) for each in beyond], "too_small": short}
    if not judged:
        absent = not result.facts  # then nothing was measured, which is no excuse
        reason = result.reason if absent else _listed(short) or "nothing here is what the gate looks at"
        shown = "missing" if absent else "too little"
        return GateResult(GATES[gate_id], None, shown, False, False, _SOURCE, extras, applicable=absent, reason=reason)
    value: dict[str, Any] = {"readings": len(judged), "beyond_b": len(beyond)}
    shown = f"{len(beyond)} of {len(judged)} readings beyond" + (f", {len(short)} too small" if short else "")
    b, bplus = (not result.reason and all(each[grade] for each in judged) for grade in ("b", "bplus"))
    reason = result.reason or _listed([_told(each) for each in beyond])
    return GateResult(GATES[gate_id], value, shown, b, bplus, _SOURCE, extras, reason=reason)


def _name(each: Mapping[str, Any]) -> str:
    return f"{each['scenario_id']}: {each['name']}"


def _told(each: Mapping[str, Any]) -> str:
    low, high = each["bands"][0]
    error = f" +- {each['se']:.4g}" if each["se"] else ""
    value = "missing" if each["value"] is None else f"{each['value']:.4g}"
    return f"{_name(each)} {value}{error}, band {low:g} to {high:g}"


def _listed(told: list[str]) -> str:
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more


_SOURCE = "every arrival"
