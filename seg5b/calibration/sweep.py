"""A bounded sweep over policy values, each candidate a derived run (docs/laws#sweep)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from seg5b.calibration.candidates import CandidateRunner
from seg5b.calibration.derive import Derived, derive_run, first_state
from seg5b.calibration.policies import Change, PolicyKey, Value, check_changes, value_if_any
from seg5b.calibration.variants import Variant, drift, short_names
from seg5b.errors import PolicyError
from seg5b.pipeline import STATE_IDS
from seg5b.realism import Scoreboard, board_json
from seg5b.realism.files import write_realism_report
from seg5b.runs.records import utc_text
from seg5b.runs.root import RunRoot

MOST_CANDIDATES = 16
"""Derived runs of one sweep, unless its caller allows more."""


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One candidate. ``values``: of every swept key, None where the policy has none; ``policy_drift``: sum over keys of the
    distance from the base's value (of numbers their difference, else 0 or 1)."""

    label: str
    run_id: str
    values: Mapping[PolicyKey, Value | None]
    policy_drift: float
    s5_status: str
    t6: float | None
    t7: float | None
    t13: float | None
    frozen_failures: str
    primary_failures_count: int
    own_failures: str
    calibration_distance_to_b: float
    lane_seconds: float | None
    runtime_regression_veto: bool
    lane_decision: str
    phase_grade: str

    @property
    def rank(self) -> tuple[bool, bool, int, float, float, float]:
        """Smaller is better: frozen rails, runtime, failures, distance, drift, time."""
        lane = float("inf") if self.lane_seconds is None else self.lane_seconds
        return (
            bool(self.frozen_failures),
            self.runtime_regression_veto,
            self.primary_failures_count,
            self.calibration_distance_to_b,
            self.policy_drift,
            lane,
        )


@dataclass(frozen=True, slots=True)
class Sweep:
    """Every swept key, and rows with the base first."""

    keys: tuple[PolicyKey, ...]
    rows: tuple[SweepRow, ...]

    @property
    def best(self) -> SweepRow:
        """First by rank."""
        return min(self.rows, key=lambda row: row.rank)

    @property
    def columns(self) -> dict[PolicyKey, str]:
        """Name of each swept key in tables."""
        return short_names(self.keys)

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the report. Each row has a field for every swept key, named as in ``columns``."""
        return {
            "generated_utc": utc_text(datetime.now(UTC)),
            "phase": "P2.3",
            "keys": [str(key) for key in self.keys],
            "rows": [self.flat(row) for row in self.rows],
            "best": self.flat(self.best),
            "baseline_wins": self.best is self.rows[0],
        }

    def matrix_csv(self) -> str:
        """One line per candidate."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.flat(self.rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.flat(row) for row in self.rows)
        return text.getvalue()

    def flat(self, row: SweepRow) -> dict[str, Any]:
        """A row with its swept values as fields of their own, in the place of ``values``."""
        found: dict[str, Any] = {}
        for each in fields(row):
            if each.name == "values":
                found |= {name: row.values[key] for key, name in self.columns.items()}
            else:
                found[each.name] = getattr(row, each.name)
        return found


def run_sweep(
    base: RunRoot, runner: CandidateRunner, variants: Sequence[Variant], *, most: int = MOST_CANDIDATES
) -> Sweep:
    """Score the base, then every variant that differs from it in a derived run; writes ``sweep.json`` and
    ``sweep_matrix.csv``.

    At most ``most`` derived runs; how many is reported before the first. They stay for inspection until `seg5b prune`. The
    base's policy is not touched. Raises `PolicyError` ``5B.CALIBRATION.KEY_UNKNOWN``, ``5B.CALIBRATION.TOO_MANY_VALUES``, that
    of a policy which refuses a variant (before anything is computed), and what the states raise.
    """
    keys = tuple(dict.fromkeys(change.at for variant in variants for change in variant.changes))
    originals = {key: value_if_any(base, runner.contracts, key) for key in keys}
    wanted = differing(variants, originals)
    if not variants or len(wanted) > most:
        what = f"{len(wanted)} candidates beside the base, a sweep makes 1 to {most}"
        raise PolicyError("5B.CALIBRATION.TOO_MANY_VALUES", what, remedy="name fewer values, or allow more with --most")
    for variant in wanted:
        check_changes(base, runner.contracts, variant.changes)
    runner.report_step(announced(wanted))
    status = runner.realise(Derived(base, STATE_IDS))
    board = runner.score(base, "baseline")
    reference = board_json(board)
    rows = [_row("baseline", base, originals, originals, status, board)]
    for variant in wanted:
        derived = derive_run(base, runner.contracts, changes=variant.changes)
        status = runner.realise(derived)
        board = runner.score(derived.root, variant.label, reference)
        rows.append(_row(variant.label, derived.root, {**originals, **variant.values}, originals, status, board))
    sweep = Sweep(keys, tuple(rows))
    write_realism_report(base, "sweep.json", sweep.as_json())
    write_realism_report(base, "sweep_matrix.csv", sweep.matrix_csv())
    return sweep


def differing(variants: Sequence[Variant], originals: Mapping[PolicyKey, Value | None]) -> list[Variant]:
    """Variants less what they do not change, without those that come to the base or to one before them."""
    found: dict[tuple[Change, ...], Variant] = {}
    for variant in variants:
        own = tuple(change for change in variant.changes if change.value != originals[change.at])
        if own:
            found.setdefault(tuple(sorted(own, key=lambda change: str(change.at))), Variant(variant.label, own))
    return list(found.values())


def announced(wanted: Sequence[Variant]) -> str:
    """How many runs a sweep is going to make, and from which state each."""
    if not wanted:
        return "no value differs from the base's: only that is scored"
    parts = (f"{each.label} from {first_state(False, each.changes)}" for each in wanted)
    return f"{len(wanted)} derived runs beside the base: {', '.join(parts)}"


def _row(
    label: str,
    root: RunRoot,
    values: Mapping[PolicyKey, Value | None],
    originals: Mapping[PolicyKey, Value | None],
    status: str,
    board: Scoreboard,
) -> SweepRow:
    summary = board.decision["p2"]
    profile = board.gate("T13").value
    return SweepRow(
        label=label,
        run_id=root.identity.run_id,
        values=values,
        policy_drift=sum(drift(values[key], originals[key]) for key in originals),
        s5_status=status,
        t6=board.gate("T6").value,
        t7=board.gate("T7").value,
        t13=profile["distance"] if profile else None,
        frozen_failures=" ".join(summary["frozen_failures"]),
        primary_failures_count=len(summary["primary_failures"]),
        own_failures=" ".join(summary["own_failures"]),
        calibration_distance_to_b=summary["calibration_distance_to_b"],
        lane_seconds=summary["runtime"]["lane_s4_s5_seconds"],
        runtime_regression_veto=summary["runtime"]["regression_veto"],
        lane_decision=summary["lane_decision"],
        phase_grade=summary["phase_grade"],
    )
