"""What a finding means: severity, switches, sampled mode, conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from seg5b.run_tables.policies import RunPolicies
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


def test_a_switched_off_block_is_not_applicable(plain: Run) -> None:
    result = one(plain, "s4.time_window", policies=replaced("structural_checks", event_time_in_bucket=False))
    assert result.status is Status.NOT_APPLICABLE and "event_time_in_bucket" in result.reason


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
    never = replaced("require_upstream_pass.conditional", required_when="never")
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
