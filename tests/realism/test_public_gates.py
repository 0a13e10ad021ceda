"""Readings against public bands, and the gates that they make."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seg5b.realism import Verdict
from seg5b.realism.laws import GATES, HARD_FIRST, PUBLIC, Weight
from seg5b.realism.public_gates import judge_public
from seg5b.realism.readings import Reading, finding, ratio_of_sums, shortage
from seg5b.validation.records import Check, CheckResult, Compute, Finding, Severity, Status

BANDS = ((0.1, 0.4), (0.2, 0.3))


def reading(value: float, se: float = 0.0, short: str = "") -> Reading:
    return Reading("x", value, se, BANDS, "100 arrivals", short)


def results(found: Finding | None, reason: str = "") -> dict[str, CheckResult]:
    """The same finding of one scenario for the probe of every public gate; None for a probe that could not run."""
    facts = {} if found is None else {"base": found.facts}
    return {
        f"realism.{gate_id.lower()}": CheckResult(
            Check(gate_id, "", "", "realism", "", Compute(lambda _: Finding())),
            Status.PASS,
            Severity.ERROR,
            reason=reason,
            facts=facts,
        )
        for gate_id in PUBLIC
    }


@pytest.mark.parametrize(
    ("value", "se", "grades"),
    [
        (0.25, 0.0, (True, True)),
        (0.35, 0.0, (True, False)),
        (0.43, 0.0, (False, False)),
        (0.43, 0.01, (True, False)),
        (0.4301, 0.01, (False, False)),
        (0.31, 0.01, (True, False)),
        (math.nan, 1.0, (False, False)),
    ],
)
def test_b_takes_three_standard_errors_and_bplus_none(value: float, se: float, grades: tuple[bool, bool]) -> None:
    assert (reading(value, se).within(0), reading(value, se).within(1)) == grades


def test_what_is_missing_is_said() -> None:
    assert shortage(("arrivals", 2_000, 2_000)) == ""
    assert (
        shortage(("arrivals", 1_999, 2_000), ("merchants", 3, 8)) == "2,000 arrivals (has 1,999), 8 merchants (has 3)"
    )


def test_the_error_of_a_share_is_that_of_drawn_units() -> None:
    random = np.random.default_rng(11)
    shares, errors = [], []
    for _ in range(400):
        wholes = random.poisson(random.lognormal(5.0, 1.0, 60)).astype(float)
        own = random.beta(4.0, 12.0, 60)  # merchants differ, so that arrivals of one are no independent units
        share, error = ratio_of_sums(random.binomial(wholes.astype(int), own).astype(float), wholes)
        shares.append(share)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(shares), rel=0.15)
    binomial = math.sqrt(0.25 * 0.75 / (60 * math.exp(5.5)))
    assert np.mean(errors) > 5 * binomial


def test_few_units_have_no_error() -> None:
    assert ratio_of_sums(np.array([3.0, 0.0]), np.array([4.0, 0.0])) == (0.75, math.inf)
    assert math.isnan(ratio_of_sums(np.zeros(2), np.zeros(2))[0])


def test_a_gate_needs_every_judged_reading() -> None:
    (good, *_) = judge_public(results(finding([reading(0.25), reading(0.9, short="more")], 10)))
    assert (good.verdict, good.bplus, good.reason) == (Verdict.PASS, True, "")
    assert good.extras["too_small"] == ["base: x needs more"]
    (wrong, *_) = judge_public(results(finding([reading(0.25), reading(0.9, 0.01)], 10)))
    assert (wrong.verdict, wrong.shown) == (Verdict.FAIL, "1 of 2 readings beyond")
    assert wrong.reason == "base: x 0.9 +- 0.01, band 0.1 to 0.4"


def test_a_gate_on_too_little_says_what_it_needs() -> None:
    (few, *_) = judge_public(results(finding([reading(0.9, short="100 arrivals (has 3)")], 10)))
    assert (few.verdict, few.reason) == (Verdict.NOT_APPLICABLE, "base: x needs 100 arrivals (has 3)")
    (nothing, *_) = judge_public(results(finding([], 10)))
    assert nothing.verdict is Verdict.NOT_APPLICABLE and nothing.reason


def test_what_could_not_be_measured_does_not_pass() -> None:
    for gate in judge_public(results(None, "needs cells (arrivals are not published)")):
        assert (gate.verdict, gate.value, gate.reason) == (
            Verdict.FAIL,
            None,
            "needs cells (arrivals are not published)",
        )
    (broken, *_) = judge_public(results(finding([reading(0.25)], 10), "could not be judged: 5B.QUERY.FAILED"))
    assert broken.verdict is Verdict.FAIL


def test_public_gates_are_watched() -> None:
    assert {GATES[gate_id].weight for gate_id in PUBLIC} == {Weight.CONTEXT}
    assert not set(PUBLIC) & set(HARD_FIRST)
