"""Arrivals that follow their intensity within a bucket (law L17, ``linear_v1``): S5, the gates and explanations know what to
expect of them, and see arrivals that do not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seg5b import api
from seg5b.explain import explain_arrival
from seg5b.gate import open_gate
from seg5b.pipeline import run_states
from seg5b.realism.dispersion import offsets
from seg5b.realism.expected import expected_totals
from seg5b.realism.profile import profile_cells
from seg5b.run_tables import RunPolicies, open_run_tables
from seg5b.validation import Status
from seg5b.validation.checks import law_routes, law_times, policies, realism, rederivation
from seg5b.validation.placement import Heights, heights_by_hour, heights_by_merchant, weights
from seg5b.validation.rederived.everything import rederive_asked
from tests.conftest import TO_ARRIVALS
from tests.explain.choosing import arrivals_of_each_mode
from tests.policies import Changes
from tests.validation.half_a_million import looked_at, realised
from tests.validation.harness import Run, twin_reads
from tests.worlds import SMALLEST

LINEAR: Changes = {"arrival_time_placement_policy_5B": {"placement_kind": "linear_v1"}}
LAWS = (*law_times.CHECKS, *law_routes.CHECKS, *(each for each in realism.CHECKS if each.check_id == "realism.offsets"))


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One scenario of 16 merchants and half a million arrivals under ``linear_v1``."""
    return realised(tmp_path_factory.mktemp("linear"), LINEAR)


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same with arrivals that are placed evenly."""
    return realised(tmp_path_factory.mktemp("even"), {})


def taken_for_uniform(policies: RunPolicies) -> RunPolicies:
    """The policies as if arrivals were placed evenly."""
    return twin_reads(placement_law="uniform_within_bucket_v1")(policies)


def taken_for_linear(policies: RunPolicies) -> RunPolicies:
    """The policies as if arrivals followed their intensities."""
    return twin_reads(placement_law="linear_v1")(policies)


def test_s5_finds_nothing_wrong(linear: Run) -> None:
    results = linear.judge([*LAWS, *rederivation.CHECKS, *policies.CHECKS])
    assert {name: result.keys for name, result in results.items() if result.status is Status.FAIL} == {}
    assert results["rederive.arrivals"].rows_examined > 1000


def test_every_arrival_can_be_derived_again(tmp_path: Path) -> None:
    run = api.open_run(SMALLEST.make(tmp_path, LINEAR).path.parent)
    run_states(run.root, run.contracts, TO_ARRIVALS)
    gate = open_gate(run.root, run.contracts, state="S5")
    with open_run_tables(run.root, run.contracts, label="test", gate=gate, threads=2, memory_limit_gb=1.0) as subject:
        found = rederive_asked(subject, "all", lambda label, done, total: None)
    assert (found.status, found.keys) == (Status.PASS, ())


@pytest.mark.parametrize(
    ("shape", "change"), [("linear", taken_for_uniform), ("even", taken_for_linear)], ids=["even law", "linear law"]
)
def test_arrivals_by_the_other_law_are_seen(shape: str, change: Any, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(shape)
    results = run.judge([*LAWS, *rederivation.CHECKS, *policies.CHECKS], policies=change)
    failed = {name for name, result in results.items() if result.status is Status.FAIL}
    assert {"law.times_place", "rederive.arrivals", "policy.readings"} <= failed
    assert "law.routes_sites" not in failed
    with looked_at(run, change) as subject:
        assert offsets(subject).violations == 1
        (place,) = (
            each for each in expected_totals(subject).facts["statistics"] if each["name"].startswith("mean place")
        )
        assert np.isfinite(place["z"])


def test_the_gates_expect_what_is_there(linear: Run) -> None:
    with looked_at(linear) as subject:
        found = offsets(subject)
        assert found.violations == 0 and found.facts["ks_distance"] < found.facts["limit_bplus"]
        assert profile_cells(subject).violations == 0
        (place,) = (
            each for each in expected_totals(subject).facts["statistics"] if each["name"].startswith("mean place")
        )
        assert abs(place["z"]) < 4.0 and place["expected"] != 0.5
        merchants, own = heights_by_merchant(subject)
        counted = dict(
            subject.rows("SELECT merchant_id, sum(count_N)::BIGINT FROM counts GROUP BY 1 HAVING sum(count_N) > 0")
        )
        assert dict(zip(merchants.tolist(), own.arrivals.tolist(), strict=True)) == counted
        assert heights_by_hour(subject).arrivals.sum() == sum(counted.values())


def test_explanations_hold_and_tell_the_heights(linear: Run) -> None:
    with looked_at(linear) as subject:
        chosen = arrivals_of_each_mode(subject, 2)
    for merchant, seq in chosen:
        found = explain_arrival(linear.root, linear.contracts, merchant, seq)
        assert found.holds
        assert "times as densely as on average" in " ".join(found.text().split())


def density(first: float, last: float, t: np.ndarray) -> np.ndarray:
    """Straight pieces through the heights at 0, 1/2 and 1."""
    return np.interp(t, [0.0, 0.5, 1.0], [first, (4.0 - first - last) / 2.0, last])


@pytest.mark.parametrize(("first", "last"), [(1.0, 1.0), (0.0, 0.0), (2.0, 2.0), (0.0, 2.0), (1.4, 0.3)])
def test_weights_and_moments_are_those_of_the_density(first: float, last: float) -> None:
    """By adding up a fine grid of the density itself."""
    fine = (np.arange(200_000) + 0.5) / 200_000
    values = density(first, last, fine)
    edges = np.linspace(0.0, 1.0, 21)
    w0, w1, w2 = weights(edges)
    counted = np.append(0.0, np.cumsum(values.reshape(20, -1).mean(axis=1) / 20))
    assert np.allclose(w0 + w1 * first + w2 * last, counted, atol=1e-9)
    three = Heights(*(np.array([3.0 * each]) for each in (1.0, first, last, (last - first) ** 2)))
    mean, deviation = three.mean_place()
    assert mean == pytest.approx((fine * values).mean(), abs=1e-9)
    assert deviation**2 * 3.0 == pytest.approx((fine**2 * values).mean() - mean**2, abs=1e-9)
    assert np.allclose(three.shares(4)[0], np.diff(counted[::5]), atol=1e-9)


def test_a_site_that_is_alone_in_its_zone_says_nothing() -> None:
    readings = SimpleNamespace(follows_intensity=True)
    subject: Any = SimpleNamespace(constants={"bucket_us": 3_600_000_000}, policies=SimpleNamespace(readings=readings))
    n = np.array([2365.0, 3410.0, 1183.0])
    inside = np.floor(n * 1_850_676_535.7) + 1.0
    alone = law_routes._in_bucket(subject, inside, n, inside, n)
    assert (alone == 0.0).all(), "rounding of sums beyond 2^53 is no evidence"
    beside = law_routes._in_bucket(subject, inside, n, inside * 2.3, 2 * n)
    assert (beside < -50.0).all()
