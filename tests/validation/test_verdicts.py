"""What a finding means: severity, switches, sampled mode, conditions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from seg5b.run_tables.policies import RunPolicies
from seg5b.twin.readings import LATENT_FAMILY
from seg5b.twin.scene import COUNT_FAMILY
from seg5b.validation import CHECKS, Check, Compute, Finding, RowCondition, Severity, Status
from seg5b.validation.records import CheckResult
from seg5b.validation.runner import judge_warnings
from tests.validation.faults import arrivals, every_part, shift, tables
from tests.validation.harness import Run, put, replaced, where

BY_ID = {check.check_id: check for check in CHECKS}


def one(run: Run, check_id: str, **options: Any) -> CheckResult:
    return run.judge([BY_ID[check_id]], **options)[check_id]


@pytest.mark.parametrize(
    ("mode", "status", "severity"),
    [("warn_only", "WARN", "ADVICE"), ("enforce_b", "FAIL", "ERROR"), ("enforce_bplus", "FAIL", "ERROR")],
)
def test_sentinels_weigh_as_the_policy_says(
    plain: Run, copied: Callable[[Run], Run], mode: str, status: str, severity: str
) -> None:
    run = copied(plain)
    every_part(put("is_virtual", False))(run)
    result = one(run, "sentinel.virtual_share", policies=replaced("calibration_sentinels", evaluation_mode=mode))
    assert (result.status.value, result.severity.value) == (status, severity)


def test_bplus_has_limits_of_its_own(plain: Run) -> None:
    tight = replaced("calibration_sentinels.bplus", virtual_share_bounds=(0.9, 0.95))

    def policies(given: RunPolicies) -> RunPolicies:
        return replaced("calibration_sentinels", evaluation_mode="enforce_bplus")(tight(given))

    assert one(plain, "sentinel.virtual_share", policies=policies).status is Status.FAIL
    assert one(plain, "sentinel.virtual_share", policies=tight).status is Status.PASS


def test_report_only_spares_gates_and_nothing_else(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    arrivals(*shift(60, None))(run)
    lenient = replaced("failure_policy", mode="report_only")
    assert one(run, "civil.one_hour_rate").status is Status.FAIL
    assert one(run, "civil.one_hour_rate", policies=lenient).status is Status.WARN
    assert one(run, "clock.primary_offset", policies=lenient).status is Status.FAIL


def test_warnings_count_and_advice_does_not(plain: Run) -> None:
    from types import SimpleNamespace

    check = Check("c", "5B.S5.X", "routing_ok", "x", "s", Compute(lambda s: Finding()))
    from seg5b.run_tables.policies import load_policies

    subject: Any = SimpleNamespace(policies=load_policies(plain.gate, plain.contracts))
    warned = CheckResult(check, Status.WARN, Severity.WARN, 2)
    advised = CheckResult(check, Status.WARN, Severity.ADVICE, 2)
    assert judge_warnings(subject, [advised]).status is Status.PASS
    assert judge_warnings(subject, [advised, warned]).status is Status.FAIL
    subject.policies = replaced("failure_policy", max_warnings=2)(subject.policies)
    assert judge_warnings(subject, [advised, warned]).status is Status.PASS


def test_a_check_runs_as_long_as_one_of_its_switches_is_true(plain: Run) -> None:
    within = {"require_event_time_in_bucket": False}
    neither = replaced("structural_checks.s4_arrival_events", **within, require_time_half_open=False)
    one_of_two = replaced("structural_checks.s4_arrival_events", **within)
    result = one(plain, "s4.time_window", policies=neither)
    assert result.status is Status.NOT_APPLICABLE and "event_time_in_bucket" in result.reason
    assert one(plain, "s4.time_window", policies=one_of_two).status is Status.PASS


def test_a_switched_off_block_is_not_applicable(plain: Run) -> None:
    result = one(plain, "s4.order", policies=replaced("structural_checks", sorted_output=False))
    assert result.status is Status.NOT_APPLICABLE and "sorted_output" in result.reason


SWITCHES: dict[str, dict[str, tuple[str, ...]]] = {
    "structural_checks.s1_time_grid": {
        "require_bucket_index_contiguous": (),
        "require_half_open_intervals": (),
        "require_duration_seconds_matches_policy": ("s1.grid_contiguous",),
    },
    "structural_checks.s2_realised_intensity": {
        "require_nonnegative_lambda": (),
        "require_finite_lambda": ("s2.numbers",),
        "require_lambda_zero_implies_count_zero": ("s3.zero_rule",),
    },
    "structural_checks.s3_bucket_counts": {
        "require_integer_counts": (),
        "require_counts_nonnegative": ("s3.count_bounds",),
    },
    "structural_checks.s4_arrival_events": {
        "require_sorted_within_bucket": ("s4.order",),
        "require_exactly_N_events_per_bucket": ("s4.count_total", "s4.count_per_bucket"),
        "require_routing_keys_present": ("route.flag", "route.universe"),
    },
    "rng_accounting_checks.streams": {
        "require_monotonic_counters": (),
        "require_next_before_equals_prev_after": (),
        "forbid_counter_overlap": (),
        "abort_on_wrap": ("rng.counters", "rng.part_counters"),
    },
    "rng_accounting_checks.trace": {
        "require_trace_row_per_rng_event": (),
        "require_append_after_each_event": ("rng.trace_rows",),
    },
    "realism_checks.lgcp_realism": {
        "require_mean_factor_near_one": ("realism.factor_mean",),
        "require_factor_bounds_respected": ("realism.factor_bounds",),
    },
    "realism_checks.count_realism": {
        "require_nontrivial_nonzero_fraction": ("realism.nonzero",),
        "require_heavy_tail": ("realism.tail",),
    },
    "realism_checks.time_realism": {"require_not_all_at_bucket_start": ("realism.offsets",)},
    "realism_checks.routing_realism": {
        "require_physical_and_virtual_coverage_when_present": ("route.mode",),
        "require_no_missing_alias_rows": ("inputs.site_blob", "inputs.edge_blob"),
        "require_country_mix_close_if_virtual": ("realism.country_mix",),
    },
}
"""Switches of the reference engine's policy, and the checks that are off once it, and those before it without checks of their
own, are false."""


@pytest.mark.parametrize(
    ("block", "name"), [(block, name) for block, names in SWITCHES.items() for name, checks in names.items() if checks]
)
def test_every_switch_of_the_reference_engine_steers_its_checks(plain: Run, block: str, name: str) -> None:
    names = list(SWITCHES[block])
    first = names.index(name)
    while first and not SWITCHES[block][names[first - 1]]:
        first -= 1
    off = replaced(block, **dict.fromkeys(names[first : names.index(name) + 1], False))
    checks = [check for check in CHECKS if check.check_id in SWITCHES[block][name]]
    assert len(checks) == len(SWITCHES[block][name])
    told = plain.judge(checks, policies=off)
    assert {result.status for result in told.values()} == {Status.NOT_APPLICABLE}
    assert all(name in result.reason for result in told.values())


_LABELS = {LATENT_FAMILY: "latent_vector", COUNT_FAMILY: "bucket_count"}


@pytest.mark.parametrize("family", [LATENT_FAMILY, COUNT_FAMILY])
def test_totals_of_a_state_may_be_left_unasked(plain: Run, copied: Callable[[Run], Run], family: str) -> None:
    run = copied(plain)
    state, label = family[:2], _LABELS[family]
    path = next((run.path("rng_trace_log") / f"state={state}").rglob("*.jsonl"))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["events_total"] += row["substream_label"] == label
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    latent = replaced("rng_accounting_checks.budgets.s2_latent_vector", require_one_event_per_group_when_enabled=False)
    budget = replaced("rng_accounting_checks.budgets.s3_bucket_count", require_no_event_when_deterministic_zero=False)
    counts = replaced("structural_checks.s3_bucket_counts", require_no_rng_event_when_lambda_zero=False)
    unasked = latent if family == LATENT_FAMILY else lambda policies: counts(budget(policies))
    for check_id in ("rng.totals", "rng.part_totals"):
        assert one(run, check_id).status is Status.FAIL
        assert one(run, check_id, policies=unasked).status is Status.PASS


def test_no_change_of_offset_is_not_applicable(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    every_part(put("tzid_primary", "Etc/UTC"), put("utc_offset_min_primary", 0))(run)
    for check_id in ("civil.dst_power", "civil.dst_hour_bins"):
        result = one(run, check_id)
        assert result.status is Status.NOT_APPLICABLE and "changes its offset" in result.reason


def test_windows_that_exist_are_enough(plain: Run) -> None:
    many = replaced("civil_time_gates", dst_window_min_exposed_windows=10**6, dst_window_min_support=1)
    assert one(plain, "civil.dst_power", policies=many).status is Status.PASS


def test_2b_is_required_for_physical_arrivals_only(plain: Run, copied: Callable[[Run], Run]) -> None:
    needed = one(plain, "inputs.upstream").facts[""]["required"]
    never = replaced("require_upstream_pass", optional_required_when="never")
    assert "2B" in needed and "2B" not in one(plain, "inputs.upstream", policies=never).facts[""]["required"]
    run = copied(plain)
    every_part(put("is_virtual", True))(run)
    assert "2B" not in one(run, "inputs.upstream").facts[""]["required"]


def test_sampled_mode_looks_beyond_the_head(plain: Run, copied: Callable[[Run], Run]) -> None:
    few = replaced("sampling", min_sample_rows=2000, max_sample_rows=2000)
    run = copied(plain)
    last = where("arrival_seq", lambda value: value is not None, None)
    parts = len(list(run.path("arrival_events_5B").parent.glob("*.parquet")))
    arrivals(put("ts_utc", lambda old: old + 3_600_000_000, lambda t: last(t)[-400:]), part=parts - 1)(run)
    result = one(run, "s4.time_window", mode="sampled", policies=few)
    assert result.status is Status.FAIL and 2000 <= result.rows_examined < 2400
    assert one(plain, "s4.count_per_bucket", mode="sampled").status is Status.NOT_APPLICABLE


def test_a_check_that_cannot_run_fails_and_says_why(plain: Run) -> None:
    broken = Check(
        "x",
        "5B.S5.X",
        "routing_ok",
        "x",
        "s",
        RowCondition("arrivals", "no_such_column = 1", "merchant_id"),
        ("arrivals",),
    )
    sound = replace(broken, check_id="y", probe=RowCondition("arrivals", "bucket_index < 0", "merchant_id"))
    results = plain.judge([broken, sound])
    assert results["x"].status is Status.FAIL and "no_such_column" in results["x"].reason
    assert results["x"].code == "5B.S5.IO_READ_FAILED"
    assert results["y"].status is Status.PASS


def test_no_rows_fail_where_rows_must_be(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    tables("s1_grouping_5B", lambda table: table.slice(0, 0))(run)
    result = one(run, "s1.group_law")
    assert result.status is Status.FAIL and "no rows" in result.reason


def test_what_holds_of_every_row_holds_where_there_is_none(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    tables("s4_arrival_anomalies_5B", lambda table: table.slice(0, 0))(run)
    ids = [f"{kind}.anomalies" for kind in ("schema.values", "schema.rows", "identity")]
    ids += ["anomalies.none_severe", "anomalies.none_warned"]
    found = run.judge([BY_ID[check_id] for check_id in ids])
    assert {(result.status, result.rows_examined, result.reason) for result in found.values()} == {(Status.PASS, 0, "")}


def test_first_violations_are_named(plain: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(plain)
    every_part(put("routing_universe_hash", "0" * 64))(run)
    result = one(run, "route.universe")
    assert result.violation_count == result.rows_examined and len(result.keys) == 10
    assert result.keys[0]["scenario_id"] and result.keys[0]["arrival_seq"] == 1


def test_an_unreadable_dataset_leaves_its_partner_judged(plain: Run, copied: Callable[[Run], Run]) -> None:
    """S2 and S3 are looked at together, but one that cannot be read is no reason not to judge the other."""
    run = copied(plain)
    tables("s2_realised_intensity_5B", lambda table: table.drop_columns(["lambda_baseline"]))(run)
    wanted = ("outputs.readable", "s2.numbers", "s3.mean_is_intensity", "s3.count_bounds", "s3.canonical")
    found = run.judge([BY_ID[name] for name in wanted])
    assert [found[name].status.value for name in wanted] == ["FAIL", *["NOT_APPLICABLE"] * 2, "PASS", "PASS"]
    assert found["outputs.readable"].code == "5B.S5.IO_READ_FAILED"
