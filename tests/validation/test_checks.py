"""Every check holds on sound runs and notices the faults that it is there for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seg5b.validation import CHECKS, Status
from tests.long import LONG
from tests.validation.faults import FAULTS, Fault
from tests.validation.harness import Run, replaced

BY_ID = {check.check_id: check for check in CHECKS}


def test_ids_are_unique() -> None:
    assert len(BY_ID) == len(CHECKS)


def test_every_check_has_a_planted_fault() -> None:
    assert {fault.check for fault in FAULTS} == set(BY_ID)


_NAMED = [(f"{number:03d}-{fault.check}", fault) for number, fault in enumerate(FAULTS)]
_LOGS = [name for name, fault in _NAMED if fault.check == "rng.event_logs"]
"""Each makes S5 read logs of all draws; two of them stand for the others but in `make long`."""


@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, id=name, marks=LONG if name in _LOGS[:3] + _LOGS[4:-1] else ()) for name, fault in _NAMED],
)
def test_fault_is_noticed(fault: Fault, plain: Run, ornate: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(ornate if fault.ornate else plain)
    fault.plant(run)
    beside = BY_ID["clock.primary_wall"]  # tells the measures of civil time that wall clocks are broken
    result = run.judge([*{BY_ID[fault.check], beside}], policies=fault.policies)[fault.check]
    assert (result.status.value, result.code) == (fault.status, fault.code), result.reason
    assert result.violation_count >= 1
    assert result.keys or result.reason


@pytest.mark.parametrize("mode", ["full", "sampled"])
@pytest.mark.parametrize("shape", ["plain", "ornate"])
def test_sound_run_passes(shape: str, mode: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(shape)
    small = replaced("civil_time_gates", dst_window_min_total_support=500) if mode == "sampled" else None
    results = run.judge(CHECKS, mode=mode, policies=small)
    advice = {"sentinel.top10_tz_share", "sentinel.virtual_share"}
    bad = {
        check_id: (result.reason, result.keys)
        for check_id, result in results.items()
        if result.status is Status.FAIL or (result.status is Status.WARN and check_id not in advice)
    }
    assert bad == {}


def test_nothing_passes_without_looking(plain: Run) -> None:
    for result in plain.judge(CHECKS).values():
        if result.status is Status.PASS:
            assert result.rows_examined > 0 or not result.check.must_have_rows
        if result.status is Status.NOT_APPLICABLE:
            assert result.reason


def test_the_two_shapes_leave_no_check_unjudged(plain: Run, ornate: Run) -> None:
    one, other = plain.judge(CHECKS), ornate.judge(CHECKS)
    elsewhere = ["realism.factor_bounds"]  # s2.factor_clip judges the same until a policy asks for less
    silent = [check_id for check_id in BY_ID if one[check_id].status is other[check_id].status is Status.NOT_APPLICABLE]
    assert silent == elsewhere
