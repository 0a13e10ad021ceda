"""Worlds that lack a whole kind of merchant: no virtual one, or none but virtual ones and therefore no site; and S5 over
routing tables of 2B and 3B that hold anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from seg5b.api import Run, open_run
from seg5b.errors import Seg5bError
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from seg5b.validation.checks import blobs, civil, sealed
from tests.validation.harness import Run as JudgedRun
from tests.worlds import SMALLEST, copy_run

SCENARIOS = ("baseline_v1", "stress_peak_online_v1")
TO_ARRIVALS = ("S0", "S1", "S2", "S3", "S4")
Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def smallest_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with the unrealised smallest world."""
    return SMALLEST.make(tmp_path_factory.mktemp("smallest")).path.parent


def _table(run: Run, dataset: str, scenario: str = "") -> Path:
    path = run.path(dataset, scenario or None)
    return next(iter(sorted(path.rglob("*.parquet")))) if path.is_dir() else path


def _rewrite(run: Run, dataset: str, change: Change, scenario: str = "") -> None:
    file = _table(run, dataset, scenario)
    pq.write_table(change(pq.ParquetFile(file).read()), file)


def _keep(run: Run, wanted: set[int]) -> None:
    """Only these merchants are left, in every table that says who there is."""
    of = lambda table: table.filter(pc.is_in(table["merchant_id"].cast(pa.uint64()), pa.array(wanted, pa.uint64())))  # noqa: E731
    for dataset in ("virtual_classification_3B", "merchant_zone_profile_5A"):
        _rewrite(run, dataset, of)
    for scenario in SCENARIOS:
        _rewrite(run, "merchant_zone_scenario_local_5A", of, scenario)


def _merchants(run: Run, mode: str) -> set[int]:
    rows = pq.ParquetFile(_table(run, "virtual_classification_3B")).read().to_pylist()
    return {row["merchant_id"] for row in rows if row["virtual_mode"] == mode}


def _arrivals(root: RunRoot, run: Run) -> tuple[set[tuple[bool, bool, bool]], int, int]:
    """(virtual, has a site, has an edge) of all arrivals, their number and the number that S3 counted."""
    run_states(root, run.contracts, TO_ARRIVALS)
    kinds, arrivals, counted = set(), 0, 0
    for scenario in SCENARIOS:
        table = run.table("arrival_events_5B", scenario, ["is_virtual", "site_id", "edge_id"])
        marks = (table["is_virtual"], pc.is_valid(table["site_id"]), pc.is_valid(table["edge_id"]))
        kinds |= set(zip(*(mark.to_pylist() for mark in marks), strict=True))
        arrivals += table.num_rows
        counted += pc.sum(run.table("s3_bucket_counts_5B", scenario, ["count_N"])["count_N"]).as_py()
    return kinds, arrivals, counted


def test_without_virtual_merchants(smallest_world: Path, tmp_path: Path) -> None:
    root = copy_run(smallest_world, tmp_path)
    run = open_run(root.path.parent)
    _keep(run, _merchants(run, "NON_VIRTUAL"))
    kinds, arrivals, counted = _arrivals(root, run)
    assert kinds == {(False, True, False)} and arrivals == counted > 0


def test_without_physical_merchants_and_sites(smallest_world: Path, tmp_path: Path) -> None:
    root = copy_run(smallest_world, tmp_path)
    run = open_run(root.path.parent)
    _keep(run, _merchants(run, "VIRTUAL_ONLY"))
    for dataset in ("s1_site_weights", "site_timezones", "s4_group_weights"):
        _rewrite(run, dataset, lambda table: table.slice(0, 0))
    kinds, arrivals, counted = _arrivals(root, run)
    assert kinds == {(True, False, True)} and arrivals == counted > 0


def test_sites_that_are_needed_are_missed(smallest_world: Path, tmp_path: Path) -> None:
    root = copy_run(smallest_world, tmp_path)
    run = open_run(root.path.parent)
    for dataset in ("s1_site_weights", "site_timezones"):
        _rewrite(run, dataset, lambda table: table.slice(0, 0))
    with pytest.raises(Seg5bError, match=r"5B\.S4\.INPUTS_MISSING: merchant \d+ has arrivals"):
        run_states(root, run.contracts, TO_ARRIVALS)


CHECKS = tuple(
    check
    for check in (*blobs.CHECKS, *civil.CHECKS, *sealed.CHECKS)
    if check.check_id in ("inputs.site_blob", "inputs.universe_hash", "civil.cache_covers_horizon", "inputs.upstream")
)
DAMAGES: dict[str, tuple[str, str, Any]] = {
    "index is a list": ("s2_alias_index", "inputs.site_blob", []),
    "index without merchants": ("s2_alias_index", "inputs.site_blob", {"merchants": None}),
    "index of numbers": ("s2_alias_index", "inputs.site_blob", {"merchants": [1]}),
    "negative count": ("s2_alias_index", "inputs.site_blob", {"merchants": [{"sites": -1}]}),
    "offset is a text": ("s2_alias_index", "inputs.site_blob", {"merchants": [{"offset": "0"}]}),
    "length of nothing": ("s2_alias_index", "inputs.site_blob", {"merchants": [{"length": 0}]}),
    "odd length": ("s2_alias_index", "inputs.site_blob", {"merchants": [{"length": 17}]}),
    "no entries": ("s2_alias_index", "inputs.site_blob", {"merchants": [{"sites": 0, "length": 16}]}),
    "checksum is a number": ("s2_alias_index", "inputs.site_blob", {"merchants": [{"checksum": 5}]}),
    "digest is no digest": ("edge_universe_hash_3B", "inputs.universe_hash", {"virtual_rules_digest": "zz"}),
    "digest is absent": ("edge_universe_hash_3B", "inputs.universe_hash", {"cdn_weights_digest": None}),
    "policy is a number": ("virtual_routing_policy_3B", "inputs.universe_hash", 5),
    "policy without a hash": ("virtual_routing_policy_3B", "inputs.universe_hash", {"edge_universe_hash": None}),
    "receipt of texts": ("s0_gate_receipt_5B", "inputs.upstream", {"upstream_segments": {"1A": "PASS"}}),
    "receipt without": ("s0_gate_receipt_5B", "inputs.upstream", {"upstream_segments": []}),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_s5_judges_json_that_holds_anything(
    plain: JudgedRun, copied: Callable[[JudgedRun], JudgedRun], name: str
) -> None:
    """The check that reads it fails; no other does, and nothing is raised."""
    run, (dataset, check_id, change) = copied(plain), DAMAGES[name]
    file = Run(run.root, run.contracts).path(dataset)
    sound = json.loads(file.read_bytes())
    file.write_text(json.dumps(_changed(sound, change)))
    results = run.judge(CHECKS)
    assert {key for key, result in results.items() if result.status.value == "FAIL"} == {check_id}


def _changed(sound: Any, change: Any) -> Any:
    """``change`` in place of what it names; None takes a key away, a list changes the first item."""
    if isinstance(sound, dict) and isinstance(change, dict):
        new = {**sound, **{key: _changed(sound.get(key), value) for key, value in change.items()}}
        return {key: value for key, value in new.items() if key not in change or change[key] is not None}
    if isinstance(sound, list) and isinstance(change, list) and change and isinstance(change[0], dict):
        return [_changed(sound[0], change[0]), *sound[1:]]
    return change
