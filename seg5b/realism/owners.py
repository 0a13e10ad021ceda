"""Who repairs which gate, how much would have to move, and which keys of the world's specification it would take
(docs/laws#owner-matrix)."""

from __future__ import annotations

import csv
import io
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.errors import WorldError
from seg5b.public_tables import LAW as PUBLIC
from seg5b.realism import laws
from seg5b.realism.records import GateResult, Scoreboard
from seg5b.runs.root import WORLD_SPECIFICATION, RunRoot
from seg5b.world.plan import CALIBRATED
from seg5b.world.spec import read_spec


@dataclass(frozen=True, slots=True)
class Owner:
    """Where a gate is repaired first and second, in which phase, and by which keys of a world's specification."""

    primary: str
    secondary: str = ""
    phase: str = "P2"
    spec_keys: tuple[str, ...] = ()


_CLOCKS = Owner("S4, S5", "2A: horizon of the zone cache", "P1", ("time_zone_release",))
_PLACES = ("places.countries", "places.zones", "places.law", "merchants.reach.zones", "merchants.reach.countries")
_VIRTUAL = (
    "virtual.only",
    "virtual.hybrid",
    "virtual.hybrid_probability",
    "virtual.classes",
    "virtual.law",
    "channels",
)
OWNERS: Mapping[str, Owner] = {
    "T1": _CLOCKS,
    "T2": _CLOCKS,
    "T3": Owner(
        "S4, S5", "2A: horizon of the zone cache", "P1", ("horizon", "volume.weekly_total", "time_zone_release")
    ),
    "T4": Owner("S3, S4", phase="all"),
    "T5": Owner("S4", phase="all"),
    "T6": Owner("routing policy of 5B", "5A, 2B: volumes and places", "P2", _PLACES),
    "T7": Owner("routing policy of 5B", "3B, 5A: virtual merchants and their volume", "P2", _VIRTUAL),
    "T8": Owner("none, watched", phase="-"),
    "T9": Owner("none, watched", phase="-", spec_keys=("dispersion",)),
    "T10": Owner("certification", phase="P4"),
    "T11": Owner("2A: horizon of the zone cache", "S4: what it reads of it", "P1", ("time_zone_release",)),
    "T12": Owner("S4, S5", phase="P1"),
    "T13": Owner("routing policy of 5B (tz_group_law)", "5A: profiles", "P2", ("placement", "merchants.shapes")),
    "T14": Owner("S2, S3, S4", phase="all"),
    "T15": Owner("S2, S3, S4", phase="P2"),
    "T16": Owner("world", "S3, S4", "-", ("places.law", "places.countries", "merchants.size", "merchants.sites")),
    "T17": Owner("world", phase="-", spec_keys=("merchants.shapes", "merchants.opening_hours", "scenarios")),
    "T18": Owner("latent field and law of counts", phase="-", spec_keys=("latent", "dispersion")),
    "T19": Owner("S4", "5A: shape", "-", ("placement",)),
    "T20": Owner("world", "5A: channels", "-", ("channels", "virtual.law", "virtual.only")),
}


_OF_CALIBRATED = (
    *("time_zone_release", "horizon", "volume.weekly_total", "places.countries", "virtual.only", "virtual.hybrid"),
    "merchants.size",
)
"""Keys that a specification of the law calibrated_v1 may state otherwise; the others are those of derived_v1 alone."""
_NOT_OF_PUBLIC = ("virtual.only", "virtual.hybrid", "virtual.hybrid_probability")
"""What follows from classes where ``virtual.law`` is public_v1."""


@dataclass(frozen=True, slots=True)
class Movement:
    """How much must move for a gate to come within B and B+, in ``unit``; 0 where it is, None where nobody can say."""

    unit: str
    b: float | None
    bplus: float | None


def required_movement(top: int, total: int, target: float) -> int:
    """Arrivals that must leave the ten busiest zones for their share to fall to ``target``; 0 if it lies below."""
    return max(math.ceil(top - target * total), 0)


def movement(gate: GateResult, arrivals: int) -> Movement:
    """What a gate's value is short of its bands, of a run with so many arrivals."""
    value, extras = gate.value, gate.extras
    if not gate.applicable or value is None:
        return Movement("", None, None)
    match gate.gate_id:
        case "T1" | "T2":
            limits = laws.MISMATCH_MAX if gate.gate_id == "T1" else laws.ONE_HOUR_MAX
            size = int(extras["sample_size"])
            return Movement("arrivals", *(max(math.ceil((value - most) * size), 0) for most in limits))
        case "T3" | "T8":
            limits = laws.HOUR_MAE_PP_MAX if gate.gate_id == "T3" else laws.WEEKEND_PP_MAX
            return Movement("points", *(max(value - most, 0.0) for most in limits))
        case "T6":
            top = round(value * arrivals)
            return Movement("arrivals", *(required_movement(top, arrivals, most) for most in laws.TOP_ZONES_MAX))
        case "T7":
            return Movement("arrivals", *(_arrivals_beyond(value, band, arrivals) for band in laws.VIRTUAL_BOUNDS))
        case "T9":
            return Movement("standard deviations", *(_beyond(value, band) for band in laws.RESIDUAL_BOUNDS))
        case _:
            return _counted(gate)


def _counted(gate: GateResult) -> Movement:
    """Gates whose failure is so many things that are wrong: none may be, for B and for B+."""
    counts: Mapping[str, tuple[str, Any]] = {
        "T4": ("keys", "mismatch_count"),
        "T5": ("arrivals", "violations"),
        "T14": ("keys and rederived rows", "key_violations"),
    }
    if gate.gate_id in counts:
        unit, name = counts[gate.gate_id]
        wrong = gate.value[name]
        if gate.gate_id == "T14" and wrong is not None and gate.value["replay_violations"] is not None:
            wrong += gate.value["replay_violations"]
        return Movement(unit, wrong, wrong)
    lists = {"T13": ("cells", "cells_beyond_b"), "T15": ("statistics", "beyond")}
    unit, name = lists.get(gate.gate_id, ("readings", "readings_beyond_b"))
    beyond = gate.extras.get(name)
    return Movement(unit if beyond is not None else "", None if beyond is None else len(beyond), None)


def _beyond(value: float, band: tuple[float, float]) -> float:
    low, high = band
    return max(low - value, value - high, 0.0)


def _arrivals_beyond(value: float, band: tuple[float, float], arrivals: int) -> int:
    # shares are quotients of counts: what is exactly at an edge must not become one arrival by rounding
    return math.ceil(round(_beyond(value, band) * arrivals, 6))


def owner_rows(root: RunRoot, board: Scoreboard) -> list[dict[str, Any]]:
    """One row per gate: verdict, who repairs it, how much must move, and the keys of the world's specification."""
    knobs, arrivals = world_knobs(root), int(board.facts["arrivals"])
    rows = []
    for gate in board.gates:
        owner, moved = OWNERS[gate.gate_id], movement(gate, arrivals)
        rows.append(
            {
                "gate": gate.gate_id,
                "title": gate.law.title,
                "class": gate.law.weight.value,
                "veto": gate.law.veto,
                "verdict": gate.verdict.value,
                "value": gate.shown,
                "primary_owner": owner.primary,
                "secondary_owner": owner.secondary,
                "phase": owner.phase,
                "attributed_to": board.decision["attribution"].get(gate.gate_id, ""),
                "movement_unit": moved.unit,
                "movement_to_b": moved.b,
                "movement_to_bplus": moved.bplus,
                "spec_keys": [name for name, _ in knobs.get(gate.gate_id, ())],
            }
        )
    return rows


def owner_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same, one line per gate; keys separated by blanks."""
    return csv_text([{**row, "spec_keys": " ".join(row["spec_keys"])} for row in rows])


def csv_text(rows: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> str:
    """Rows of one form as CSV with ``\\n``; ``names`` of the columns where there may be no row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names) or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def specification_of(root: RunRoot) -> Path | None:
    """The specification that a run's world was made from; None where upstream made it."""
    path = root.path / WORLD_SPECIFICATION
    return path if path.is_file() else None


def world_knobs(root: RunRoot) -> dict[str, list[tuple[str, Any]]]:
    """By gate the keys of the world's specification that own it, with their values (None: the law's default); empty for a
    world without one, or with one that cannot be read."""
    path = specification_of(root)
    if path is None:
        return {}
    try:
        document = read_spec(path)
    except WorldError:
        return {}
    found = {
        gate_id: [(key, _at(document, key)) for key in owner.spec_keys if _is_known(document, key)]
        for gate_id, owner in OWNERS.items()
    }
    return {gate_id: knobs for gate_id, knobs in found.items() if knobs}


def _is_known(document: Mapping[str, Any], key: str) -> bool:
    """Whether the laws that a specification names let it state a key."""
    if document.get("law") == CALIBRATED and key not in _OF_CALIBRATED:
        return False
    return key not in _NOT_OF_PUBLIC or _at(document, "virtual.law") != PUBLIC


def repairs(root: RunRoot, board: Scoreboard) -> list[str]:
    """Who repairs each gate that failed, with the keys of the world's specification, and how to try other values of these."""
    knobs, lines, turned = world_knobs(root), [], False
    for gate_id, owner in board.decision["attribution"].items():
        keys = ", ".join(key for key, _ in knobs.get(gate_id, ()))
        turned |= bool(keys)
        lines.append(
            f"{gate_id}: to be repaired by {owner}" + (f"; in the world's specification: {keys}" if keys else "")
        )
    return [*lines, f"to try other values: {trial_command(root, {'KEY': 'VALUE'})}"] if turned else lines


def _at(document: Mapping[str, Any], key: str) -> Any:
    node: Any = document
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def trial_command(root: RunRoot, assignments: Mapping[str, Any]) -> str:
    """How to try other values of a world's specification: make, run and score it in a folder of its own."""
    folder = shlex.quote(f"{root.path.parent}-try")
    sets = " ".join(f"--set {shlex.quote(f'{key}={_yaml(value)}')}" for key, value in assignments.items())
    spec = shlex.quote(str(specification_of(root) or "SPEC"))
    return (
        f"seg5b world make --spec {spec} {sets} --runs-root {folder} && seg5b run --runs-root {folder} && "
        f"seg5b score --runs-root {folder}"
    )


def _yaml(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
