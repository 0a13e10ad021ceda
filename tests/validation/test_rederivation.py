"""What S5 derives again: where it looks, which faults it finds, and everything on request."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b import api
from seg5b.errors import ValidationFailure
from seg5b.gate import open_gate
from seg5b.options import Options, ValidationOptions
from seg5b.pipeline import run_states
from seg5b.run_tables import Subject, open_run_tables
from seg5b.run_tables.inputs import attach_scenario_inputs
from seg5b.run_tables.reductions import attach_reductions
from seg5b.run_tables.views import scenario_tables
from seg5b.runs.root import open_root
from seg5b.validation import Status
from seg5b.validation.checks.rederivation import CHECKS
from seg5b.validation.rederived import sampling
from seg5b.validation.rederived.arrival_aims import aimed_arrivals
from seg5b.validation.rederived.everything import rederive_asked
from seg5b.validation.rederived.places import digit_buckets, spread
from seg5b.validation.rederived.sampling import cell_sample, judge_arrivals
from seg5b.validation.rederived.series import _whole_series as whole_series
from seg5b.validation.rederived.series import load_series
from tests.conftest import TO_ARRIVALS
from tests.policies import TWO_LEVELS
from tests.validation.harness import Change, Run, edit, put, twin_reads
from tests.worlds import EVERY_OPTION, SMALLEST, copy_run

INTENSITY, COUNTS, ARRIVALS = "s2_realised_intensity_5B", "s3_bucket_counts_5B", "arrival_events_5B"
FEW = 64


@contextmanager
def opened(run: Run) -> Iterator[Subject]:
    """The one scenario of a run, as S5 looks at it."""
    with open_run_tables(run.root, run.contracts, label="test", gate=run.gate, threads=2, memory_limit_gb=1.0) as whole:
        yield attach_reductions(attach_scenario_inputs(scenario_tables(whole, whole.gate.scenarios[0])))


def test_places_are_spread_and_distinct() -> None:
    places = spread(1000, 10, "x")
    assert [place // 100 for place in places] == list(range(10))
    assert places == spread(1000, 10, "x") != spread(1000, 10, "y")
    assert spread(3, 10, "x") == [0, 1, 2]


def test_buckets_where_the_text_of_an_index_grows() -> None:
    assert digit_buckets(2160) == [0, 1, 9, 10, 99, 100, 999, 1000, 2159]
    assert digit_buckets(672) == [0, 1, 9, 10, 99, 100, 671]
    assert digit_buckets(1) == [0]


def test_cells_that_are_aimed_at(small: Run) -> None:
    with opened(small) as subject:
        sample = cell_sample(subject, 2000)
        table, counts, paths = sample.table, sample.counts, sample.paths
        published = subject.arrays("SELECT mu, lambda_realised FROM counts ORDER BY position")
        factor = subject.arrays("SELECT lambda_random_component AS f FROM intensity ORDER BY position")["f"]
    mu, buckets = published["mu"], table.buckets
    groups = sorted({traits.group_id for traits in table.traits})
    taken = {table.traits[k].group_id for own in paths.values() for k in own.tolist()}
    assert len(taken) >= min(len(groups), 2000 // 25) and {groups[0], groups[-1]} <= taken
    assert paths["first_and_last_series"].tolist() == [0, len(table.traits) - 1]
    kinds = {(t.demand_class, t.channel, t.virtual_band) for t in table.traits}
    assert {
        (t.demand_class, t.channel, t.virtual_band) for t in map(table.traits.__getitem__, paths["class_and_channel"])
    } == kinds
    assert len(paths["several_countries"]) == min(sum(n > 1 for n in table.countries), 12)
    assert all(table.countries[k] > 1 for k in paths["several_countries"])

    assert len(counts["spread"]) == 2000 and (mu[counts["spread"]] > 1e-9).all()
    assert set(counts["bucket_digits"] % buckets) == set(digit_buckets(buckets))
    assert (factor[counts["factor_clipped_below"]] == 0.2).all() and counts["factor_clipped_below"].size == min(
        12, (factor == 0.2).sum()
    )
    assert (factor[counts["factor_clipped_above"]] == 5.0).all()
    below, above = np.sort(mu[mu <= 50.0])[::-1], np.sort(mu[mu > 50.0])
    assert sorted(mu[counts["mean_at_switch_or_below"]]) == sorted(below[below >= 40.0][:12])
    assert sorted(mu[counts["mean_above_switch"]]) == sorted(above[above <= 62.5][:12])
    assert mu.max() in mu[counts["largest_mean"]] and (mu[counts["at_or_below_zero_rule"]] <= 1e-9).all()
    assert {0, mu.size - 1} <= set(counts["row_group_ends"].tolist())
    assert {own.start for own in table.rows_of.values()} >= set(counts["first_series_of_merchant"] // buckets)


def test_arrivals_that_are_aimed_at(small: Run) -> None:
    with opened(small) as subject:
        found = judge_arrivals(subject, 1500)
        modes = dict(subject.rows("SELECT merchant_id, virtual_mode FROM modes"))
        aims = aimed_arrivals(subject, load_series(subject), [], modes, 1500, "x")
        other = aimed_arrivals(subject, load_series(subject), [], modes, 1500, "y")
        again = aimed_arrivals(subject, load_series(subject), [], modes, 1500, "x")
        series = subject.rows(
            "SELECT merchant_id, sum(count_N) FROM counts GROUP BY 1 HAVING sum(count_N) > 0 ORDER BY 1"
        )
    assert found.violations == 0 and 1500 <= found.arrivals < 2500
    wanted = {
        "bucket_digits", "change_of_clocks", "class_and_channel", "coin", "fill", "first_and_last", "largest_mean", "merchant",
        "most_arrivals", "most_series", "row_group_ends", "spread", "virtual_mode",
    }  # fmt: skip
    assert wanted <= found.strata.keys()
    assert {"NON_VIRTUAL", "HYBRID", "VIRTUAL_ONLY"} == set(found.modes)
    (first, _), (last, total) = series[0], series[-1]
    assert any(1 in aims.ranks.get((first, bucket), ()) for bucket in aims.buckets[first])
    at_end = {bucket for bucket in aims.buckets[last] if aims.before[last][bucket + 1] == total}
    assert any(total - aims.before[last][bucket] in aims.ranks.get((last, bucket), ()) for bucket in at_end)
    assert (aims.buckets, aims.ranks) == (again.buckets, again.ranks) and aims.ranks != other.ranks


CELL_FAULTS: dict[str, tuple[str, str, Callable[[pa.Table], list[int]], Any]] = {
    "count of bucket 100": (COUNTS, "rederive.counts", lambda t: _where(t, "bucket_index", 100), ("count_N", 1)),
    "count of the last bucket": (COUNTS, "rederive.counts", lambda t: _where(t, "bucket_index", 671), ("count_N", 1)),
    "kappa of a class": (COUNTS, "rederive.counts", lambda t: _where(t, "kappa", max(t["kappa"].to_pylist())), ("kappa", 1e-9)),
    "mean of a tail": (COUNTS, "rederive.counts", lambda t: [_largest(t, "mu")], ("mu", 1e-9)),
    "path of the last series": (INTENSITY, "rederive.factors", lambda t: [t.num_rows - 300], ("lambda_random_component", 1e-12)),
    "baseline of the first series": (INTENSITY, "rederive.factors", lambda t: [400], ("lambda_baseline", 1e-12)),
}  # fmt: skip


def _where(table: pa.Table, column: str, value: Any) -> list[int]:
    return [row for row, own in enumerate(table[column].to_pylist()) if own == value]


def _largest(table: pa.Table, column: str) -> int:
    return int(np.argmax(table[column].to_numpy()))


@pytest.mark.parametrize("fault", CELL_FAULTS)
def test_a_fault_in_a_cell_is_found_by_a_small_sample(
    fault: str, small: Run, copied: Callable[[Run], Run], few: None
) -> None:
    dataset, check_id, rows, (column, step) = CELL_FAULTS[fault]
    run = copied(small)
    edit(run.path(dataset), put(column, lambda old: old + step, rows))
    results = run.judge([check for check in CHECKS if check.check_id == check_id])
    assert results[check_id].status is Status.FAIL and results[check_id].keys


TWINS: dict[str, tuple[str, dict[str, Any]]] = {
    "coin": ("rederive.arrivals", {"p_virtual_hybrid": 0.343}),
    "switch": ("rederive.counts", {"exact_max": 2.0}),
    "sigma": ("rederive.factors", {"sigma_bounds": (0.05, 0.44)}),
    "length": ("rederive.factors", {"length_bounds": (2.0, 20.0)}),
    "clip": ("rederive.factors", {"factor_bounds": (0.2, 2.5)}),
    "kappa": ("rederive.counts", {"kappa_bounds": (2.0, 25.0)}),
    "zero rule": ("rederive.counts", {"zero_eps": 1.0}),
    "clock": ("rederive.arrivals", {"primary_clock": "settlement"}),
    "domain": ("rederive.arrivals", {"bucket_key_law": "merchant_zone_channel_bucket"}),
}


@pytest.mark.parametrize("number", TWINS)
def test_a_run_that_was_made_by_another_number_is_found(number: str, small: Run, few: None) -> None:
    check_id, values = TWINS[number]
    result = small.judge([each for each in CHECKS if each.check_id == check_id], policies=twin_reads(**values))[
        check_id
    ]
    assert result.status is Status.FAIL and result.keys


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far fewer rows than the world has, so that only aim finds a fault."""
    monkeypatch.setattr(sampling, "LEAST_ROWS", FEW)


@pytest.fixture(scope="module", params=["shipped", "every option", "no field", "independent", "two levels"])
def smallest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    """Two days of eight merchants in both scenarios, under several laws."""
    changes: Any = {
        "shipped": {},
        "every option": EVERY_OPTION,
        "no field": {
            "arrival_lgcp_config_5B": {"latent_model_id": "none", "clipping.lambda_max_enabled": False},
        },
        "independent": {
            "arrival_lgcp_config_5B": {"latent_model_id": "log_gaussian_iid_v1", "kernel.kind": "iid_v1"},
            "arrival_routing_policy_5B": {"physical_router.on_missing_site_table": "merchant_sites"},
        },
        "two levels": TWO_LEVELS,
    }[request.param]
    root = SMALLEST.make(tmp_path_factory.mktemp("smallest"), changes)
    run = api.open_run(root.path.parent)
    run_states(run.root, run.contracts, TO_ARRIVALS)
    return run


def everything(run: api.Run) -> Any:
    gate = open_gate(run.root, run.contracts, state="S5")
    with open_run_tables(run.root, run.contracts, label="test", gate=gate, threads=2, memory_limit_gb=1.0) as subject:
        return rederive_asked(subject, "all", lambda label, done, total: None)


def test_everything_of_a_sound_run_is_derived(smallest: api.Run) -> None:
    found = everything(smallest)
    assert (found.status, found.keys) == (Status.PASS, ())
    for scenario in smallest.scenarios:
        rows = {name: smallest.table(name, scenario).num_rows for name in (INTENSITY, COUNTS, ARRIVALS)}
        facts = found.facts[scenario]
        assert facts["rederived_factors"] == rows[INTENSITY] and facts["rederived_counts"] == rows[COUNTS]
        assert facts["rederived_arrivals"] == rows[ARRIVALS] > 0


def _moved(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return np.nextafter(value, np.inf)
    return f"{value}x" if isinstance(value, str) else (value or 0) + 1


COLUMNS = [
    *((INTENSITY, name) for name in ("lambda_baseline", "lambda_random_component", "lambda_realised")),
    *((COUNTS, name) for name in ("lambda_realised", "mu", "count_N", "count_capped")),
    *((ARRIVALS, name) for name in (
        "manifest_fingerprint", "parameter_hash", "seed", "scenario_id", "zone_representation", "channel_group", "bucket_index",
        "ts_utc", "tzid_primary", "ts_local_primary", "utc_offset_min_primary", "tzid_settlement", "ts_local_settlement",
        "utc_offset_min_settlement", "tzid_operational", "ts_local_operational", "utc_offset_min_operational",
        "routing_universe_hash", "is_virtual", "s4_spec_version", "site_id", "edge_id",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("dataset", "column"), COLUMNS, ids=[f"{name[:2]}-{column}" for name, column in COLUMNS])
def test_any_single_changed_cell_is_found(dataset: str, column: str, tiny_cells: api.Run, tmp_path: Path) -> None:
    run = api.open_run(copy_run(tiny_cells.root.path.parent, tmp_path).path.parent)
    choose = random.Random(f"{dataset}{column}")
    scenario = choose.choice(run.scenarios)
    place = run.path(dataset, scenario)
    files = sorted(place.glob("*.parquet")) if place.is_dir() else [place]
    file = choose.choice(files)
    row = choose.randrange(pq.read_metadata(file).num_rows)
    edit(file, put(column, _moved, lambda table: [row]))
    found = everything(run)
    assert found.status is Status.FAIL and found.violation_count >= 1
    assert {key["scenario_id"] for key in found.keys} == {scenario}


@pytest.fixture(scope="module")
def tiny_cells(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    """Two days of eight merchants under the shipped laws."""
    run = api.open_run(SMALLEST.make(tmp_path_factory.mktemp("cells")).path.parent)
    run_states(run.root, run.contracts, TO_ARRIVALS)
    return run


def bent(step: float) -> Change:
    """Three neighbouring baselines of a series in the middle moved so that no sum tells, and what follows from them with them."""

    def change(table: pa.Table) -> pa.Table:
        middle = table.num_rows // 2 // 672 * 672 + 300
        rows = dict(zip(range(middle, middle + 3), (step, -2.0 * step, step), strict=True))
        factor = table["lambda_random_component"].to_pylist()
        baseline, realised = table["lambda_baseline"].to_pylist(), table["lambda_realised"].to_pylist()
        for row, move in rows.items():
            baseline[row] += move
            realised[row] = baseline[row] * factor[row]
        for name, values in (("lambda_baseline", baseline), ("lambda_realised", realised)):
            table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.float64()))
        return table

    return change


def follow(run: api.Run, scenario: str) -> None:
    """Have the means of the counts be the intensities."""
    realised = pq.ParquetFile(run.path(INTENSITY, scenario)).read(["lambda_realised"])["lambda_realised"].to_pylist()

    def change(table: pa.Table) -> pa.Table:
        for name in ("lambda_realised", "mu"):
            table = table.set_column(table.column_names.index(name), name, pa.array(realised, pa.float64()))
        return table

    edit(run.path(COUNTS, scenario), change)


def test_on_request_and_by_the_command(tiny_run: Path, tmp_path: Path) -> None:
    """A pass on request leaves the bundle what it was; the record says what was derived."""
    root = copy_run(tiny_run, tmp_path)
    run = api.open_run(root.path.parent)
    before = run.path("validation_bundle_5B") / "index.json"
    index = before.read_bytes()
    for asked in ("all", 7000):
        result = run_states(
            run.root, run.contracts, ("S5",), options=Options(validation=ValidationOptions(rederive=asked))
        )
        record = result.states[0].record
        assert record["status"] == "PASS" and before.read_bytes() == index
        facts = record["metrics"]["rederived"]
        assert facts["asked"] == asked
        rows = {scenario: run.table(ARRIVALS, scenario).num_rows for scenario in run.scenarios}
        for scenario in run.scenarios:
            derived = facts[scenario]["rederived_arrivals"]
            assert derived == rows[scenario] if asked == "all" else 7000 <= derived < rows[scenario]


def test_what_a_sample_may_miss_everything_finds(
    tiny_arrivals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "LEAST_ROWS", 1)
    root = copy_run(tiny_arrivals, tmp_path)
    run = api.open_run(root.path.parent)
    scenario = run.scenarios[0]
    edit(run.path(INTENSITY, scenario), bent(1e-12))
    follow(run, scenario)
    options = Options(validation=ValidationOptions(rederive="all"))
    with pytest.raises(ValidationFailure, match="REDERIVATION_MISMATCH"):
        run_states(open_root(root.path.parent), run.contracts, ("S5",), options=options)


def test_as_many_cells_as_a_series_has_are_not_taken_for_a_series() -> None:
    assert whole_series(np.r_[0:4, 8:12], 4) and whole_series(np.zeros(0, np.int64), 4)
    assert not whole_series(np.array([0, 2, 4, 6]), 4)  # half of two series
    assert not whole_series(np.array([1, 2, 3, 4]), 4) and not whole_series(np.arange(3), 4)
