"""What later states check before they read anything."""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow as pa
import pytest

from seg5b.errors import GateError, InputError, RunError, Seg5bError
from seg5b.gate import open_gate, run_gate
from seg5b.gate.sealed_digest import row_order, sealed_inputs_digest

CODES = {
    "S1": "5B.S1.S0_GATE_MISSING",
    "S2": "5B.S2.S0_GATE_INVALID",
    "S3": "5B.S3.S0_GATE_INVALID",
    "S4": "5B.S4.S0_GATE_INVALID",
    "S5": "5B.S5.S0_GATE_INVALID",
}


def _open(world, state: str = "S2"):
    return open_gate(world.root, world.contracts, state=state)


def _refused(world, code: str, state: str = "S2") -> Seg5bError:
    with pytest.raises(GateError) as caught:
        _open(world, state)
    assert caught.value.code == code
    assert caught.value.what and caught.value.where and caught.value.remedy
    return caught.value


def test_an_open_gate_knows_scenarios_version_and_rows(sealed) -> None:
    gate = _open(sealed, "S1")
    assert gate.scenario_ids == ("baseline_v1", "stress_v1")
    assert gate.scenarios[0].start_us == 1_767_225_600_000_000
    assert gate.spec_version == "1.0.0"
    assert len(gate.rows) == 52
    assert gate.sealed_inputs_digest == json.loads(sealed.receipt().read_bytes())["sealed_inputs_digest"]


@pytest.mark.parametrize("state", CODES)
def test_without_a_gate_each_state_has_its_code(world, state: str) -> None:
    assert "seg5b s0" in _refused(world, CODES[state], state).remedy


# --- damage ----------------------------------------------------------------------------------------------------


def _receipt(**changes) -> Callable:
    def apply(world) -> None:
        receipt = json.loads(world.receipt().read_bytes())
        receipt.update(changes)
        world.receipt().write_bytes(world.canon({key: value for key, value in receipt.items() if value != "drop"}))

    return apply


def _rows(change: Callable, *, redigest: bool = True) -> Callable:
    """Change the rows and let the receipt agree with them: a consistent lie."""

    def apply(world) -> None:
        rows = json.loads(world.sealed().read_bytes())
        change(rows)
        world.sealed().write_bytes(world.canon(rows))
        if redigest:
            digest = sealed_inputs_digest(sorted(rows, key=row_order))
            _receipt(sealed_inputs_digest=digest, sealed_inputs_row_count=len(rows))(world)

    return apply


def _raw(name: str, content: bytes) -> Callable:
    return lambda world: getattr(world, name)().write_bytes(content)


def _cut(name: str) -> Callable:
    return lambda world: getattr(world, name)().write_bytes(getattr(world, name)().read_bytes()[:-1])


def _content(change: Callable) -> Callable:
    def apply(world) -> None:
        content = json.loads(world.content().read_bytes())
        change(content)
        world.content().write_bytes(world.canon(content))

    return apply


def _receipt_behind_link(world) -> None:
    outside = world.root.path.parent / "receipt.json"
    world.receipt().rename(outside)
    world.receipt().symlink_to(outside)


BROKEN: dict[str, Callable] = {
    "receipt-absent": lambda world: world.receipt().unlink(),
    "receipt-cut": _cut("receipt"),
    "receipt-not-utf8": _raw("receipt", b"\xff"),
    "receipt-list": _raw("receipt", b"[]"),
    "receipt-null": _raw("receipt", b"null"),
    "receipt-other-fingerprint": _receipt(manifest_fingerprint="9" * 64),
    "receipt-other-parameters": _receipt(parameter_hash="9" * 64),
    "receipt-other-seed": _receipt(seed=43),
    "receipt-other-run": _receipt(run_id="b" * 32),
    "receipt-no-scenarios": _receipt(scenario_set=[]),
    "receipt-unsorted-scenarios": _receipt(scenario_set=["stress_v1", "baseline_v1"]),
    "receipt-repeated-scenarios": _receipt(scenario_set=["baseline_v1", "baseline_v1"]),
    "receipt-other-scenarios": _receipt(scenario_set=["baseline_v1", "other"]),
    "receipt-scenario-number": _receipt(scenario_set=[1]),
    "receipt-no-version": _receipt(spec_version=""),
    "receipt-lacks-version": _receipt(spec_version="drop"),
    "receipt-lacks-upstream": _receipt(upstream_segments="drop"),
    "receipt-upstream-list": _receipt(upstream_segments=[]),
    "receipt-wrong-digest": _receipt(sealed_inputs_digest="0" * 64),
    "receipt-wrong-count": _receipt(sealed_inputs_row_count=51),
    "sealed-absent": lambda world: world.sealed().unlink(),
    "sealed-cut": _cut("sealed"),
    "sealed-object": _raw("sealed", b"{}"),
    "sealed-scalars": _raw("sealed", b"[1]"),
    "sealed-empty": _raw("sealed", b"[]"),
    "sealed-edited": _rows(lambda rows: rows[0].update(owner_team="me"), redigest=False),
    "sealed-row-added": _rows(lambda rows: rows.append({**rows[0], "artifact_id": "more"}), redigest=False),
    "sealed-row-dropped": _rows(lambda rows: rows.pop(), redigest=False),
    "sealed-repeated": _rows(lambda rows: rows.append(rows[0])),
    "sealed-same-key": _rows(lambda rows: rows.append({**rows[0], "role": "dataset"})),
    "sealed-other-run": _rows(lambda rows: rows[3].update(manifest_fingerprint="9" * 64)),
    "sealed-unknown-status": _rows(lambda rows: rows[3].update(status="MAYBE")),
    "sealed-extra-key": _rows(lambda rows: rows[3].update(surprise=1)),
    "content-cut": _cut("content"),
    "content-list": _raw("content", b"[]"),
    "content-other-run": _content(lambda content: content.update(parameter_hash="9" * 64)),
    "content-scalar-entry": _content(lambda content: content["entries"].append(1)),
    "content-negative-size": _content(lambda content: content["entries"][0].update(size_bytes=-1)),
    "content-size-is-true": _content(lambda content: content["entries"][0].update(size_bytes=True)),
    "content-odd-digest": _content(lambda content: content["entries"][0].update(sha256_hex="A" * 64)),
    "content-extra-key": _content(lambda content: content["entries"][0].update(surprise=1)),
    "content-unhashable": _content(lambda content: content["entries"][0].update(scenario_id=["x"])),
    "content-repeated": _content(lambda content: content["entries"].append(content["entries"][0])),
}


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_a_gate_that_does_not_hold_stays_shut(sealed, damage: Callable) -> None:
    damage(sealed)
    _refused(sealed, CODES["S1"], "S1")


def test_a_receipt_behind_a_link_out_of_the_run_is_refused(sealed) -> None:
    _receipt_behind_link(sealed)
    with pytest.raises(RunError, match="outside the run folder"):
        _open(sealed)


@pytest.mark.parametrize("segment", ("1A", "2B", "5A"))
@pytest.mark.parametrize("status", ("FAIL", "MISSING"))
def test_every_upstream_segment_must_have_passed(sealed, segment: str, status: str) -> None:
    verdicts = json.loads(sealed.receipt().read_bytes())["upstream_segments"]
    verdicts[segment]["status"] = status
    _receipt(upstream_segments=verdicts)(sealed)
    assert segment in _refused(sealed, "5B.S3.UPSTREAM_NOT_PASS", "S3").what


def test_rows_in_another_order_are_the_same_gate(sealed) -> None:
    rows = json.loads(sealed.sealed().read_bytes())
    sealed.sealed().write_bytes(sealed.canon(rows[::-1]))
    assert len(_open(sealed).rows) == 52


# --- policies and the manifest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("artifact_id", ("arrival_rng_policy_5B", "alias_layout_policy_v1", "bundle_layout_policy_5B"))
def test_a_changed_policy_is_refused_until_the_run_is_resealed(sealed, artifact_id: str) -> None:
    path = sealed.place(artifact_id)
    path.write_bytes(path.read_bytes() + b"\n")
    error = _refused(sealed, "5B.S4.SEALED_POLICY_CHANGED", "S4")
    assert artifact_id in error.what
    assert f"`seg5b s0 --reseal --run-id {sealed.RUN_ID}`" in error.remedy
    run_gate(sealed.root, sealed.contracts, set_aside=True)
    assert _open(sealed, "S4").sealed_bytes(artifact_id) == path.read_bytes()


def test_an_absent_policy_is_a_changed_policy(sealed, monkeypatch) -> None:
    path = sealed.place("grouping_policy_5B")
    path.unlink()
    path.mkdir()
    _refused(sealed, "5B.S2.SEALED_POLICY_CHANGED")
    path.rmdir()
    with pytest.raises(Seg5bError):
        _open(sealed)


def test_a_policy_that_was_not_sealed_is_not_looked_at(world) -> None:
    path = world.place("bundle_layout_policy_5B")
    body = path.read_bytes()
    path.unlink()
    run_gate(world.root, world.contracts)
    path.write_bytes(body)
    gate = _open(world)
    assert not gate.has("bundle_layout_policy_5B")
    with pytest.raises(GateError, match="not sealed"):
        gate.path("bundle_layout_policy_5B")


def test_a_changed_manifest_is_refused(sealed) -> None:
    sealed.write_manifest(is_stress=pa.array([False, False]))
    _refused(sealed, "5B.S2.SEALED_CONTENT_CHANGED")


# --- what may be used --------------------------------------------------------------------------------------------


def _changed_row(artifact_id: str, **changes) -> Callable:
    def change(rows) -> None:
        next(row for row in rows if row["artifact_id"] == artifact_id).update(changes)

    return _rows(change)


def test_require_gives_the_row_of_a_usable_input(sealed) -> None:
    gate = _open(sealed)
    assert gate.require("s1_site_weights", code="5B.S4.INPUTS_MISSING").read_scope == "METADATA_ONLY"
    assert gate.require("tz_timetable_cache", code="5B.S4.INPUTS_MISSING").status == "OPTIONAL"


@pytest.mark.parametrize(
    ("artifact_id", "changes", "word"),
    [
        ("s1_site_weights", {"status": "IGNORED"}, "IGNORED"),
        ("s1_site_weights", {"status": "OPTIONAL"}, "not REQUIRED"),
        ("tz_timetable_cache", {"status": "IGNORED"}, "IGNORED"),
        ("merchant_zone_profile_5A", {"read_scope": "METADATA_ONLY"}, "not ROW_LEVEL"),
    ],
)
def test_require_refuses_what_may_not_be_used(sealed, artifact_id: str, changes, word: str) -> None:
    _changed_row(artifact_id, **changes)(sealed)
    gate = _open(sealed)
    assert gate.has(artifact_id) == ("IGNORED" not in changes.values())
    with pytest.raises(InputError) as caught:
        gate.require(artifact_id, code="5B.S4.INPUTS_MISSING")
    assert caught.value.code == "5B.S4.INPUTS_MISSING"
    assert word in caught.value.what


def test_require_refuses_what_is_not_sealed(world) -> None:
    world.place("merchant_zone_scenario_utc_5A", "stress_v1").unlink()
    run_gate(world.root, world.contracts)
    with pytest.raises(InputError, match="is not sealed"):
        _open(world).require("merchant_zone_scenario_utc_5A", code="5B.S2.LAMBDA_SOURCE_MISSING")


def test_paths_and_files(sealed) -> None:
    gate = _open(sealed)
    folder = sealed.place("edge_catalogue_3B")
    for name in ("part-00001.parquet", "a/part-00000.parquet", "_SUCCESS"):
        sealed.write(folder / name, b"x")
    assert gate.path("edge_catalogue_3B") == folder
    names = [path.relative_to(folder).as_posix() for path in gate.files("edge_catalogue_3B")]
    assert names == ["a/part-00000.parquet", "part-00000.parquet", "part-00001.parquet"]
    local = sealed.place("merchant_zone_scenario_local_5A", "stress_v1")
    assert gate.path("merchant_zone_scenario_local_5A", "stress_v1") == local
    assert gate.files("merchant_zone_scenario_local_5A", "stress_v1") == (local,)
    cache = [path.name for path in gate.files("tz_timetable_cache")]
    assert cache == ["tz_cache_v1.bin", "tz_timetable_cache.json"]
    assert gate.path("grouping_policy_5B") == sealed.place("grouping_policy_5B")


def test_a_folder_without_parquet_has_no_files_to_read(sealed) -> None:
    gate = _open(sealed)
    folder = sealed.place("edge_catalogue_3B")
    (folder / "part-00000.parquet").rename(folder / "part-00000.csv")
    with pytest.raises(GateError) as caught:
        gate.files("edge_catalogue_3B")
    assert caught.value.code == "5B.S2.SEALED_CONTENT_CHANGED"
