"""The scenario manifest is read strictly."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.errors import InputError
from seg5b.gate import run_gate

INCOMPLETE, INVALID = "5B.S0.SEALED_INPUTS_INCOMPLETE", "5B.S0.SEALED_INPUTS_SCHEMA_INVALID"


def test_scenarios_come_in_order_of_their_ids_with_times_in_microseconds(world) -> None:
    world.write_manifest(
        scenario_id=pa.array(["z", "a"]),
        horizon_start_utc=pa.array(["1969-12-31T23:59:59.999999Z", "2026-01-01T00:00:00.000000Z"]),
        labels=None,
        scenario_config_ids=None,
    )
    for artifact_id in ("class_zone_shape_5A", "merchant_zone_baseline_local_5A", "shape_grid_definition_5A"):
        for name in ("a", "z"):
            world.write(world.place(artifact_id, name), b"x")
    for name in ("a", "z"):
        world.write(world.place("merchant_zone_scenario_local_5A", name), b"x")
    report = run_gate(world.root, world.contracts)
    assert report.scenario_ids == ("a", "z")
    first, second = report.scenarios
    assert (first.start_us, second.start_us) == (1_767_225_600_000_000, -1)
    assert first.end_us - first.start_us == 28 * 86_400_000_000
    assert (first.is_baseline, first.is_stress, second.is_baseline) == (False, True, True)
    assert first.labels == ()


def test_labels_and_version_are_kept(world) -> None:
    scenario = run_gate(world.root, world.contracts).scenarios[0]
    assert scenario.labels == ("baseline", "steady_state")


def _pair(one: Any, other: Any, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array([one, other], kind)


GOOD_TIME = "2026-01-01T00:00:00.000000Z"

WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "no-scenario-id": (INCOMPLETE, {"scenario_id": None}),
    "missing-column": (INVALID, {"is_stress": None}),
    "extra-column": (INVALID, {"surprise": _pair(1, 2)}),
    "null-labels": (INVALID, {"labels": _pair(["x"], None)}),
    "null-label": (INVALID, {"labels": _pair(["x"], ["y", None])}),
    "null-id": (INVALID, {"scenario_id": _pair("a", None)}),
    "null-flag": (INVALID, {"is_baseline": _pair(True, None)}),
    "id-of-wrong-type": (INVALID, {"scenario_id": _pair(1, 2)}),
    "flag-of-wrong-type": (INVALID, {"is_baseline": _pair(1, 0)}),
    "labels-of-wrong-type": (INVALID, {"labels": _pair("x", "y")}),
    "time-of-wrong-type": (INVALID, {"horizon_end_utc": _pair(1, 2, pa.timestamp("us", "UTC"))}),
    "time-without-micros": (INVALID, {"horizon_end_utc": _pair(GOOD_TIME, "2026-01-29T00:00:00Z")}),
    "time-with-offset": (INVALID, {"horizon_end_utc": _pair(GOOD_TIME, "2026-01-29T00:00:00.000000+00:00")}),
    "time-not-in-calendar": (INVALID, {"horizon_end_utc": _pair(GOOD_TIME, "2026-02-30T00:00:00.000000Z")}),
    "time-in-other-digits": (INVALID, {"horizon_end_utc": _pair(GOOD_TIME, "２026-01-29T00:00:00.000000Z")}),
    "other-run": (INVALID, {"manifest_fingerprint": _pair("1" * 64, "9" * 64)}),
    "repeated-id": (INVALID, {"scenario_id": _pair("a", "a")}),
    "empty-id": (INVALID, {"scenario_id": _pair("a", "")}),
    "climbing-id": (INVALID, {"scenario_id": _pair("a", "..")}),
    "id-with-slash": (INVALID, {"scenario_id": _pair("a", "b/c")}),
    "id-with-backslash": (INVALID, {"scenario_id": _pair("a", "b\\c")}),
    "id-with-brace": (INVALID, {"scenario_id": _pair("a", "{seed}")}),
    "id-with-space": (INVALID, {"scenario_id": _pair("a", "b ")}),
    "id-with-nul": (INVALID, {"scenario_id": _pair("a", "b\x00")}),
    "id-too-long": (INVALID, {"scenario_id": _pair("a", "b" * 201)}),
}


@pytest.mark.parametrize(("code", "changes"), WRONG.values(), ids=WRONG)
def test_a_wrong_manifest_is_refused(world, code: str, changes: dict[str, Any]) -> None:
    world.write_manifest(**changes)
    error = world.refused(InputError, code)
    assert "scenario_manifest_5A.parquet" in error.where


def test_a_manifest_without_rows_is_refused(world) -> None:
    world.write_manifest(pq.read_table(world.place("scenario_manifest_5A")).slice(0, 0))
    world.refused(InputError, INCOMPLETE)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all", None], ids=["empty", "magic", "text", "cut"])
def test_an_unreadable_manifest_is_refused(world, content: bytes | None) -> None:
    path = world.place("scenario_manifest_5A")
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    world.refused(InputError, INVALID)


def test_an_absent_manifest_is_incomplete(world) -> None:
    world.place("scenario_manifest_5A").unlink()
    world.refused(InputError, INCOMPLETE)


def test_a_folder_in_its_place_is_refused(world) -> None:
    world.place("scenario_manifest_5A").unlink()
    world.place("scenario_manifest_5A").mkdir()
    world.refused(InputError, INVALID)
