"""Dispersion that follows the mean of a cell by a power (law L6): whole runs, S5, the score and explanations know what to expect
of it, and see counts of another law."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from seg5b import api
from seg5b.explain import explain_arrival
from seg5b.gate import open_gate
from seg5b.pipeline import run_states
from seg5b.policy import CountPolicy
from seg5b.realism import score_run
from seg5b.realism.dispersion import dispersion
from seg5b.realism.expected import expected_totals
from seg5b.run_tables import open_run_tables
from seg5b.validation import Status
from seg5b.validation.count_chances import at_least, read_means
from seg5b.validation.rederived.everything import rederive_asked
from seg5b.validation.registry import CHECKS
from tests.conftest import TO_ARRIVALS
from tests.explain.choosing import arrivals_of_each_mode
from tests.oracle.field import nb2_count
from tests.oracle.randomness import World
from tests.policies import Added, Changes
from tests.validation.faults import COUNTS, tables
from tests.validation.half_a_million import looked_at, realised
from tests.validation.harness import Run, put, twin_reads
from tests.worlds import SCORED, SMALLEST

COUNT = "arrival_count_config_5B"
MEAN, BOUNDS = 10.0, (0.5, 400.0)


def by_power(power: float) -> Changes:
    """A law whose dispersion follows the mean, and bounds that let it."""
    volume = Added({"reference_mean": MEAN, "power": power})
    return {COUNT: {"nb2.kappa_law.volume_power": volume, "nb2.kappa_law.kappa_bounds": list(BOUNDS)}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One scenario of 16 merchants and half a million arrivals whose variance is a fixed multiple of the mean."""
    return realised(tmp_path_factory.mktemp("volume"), by_power(1.0))


def counts_of(run: Run) -> dict[str, np.ndarray]:
    """Columns of the counts, with the dispersion that the policy gives the group of each."""
    made = api.Run(run.root, run.contracts)
    counts, groups = made.table("s3_bucket_counts_5B", "baseline_v1"), made.table("s1_grouping_5B", "baseline_v1")
    policy = CountPolicy.load(run.root.resolve(f"config/layer2/5B/{COUNT}.yaml"), run.contracts)
    of_group = [policy.kappa("baseline", name) for name in groups.column("demand_class").to_pylist()]
    columns = {name: counts.column(name).to_numpy() for name in ("mu", "kappa", "count_N")}
    return {**columns, "of_group": np.repeat(of_group, len(counts) // len(groups))}


def test_the_published_dispersion_follows_the_mean(run: Run) -> None:
    found = counts_of(run)
    expected = np.clip(found["of_group"] * (found["mu"] / MEAN), *BOUNDS)
    assert found["kappa"] == pytest.approx(expected, rel=1e-13)
    assert (found["kappa"][found["mu"] == 0.0] == BOUNDS[0]).all() and (found["mu"] == 0.0).any()
    assert np.unique(found["kappa"]).size > 1000


def test_the_variance_is_a_fixed_multiple_of_the_mean(run: Run) -> None:
    """Between the bounds: (N - mu)^2 / mu has mean 1 + MEAN / kappa, whatever mu; and not that of one kappa for all."""
    found = counts_of(run)
    inside = (found["kappa"] > BOUNDS[0]) & (found["kappa"] < BOUNDS[1])
    mu, of_group = found["mu"][inside], found["of_group"][inside]
    square = (found["count_N"][inside] - mu) ** 2 / mu
    for low, high in ((2.0, 8.0), (8.0, 30.0), (30.0, 1e9)):
        some = (mu >= low) & (mu < high)
        gap = square[some] - (1.0 + MEAN / of_group[some])
        error = gap.std() / math.sqrt(gap.size)
        assert gap.size > 300 and abs(gap.mean()) < 4.0 * error
        if low >= 30.0:
            assert abs((square[some] - (1.0 + mu[some] / of_group[some])).mean()) > 8.0 * error


def test_s5_finds_nothing_wrong(run: Run) -> None:
    results = run.judge(CHECKS)
    wrong = {name: each.keys for name, each in results.items() if each.status is Status.FAIL}
    assert wrong == {}
    for name in ("s3.kappa", "rederive.counts", "policy.readings"):
        assert results[name].status is Status.PASS and results[name].rows_examined > 0


def test_a_whole_run_passes(tmp_path: Path) -> None:
    """All states; the bounds of this policy as shipped."""
    volume = Added({"reference_mean": MEAN, "power": 1.0})
    root = SCORED.make(tmp_path, {COUNT: {"nb2.kappa_law.volume_power": volume}})
    api.run(root.path.parent, backend="cpu")
    found = {check["check_id"]: check["status"] for check in api.open_run(root.path.parent).checks()}
    assert set(found.values()) <= {"PASS", "NOT_APPLICABLE"} and found["s3.kappa"] == "PASS"


def test_everything_can_be_derived_again(tmp_path: Path) -> None:
    made = api.open_run(SMALLEST.make(tmp_path, by_power(0.37)).path.parent)
    run_states(made.root, made.contracts, TO_ARRIVALS)
    gate = open_gate(made.root, made.contracts, state="S5")
    with open_run_tables(made.root, made.contracts, label="test", gate=gate, threads=2, memory_limit_gb=1.0) as subject:
        found = rederive_asked(subject, "all", lambda label, done, total: None)
    assert (found.status, found.keys) == (Status.PASS, ())
    identity = made.root.identity
    world = World(identity.manifest_fingerprint, identity.parameter_hash, identity.seed, "baseline_v1")
    rows = made.table("s3_bucket_counts_5B", "baseline_v1").to_pylist()
    drawn = [row for row in rows if row["mu"] > 1e-9]
    assert len(drawn) > 200
    for row in drawn:
        key = row["merchant_id"], row["zone_representation"], row["bucket_index"]
        assert row["count_N"] == nb2_count(world, *key, row["mu"], row["kappa"])


FAULTS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "one cell": put("kappa", lambda old: old * (1.0 + 1e-9), lambda table: [int(np.argmax(table["mu"].to_numpy()))]),
    "the lowest where there is no mean": put("kappa", 2.0, lambda table: [int(np.argmin(table["mu"].to_numpy()))]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_another_dispersion_is_found(fault: str, run: Run, copied: Callable[[Run], Run]) -> None:
    damaged = copied(run)
    tables(COUNTS, FAULTS[fault])(damaged)
    found = damaged.judge([check for check in CHECKS if check.check_id == "s3.kappa"])["s3.kappa"]
    assert found.status is Status.FAIL
    (key,) = found.keys
    assert key["expected"] != key["kappa"]


TWINS: dict[str, dict[str, Any]] = {
    "another power": {"volume_power": (MEAN, 0.99)},
    "another mean": {"volume_power": (MEAN * 1.01, 1.0)},
    "no power": {"volume_power": None},
    "other bounds": {"kappa_bounds": (0.6, 400.0)},
}


@pytest.mark.parametrize("number", TWINS)
def test_a_run_that_was_made_by_another_number_is_found(number: str, run: Run) -> None:
    wanted = [check for check in CHECKS if check.check_id in ("s3.kappa", "rederive.counts", "policy.readings")]
    found = run.judge(wanted, policies=twin_reads(**TWINS[number]))
    assert {name: each.status for name, each in found.items()} == dict.fromkeys(found, Status.FAIL)


def test_the_score_judges_by_the_dispersion_of_cells(run: Run) -> None:
    board = score_run(run.root, run.contracts)
    assert [gate for gate in ("T13", "T14", "T15") if not board.gate(gate).b] == []
    statistics = board.diagnostics["expected"]["baseline_v1"]["statistics"]
    for name in ("arrivals", "scatter of counts (T9 squared)"):
        (each,) = (one for one in statistics if one["name"] == name)
        assert abs(each["z"]) < 4.0


@pytest.mark.parametrize(
    ("change", "wrong"), [(None, 0), (twin_reads(volume_power=None), 1)], ids=["its law", "one kappa"]
)
def test_octaves_scatter_by_the_dispersion_of_cells(run: Run, change: Any, wrong: int) -> None:
    """The same counts, judged by their law and as if all cells of a group had one dispersion."""
    with looked_at(run, change) as subject:
        found = dispersion(subject)
        assert (found.violations > 0) == bool(wrong), found.keys


@pytest.mark.parametrize(
    ("change", "wrong"), [(None, 0), (twin_reads(volume_power=None), 1)], ids=["its law", "one kappa"]
)
def test_totals_scatter_by_the_dispersion_of_cells(run: Run, change: Any, wrong: int) -> None:
    with looked_at(run, change) as subject:
        found = {each["name"]: each for each in expected_totals(subject).facts["statistics"]}
        scatter, arrivals = found["scatter of counts (T9 squared)"], found["arrivals"]
        assert (abs(scatter["z"]) > 4.0) == bool(wrong)
        mine = counts_of(run)
        own = mine["of_group"] if wrong else mine["kappa"]
        drawn = mine["mu"] > 0
        variance = (mine["mu"] + mine["mu"] ** 2 / own)[drawn].sum()
        assert arrivals["deviation"] == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_shares_of_counts_are_expected_by_the_dispersion_of_cells(run: Run) -> None:
    """Cells are taken together by mean and dispersion; the chance of an arrival is that of each cell by itself."""
    mine = counts_of(run)
    drawn = mine["mu"] > 1e-9
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    s2 = np.log1p(1.0 / mine["kappa"][drawn])[:, None]
    mean = np.exp(np.log(mine["mu"][drawn])[:, None] - s2 / 2.0 + np.sqrt(s2) * nodes)
    expected = (-np.expm1(-mean) @ weights).sum() / weights.sum()
    with looked_at(run) as subject:
        means = read_means(subject)
        assert means.rows.sum() == drawn.sum() > 2 * means.rows.size
        assert at_least(subject, means, 1).expected == pytest.approx(expected, abs=2e-5 * drawn.sum())


def test_explanations_hold_and_tell_of_it(run: Run) -> None:
    with looked_at(run) as subject:
        chosen = arrivals_of_each_mode(subject, 2)
    for merchant, seq in chosen:
        found = explain_arrival(run.root, run.contracts, merchant, seq)
        assert found.holds
        told = " ".join(found.text().split())
        assert "its group's, " in told and "times (mean / 10)^1" in told
