"""Score a run: measure everything published, judge every gate, decide (docs/laws#gate-table)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.engines import Engine
from seg5b.gate import Gate, scenarios_of_run
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.progress import unreported
from seg5b.realism import laws
from seg5b.realism.decide import decide, decide_candidate, in_order, runtime_facts
from seg5b.realism.files import CERTIFICATION_FORM, JUDGED_FORM, read_report, report_if_any
from seg5b.realism.judge import Measured, judge_gates
from seg5b.realism.probes import PROBES
from seg5b.realism.public_gates import judge_public
from seg5b.realism.records import GateResult, Scoreboard
from seg5b.realism.sealed import sealed_by_s5
from seg5b.run_tables.measures import run_measures
from seg5b.run_tables.outputs import dataset_path, require_published, require_whole
from seg5b.run_tables.policies import RunPolicies
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.whole_run import open_run_tables
from seg5b.runs.ledger import ledger_files, worked_seconds_of
from seg5b.runs.root import RunRoot
from seg5b.validation.checks.sentinels import law_is_exact
from seg5b.validation.records import CheckResult
from seg5b.validation.runner import Progress, run_checks

CERTIFICATION = "certification.json"


def score_run(
    root: RunRoot,
    contracts: ContractSource,
    *,
    baseline: Mapping[str, Any] | None = None,
    threads: int | None = None,
    engine: Engine | None = None,
    memory_limit_gb: float = DEFAULT_MEMORY_GB,
    progress: Progress | None = None,
) -> Scoreboard:
    """Judge every gate on everything that a run published; nothing is sampled but what T14 derives again.

    ``baseline``: a board of this kind, for deltas and the runtime veto; ``engine`` looks at parts of the arrivals, None for
    ``threads``. Needs S0-S4; without a pass of S5 over these very outputs the board says why, and its grade is ``FAIL``.
    Raises `GateError`, `PolicyError` for what the verdict would rest on, `RunError` for an unreadable report, and as
    `require_whole`.
    """
    with open_run_tables(
        root,
        contracts,
        label="score",
        threads=threads,
        engine=engine,
        memory_limit_gb=memory_limit_gb,
        change_policies=_exact_clocks,
    ) as subject:
        require_whole(root, contracts, subject.gate.scenario_ids)
        results = run_checks(subject, PROBES, progress or unreported)
    measured = _measured(subject, results)
    gates = in_order([*judge_gates(measured), *judge_public(measured.results), _t10(subject)])
    runtime = runtime_facts(worked_seconds_of(root, "S4"), worked_seconds_of(root, "S5"), _baseline_lane(baseline))
    sealed = sealed_by_s5(root, contracts, threads=threads)
    decision = {
        **decide(gates, measured.measures.arrivals, sealed),
        "p2": decide_candidate(gates, runtime, sealed),
        "baseline": _deltas(gates, baseline),
    }
    return Scoreboard(gates, _facts(subject, measured), decision, _diagnostics(measured))


def require_realised(root: RunRoot, contracts: ContractSource) -> None:
    """For whoever would score a run that is not done: raises `RunError` ``5B.REALISM.NOT_REALISED`` with the first state of
    S1-S4 that has not run, and `InputError` as `seg5b.gate.scenarios_of_run`."""
    for scenario in scenarios_of_run(root, contracts):
        tables = ("grid", "intensity", "counts", "arrivals")
        require_published(root, contracts, scenario.scenario_id, tables, code="5B.REALISM.NOT_REALISED")


def _exact_clocks(policies: RunPolicies) -> RunPolicies:
    """The scorer's clock tolerance is half a second, S5's is the policy's."""
    civil = replace(policies.validation.civil_time_gates, clock_tolerance_seconds=laws.CLOCK_TOLERANCE_S)
    return replace(policies, validation=replace(policies.validation, civil_time_gates=civil))


def _measured(subject: Subject, results: Sequence[CheckResult]) -> Measured:
    report = validation_report(subject.root, subject.contracts)
    issues = None
    if report:
        found = [check for check in report.get("checks", ()) if check.get("code") == "5B.S5.CIVIL_TIME_MISMATCH"]
        issues = sum(int(check.get("violation_count", 0)) for check in found)
    by_id = {result.check_id: result for result in results}
    return Measured(
        run_measures(subject),
        by_id,
        issues,
        report.get("civil_time_ok"),
        subject.policies.validation.civil_time_gates,
        subject.root.scenarios is not None,
        law_is_exact(subject),
    )


def validation_report(root: RunRoot, contracts: ContractSource) -> dict[str, Any]:
    """S5's report of a passing run; empty without one. Raises `RunError` when it cannot be read."""
    path = dataset_path(root, contracts, "validation_report_5B")
    return read_report(path, JUDGED_FORM) if path.is_file() else {}


def _t10(subject: Subject) -> GateResult:
    """The last certification of this very gate and seed, if there is one."""
    found = report_if_any(subject.root, CERTIFICATION, CERTIFICATION_FORM)
    current = found.get("sealed_inputs_digest") == subject.gate.sealed_inputs_digest
    seeds = found.get("available_seeds", []) if current else []
    cv = found.get("t10_overall_cv") if current else None
    required = found.get("required_seeds", list(laws.REQUIRED_SEEDS)) if current else list(laws.REQUIRED_SEEDS)
    least = found.get("least_seeds", len(laws.REQUIRED_SEEDS)) if current else len(laws.REQUIRED_SEEDS)
    complete = set(required) <= set(seeds) and len(set(seeds)) >= least
    value = {"required_seeds": required, "least_seeds": least, "available_seeds": seeds, "overall_cv": cv}
    b, bplus = (complete and cv is not None and cv <= limit for limit in laws.CV_MAX)
    shown = "not certified" if cv is None else f"CV {cv:.6f}"
    extras = {"insufficient_evidence": not complete}
    return GateResult(laws.GATES["T10"], value, shown, b, bplus, "seg5b certify", extras, pending=not complete)


def _facts(subject: Subject, measured: Measured) -> dict[str, Any]:
    root, report = subject.root, validation_report(subject.root, subject.contracts)
    identity, ledger = root.identity, ledger_files(root)
    return {
        "run": {
            "run_id": identity.run_id,
            "runs_root": str(root.path.parent),
            "segment_state_runs": str(ledger[-1]) if ledger else None,
            "seed": identity.seed,
            "manifest_fingerprint": identity.manifest_fingerprint,
            "parameter_hash": identity.parameter_hash,
            "sealed_inputs_digest": subject.gate.sealed_inputs_digest,
            "derived_from": root.receipt.get("derived_from"),
        },
        "baseline_sources": _sources(subject.root, subject.contracts, subject.gate),
        "arrivals": measured.measures.arrivals,
        "civil_time_ok_latest": measured.civil_time_ok,
        "validation_report_status": report.get("status"),
        "contract_parse_mismatch_count": measured.violations("clock.primary_wall"),
    }


def _sources(root: RunRoot, contracts: ContractSource, gate: Gate) -> dict[str, Any]:
    first = gate.scenario_ids[0]
    return {
        "validation_report_5B": str(dataset_path(root, contracts, "validation_report_5B")),
        "validation_issue_table_5B": str(dataset_path(root, contracts, "validation_issue_table_5B")),
        "s3_bucket_counts_5B": str(dataset_path(root, contracts, "s3_bucket_counts_5B", first)),
        "arrival_events_5B_glob": f"{dataset_path(root, contracts, 'arrival_events_5B', first).parent}/*/*.parquet",
        "tz_timetable_cache": str(gate.path("tz_timetable_cache")),
    }


def _diagnostics(measured: Measured) -> dict[str, Any]:
    windows = [
        {"tzid": tzid, "change_us": at_us, "support": window.support, "hour_bin_mae_pp": window.gap_pp}
        for (tzid, at_us), window in sorted(measured.measures.windows.items())
    ]
    own = ("realism.t13", "realism.t15_counts", "realism.t15_memory", "realism.t15_offsets", "realism.expected")
    names = (*own, *(f"realism.{gate_id.lower()}" for gate_id in laws.PUBLIC))
    return {"windows": windows, **{name.removeprefix("realism."): measured.facts(name) for name in names}}


def _baseline_lane(baseline: Mapping[str, Any] | None) -> float | None:
    lane: Any = baseline
    for key in ("p2", "runtime", "lane_s4_s5_seconds"):
        lane = lane.get(key) if isinstance(lane, Mapping) else None
    return float(lane) if isinstance(lane, (int, float)) else None


def _deltas(gates: Sequence[GateResult], baseline: Mapping[str, Any] | None) -> dict[str, Any]:
    """This run's value less the baseline's of the gates that are plain numbers."""
    if baseline is None:
        return {}
    deltas = {}
    for gate in gates:
        before = baseline.get("gates", {}).get(gate.gate_id, {}).get("value")
        if isinstance(before, (int, float)) and isinstance(gate.value, (int, float)):
            deltas[gate.gate_id] = gate.value - before
    return deltas
