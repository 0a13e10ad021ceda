"""The made run folder: paths, sealing, repeatability, and agreement between its datasets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from seg5b.cli.world import PRESETS as OFFERED
from seg5b.contracts import ContractSource
from seg5b.errors import WorldError
from seg5b.hashing import tree_digests
from seg5b.policy.documentation import without_documentation
from seg5b.resources import resource_root
from seg5b.runs import RunRoot
from seg5b.world import PRESETS, make_world, world_summary
from seg5b.world.identity import POLICY_PATHS, shipped_policies
from seg5b.world.make import make_from_plan
from seg5b.world.plan import CALIBRATED, WorldPlan

BASE = "scenario_id=baseline_v1"
SCENARIOS = ("baseline_v1", "stress_peak_online_v1")


def test_same_arguments_give_the_same_tree(tmp_path: Path, make: Callable[..., Path], tiny: WorldPlan) -> None:
    first, second = (make(tiny, tmp_path / name, seeds=(42, 7)) for name in ("a", "b"))
    assert first.name == second.name
    assert tree_digests(first) == tree_digests(second)


def test_arguments_name_the_world(tmp_path: Path, make: Callable[..., Path], tiny: WorldPlan) -> None:
    made = {
        make(tiny, tmp_path, seeds=seeds, unique_keys=unique).name
        for seeds in ((42,), (7,), (42, 7))
        for unique in (False, True)
    }
    assert len(made) == 6


def test_seeds_differ_in_what_is_seeded_only(demo: RunRoot, table: Callable[..., dict[str, list]]) -> None:
    for dataset in ("site_locations", "s4_group_weights", "edge_catalogue"):
        assert table(demo, dataset, "seed=42/") != table(demo, dataset, "seed=7/")
    modes = [
        table(demo, "virtual_classification", f"seed={seed}/", ["merchant_id", "virtual_mode"]) for seed in (42, 7)
    ]
    assert modes[0] == modes[1]


def test_nothing_half_made_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Path], tiny: WorldPlan
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seg5b.world.make.write_bundles", fail)
    with pytest.raises(WorldError, match="WRITE_FAILED"):
        make(tiny, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_world_is_left_alone(tmp_path: Path, make: Callable[..., Path], tiny: WorldPlan) -> None:
    folder = make(tiny, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    said: list[str] = []
    note: Callable[[str, int, int], None] = lambda label, done, total: said.append(label)  # noqa: E731
    again = make_from_plan(tiny, seeds=(42,), runs_root=tmp_path, config_root=resource_root(), progress=note)
    assert again == folder.name
    assert said == ["already made"]
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_foreign_folder_in_the_way_is_refused(tmp_path: Path, make: Callable[..., Path], tiny: WorldPlan) -> None:
    folder = make(tiny, tmp_path)
    (folder / "run_receipt.json").write_text("{}")
    with pytest.raises(WorldError, match="TARGET_TAKEN"):
        make(tiny, tmp_path)


@pytest.mark.parametrize("seeds", [(), (1, 1), (-1,), (2**64,), (True,)])
def test_bad_seeds_are_refused(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    with pytest.raises(WorldError, match="SEED_INVALID"):
        make_world("demo_classic", seeds=seeds, runs_root=tmp_path)


def test_an_unknown_preset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"PRESET_UNKNOWN.*demo, small, reference, large"):
        make_world("huge", runs_root=tmp_path)


def test_missing_policies_are_named(tmp_path: Path, tiny: WorldPlan) -> None:
    with pytest.raises(WorldError, match="POLICY_MISSING"):
        make_from_plan(tiny, seeds=(1,), runs_root=tmp_path, config_root=tmp_path)


def test_progress_counts_up_to_the_end(tmp_path: Path, tiny: WorldPlan) -> None:
    calls: list[tuple[str, int, int]] = []
    make_from_plan(
        tiny, seeds=(1,), runs_root=tmp_path, config_root=resource_root(), progress=lambda *call: calls.append(call)
    )
    last = {label: (done, total) for label, done, total in calls}
    assert all(done == total for done, total in last.values())
    assert list(last) == [
        "merchants", "placement", "rows and sites", "normal weeks", "sites and edges", "intensity", "sealing",
    ]  # fmt: skip
    done = [done for label, done, _ in calls if label == "sites and edges"]
    assert done == list(range(last["sites and edges"][1] + 1))


def test_run_id_and_receipt(demo: RunRoot) -> None:
    receipt = json.loads((demo.path / "run_receipt.json").read_text())
    fingerprint = receipt["manifest_fingerprint"]
    moment = int.from_bytes(hashlib.sha256(f"time|{fingerprint}".encode()).digest()[:8], "big") >> 1
    message = (
        b"\0\0\0\x06run:1A" + bytes.fromhex(fingerprint) + (42).to_bytes(8, "little") + moment.to_bytes(8, "little")
    )
    assert receipt["run_id"] == hashlib.sha256(message).hexdigest()[:32] == demo.path.name
    assert (receipt["seed"], receipt["contracts_layout"]) == (42, "contracts")
    assert (demo.path / "tmp").is_dir()


def test_policies_are_copied_to_the_byte(demo: RunRoot) -> None:
    """Those of the time of the law by which the world is made."""
    theirs = shipped_policies(resource_root(), CALIBRATED)
    for path in POLICY_PATHS:
        assert demo.resolve(path) == demo.path / "reference" / path
        assert demo.resolve(path).read_bytes() == theirs[path]
    assert {path for path in POLICY_PATHS if theirs[path] != shipped_policies(resource_root())[path]} == {
        path for path in POLICY_PATHS if "/5B/" in path or "route_rng_policy" in path
    }


def test_policies_of_other_laws_are_those_of_today_without_their_documentation() -> None:
    for path, content in shipped_policies(resource_root()).items():
        assert content == without_documentation((resource_root() / path).read_bytes())


def test_policies_of_classic_worlds_never_change() -> None:
    """Their bytes are part of the identity of every world that was made from them."""
    theirs = shipped_policies(resource_root(), CALIBRATED)
    digest = hashlib.sha256(b"".join(content for path, content in sorted(theirs.items()) if "/5B/" in path))
    assert digest.hexdigest() == "16760bddb17583b7d317c0cb512ce745bf4d87149cc201920bf04fd2e0de2c49"


def test_every_sealed_dataset_lies_where_the_dictionary_says(demo: RunRoot) -> None:
    dictionary = ContractSource.packaged().dictionary("5B")
    for entry in dictionary.entries.values():
        if not entry.path.startswith("data/") or entry.owner_subsegment == "5B":
            continue
        for seed in (42, 7):
            for scenario in SCENARIOS:
                tokens = demo.identity.tokens(scenario) | {"seed": str(seed)}
                path = demo.resolve(entry.render(tokens))
                assert any(path.rglob("*")) if path.is_dir() else path.is_file(), path


TABLE_REFS = [
    "site_locations", "site_timezones", "s1_site_weights", "s3_day_effects", "s4_group_weights", "zone_alloc",
    "virtual_classification_3B", "virtual_settlement_3B", "edge_catalogue_3B", "edge_catalogue_index_3B",
    "edge_alias_index_3B", "virtual_validation_contract_3B", "scenario_manifest_5A", "merchant_zone_profile_5A",
    "shape_grid_definition_5A", "class_zone_shape_5A", "merchant_zone_baseline_local_5A",
    "merchant_zone_scenario_local_5A", "merchant_zone_overlay_factors_5A", "merchant_zone_scenario_utc_5A",
]  # fmt: skip
JSON_REFS = [
    "s2_alias_index", "zone_alloc_universe_hash", "edge_universe_hash_3B", "virtual_routing_policy_3B",
]  # fmt: skip


def place(demo: RunRoot, dataset: str) -> tuple[Path, str]:
    entry = ContractSource.packaged().dictionary("5B").entry(dataset)
    path = demo.resolve(entry.render(demo.identity.tokens("baseline_v1")))
    return (path / "part-00000.parquet" if path.is_dir() else path), entry.schema_ref


@pytest.mark.parametrize("dataset", TABLE_REFS)
def test_rows_conform_to_the_contract(demo: RunRoot, dataset: str) -> None:
    path, schema_ref = place(demo, dataset)
    whole = pq.ParquetFile(path).read()
    rows = whole.slice(0, 40).to_pylist() + whole.slice(whole.num_rows - 1).to_pylist()
    assert rows
    for row in rows:
        ContractSource.packaged().validate(schema_ref, row, code="5B.TEST.ROW", where=dataset)


@pytest.mark.parametrize("dataset", JSON_REFS)
def test_documents_conform_to_the_contract(demo: RunRoot, dataset: str) -> None:
    path, schema_ref = place(demo, dataset)
    ContractSource.packaged().validate(schema_ref, json.loads(path.read_text()), code="5B.TEST.DOC", where=dataset)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_row_has_every_bucket(demo: RunRoot, scenario: str, table: Callable[..., dict[str, list]]) -> None:
    part = f"scenario_id={scenario}"
    local = table(demo, "merchant_zone_scenario_local", part)
    profile = table(demo, "merchant_zone_profile")
    count = len(profile["tzid"])
    assert local["local_horizon_bucket_index"] == list(range(672)) * count
    for name in ("merchant_id", "legal_country_iso", "tzid", "channel_group"):
        assert local[name][::672] == local[name][671::672] == profile[name]
    utc = table(demo, "merchant_zone_scenario_utc", part, ["lambda_utc_scenario"])
    assert utc["lambda_utc_scenario"] == local["lambda_local_scenario"]


def test_intensity_is_shape_times_volume_times_overlay_in_local_time(
    demo: RunRoot, table: Callable[..., dict[str, list]]
) -> None:
    """Recomputed cell by cell with Python's own time zones from the published shapes, volumes and overlays."""
    local = table(demo, "merchant_zone_scenario_local", BASE)
    base = table(demo, "merchant_zone_baseline_local", BASE)
    start_s = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    rng = np.random.default_rng(5)
    active = np.flatnonzero(np.array(local["lambda_local_scenario"]) > 0)
    for cell in rng.choice(active, 400, replace=False).tolist():
        row, bucket = divmod(cell, 672)
        clock = datetime.fromtimestamp(start_s + 3600 * bucket, ZoneInfo(local["tzid"][cell]))
        hour = (clock.isoweekday() - 1) * 24 + clock.hour
        expected = base["lambda_local_base"][row * 168 + hour] * local["overlay_factor_total"][cell]
        assert local["lambda_local_scenario"][cell] == pytest.approx(expected, rel=1e-6)


def test_demo_totals(demo: RunRoot, table: Callable[..., dict[str, list]]) -> None:
    made = {name: fact["made"] for name, fact in world_summary(demo.path).items()}
    total = 0.0
    for scenario in SCENARIOS:
        values = table(demo, "merchant_zone_scenario_local", f"scenario_id={scenario}", ["lambda_local_scenario"])
        summed = float(np.sum(values["lambda_local_scenario"]))
        assert made[f"arrivals_expected:{scenario}"] == pytest.approx(summed, rel=1e-6)
        total += summed
    assert 0.8e6 < total < 1.6e6
    assert made["top10_tz_share"] <= 0.60
    assert 0.05 <= made["virtual_share"] <= 0.08


def test_demo_has_power_around_clock_changes(demo: RunRoot, table: Callable[..., dict[str, list]]) -> None:
    """At least 3 zone changes with 50 expected arrivals within a day of them, and 2,000 in all."""
    local = table(demo, "merchant_zone_scenario_local", BASE, ["tzid", "lambda_local_scenario"])
    by_zone: dict[str, np.ndarray] = {}
    values = np.array(local["lambda_local_scenario"]).reshape(-1, 672)
    for tzid, row in zip(local["tzid"][::672], values, strict=True):
        by_zone[tzid] = by_zone.get(tzid, 0) + row
    start_s, support = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()), []
    for tzid, expected in by_zone.items():
        zone = ZoneInfo(tzid)
        offsets = [datetime.fromtimestamp(start_s + 3600 * hour, zone).utcoffset() for hour in range(672)]
        for hour in range(1, 672):
            if offsets[hour] != offsets[hour - 1]:
                support.append(expected[max(0, hour - 24) : hour + 24].sum())
    material = [value for value in support if value >= 50]
    assert len(material) >= 3
    assert sum(material) >= 2000


def test_positive_series_have_sites_weights_and_groups(demo: RunRoot, table: Callable[..., dict[str, list]]) -> None:
    local = table(demo, "merchant_zone_scenario_local", BASE, ["merchant_id", "tzid", "lambda_local_scenario"])
    modes = table(demo, "virtual_classification", "seed=42/")
    virtual_only = {
        m for m, mode in zip(modes["merchant_id"], modes["virtual_mode"], strict=True) if mode == "VIRTUAL_ONLY"
    }
    zones, weights = table(demo, "site_timezones", "seed=42/"), table(demo, "s1_site_weights", "seed=42/")
    for name in ("merchant_id", "legal_country_iso", "site_order"):
        assert zones[name] == weights[name] == table(demo, "site_locations", "seed=42/")[name]
    served = set(zip(zones["merchant_id"], zones["tzid"], strict=True))
    groups = table(demo, "s4_group_weights", "seed=42/")
    grouped = set(zip(groups["merchant_id"], groups["tz_group_id"], strict=True))
    positive = {key for *key_, value in zip(*local.values(), strict=True) if value > 0 for key in [tuple(key_)]}
    assert grouped == positive
    assert served == {key for key in positive if key[0] not in virtual_only}
    edges = set(table(demo, "edge_catalogue", "seed=42/")["merchant_id"])
    assert edges == {
        m for m, mode in zip(modes["merchant_id"], modes["virtual_mode"], strict=True) if mode != "NON_VIRTUAL"
    }
    assert virtual_only


def test_edges_are_ordered_and_within_the_law(demo: RunRoot, table: Callable[..., dict[str, list]]) -> None:
    edges = table(demo, "edge_catalogue", "seed=42/")
    keys = list(zip(edges["merchant_id"], edges["edge_id"], strict=True))
    assert keys == sorted(keys)
    owners, counts = np.unique(np.array(edges["merchant_id"], np.uint64), return_counts=True)
    assert counts.min() >= 6 and counts.max() <= 58
    total = np.bincount(np.searchsorted(owners, np.array(edges["merchant_id"], np.uint64)), edges["edge_weight"])
    assert np.abs(total - 1).max() < 1e-12
    assert max(edges["edge_weight"]) <= 0.45 + 1e-9
    row = {name: column[0] for name, column in edges.items() if name != "edge_digest"}
    text = json.dumps(row, sort_keys=True, separators=(",", ":"))
    assert edges["edge_digest"][0] == hashlib.sha256(text.encode()).hexdigest()


def test_hashes_of_the_universes(demo: RunRoot, table: Callable[..., dict[str, list]]) -> None:
    fingerprint = demo.identity.manifest_fingerprint
    edge = json.loads(next(demo.path.glob("data/layer1/3B/edge_universe_hash/**/*.json")).read_text())
    index = next(demo.path.glob(f"data/layer1/3B/edge_alias_index/seed=42/manifest_fingerprint={fingerprint}/*"))
    assert edge["edge_alias_index_digest"] == hashlib.sha256(index.read_bytes()).hexdigest()
    parts = ("cdn_weights", "edge_alias_index", "edge_catalogue_index", "virtual_rules")
    joined = b"".join(bytes.fromhex(edge[f"{name}_digest"]) for name in parts)
    assert edge["universe_hash"] == hashlib.sha256(joined).hexdigest()
    zone = json.loads(next(demo.path.glob("data/layer1/3A/zone_universe/**/*.json")).read_text())
    assert table(demo, "zone_alloc", "seed=42/")["routing_universe_hash"][0] == zone["routing_universe_hash"]


def test_files_hold_plain_types_and_fixed_row_groups(demo: RunRoot) -> None:
    path, _ = place(demo, "merchant_zone_scenario_local_5A")
    file = pq.ParquetFile(path)
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types["tzid"] == "string"
    assert types["merchant_id"] == "uint64"
    assert types["local_horizon_bucket_index"] == "int16"
    assert types["lambda_local_scenario"] == "float"
    groups = [file.metadata.row_group(index).num_rows for index in range(file.metadata.num_row_groups)]
    whole = 672 * (2**20 // 672)
    assert set(groups[:-1]) == {whole}
    assert sum(groups) == 672 * PRESETS["demo_classic"].country_rows


def test_the_summary_needs_a_world(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="REPORT_MISSING"):
        world_summary(tmp_path)


def test_the_report_names_targets_for_the_reference_only(demo: RunRoot) -> None:
    assert {fact["target"] for fact in world_summary(demo.path).values()} == {None}
    sizes = {"demo", "small", "reference", "large"}
    assert set(PRESETS) == set(OFFERED) == sizes | {f"{name}_classic" for name in sizes} | {"reference_as_found"}


def test_unique_keys_are_for_classic_presets(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="law is derived_v1") as caught:
        make_world("demo", runs_root=tmp_path, unique_keys=True)
    assert caught.value.where == "unique_keys" and not list(tmp_path.iterdir())
