"""Arrivals where the merchant has no site, or none at all: refused as a whole before anything is drawn, or sent where the routing
policy says, told, and passed by S5."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from seg5b import api
from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.explain import explain_arrival
from seg5b.inputs.sites import made_up_site_id
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from tests.policies import Changes, change_policies
from tests.worlds import JUDGED, copy_run

CONTRACTS = ContractSource.packaged()
ALL = ("S0", "S1", "S2", "S3", "S4", "S5")
ROUTING = "arrival_routing_policy_5B"
SCENARIOS = ("baseline_v1",)
OF_A_MERCHANT = ("merchant_zone_profile_5A", "merchant_zone_scenario_local_5A", "virtual_classification_3B")
OF_ITS_SITES = ("s1_site_weights", "site_timezones")


@pytest.fixture(scope="module")
def judged_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with a world that has enough arrivals for every check of S5."""
    return JUDGED.make(tmp_path_factory.mktemp("judged")).path.parent


def _tables(root: RunRoot, dataset_id: str) -> list[Path]:
    """Files of a dataset, of every scenario."""
    entry = CONTRACTS.dictionary().entry(dataset_id)
    places = {root.resolve(entry.render(root.identity.tokens(scenario))) for scenario in SCENARIOS}
    return [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*.parquet")))]


def _rename(root: RunRoot, merchant: int, datasets: tuple[str, ...]) -> int:
    """Give a merchant another id in some datasets, so that its sites are no longer its own. Keeps the order of rows."""
    other = merchant + 1
    for dataset_id in datasets:
        for file in _tables(root, dataset_id):
            table = pq.ParquetFile(file).read()
            column = table["merchant_id"]
            new = pc.if_else(pc.equal(column, pa.scalar(merchant, column.type)), pa.scalar(other, column.type), column)
            pq.write_table(table.set_column(table.schema.get_field_index("merchant_id"), "merchant_id", new), file)
    return other


def _merchant(root: RunRoot, mode: str) -> int:
    """The first of a mode."""
    (file,) = _tables(root, "virtual_classification_3B")
    rows = pq.ParquetFile(file).read().to_pylist()
    return next(row["merchant_id"] for row in rows if row["virtual_mode"] == mode)


def no_sites(root: RunRoot) -> int:
    """A merchant without sites and edges."""
    return _rename(root, _merchant(root, "NON_VIRTUAL"), OF_A_MERCHANT)


def only_edges(root: RunRoot) -> int:
    """A merchant without sites that has edges."""
    merchant = _merchant(root, "HYBRID")
    other = _rename(root, merchant, OF_ITS_SITES)
    index = api.Run(root, CONTRACTS).path("s2_alias_index")
    payload = json.loads(index.read_bytes())
    for row in payload["merchants"]:
        row["merchant_id"] = other if row["merchant_id"] == merchant else row["merchant_id"]
    index.write_text(json.dumps(payload))
    return merchant


def no_site_in_a_zone(root: RunRoot) -> int:
    """A merchant all of whose sites lie in one of its zones."""
    (file,) = _tables(root, "site_timezones")
    table = pq.ParquetFile(file).read()
    zones: dict[int, set[str]] = {}
    for row in table.to_pylist():
        zones.setdefault(row["merchant_id"], set()).add(row["tzid"])
    merchant, own = next((merchant, own) for merchant, own in sorted(zones.items()) if len(own) > 1)
    moved = [max(own) if row["merchant_id"] == merchant else row["tzid"] for row in table.to_pylist()]
    column = pa.array(moved, table.schema.field("tzid").type)
    pq.write_table(table.set_column(table.schema.get_field_index("tzid"), "tzid", column), file)
    return merchant


def _arrivals(root: RunRoot, merchant: int) -> list[dict[str, Any]]:
    run = api.Run(root, CONTRACTS)
    files = [
        file for scenario in SCENARIOS for file in sorted(run.path("arrival_events_5B", scenario).glob("*.parquet"))
    ]
    names = ["merchant_id", "zone_representation", "tzid_primary", "is_virtual", "site_id", "edge_id"]
    rows = pa.concat_tables(pq.ParquetFile(file).read(names) for file in files)
    return rows.filter(pc.equal(rows["merchant_id"], pa.scalar(merchant, pa.uint64()))).to_pylist()


def _told(root: RunRoot) -> Counter[str]:
    run = api.Run(root, CONTRACTS)
    files = [run.path("s4_arrival_anomalies_5B", scenario) for scenario in SCENARIOS]
    return Counter(code for file in files for code in pq.ParquetFile(file).read()["anomaly_code"].to_pylist())


def _realised(
    world: Path, folder: Path, damage: Callable[[RunRoot], int], law: str
) -> tuple[RunRoot, int, dict[str, Any]]:
    root = copy_run(world, folder)
    merchant = damage(root)
    if law != "abort":  # as it is shipped
        change_policies(root.path, {ROUTING: {"physical_router.on_missing_site_table": law}})
    result = run_states(root, CONTRACTS, ALL)
    return root, merchant, dict(result.facts("S5"))


CASES = [
    pytest.param(no_site_in_a_zone, "merchant_sites", "SITE_TABLE_OF_MERCHANT_USED", id="zone"),
    pytest.param(no_sites, "merchant_or_made_up_sites", "MADE_UP_SITE_USED", id="no sites"),
    pytest.param(only_edges, "merchant_or_made_up_sites", "MERCHANT_WITHOUT_SITES_ON_EDGES", id="edges"),
]


@pytest.mark.parametrize(("damage", "law", "code"), CASES)
def test_what_the_policy_allows_is_told_and_passes(
    judged_world: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[RunRoot], int],
    law: str,
    code: str,
) -> None:
    root, merchant, facts = _realised(judged_world, tmp_path, damage, law)
    assert facts["status"] == "PASS"
    told = _told(root)
    assert told[code] > 0
    assert f"{SCENARIOS[0]}: {code}, {told[code]} times (s4_arrival_anomalies_5B says where)" in caplog.messages
    assert facts["checks"]["WARN"] >= 1
    rows = _arrivals(root, merchant)
    assert rows
    explained = explain_arrival(root, CONTRACTS, merchant, len(rows))
    assert explained.holds and explained.text(120)
    if damage is no_sites:
        assert {row["site_id"] for row in rows} == {
            made_up_site_id(merchant, tzid) for tzid in {row["zone_representation"] for row in rows}
        }
        assert all(row["tzid_primary"] == row["zone_representation"] and not row["is_virtual"] for row in rows)
    elif damage is only_edges:
        assert all(row["is_virtual"] and row["site_id"] is None and row["edge_id"] for row in rows)
    else:
        assert len({row["tzid_primary"] for row in rows if not row["is_virtual"]}) == 1


@pytest.mark.parametrize(
    ("damage", "law", "accepts"),
    [
        (no_site_in_a_zone, "abort", "merchant_sites"),
        (no_sites, "abort", "merchant_or_made_up_sites"),
        (no_sites, "merchant_sites", "merchant_or_made_up_sites"),
        (only_edges, "merchant_sites", "merchant_or_made_up_sites"),
    ],
)
def test_what_no_policy_allows_is_refused_before_anything_is_drawn(
    judged_world: Path, tmp_path: Path, damage: Callable[[RunRoot], int], law: str, accepts: str
) -> None:
    with pytest.raises(InputError) as caught:
        _realised(judged_world, tmp_path, damage, law)
    assert caught.value.code == "5B.S4.INPUTS_MISSING"
    assert "merchants have no site at all" in caught.value.what
    assert f"on_missing_site_table: {accepts} and reseal" in caught.value.remedy
    assert not list((tmp_path / "runs").rglob("arrival_events/**/*.parquet"))


def test_days_without_group_weights_go_by_the_zone(judged_world: Path, tmp_path: Path) -> None:
    """Under a law of its own; the older one refuses them and names it."""
    changes: list[Changes] = [
        {ROUTING: {"physical_router.tz_group_law": law}} for law in ("group_weights_or_zone_v1", "group_weights_v1")
    ]
    roots = [copy_run(judged_world, tmp_path / str(number)) for number in range(2)]
    for root, change in zip(roots, changes, strict=True):
        without_days(root)
        change_policies(root.path, change)
    lenient, strict = roots
    assert run_states(lenient, CONTRACTS, ALL).facts("S5")["status"] == "PASS"
    assert _told(lenient)["GROUP_WEIGHTS_ABSENT"] > 0
    run = api.Run(lenient, CONTRACTS)
    rows = pq.ParquetDataset(run.path("arrival_events_5B", SCENARIOS[0])).read(
        ["zone_representation", "tzid_primary", "ts_utc", "is_virtual"]
    )
    moved = {True: 0, False: 0}
    for row in rows.to_pylist():
        if not row["is_virtual"] and row["zone_representation"] != row["tzid_primary"]:
            moved[row["ts_utc"].day % 2 == 0] += 1
    assert moved[True] == 0 < moved[False]
    with pytest.raises(InputError, match="no group weights on epoch day") as caught:
        run_states(strict, CONTRACTS, ALL)
    assert "tz_group_law: group_weights_or_zone_v1" in caught.value.remedy


def without_days(root: RunRoot) -> None:
    """No merchant has group weights on even days of the month."""
    for file in _tables(root, "s4_group_weights"):
        table = pq.ParquetFile(file).read()
        keep = [int(str(day)[-2:]) % 2 == 1 for day in table["utc_day"].to_pylist()]
        pq.write_table(table.filter(pa.array(keep)), file)


def test_known_answer() -> None:
    assert made_up_site_id(123456789, "Europe/London") == 4939856252301415771
    assert made_up_site_id(1000000000000007, "America/New_York") == 5964024223685298120
