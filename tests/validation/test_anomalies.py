"""S5 makes S4's anomalies again from inputs and counts, whatever the routing policy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b import api
from seg5b.contracts import ContractSource
from seg5b.gate import open_gate
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from seg5b.validation.checks import anomalies
from seg5b.world.plan import BASELINE
from tests.policies import Changes, change_policies
from tests.validation.harness import Run, drop, edit
from tests.worlds import copy_run

CONTRACTS = ContractSource.packaged()
TO_ARRIVALS = ("S0", "S1", "S2", "S3", "S4")
STAND_IN: Changes = {"arrival_routing_policy_5B": {"physical_router.on_missing_site_table": "merchant_sites"}}
NO_WEIGHTS: Changes = {"arrival_routing_policy_5B": {"physical_router.use_group_weights": False}}
BY_WEIGHT: Changes = {"arrival_routing_policy_5B": {"physical_router.tz_group_law": "group_weights_v1"}}


def _rewrite(root: RunRoot, dataset_id: str, change: Callable[[pa.Table], pa.Table]) -> None:
    place = api.Run(root, CONTRACTS).path(dataset_id)
    (file,) = place.rglob("*.parquet")
    pq.write_table(change(pq.ParquetFile(file).read()), file)


def _roaming(root: RunRoot) -> tuple[int, str]:
    """A merchant with sites in several zones, and the first of these."""
    (file,) = api.Run(root, CONTRACTS).path("site_timezones").rglob("*.parquet")
    zones: dict[int, list[str]] = {}
    for row in pq.ParquetFile(file).read(["merchant_id", "tzid"]).to_pylist():
        zones.setdefault(row["merchant_id"], []).append(row["tzid"])
    return next((merchant, sorted(own)[0]) for merchant, own in sorted(zones.items()) if len(set(own)) > 1)


def without_sites(root: RunRoot) -> None:
    """A merchant has no site in one of its zones."""
    merchant, tzid = _roaming(root)
    (file,) = api.Run(root, CONTRACTS).path("site_timezones").rglob("*.parquet")
    zone_of = {
        (row["merchant_id"], row["legal_country_iso"], row["site_order"]): row["tzid"]
        for row in pq.ParquetFile(file).read().to_pylist()
    }

    def keep(table: pa.Table) -> pa.Table:
        keys = zip(
            *(table[name].to_pylist() for name in ("merchant_id", "legal_country_iso", "site_order")), strict=True
        )
        return table.filter(pa.array([key[0] != merchant or zone_of[key] != tzid for key in keys]))

    _rewrite(root, "s1_site_weights", keep)


def without_weights(root: RunRoot, days: Callable[[int], bool] = lambda day: day % 2 == 0) -> None:
    """No merchant's first zone has group weights on some days, by default the even ones."""

    def keep(table: pa.Table) -> pa.Table:
        first: dict[int, str] = {}
        rows = table.select(["merchant_id", "utc_day", "tz_group_id"]).to_pylist()
        for row in rows:
            merchant, zone = row["merchant_id"], row["tz_group_id"]
            first[merchant] = min(first.get(merchant, zone), zone)
        kept = [
            not days(int(str(row["utc_day"])[-2:])) or row["tz_group_id"] != first[row["merchant_id"]] for row in rows
        ]
        return table.filter(pa.array(kept))

    _rewrite(root, "s4_group_weights", keep)


def without_any_weights(root: RunRoot) -> None:
    """No merchant's first zone has group weights at all."""
    without_weights(root, lambda day: True)


CASES = [
    pytest.param(without_sites, (STAND_IN,), "SITE_TABLE_OF_MERCHANT_USED", id="no sites, pinned"),
    pytest.param(without_sites, (STAND_IN, BY_WEIGHT), "SITE_TABLE_OF_MERCHANT_USED", id="no sites, by weight"),
    pytest.param(without_weights, (), "GROUP_WEIGHT_NOT_COVERED", id="no weights on even days"),
    pytest.param(without_any_weights, (), "GROUP_WEIGHT_NOT_COVERED", id="no weights"),
]


@pytest.mark.parametrize(("damage", "policies", "code"), CASES)
def test_anomalies_are_made_again(
    tiny_world: Path, tmp_path: Path, damage: Callable[[RunRoot], None], policies: tuple[Changes, ...], code: str
) -> None:
    root = copy_run(tiny_world, tmp_path)
    damage(root)
    change_policies(root.path, *policies)
    run_states(root, CONTRACTS, TO_ARRIVALS)
    run = Run(root, CONTRACTS, open_gate(root, CONTRACTS, state="S5"))
    published = run.path("s4_arrival_anomalies_5B")
    assert code in pq.ParquetFile(published).read(["anomaly_code"])["anomaly_code"].to_pylist()
    (check,) = anomalies.CHECKS
    result = run.judge([check])[check.check_id]
    assert (result.status.value, result.violation_count) == ("PASS", 0), result.keys
    edit(published, drop(-1))
    missed = run.judge([check])[check.check_id]
    assert missed.status.value == "FAIL" and missed.keys[0]["scenario_id"] == BASELINE


def test_group_weights_that_are_not_used_need_not_cover_anything(tiny_world: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_world, tmp_path)
    without_any_weights(root)
    change_policies(root.path, NO_WEIGHTS)
    run_states(root, CONTRACTS, TO_ARRIVALS)
    run = Run(root, CONTRACTS, open_gate(root, CONTRACTS, state="S5"))
    published = pq.ParquetFile(run.path("s4_arrival_anomalies_5B")).read(["anomaly_code"])["anomaly_code"].to_pylist()
    assert "GROUP_WEIGHT_NOT_COVERED" not in published
    (check,) = anomalies.CHECKS
    result = run.judge([check])[check.check_id]
    assert (result.status.value, result.violation_count) == ("PASS", 0), result.keys
