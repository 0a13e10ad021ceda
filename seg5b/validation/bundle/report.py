"""The validation report in the contract's form (docs/laws#validation-bundle)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seg5b.run_tables.measures import Measures, run_measures
from seg5b.run_tables.subject import Subject
from seg5b.validation.checks.civil import power_facts
from seg5b.validation.checks.sentinels import (
    scatter_facts,
    top_zone_share,
    virtual_share,
    weekend_delta_pp,
    weekends_agree,
)
from seg5b.validation.records import CheckResult, Status

FIELDS = (
    "counts_match_s3",
    "time_windows_ok",
    "civil_time_ok",
    "civil_time_gate_ok",
    "calibration_gate_ok",
    "routing_ok",
    "schema_partition_pk_ok",
    "rng_accounting_ok",
    "bundle_integrity_ok",
    "inputs_ok",
    "realism_ok",
    "warnings_ok",
)
FAILED = "S5_VALIDATION_FAILED"


def verdicts(results: Sequence[CheckResult]) -> dict[str, bool]:
    """Each verdict of the report: false if any check that belongs to it failed. A civil-time failure of any kind
    fails the civil-time gate too."""
    failed = {result.check.field for result in results if result.status is Status.FAIL}
    if "civil_time_ok" in failed:
        failed.add("civil_time_gate_ok")
    return {field: field not in failed for field in FIELDS}


def make_report(subject: Subject, results: Sequence[CheckResult], issue_count: int) -> dict[str, Any]:
    """The report. Nothing in it depends on when, where or how fast it was made."""
    measures = run_measures(subject)
    failures = [result for result in results if result.status is Status.FAIL]
    report: dict[str, Any] = {
        "manifest_fingerprint": subject.root.identity.manifest_fingerprint,
        "parameter_hash": subject.root.identity.parameter_hash,
        "seed": subject.root.identity.seed,
        "spec_version": subject.gate.spec_version,
        "status": "FAIL" if failures else "PASS",
        **run_totals(subject, measures),
        **verdicts(results),
        "sampling": _sampling(subject, measures, results),
        "checks": [result.as_json() for result in results],
        "issue_count": issue_count,
        "check_summary": {status.value: sum(r.status is status for r in results) for status in Status},
    }
    if failures:
        report["error_code"] = FAILED
        report["first_failure_code"] = failures[0].code
        report["failure_codes"] = list(dict.fromkeys(result.code for result in failures))
    return report


def run_totals(subject: Subject, measures: Measures) -> dict[str, int]:
    """Totals of the run under the names of report and run record."""
    return {
        "n_parameter_hashes": 1,
        "n_scenarios": len(subject.gate.scenarios),
        "n_seeds": 1,
        "n_buckets_total": measures.buckets,
        "n_buckets_nonzero": measures.buckets_nonzero,
        "n_arrivals_total": measures.arrivals,
        "n_arrivals_physical": measures.arrivals - measures.virtual,
        "n_arrivals_virtual": measures.virtual,
    }


def _sampling(subject: Subject, measures: Measures, results: Sequence[CheckResult]) -> dict[str, Any]:
    gates = subject.policies.validation.civil_time_gates
    wrong = measures.clock_wrong / measures.clock_rows if measures.clock_rows else None
    return {
        "mode": subject.mode,
        "arrival_sample_target": subject.policies.validation.sampling.arrival_target(measures.arrivals),
        "arrival_sample_rows": measures.judged_arrivals,
        "s3_sample_target": subject.policies.validation.sampling.count_target(measures.buckets),
        "s3_sample_rows": measures.judged_counts,
        "civil_mismatch_rate": wrong,
        "civil_mismatch_limit": gates.max_civil_mismatch_rate,
        "civil_time_gates": _civil(subject, measures, results),
        "calibration_sentinels": _sentinels(subject, measures, results),
    }


def _passed(results: Sequence[CheckResult]) -> Mapping[str, bool | None]:
    """Whether each check held; None where it was not applicable."""
    outcome = {Status.PASS: True, Status.FAIL: False, Status.WARN: False, Status.NOT_APPLICABLE: None}
    return {result.check_id: outcome[result.status] for result in results}


def _fact(results: Sequence[CheckResult], check_id: str, name: str) -> Any:
    found = next((result.facts.get("", {}) for result in results if result.check_id == check_id), {})
    return found.get(name)


def _policy_path(subject: Subject) -> str:
    return subject.contracts.dictionary("5B").entry("validation_policy_5B").path


def _civil(subject: Subject, measures: Measures, results: Sequence[CheckResult]) -> dict[str, Any]:
    gates, held = subject.policies.validation.civil_time_gates, _passed(results)
    rows = measures.clock_rows
    return {
        "threshold_source": "policy",
        "policy_path": _policy_path(subject),
        "limits": {
            "max_civil_mismatch_rate": gates.max_civil_mismatch_rate,
            "max_one_hour_shift_rate": gates.max_one_hour_shift_rate,
            "dst_window_hour_bin_mae_pp_max": gates.dst_window_hour_bin_mae_pp_max,
            "dst_window_min_support": gates.dst_window_min_support,
            "dst_window_min_exposed_windows": gates.dst_window_min_exposed_windows,
            "dst_window_min_total_support": gates.dst_window_min_total_support,
        },
        "rates": {
            "civil_mismatch_rate": measures.clock_wrong / rows if rows else None,
            "one_hour_shift_rate": measures.clock_hour / rows if rows else None,
            "dst_window_hour_bin_mae_pp": _fact(results, "civil.dst_hour_bins", "dst_window_hour_bin_mae_pp"),
        },
        "gates": {
            "civil_mismatch": held.get("civil.mismatch_rate"),
            "one_hour_shift": held.get("civil.one_hour_rate"),
            "dst_window_hour_bin": held.get("civil.dst_hour_bins"),
            "dst_window_power": held.get("civil.dst_power"),
        },
        "dst_window_support": power_facts(subject),
    }


def _sentinels(subject: Subject, measures: Measures, results: Sequence[CheckResult]) -> dict[str, Any]:
    sentinels, held = subject.policies.validation.calibration_sentinels, _passed(results)
    limits = sentinels.limits
    return {
        "evaluation_mode": sentinels.evaluation_mode,
        "target": sentinels.target,
        "severity_on_fail": sentinels.severity_on_fail,
        "policy_path": _policy_path(subject),
        "min_sample_rows": subject.policies.validation.sampling.min_sample_rows,
        "arrival_sample_rows": measures.judged_arrivals,
        "s3_sample_rows": measures.judged_counts,
        "sample_power_ok": held.get("sentinel.sample_power"),
        "metrics": {
            "top10_tz_share": top_zone_share(measures),
            "virtual_share_observed": virtual_share(measures),
            "weekend_share_delta_pp": weekend_delta_pp(measures),
            **scatter_facts(measures),
        },
        "thresholds": {
            "top10_tz_share_max": limits.top10_tz_share_max,
            "virtual_share_bounds": list(limits.virtual_share_bounds),
            "weekend_share_delta_pp_max": limits.weekend_share_delta_pp_max,
            "residual_std_bounds": list(limits.residual_std_bounds),
        },
        "gates": {
            "top10_tz_share": held.get("sentinel.top10_tz_share"),
            "virtual_share": held.get("sentinel.virtual_share"),
            "weekend_share_delta": weekends_agree(subject, measures),
            "residual_std": held.get("sentinel.residual_std"),
            "residual_law": held.get("sentinel.residual_law"),
        },
    }
