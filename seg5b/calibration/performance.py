"""Performance scorer: elapsed time of each state from the ledger, budget colours, hotspots (docs/laws#performance-budgets).

Lanes within a state are what its record carries under ``durations.lanes_s``: seconds of all threads together. A record of
an earlier release has none; nothing is guessed from log lines.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seg5b.calibration.baseline import Baseline, read_baseline, structural_differences, structure_of
from seg5b.calibration.budgets import BUDGETS, LEAST_PART, REFERENCE_ARRIVALS, Budgets, budgets_for
from seg5b.calibration.lanes import action_for, class_seconds, code_of, longest
from seg5b.calibration.panel_budgets import Budget, colour_of
from seg5b.calibration.witness import WITNESS
from seg5b.errors import RunError
from seg5b.foreign_json import NUMBER, TEXT, Form, Leaf, Maybe
from seg5b.pipeline import STATE_IDS
from seg5b.realism.decide import REGRESSION_MAX, REGRESSION_NOISE_S
from seg5b.realism.files import report_if_any
from seg5b.realism.score import CERTIFICATION
from seg5b.runs.ledger import last_records, passing_records, seconds_of, worked_record
from seg5b.runs.records import utc_text
from seg5b.runs.root import RunRoot

BUDGETED_FORM: Form = {
    "budgets": Maybe(
        [{"what": TEXT, "measured_s": Leaf("a number or null", lambda value: value is None or NUMBER.holds(value))}]
    )
}
"""What is read of a witness and of a certification."""


@dataclass(frozen=True, slots=True)
class StateTime:
    """One state: seconds of the last attempt that did the work, its share of all, the record behind it, seconds of the
    baseline (None without one), and its budget (target and stretch; None for a state without)."""

    state: str
    seconds: float
    share: float
    record: Mapping[str, Any]
    baseline_s: float | None
    budget: tuple[float, float] | None

    @property
    def colour(self) -> str:
        """``GREEN``, ``AMBER``, ``RED``; empty for a state without budget."""
        if self.budget is None:
            return ""
        return colour_of(self.seconds, self.budget)

    @property
    def cold_s(self) -> float:
        """Seconds of the attempt that went into compiling; 0 where it was warm, or its record does not say."""
        return float(self.record.get("durations", {}).get("compile_s", 0.0))

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


def score_performance(root: RunRoot, baseline: Path | None = None, budget: str | None = None) -> dict[str, Any]:
    """Times of a run against budgets (one of `BUDGETS`; None for those of the machine that drew) and, where given, a baseline
    (`read_baseline`); and whether its time can be certified (docs/laws#runtime-certificate).

    Raises `RunError` ``5B.BENCH.NOTHING_TIMED``, ``5B.BENCH.BASELINE_UNREADABLE``.
    """
    records = {state: record for state in STATE_IDS if (record := worked_record(root, state)) is not None}
    arrivals, backend = _arrivals(records), records.get("S4", {}).get("backend", {}).get("backend", "")
    name = budget or budgets_for(backend)
    budgets, before = BUDGETS[name].scaled(arrivals), Baseline({}, {}) if baseline is None else read_baseline(baseline)
    times = state_times(records, before.seconds, budgets)
    if not times:
        raise RunError(
            "5B.BENCH.NOTHING_TIMED",
            "no state of the run has passed",
            where=str(root.path),
            remedy="run it: `seg5b run`",
        )
    worked = [each for each in times if each.budget is not None]
    lane, complete = sum(each.seconds for each in worked), len(worked) == len(budgets.states)
    slower = [each.state for each in times if each.is_slower]
    against = [
        *_open_conditions(root, worked, complete, arrivals),
        *_parity(root, before.structure),
        *map(_slow, slower),
    ]
    return {
        "generated_utc": utc_text(datetime.now(UTC)),
        "phase": "POPT.0",
        "segment": "5B",
        "authority_run_id": root.identity.run_id,
        "arrivals": arrivals,
        "budget": name,
        "states": [_state_json(each) for each in times],
        "hotspots": [_hotspot(rank, each) for rank, each in enumerate(_slowest(worked), start=1)],
        "state_budgets": {each.state: _budget_json(each) for each in worked},
        "lane_budgets": {each.lane: each.as_json() for each in _lanes(root, lane if complete else None, budgets)},
        "candidate_lane_s": lane if complete else None,
        "candidate_lane_pass": complete and lane <= budgets.lanes["candidate"][0],
        "slower_than_baseline": slower,
        "lanes_measured": any(each.lanes for each in times),
        "cold_states": [each.state for each in times if each.cold_s > 0],
        "handoff_recommendation": {
            "decision": "GO_POPT.1" if complete else "HOLD_POPT.0",
            "ordered_lane": [each.state for each in sorted(worked, key=lambda one: -one.seconds)],
            "reason": "slowest first" if complete else "not every state has been timed",
        },
        "against_a_certificate": against,
        "verdict": _verdict(against, lane, budgets.lanes["candidate"][0]),
    }


def _lanes(root: RunRoot, candidate_s: float | None, budgets: Budgets) -> list[Budget]:
    """This run beside the candidate's lane, and what its last witness and certification measured beside theirs."""
    found = [Budget("candidate", "S1 to S5 of one run", candidate_s, *budgets.lanes["candidate"])]
    for lane, report in (("witness", WITNESS), ("certification", CERTIFICATION)):
        told = report_if_any(root, report, BUDGETED_FORM).get("budgets", [])
        what, measured = (told[0]["what"], told[0]["measured_s"]) if told else ("S1 to S5 of its seeds", None)
        found.append(Budget(lane, what, measured, *budgets.lanes[lane]))
    return found


def state_times(
    records: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, float], budgets: Budgets
) -> list[StateTime]:
    """Times of the states that passed, in order."""
    seconds = {state: own for state in records if (own := seconds_of(records, state)) is not None}
    total = sum(seconds.values())
    return [
        StateTime(
            state, own, own / total if total else 0.0, records[state], baseline.get(state), budgets.states.get(state)
        )
        for state, own in seconds.items()
    ]


def _open_conditions(root: RunRoot, worked: Sequence[StateTime], complete: bool, arrivals: int | None) -> Iterator[str]:
    """Why the time of this run cannot be certified, the baseline aside."""
    if not complete:
        yield "not every state of S1-S5 has been timed"
    if arrivals is not None and arrivals < LEAST_PART * REFERENCE_ARRIVALS:
        yield f"{arrivals:,} arrivals say nothing of {REFERENCE_ARRIVALS:,}"
    for each in worked:
        if each.cold_s > 0:
            yield f"{each.state} was timed cold: {each.cold_s:.1f} s went into compiling"
    passes = passing_records(root, "S5")
    last = last_records(root).get("S5", {})
    if last.get("status") != "PASS":
        yield "S5 has not passed"
    elif not any(record.get("outcome") == "unchanged" for record in passes):
        yield "S5 was not run a second time: whether it finds itself unchanged is not known"
    elif len({record.get("bundle_digest") for record in passes}) > 1:
        yield "S5 came to several bundles"


def _parity(root: RunRoot, structure: Mapping[str, Any]) -> Iterator[str]:
    """Whether the run is the one that the baseline locked."""
    if structure:
        yield from structural_differences(structure_of(root), structure)
    else:
        yield "no baseline with rows, digests and gates to be equal to: `seg5b bench --lock FILE` of an earlier run"


def _slow(state: str) -> str:
    return f"{state} is slower than the baseline by more than a fifth"


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


def _arrivals(records: Mapping[str, Mapping[str, Any]]) -> int | None:
    return records.get("S4", {}).get("total_arrivals")


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
        "cold_s": each.cold_s,
        "baseline_s": each.baseline_s,
        "regression_fraction": each.regression,
        "lane_decomposition": each.lanes or None,
    }


def _slowest(times: Sequence[StateTime]) -> list[StateTime]:
    return sorted(times, key=lambda each: -each.seconds)[:3]


def _hotspot(rank: int, each: StateTime) -> dict[str, Any]:
    lane = longest(each.lanes)
    return {
        "rank": rank,
        "title": ("primary", "secondary", "tertiary")[rank - 1],
        "state": each.state,
        "elapsed_s": each.seconds,
        "elapsed_hms": hms(each.seconds),
        "segment_share": each.share,
        "lane": lane,
        "lane_decomposition": each.lanes or None,
        "lane_classes": class_seconds(each.lanes) if each.lanes else None,
        "evidence": f"record of {each.record.get('started_at_utc')}: {each.lanes.get(lane or '', 0.0):.2f} s in {lane}",
        "code_refs": list(code_of(lane or "")),
        "candidate_actions": [action] if (action := action_for(lane or "")) else [],
    }


def _budget_json(each: StateTime) -> dict[str, Any]:
    target, stretch = each.budget or (0.0, 0.0)
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


def _verdict(against: Sequence[str], lane_s: float, target_s: float) -> str:
    if against:
        return "HOLD_POPT5_REOPEN"
    met = lane_s <= target_s
    return "PASS_RUNTIME_CERTIFIED" if met else "PASS_RUNTIME_CERTIFIED_WITH_ACCEPTED_RESIDUAL_BUDGET_MISS"
