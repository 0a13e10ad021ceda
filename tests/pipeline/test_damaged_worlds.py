"""A damaged world ends in the right code, names the offender, and leaves no output behind (design 6)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.errors import Seg5bError
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from tests.policies import change_policies

ALL = ("S0", "S1", "S2", "S3", "S4")
BASE = "baseline_v1"
Damage = Callable[[RunRoot], None]


def _file(root: RunRoot, dataset: str, scenario: str | None = None) -> Path:
    entry = ContractSource.packaged().dictionary("5B").entry(dataset)
    path = root.resolve(entry.render(root.identity.tokens(scenario)))
    return next(iter(sorted(path.rglob("*.parquet")))) if path.is_dir() else path


def _rewrite(root: RunRoot, dataset: str, change: Callable[[pa.Table], pa.Table], scenario: str | None = None) -> None:
    file = _file(root, dataset, scenario)
    pq.write_table(change(pq.ParquetFile(file).read()), file)


def _surface(change: Callable[[pa.Table], pa.Table]) -> Damage:
    return lambda root: _rewrite(root, "merchant_zone_scenario_local_5A", change, BASE)


def _with(table: pa.Table, row: int, name: str, value: object) -> pa.Table:
    column = table.column(name)
    position = table.schema.get_field_index(name)
    changed = pa.concat_arrays(
        [*column.slice(0, row).chunks, pa.array([value], column.type), *column.slice(row + 1).chunks]
    )
    return table.set_column(position, table.schema.field(name), changed)


def _shuffled(table: pa.Table) -> pa.Table:
    order = pc.array_sort_indices(pa.array([hash((i * 2654435761) % 2**32) for i in range(table.num_rows)]))
    return table.take(order)


def test_an_unsorted_surface_gives_the_same_bytes(world: RunRoot, tiny_digests: dict[str, str]) -> None:
    """Upstream does not promise order; defect D9 let input order show in the output."""
    _surface(_shuffled)(world)
    contracts = ContractSource.packaged()
    run_states(world, contracts, ALL)
    assert dataset_digests(world, contracts) == tiny_digests


def test_a_surface_without_channel_gives_the_same_bytes(world: RunRoot, tiny_digests: dict[str, str]) -> None:
    """Defect D20: the channel is optional in 5A's contract; the profile knows it."""
    for scenario in (BASE, "stress_peak_online_v1"):
        _rewrite(
            world, "merchant_zone_scenario_local_5A", lambda table: table.drop_columns(["channel_group"]), scenario
        )
    contracts = ContractSource.packaged()
    run_states(world, contracts, ALL)
    assert dataset_digests(world, contracts) == tiny_digests


def _without_edges(root: RunRoot) -> None:
    """Drop one virtual merchant from catalogue, index and (its slice stays) blob."""
    modes = pq.ParquetFile(_file(root, "virtual_classification_3B")).read()
    chosen = modes.filter(pc.field("virtual_mode") == "VIRTUAL_ONLY").column("merchant_id")[0]
    keep = lambda table: table.filter(pc.fill_null(pc.not_equal(table.column("merchant_id"), chosen), True))  # noqa: E731
    _rewrite(root, "edge_catalogue_3B", keep)
    _rewrite(root, "edge_alias_index_3B", keep)


def _without_site_tables(root: RunRoot) -> None:
    """Take the sites of one physical merchant away."""
    modes = pq.ParquetFile(_file(root, "virtual_classification_3B")).read()
    chosen = modes.filter(pc.field("virtual_mode") == "NON_VIRTUAL").column("merchant_id")[0]
    keep = lambda table: table.filter(pc.not_equal(table.column("merchant_id"), chosen))  # noqa: E731
    _rewrite(root, "s1_site_weights", keep)


def _edge_on_mars(root: RunRoot) -> None:
    _rewrite(root, "edge_catalogue_3B", lambda table: _replaced(table, "tzid_operational", "Mars/Olympus"))


def _short_cache(root: RunRoot) -> None:
    """Drop every change after 2020."""
    (file,) = root.path.glob("data/layer1/2A/tz_timetable_cache/*/*.bin")
    raw, out, at = file.read_bytes(), bytearray(), 10
    out += raw[:10]
    for _ in range(struct.unpack_from("<I", raw, 6)[0]):
        (length,) = struct.unpack_from("<H", raw, at)
        (count,) = struct.unpack_from("<I", raw, at + 2 + length)
        body = at + 6 + length
        changes = [raw[body + 12 * k : body + 12 * k + 12] for k in range(count)]
        kept = [change for change in changes if struct.unpack_from("<q", change)[0] < 1_577_836_800]
        out += raw[at : at + 2 + length] + struct.pack("<I", len(kept)) + b"".join(kept)
        at = body + 12 * count
    file.write_bytes(out)


def _unknown_class(root: RunRoot) -> None:
    _rewrite(root, "merchant_zone_profile_5A", lambda table: _replaced(table, "demand_class", "night_market"))


def _unknown_channel(root: RunRoot) -> None:
    for scenario in (BASE, "stress_peak_online_v1"):
        _rewrite(root, "merchant_zone_scenario_local_5A", lambda t: _replaced(t, "channel_group", "by_post"), scenario)
    _rewrite(root, "merchant_zone_profile_5A", lambda table: _replaced(table, "channel_group", "by_post"))


def _replaced(table: pa.Table, name: str, value: str) -> pa.Table:
    position = table.schema.get_field_index(name)
    return table.set_column(position, name, pa.array([value] * table.num_rows))


def _missing_profile(root: RunRoot) -> None:
    _rewrite(root, "merchant_zone_profile_5A", lambda table: table.slice(1))


def _unclassified(root: RunRoot) -> None:
    _rewrite(root, "virtual_classification_3B", lambda table: table.slice(1))


def _lower_cap(root: RunRoot) -> None:
    change_policies(root.path, {"arrival_time_placement_policy_5B": {"guardrails.max_arrivals_per_bucket": 3}})


LAMBDA, INDEX = "lambda_local_scenario", "local_horizon_bucket_index"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "a gap": (
        _surface(lambda t: pa.concat_tables([t.slice(0, 700), t.slice(701)])),
        "5B.S2.REALISED_DOMAIN_INCOMPLETE",
    ),
    "a duplicate": (_surface(lambda t: pa.concat_tables([t.slice(0, 701), t.slice(700)])), "5B.S2.DOMAIN_ALIGN_FAILED"),
    "index beyond": (_surface(lambda t: _with(t, 671, INDEX, 672)), "5B.S2.BUCKET_SET_INCONSISTENT"),
    "not a number": (_surface(lambda t: _with(t, 5, LAMBDA, float("nan"))), "5B.S2.REALISED_NUMERIC_INVALID"),
    "infinite": (_surface(lambda t: _with(t, 5, LAMBDA, float("inf"))), "5B.S2.REALISED_NUMERIC_INVALID"),
    "negative": (_surface(lambda t: _with(t, 5, LAMBDA, -1.0)), "5B.S2.REALISED_NUMERIC_INVALID"),
    # The tiny world has a contested class, so S1 weighs volumes and meets the null before S2 would.
    "null": (_surface(lambda t: _with(t, 5, LAMBDA, None)), "5B.S1.GROUP_DOMAIN_DERIVATION_FAILED"),
    "unknown class": (_unknown_class, "5B.S2.LGCP_CONFIG_INVALID"),
    "unknown channel": (_unknown_channel, "5B.S2.LGCP_CONFIG_INVALID"),
    "missing profile row": (_missing_profile, "5B.S1.GROUP_ASSIGNMENT_INCOMPLETE"),
    "unclassified merchant": (_unclassified, "5B.S1.GROUP_ASSIGNMENT_INCOMPLETE"),
    "no edges (D11)": (_without_edges, "5B.S4.INPUTS_MISSING"),
    "no sites (D10)": (_without_site_tables, "5B.S4.INPUTS_MISSING"),
    "edge zone unknown (D12)": (_edge_on_mars, "5B.S4.INPUTS_MISSING"),
    "cache ends early (D13)": (_short_cache, "5B.S4.INPUTS_MISSING"),
    "bucket over the limit": (_lower_cap, "5B.S4.TIME_POLICY_INVALID"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage(world: RunRoot, name: str) -> None:
    damage, code = DAMAGES[name]
    damage(world)
    with pytest.raises(Seg5bError) as caught:
        run_states(world, ContractSource.packaged(), ALL)
    assert caught.value.code == code
    assert caught.value.where and caught.value.remedy
    failed = code.split(".")[1]
    outputs = {"S1": "s1_*", "S2": "s2_*", "S4": "arrival_*"}[failed]
    assert not list(world.path.glob(f"data/layer2/5B/{outputs}")), "a failed state must not publish"
    assert not any((world.path / "tmp").iterdir()), "a failed state must clean up"


def test_merchant_sites_may_stand_in(world: RunRoot) -> None:
    """on_missing_site_table: merchant_sites uses real sites of the merchant, and each use is an anomaly."""
    zones = pq.ParquetFile(_file(world, "site_timezones")).read()
    pairs = zones.group_by(["merchant_id", "tzid"]).aggregate([("site_order", "count")])
    by_merchant = pairs.group_by("merchant_id").aggregate([("tzid", "count")])
    roaming = by_merchant.filter(pc.field("tzid_count") > 1).column("merchant_id")[0]
    gone = pairs.filter(pc.field("merchant_id") == roaming).column("tzid")[0]
    lost = zones.filter((pc.field("merchant_id") == roaming) & (pc.field("tzid") == gone))
    keys = {(row["legal_country_iso"], row["site_order"]) for row in lost.to_pylist()}

    def keep(table: pa.Table) -> pa.Table:
        rows = table.select(["merchant_id", "legal_country_iso", "site_order"]).to_pylist()
        mask = [
            r["merchant_id"] != roaming.as_py() or (r["legal_country_iso"], r["site_order"]) not in keys for r in rows
        ]
        return table.filter(pa.array(mask))

    _rewrite(world, "s1_site_weights", keep)
    change_policies(
        world.path, {"arrival_routing_policy_5B": {"physical_router.on_missing_site_table": "merchant_sites"}}
    )
    run_states(world, ContractSource.packaged(), ALL)
    anomalies = pq.ParquetFile(_file(world, "s4_arrival_anomalies_5B", BASE)).read().to_pylist()
    assert any(row["anomaly_code"] == "SITE_TABLE_OF_MERCHANT_USED" for row in anomalies)


def test_parts_are_cut_by_counts_alone(world: RunRoot) -> None:
    contracts = ContractSource.packaged()
    run_states(world, contracts, ALL)
    folder = _file(world, "arrival_events_5B", BASE).parent
    rows = [pq.ParquetFile(part).metadata for part in sorted(folder.glob("part-*.parquet"))]
    assert len(rows) > 2
    assert {part.num_rows for part in rows[:-1]} == {4096}
    assert {part.row_group(0).num_rows for part in rows[:-1]} == {1024}
