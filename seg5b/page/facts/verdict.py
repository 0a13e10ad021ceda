"""S5's report, scored gateboards and seconds of each state; a damaged file counts as absent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.foreign_json import read_json
from seg5b.refusals import pass_on_refusal
from seg5b.run_tables.outputs import dataset_path
from seg5b.runs.ledger import ledger_files, read_records
from seg5b.runs.root import RunRoot

_FAILED = "data/layer2/5B/validation_failed"
_GATEBOARDS = "reports/layer2/realism"
_DECISIONS = ("phase_grade", "lane_decision", "phase_decision", "local_lane_decision")


@dataclass(frozen=True, slots=True)
class GateRow:
    """One row of a gateboard, as text; ``held`` and ``held_plus``: None where it was not judged."""

    gate_id: str
    title: str
    kind: str
    value: str
    target: str
    target_plus: str
    held: bool | None
    held_plus: bool | None


@dataclass(frozen=True, slots=True)
class Gateboard:
    """Gates, where they were read from (relative to the run), and the words of grade and decision."""

    source: str
    gates: tuple[GateRow, ...]
    decisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateSeconds:
    """Seconds of a state's last attempt that wrote something, else of its last attempt."""

    state: str
    status: str
    seconds: float


def read_validation(root: RunRoot, contracts: ContractSource) -> Mapping[str, Any] | None:
    """S5's report: of the published bundle, else of the last failure; None when there is neither."""
    published = _json(dataset_path(root, contracts, "validation_report_5B"))
    if published:
        return published
    folder = root.resolve(f"{_FAILED}/manifest_fingerprint={root.identity.manifest_fingerprint}")
    attempts = sorted((path for path in folder.glob("*") if path.name.isdigit()), key=lambda path: int(path.name))
    return _json(attempts[-1] / "validation_report_5B.json") if attempts else None


def read_gateboard(root: RunRoot) -> Gateboard | None:
    """Gates of all gateboards of the run, each from the newest board that has it; None when there is none."""
    latest: dict[str, GateRow] = {}
    decisions: dict[str, str] = {}
    sources = []
    for path, board in sorted(_boards(root), key=lambda item: (str(item[1].get("generated_utc", "")), str(item[0]))):
        gates, summary = _mapping(board.get("gates")), _mapping(board.get("summary"))
        latest |= {str(name): _gate(str(name), gate) for name, gate in gates.items() if isinstance(gate, Mapping)}
        decisions |= {name: summary[name] for name in _DECISIONS if isinstance(summary.get(name), str)}
        sources.append(path.relative_to(root.path).as_posix())
    ordered = sorted(latest.values(), key=lambda gate: (len(gate.gate_id), gate.gate_id))
    words = tuple(decisions[name] for name in _DECISIONS if name in decisions)
    return Gateboard(", ".join(sources), tuple(ordered), words) if ordered else None


def _boards(root: RunRoot) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path in sorted((root.path / _GATEBOARDS).rglob("*gateboard*.json")):
        board = _json(path)
        if board and _mapping(board.get("gates")):
            yield path, board


def _gate(name: str, fields: Mapping[str, Any]) -> GateRow:
    value = fields.get("value_fmt", fields.get("value"))
    pending = (
        fields.get("verdict") in ("PENDING", "NOT_APPLICABLE", "BLOCKED") or fields.get("insufficient_evidence") is True
    )
    return GateRow(
        name,
        plain_text(fields.get("title")),
        plain_text(fields.get("class")),
        plain_text(value),
        _target(fields.get("b_target"), in_percent=str(value).endswith("%")),
        _target(fields.get("bplus_target"), in_percent=str(value).endswith("%")),
        None if pending else _held(fields.get("b_pass")),
        None if pending else _held(fields.get("bplus_pass")),
    )


_NUMBER = re.compile(r"\d+(\.\d+)?(?!\d*%)")


def _target(words: object, *, in_percent: bool) -> str:
    """Bounds as text. Boards of earlier releases state bounds of shares as fractions beside values in percent."""
    said = plain_text(words).replace("<=", "≤")
    if not in_percent or "%" in said:
        return said
    return _NUMBER.sub(lambda number: _percent(float(number[0])), said)


def _percent(share: object) -> str:
    return f"{100 * share:.4g}%" if isinstance(share, float) else plain_text(share)


def sentinel_board(report: Mapping[str, Any]) -> Gateboard:
    """The gates that S5 itself measured, with the limits of the validation policy."""
    sampling = _mapping(report.get("sampling"))
    civil, sentinels = _mapping(sampling.get("civil_time_gates")), _mapping(sampling.get("calibration_sentinels"))
    limits, bounds = _mapping(civil.get("limits")), _mapping(sentinels.get("thresholds"))
    rates, metrics = _mapping(civil.get("rates")), _mapping(sentinels.get("metrics"))
    held = {**_mapping(civil.get("gates")), **_mapping(sentinels.get("gates"))}

    def row(gate_id: str, title: str, kind: str, value: object, limit: object, verdict: str) -> GateRow:
        write = _percent if gate_id in ("T1", "T2", "T6", "T7") else plain_text
        target = " – ".join(map(write, limit)) if isinstance(limit, list) else f"≤ {write(limit)}"
        return GateRow(gate_id, title, kind, write(value), target, "", _held(held.get(verdict)), None)

    return Gateboard(
        "validation_report_5B.json",
        (
            row("T1", "wall clocks that are wrong", "hard", rates.get("civil_mismatch_rate"),
                limits.get("max_civil_mismatch_rate"), "civil_mismatch"),
            row("T2", "wall clocks off by one hour", "hard", rates.get("one_hour_shift_rate"),
                limits.get("max_one_hour_shift_rate"), "one_hour_shift"),
            row("T3", "hour-of-day gap around DST changes, pp", "hard", rates.get("dst_window_hour_bin_mae_pp"),
                limits.get("dst_window_hour_bin_mae_pp_max"), "dst_window_hour_bin"),
            row("T6", "share of the ten busiest zones", "major", metrics.get("top10_tz_share"),
                bounds.get("top10_tz_share_max"), "top10_tz_share"),
            row("T7", "virtual share", "major", metrics.get("virtual_share_observed"),
                bounds.get("virtual_share_bounds"), "virtual_share"),
            row("T8", "weekend gap, pp", "context", metrics.get("weekend_share_delta_pp"),
                bounds.get("weekend_share_delta_pp_max"), "weekend_share_delta"),
            _scatter_row(metrics, bounds.get("residual_std_bounds"), held),
        ),
    )  # fmt: skip


def _scatter_row(metrics: Mapping[str, Any], bounds: object, held: Mapping[str, Any]) -> GateRow:
    """T9: beside its law, and judged by its band only where that applies. Reports of earlier releases know no law."""
    value, expected = plain_text(metrics.get("residual_std")), metrics.get("residual_std_expected")
    band = " – ".join(map(plain_text, bounds)) if isinstance(bounds, list) else plain_text(bounds)
    judged = _held(held.get("residual_std"))
    if isinstance(expected, float):
        value += f" (law {plain_text(expected)} ± {plain_text(metrics.get('residual_std_se'))})"
        band = "law ± 5 standard errors" + (f"; {band}" if judged is not None else "")
        judged = _held(held.get("residual_law")) if judged is not False else False
    return GateRow("T9", "standard deviation of count residuals", "context", value, band, "", judged, None)


def read_state_times(root: RunRoot) -> tuple[StateSeconds, ...]:
    """Seconds per state from the run records; states without a record are left out."""
    last: dict[str, StateSeconds] = {}
    wrote: dict[str, StateSeconds] = {}
    for path in ledger_files(root):
        for record in read_records(path):
            state, wall_ms = record["state"], record["durations"]["wall_ms"]
            last[state] = StateSeconds(state, plain_text(record["status"]), wall_ms / 1000)
            if record["status"] == "PASS" and record.get("outcome") != "unchanged":
                wrote[state] = last[state]
    return tuple(wrote.get(state, last[state]) for state in sorted(last))


def _json(path: Path) -> Mapping[str, Any] | None:
    try:
        fields = read_json(path)
    except (OSError, ValueError) as cause:
        pass_on_refusal(cause)
        return None
    return fields if isinstance(fields, Mapping) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _held(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def plain_text(value: object) -> str:
    """A value of a report as short text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "[" + ", ".join(map(plain_text, value)) + "]"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain_text(inner)}" for key, inner in value.items())
    return str(value)
