"""A run under ``log_gaussian_two_level_v1`` as S5 and the score see it: sound, and with faults planted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from seg5b_kernels import registry
from seg5b_kernels.derivation import Streams
from seg5b_kernels.latent import FieldInputs, Fields, LevelFactors, LevelInputs

from seg5b import api
from seg5b.backends.cpu import CpuBackend
from seg5b.contracts import ContractSource
from seg5b.explain.facts import scene_of
from seg5b.gate import open_gate
from seg5b.pipeline import run_states
from seg5b.realism import score_run
from seg5b.run_tables import open_run_tables
from seg5b.run_tables.inputs import attach_scenario_inputs
from seg5b.run_tables.views import scenario_tables
from seg5b.validation import clipped_factor
from seg5b.validation.records import Status
from seg5b.validation.rederived.series import load_series
from seg5b.validation.registry import CHECKS
from tests.policies import TWO_LEVELS, Changes
from tests.validation.faults import INTENSITY, tables
from tests.validation.harness import Run, put, replaced, twin_reads
from tests.worlds import SCORED

LGCP = "arrival_lgcp_config_5B"
QUIET: Changes = {LGCP: {"hyperparam_law.sigma.base_by_scenario_band.baseline": 0.098}}
"""What daily totals of shops scatter by."""
SILENT = {
    "s2.shared_factor": "each series has a path of its own",
    "realism.factor_bounds": "nothing is clipped, and the law lets",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = SCORED.make(tmp_path_factory.mktemp("levels"), TWO_LEVELS)
    contracts = ContractSource.packaged()
    run_states(root, contracts, ("S0", "S1", "S2", "S3", "S4"))
    return Run(root, contracts, open_gate(root, contracts, state="S5"))


def test_a_sound_run_passes_every_check_that_applies(run: Run) -> None:
    found = run.judge(CHECKS)
    assert {
        name: each.keys for name, each in found.items() if each.status not in (Status.PASS, Status.NOT_APPLICABLE)
    } == {}
    for name, reason in SILENT.items():
        assert found[name].status is Status.NOT_APPLICABLE and reason in found[name].reason, name
    for name in (
        "law.paths_step",
        "law.paths_differ",
        "rng.totals",
        "rng.part_counters",
        "rederive.factors",
        "realism.factor_mean",
    ):
        assert found[name].status is Status.PASS, name
    assert found["rederive.factors"].facts["baseline_v1"]["rederived_paths"] > 20


def test_a_quiet_field_passes_and_its_bounds_are_judged(tmp_path: Any) -> None:
    root = SCORED.make(tmp_path, TWO_LEVELS, QUIET)
    api.run(root.path.parent, backend="cpu")
    made = api.open_run(root.path.parent)
    own = {check["check_id"]: check["status"] for check in made.checks()}
    assert own["realism.factor_bounds"] == own["realism.factor_mean"] == "PASS"
    board = score_run(made.root, made.contracts)
    assert [gate for gate in ("T9", "T14", "T15") if not board.gate(gate).b] == []
    (mean,) = [
        each for each in board.diagnostics["expected"]["baseline_v1"]["statistics"] if each["name"] == "mean factor"
    ]
    assert abs(mean["z"]) < 5 and 0.0 < mean["deviation"] < 0.01


def _of_first_series(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[pa.Table], pa.Table]:
    """Other factors of the first series, and intensities that are the product again."""

    def plant(table: pa.Table) -> pa.Table:
        buckets = int(table.column("bucket_index").to_numpy().max()) + 1
        factor = table.column("lambda_random_component").to_numpy().copy()
        factor[:buckets] = change(factor.reshape(-1, buckets))
        for name, values in (
            ("lambda_random_component", factor),
            ("lambda_realised", table.column("lambda_baseline").to_numpy() * factor),
        ):
            place = table.column_names.index(name)
            table = table.set_column(place, table.schema.field(name), pa.array(values))
        return table

    return plant


def _shuffled(table: pa.Table) -> pa.Table:
    """The factors of each series in another order."""
    place = table.column_names.index("lambda_random_component")
    rows = table.column(place).to_numpy().reshape(-1, 672)
    mixed = pa.array(np.random.default_rng(3).permuted(rows, axis=1).ravel())
    return table.set_column(place, table.schema.field(place), mixed)


FAULTS: dict[str, tuple[str, Callable[[pa.Table], pa.Table]]] = {
    "two series share a path": ("law.paths_differ", _of_first_series(lambda factors: factors[1])),
    "factors are higher by a fifth": ("realism.factor_mean", put("lambda_random_component", lambda old: old * 1.2)),
    "paths are livelier by a tenth": ("law.paths_step", put("lambda_random_component", lambda old: old**1.1)),
    "paths have no memory": ("law.paths_step", _shuffled),
    "a factor is negative": ("s2.factor_clip", put("lambda_random_component", lambda old: -old, lambda table: [7])),
    "a factor is not finite": ("s2.factor_clip", put("lambda_random_component", math.inf, lambda table: [7])),
    "the first path is 2 % higher": ("rederive.factors", _of_first_series(lambda factors: factors[0] * 1.02)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_factors_are_found(fault: str, run: Run, copied: Callable[[Run], Run]) -> None:
    check_id, change = FAULTS[fault]
    damaged = copied(run)
    tables(INTENSITY, change)(damaged)
    found = damaged.judge([check for check in CHECKS if check.check_id == check_id])[check_id]
    assert found.status is Status.FAIL and found.keys


TWINS: dict[str, dict[str, Any]] = {
    "share of the country": {"shared_levels": ((0.16, 40.0), (0.12, 20.0))},
    "length of the country": {"shared_levels": ((0.15, 41.0), (0.12, 20.0))},
    "share of the zone": {"shared_levels": ((0.15, 40.0), (0.13, 20.0))},
    "length of the zone": {"shared_levels": ((0.15, 40.0), (0.12, 21.0))},
    "length of the own path": {"length_bounds": (2.0, 20.0)},
    "sigma": {"sigma_bounds": (0.05, 0.2)},
}


@pytest.mark.parametrize("number", TWINS)
def test_a_run_that_was_made_by_another_number_is_found(number: str, run: Run) -> None:
    wanted = [check for check in CHECKS if check.check_id in ("rederive.factors", "policy.readings")]
    found = run.judge(wanted, policies=twin_reads(**TWINS[number]))
    assert {each.status for each in found.values()} == {Status.FAIL}


def test_draws_that_are_not_recorded_are_found(run: Run, copied: Callable[[Run], Run]) -> None:
    damaged = copied(run)
    file = damaged.trace("S2")
    record = json.loads(file.read_text())
    for name, each in (("events", 1), ("draws", 2 * 672), ("blocks", 672)):
        record[f"{name}_total"] -= each
    file.write_text(json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n")
    names = ("rng.totals", "rng.part_totals")
    found = damaged.judge([check for check in CHECKS if check.check_id in names])
    assert {found[name].status for name in names} == {Status.FAIL}


def test_bounds_that_the_law_keeps_are_judged(run: Run, copied: Callable[[Run], Run]) -> None:
    wanted = [check for check in CHECKS if check.check_id == "realism.factor_bounds"]
    wide = replaced("realism_checks.lgcp_realism", min_factor=0.02, max_factor=30.0)
    assert run.judge(wanted, policies=wide)["realism.factor_bounds"].status is Status.PASS
    damaged = copied(run)
    tables(INTENSITY, put("lambda_random_component", 31.0, lambda table: [7]))(damaged)
    assert damaged.judge(wanted, policies=wide)["realism.factor_bounds"].status is Status.FAIL


def test_the_score_judges_own_paths(run: Run, copied: Callable[[Run], Run]) -> None:
    """Factors of each series in another order: nothing that the levels share is left, and no memory."""
    sound = score_run(run.root, run.contracts)
    assert sound.gate("T15").b and sound.gate("T14").b
    damaged = copied(run)
    tables(INTENSITY, _shuffled)(damaged)
    wrong = score_run(damaged.root, damaged.contracts)
    assert not wrong.gate("T15").b and not wrong.gate("T14").b
    names = str(wrong.gate("T15").extras)
    assert "sign agreement at lag 1" in names


def test_the_standard_error_of_the_mean_factor_is_that_of_the_law(run: Run, cpu: CpuBackend) -> None:
    """The field of this world drawn 400 times from other streams: the mean over all cells scatters as S5 expects. The bound lies
    at most (exp(s^2) - 1) / s^2 in variance above the truth, s the greatest sigma; 400 draws tell a deviation to 3.5 %."""
    with open_run_tables(run.root, run.contracts, label="test", gate=run.gate, threads=2, memory_limit_gb=1.0) as whole:
        subject = attach_scenario_inputs(scenario_tables(whole, whole.gate.scenarios[0]))
        expected = clipped_factor.expected_factor_mean(subject)
        table, scene = load_series(subject), scene_of(subject)
        laws = [scene.level_law(traits) for traits in table.traits]
    countries = sorted({place.country for place in table.places})
    zones = sorted({place.zone for place in table.places})
    country = np.array([countries.index(place.country) for place in table.places], np.int32)
    zone = np.array([len(countries) + zones.index(place.zone) for place in table.places], np.int32)
    draw, means = np.random.default_rng(11), []
    for _ in range(400):
        shared = np.concatenate(
            [
                _unit_paths(cpu, draw, len(names), laws[0].lengths[level], table.buckets)
                for level, names in enumerate((countries, zones))
            ]
        )
        n = len(laws)
        inputs = LevelInputs(
            Streams(*draw.integers(0, 2**64, (3, n), np.uint64)),
            np.array([law.sigma for law in laws]),
            np.array([law.lengths[2] for law in laws]),
            country,
            zone,
            shared,
            *(math.sqrt(share) for share in laws[0].shares),
        )
        out = LevelFactors(np.zeros((n, table.buckets)))
        cpu.launch(registry.TWO_LEVEL_FACTOR, n, inputs, out)
        means.append(out.factor.mean())
    ratio = expected.standard_error / np.std(means, ddof=1)
    assert 0.87 < ratio < 1.2
    assert abs(np.mean(means) - expected.expected) < 5.0 * expected.standard_error / math.sqrt(400)


def test_each_level_adds_its_share_to_the_variance_of_the_mean(run: Run) -> None:
    """Added up over all pairs of series, one level after the other."""
    with open_run_tables(run.root, run.contracts, label="test", gate=run.gate, threads=2, memory_limit_gb=1.0) as whole:
        subject = attach_scenario_inputs(scenario_tables(whole, whole.gate.scenarios[0]))
        table, scene = load_series(subject), scene_of(subject)
        laws = [scene.level_law(traits) for traits in table.traits]
        found = clipped_factor.expected_factor_mean(subject).standard_error ** 2
    sigma = np.array([law.sigma for law in laws])
    lag = np.abs(np.subtract.outer(np.arange(table.buckets), np.arange(table.buckets)))
    mean = {length: float(np.exp(-lag / length).mean()) for law in laws for length in law.lengths}
    kinds: list[list[Any]] = [
        [place.country for place in table.places],
        [place.zone for place in table.places],
        list(range(len(laws))),
    ]
    covariance = np.zeros((len(laws), len(laws)))
    for level, kind in enumerate(kinds):
        number = np.unique(np.array(kind), return_inverse=True)[1]
        weights = np.array([law.shares[level] * mean[law.lengths[level]] for law in laws])
        covariance += np.where(number[:, None] == number, weights[:, None], 0.0)
    ratio = math.expm1(sigma.max() ** 2) / sigma.max() ** 2
    assert found == pytest.approx(float(sigma @ covariance @ sigma) / len(laws) ** 2 * ratio, rel=1e-9)


def _unit_paths(cpu: CpuBackend, draw: np.random.Generator, n: int, length: float, buckets: int) -> np.ndarray:
    out = Fields(np.zeros((n, buckets)), np.zeros((n, buckets)), *np.zeros((2, n), np.int64))
    streams = Streams(*draw.integers(0, 2**64, (3, n), np.uint64))
    cpu.launch(registry.LATENT_FIELD, n, FieldInputs(streams, np.ones(n), np.full(n, length), 0.0, math.inf), out)
    latent: np.ndarray = out.latent
    return latent
