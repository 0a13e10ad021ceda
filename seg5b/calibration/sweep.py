"""A bounded sweep over one policy value, each candidate a derived run (docs/laws#sweep)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from seg5b.calibration.candidates import CandidateRunner
from seg5b.calibration.derive import Derived, derive_run
from seg5b.calibration.policies import Change, PolicyKey, Value, check_change, current_value
from seg5b.errors import PolicyError
from seg5b.pipeline import STATE_IDS
from seg5b.realism import Scoreboard, board_json
from seg5b.realism.files import write_realism_report
from seg5b.runs.records import utc_text
from seg5b.runs.root import RunRoot

MOST_VALUES = 16
_HYBRID_P = "hybrid_policy.p_virtual_hybrid"


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One candidate. ``policy_drift``: distance of a number from the base's value (0 or 1 for other kinds)."""

    label: str
    run_id: str
    value: Value
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
    """Rows with the base first, and the best of them."""

    key: PolicyKey
    rows: tuple[SweepRow, ...]

    @property
    def best(self) -> SweepRow:
        """First by rank."""
        return min(self.rows, key=lambda row: row.rank)

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the report. The value stands under ``p_virtual_hybrid`` when that key was swept."""
        rows = [_named(self.key, asdict(row)) for row in self.rows]
        return {
            "generated_utc": utc_text(datetime.now(UTC)),
            "phase": "P2.3",
            "key": str(self.key),
            "rows": rows,
            "best": _named(self.key, asdict(self.best)),
            "baseline_wins": self.best is self.rows[0],
        }

    def matrix_csv(self) -> str:
        """One line per candidate."""
        names = list(_named(self.key, {each.name: None for each in fields(SweepRow)}))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_named(self.key, asdict(row)) for row in self.rows)
        return text.getvalue()


def _named(key: PolicyKey, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose value carries the name of what was swept."""
    name = "p_virtual_hybrid" if key.key == _HYBRID_P else key.key
    return {name if field == "value" else field: value for field, value in row.items()}


def run_sweep(base: RunRoot, runner: CandidateRunner, key: PolicyKey, values: Sequence[Value]) -> Sweep:
    """Score the base, then every other value in a derived run; writes ``sweep.json`` and ``sweep_matrix.csv``.

    At most 16 values. Derived runs stay for inspection until `seg5b prune`. The base's policy is not touched. Raises
    `PolicyError` ``5B.CALIBRATION.KEY_UNKNOWN``, ``5B.CALIBRATION.TOO_MANY_VALUES``, that of a policy which refuses a
    value (before anything is computed), and what the states raise.
    """
    if not 0 < len(values) <= MOST_VALUES:
        what = f"{len(values)} values, a sweep takes 1 to {MOST_VALUES}"
        raise PolicyError("5B.CALIBRATION.TOO_MANY_VALUES", what, remedy="name fewer values")
    original = current_value(base, runner.contracts, key)
    wanted = [value for value in dict.fromkeys(_rounded(key, value) for value in values) if value != original]
    for value in wanted:
        check_change(base, runner.contracts, Change(key, value))
    status = runner.realise(Derived(base, STATE_IDS))
    board = runner.score(base, "baseline")
    reference = board_json(board)
    rows = [_row("baseline", base, original, 0.0, status, board)]
    for value in wanted:
        derived = derive_run(base, runner.contracts, changes=[Change(key, value)])
        status = runner.realise(derived)
        label = f"{key.key.rpartition('.')[2]}={value}"
        board = runner.score(derived.root, label, reference)
        rows.append(_row(label, derived.root, value, drift(value, original), status, board))
    sweep = Sweep(key, tuple(rows))
    write_realism_report(base, "sweep.json", sweep.as_json())
    write_realism_report(base, "sweep_matrix.csv", sweep.matrix_csv())
    return sweep


def drift(value: Value, original: Value) -> float:
    """Distance of a candidate's value from the base's."""
    numeric = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (value, original))
    return abs(float(value) - float(original)) if numeric else float(value != original)


def _rounded(key: PolicyKey, value: Value) -> Value:
    """``p_virtual_hybrid`` is written with four decimals."""
    return round(value, 4) if key.key == _HYBRID_P and isinstance(value, float) else value


def _row(label: str, root: RunRoot, value: Value, distance: float, status: str, board: Scoreboard) -> SweepRow:
    summary = board.decision["p2"]
    profile = board.gate("T13").value
    return SweepRow(
        label=label,
        run_id=root.identity.run_id,
        value=value,
        policy_drift=distance,
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
