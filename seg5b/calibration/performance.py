"""Performance scorer: elapsed time of each state from the ledger, budget colours, hotspots (docs/laws#performance-budgets).

Lanes within a state are what its record carries under ``durations.lanes_s``: seconds of all threads together. A record of
an earlier release has none; nothing is guessed from log lines.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seg5b.calibration.budgets import LANES_S, Budget, colour_of
from seg5b.calibration.witness import WITNESS
from seg5b.errors import RunError
from seg5b.foreign_json import NUMBER, TEXT, Form, Leaf, Maybe
from seg5b.pipeline import STATE_IDS
from seg5b.realism.decide import REGRESSION_MAX, REGRESSION_NOISE_S
from seg5b.realism.files import read_report, report_if_any
from seg5b.realism.score import CERTIFICATION
from seg5b.runs.ledger import read_records, seconds_of, worked_record
from seg5b.runs.records import utc_text
from seg5b.runs.root import RunRoot

BUDGETS_S: Mapping[str, tuple[float, float]] = {
    "S1": (90.0, 120.0),
    "S2": (35.0, 45.0),
    "S3": (35.0, 45.0),
    "S4": (240.0, 300.0),
    "S5": (5.0, 8.0),
}
"""Target and stretch of each state, for the reference world."""
BUDGETED_FORM: Form = {
    "budgets": Maybe(
        [{"what": TEXT, "measured_s": Leaf("a number or null", lambda value: value is None or NUMBER.holds(value))}]
    )
}
"""What is read of a witness and of a certification."""


@dataclass(frozen=True, slots=True)
class StateTime:
    """One state: seconds of the last attempt that did the work, its share of all, the record behind it, and the same of
    the baseline (None without one)."""

    state: str
    seconds: float
    share: float
    record: Mapping[str, Any]
    baseline_s: float | None

    @property
    def colour(self) -> str:
        """``GREEN``, ``AMBER``, ``RED``; empty for a state without budget."""
        if self.state not in BUDGETS_S:
            return ""
        return colour_of(self.seconds, BUDGETS_S[self.state])

    @property
    def regression(self) -> float | None:
        """Relative change against the baseline."""
        return (self.seconds - self.baseline_s) / self.baseline_s if self.baseline_s else None

    @property
    def is_slower(self) -> bool:
        """Slower than the baseline by more than a fifth and by more than noise."""
        slower = self.regression is not None and self.regression > REGRESSION_MAX
        return slower and self.seconds - (self.baseline_s or 0.0) > REGRESSION_NOISE_S

    @property
    def lanes(self) -> dict[str, float]:
        """Seconds by lane, all threads together, from the record's own timers; empty where it has none."""
        return dict(self.record.get("durations", {}).get("lanes_s", {}))


def score_performance(root: RunRoot, baseline: Path | None = None) -> dict[str, Any]:
    """Times of a run against budgets and, where given, a baseline: a file that `seg5b bench --json` printed, or a
    ``segment_state_runs.jsonl``.

    Raises `RunError` ``5B.BENCH.NOTHING_TIMED``, ``5B.BENCH.BASELINE_UNREADABLE``.
    """
    times = state_times(root, {} if baseline is None else baseline_seconds(baseline))
    if not times:
        raise RunError(
            "5B.BENCH.NOTHING_TIMED",
            "no state of the run has passed",
            where=str(root.path),
            remedy="run it: `seg5b run`",
        )
    worked = [each for each in times if each.state in BUDGETS_S]
    lane = sum(each.seconds for each in worked)
    complete = len(worked) == len(BUDGETS_S)
    slower = [each.state for each in times if each.is_slower]
    return {
        "generated_utc": utc_text(datetime.now(UTC)),
        "phase": "POPT.0",
        "segment": "5B",
        "authority_run_id": root.identity.run_id,
        "arrivals": _arrivals(times),
        "states": [_state_json(each) for each in times],
        "hotspots": [_hotspot(rank, each) for rank, each in enumerate(_slowest(worked), start=1)],
        "state_budgets": {each.state: _budget_json(each) for each in worked},
        "lane_budgets": {each.lane: each.as_json() for each in _lanes(root, lane if complete else None)},
        "candidate_lane_s": lane if complete else None,
        "candidate_lane_pass": complete and lane <= LANES_S["candidate"][0],
        "slower_than_baseline": slower,
        "lanes_measured": any(each.lanes for each in times),
        "handoff_recommendation": {
            "decision": "GO_POPT.1" if complete else "HOLD_POPT.0",
            "ordered_lane": [each.state for each in sorted(worked, key=lambda one: -one.seconds)],
            "reason": "slowest first" if complete else "not every state has been timed",
        },
        "verdict": _verdict(complete, lane, slower),
    }


def _lanes(root: RunRoot, candidate_s: float | None) -> list[Budget]:
    """This run beside the candidate's lane, and what its last witness and certification measured beside theirs."""
    found = [Budget("candidate", "S1 to S5 of one run", candidate_s, *LANES_S["candidate"])]
    for lane, report in (("witness", WITNESS), ("certification", CERTIFICATION)):
        told = report_if_any(root, report, BUDGETED_FORM).get("budgets", [])
        what, measured = (told[0]["what"], told[0]["measured_s"]) if told else ("S1 to S5 of its seeds", None)
        found.append(Budget(lane, what, measured, *LANES_S[lane]))
    return found


def state_times(root: RunRoot, baseline: Mapping[str, float]) -> list[StateTime]:
    """Times of the states that passed, in order."""
    records = {state: record for state in STATE_IDS if (record := worked_record(root, state)) is not None}
    seconds = {state: own for state in records if (own := seconds_of(records, state)) is not None}
    total = sum(seconds.values())
    return [
        StateTime(state, own, own / total if total else 0.0, records[state], baseline.get(state))
        for state, own in seconds.items()
    ]


def baseline_seconds(file: Path) -> dict[str, float]:
    """Seconds by state of a baseline file. Raises `RunError` ``5B.BENCH.BASELINE_UNREADABLE``."""
    try:
        if file.suffix == ".jsonl":
            passing = [record for record in read_records(file) if record.get("status") == "PASS"]
            worked = [record for record in passing if record.get("outcome") in (None, "written")]
            if not worked:
                raise ValueError("no record of a state that passed")
            return {str(record["state"]): record["durations"]["wall_ms"] / 1000 for record in worked}
        return {str(each["state"]): float(each["elapsed_s"]) for each in read_report(file)["states"]}
    except (RunError, KeyError, TypeError, ValueError) as cause:
        raise RunError(
            "5B.BENCH.BASELINE_UNREADABLE",
            f"{file.name} names no times of states: {cause}",
            where=str(file),
            remedy="give what `seg5b bench --json` printed, or a segment_state_runs.jsonl",
        ) from cause


def elapsed_csv(report: Mapping[str, Any]) -> str:
    """State by state, for spreadsheets."""
    names = ("state", "status", "elapsed_s", "elapsed_hms", "segment_share", "started_at_utc", "finished_at_utc")
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(report["states"])
    return text.getvalue()


def hms(seconds: float) -> str:
    """``hh:mm:ss``, rounded."""
    whole = round(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _arrivals(times: Sequence[StateTime]) -> int | None:
    return next((each.record.get("total_arrivals") for each in times if each.state == "S4"), None)


def _state_json(each: StateTime) -> dict[str, Any]:
    return {
        "state": each.state,
        "status": each.record.get("status"),
        "elapsed_s": each.seconds,
        "elapsed_hms": hms(each.seconds),
        "segment_share": each.share,
        "started_at_utc": each.record.get("started_at_utc"),
        "finished_at_utc": each.record.get("finished_at_utc"),
        "backend": each.record.get("backend", {}).get("backend"),
        "colour": each.colour,
        "baseline_s": each.baseline_s,
        "regression_fraction": each.regression,
        "lane_decomposition": each.lanes or None,
    }


def _slowest(times: Sequence[StateTime]) -> list[StateTime]:
    return sorted(times, key=lambda each: -each.seconds)[:3]


def _hotspot(rank: int, each: StateTime) -> dict[str, Any]:
    return {
        "rank": rank,
        "title": ("primary", "secondary", "tertiary")[rank - 1],
        "state": each.state,
        "elapsed_s": each.seconds,
        "elapsed_hms": hms(each.seconds),
        "segment_share": each.share,
        "lane_decomposition": each.lanes or None,
    }


def _budget_json(each: StateTime) -> dict[str, Any]:
    target, stretch = BUDGETS_S[each.state]
    return {
        "baseline_elapsed_s": each.seconds,
        "baseline_elapsed_hms": hms(each.seconds),
        "target_s": target,
        "target_hms": hms(target),
        "stretch_s": stretch,
        "stretch_hms": hms(stretch),
        "status_vs_target": each.colour,
        "required_reduction_s_to_target": max(0.0, each.seconds - target),
    }


def _verdict(complete: bool, lane_s: float, slower: Sequence[str]) -> str:
    if not complete or slower:
        return "HOLD_POPT5_REOPEN"
    met = lane_s <= LANES_S["candidate"][0]
    return "PASS_RUNTIME_CERTIFIED" if met else "PASS_RUNTIME_CERTIFIED_WITH_ACCEPTED_RESIDUAL_BUDGET_MISS"
