"""What S0 writes, byte for byte, and how it meets what is already there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

import seg5b.gate.publication as publication
from seg5b.errors import GateError, PublishError
from seg5b.gate import open_gate, run_gate
from seg5b.publish import Outcome, publish_bytes

CONFLICT, MISMATCH = "5B.S0.IO_WRITE_CONFLICT", "5B.S0.GATE_RECEIPT_DIGEST_MISMATCH"


def test_the_three_documents_are_canonical_json(world) -> None:
    report = run_gate(world.root, world.contracts)
    assert report.outcome is Outcome.WRITTEN
    part = f"manifest_fingerprint={world.FINGERPRINT}"
    files = world.gate_files()
    assert sorted(files) == [
        f"s0_gate_receipt/{part}/s0_gate_receipt_5B.json",
        f"sealed_content/{part}/sealed_content_5B.json",
        f"sealed_inputs/{part}/sealed_inputs_5B.json",
    ]
    for content in files.values():
        assert content == world.canon(json.loads(content))
    assert world.gate_files().keys() == files.keys()


def test_the_receipt_holds_what_the_contract_asks(world) -> None:
    report = run_gate(world.root, world.contracts)
    receipt = json.loads(world.receipt().read_bytes())
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", receipt.pop("created_utc"))
    assert receipt.pop("upstream_segments") == report.summary["upstream_segments"]
    assert receipt == {
        "manifest_fingerprint": world.FINGERPRINT,
        "parameter_hash": world.PARAMETERS,
        "seed": world.SEED,
        "run_id": world.RUN_ID,
        "scenario_set": ["baseline_v1", "stress_v1"],
        "sealed_inputs_digest": report.sealed_inputs_digest,
        "sealed_inputs_row_count": 52,
        "spec_version": "1.0.0",
    }


def test_sealed_content_lists_every_file_behind_what_is_read(world) -> None:
    run_gate(world.root, world.contracts)
    content = json.loads(world.content().read_bytes())
    assert content.keys() == {"manifest_fingerprint", "parameter_hash", "entries"}
    entries = content["entries"]
    listed = {entry["artifact_id"] for entry in entries}
    never_read = {
        "s3_day_effects",
        "edge_catalogue_index_3B",
        "virtual_validation_contract_3B",
        "class_zone_shape_5A",
        "merchant_zone_baseline_local_5A",
        "merchant_zone_overlay_factors_5A",
        "merchant_zone_scenario_utc_5A",
        "shape_grid_definition_5A",
    }
    rows = json.loads(world.sealed().read_bytes())
    assert {row["artifact_id"] for row in rows if row["role"] in ("dataset", "policy")} - listed == never_read
    local = [entry for entry in entries if entry["artifact_id"] == "merchant_zone_scenario_local_5A"]
    assert [entry["scenario_id"] for entry in local] == ["baseline_v1", "stress_v1"]
    assert [entry["path"].rpartition("/")[2] for entry in entries if entry["artifact_id"] == "tz_timetable_cache"] == [
        "tz_cache_v1.bin",
        "tz_timetable_cache.json",
    ]
    for entry in entries:
        below = "reference" if entry["path"].startswith("config/") else ""
        body = (world.root.path / below / entry["path"]).read_bytes()
        assert (entry["size_bytes"], entry["sha256_hex"]) == (len(body), world.sha(body))


def test_the_summary_counts_rows_as_the_run_record_does(world) -> None:
    summary = run_gate(world.root, world.contracts).summary
    counts = {key: value for key, value in summary.items() if key.startswith("sealed_inputs_") and key != "digest"}
    del counts["sealed_inputs_digest"]
    assert counts.pop("sealed_inputs_absent") == []
    assert counts == {
        "sealed_inputs_row_count_total": 52,
        "sealed_inputs_row_count_required": 47,
        "sealed_inputs_row_count_optional": 5,
        "sealed_inputs_row_count_internal": 0,
        "sealed_inputs_row_count_ignored": 0,
        "sealed_inputs_count_dataset": 27,
        "sealed_inputs_count_config": 11,
        "sealed_inputs_count_validation": 14,
    }


def test_running_again_changes_nothing(world) -> None:
    run_gate(world.root, world.contracts)
    before = {path: path.stat().st_mtime_ns for path in (world.receipt(), world.sealed(), world.content())}
    assert run_gate(world.root, world.contracts).outcome is Outcome.UNCHANGED
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_gate_of_the_reference_is_accepted_and_gets_the_content_list(world) -> None:
    run_gate(world.root, world.contracts)
    kept = world.receipt().read_bytes()
    content = world.content().read_bytes()
    world.content().unlink()
    assert open_gate(world.root, world.contracts, state="S2").content is None
    assert run_gate(world.root, world.contracts).outcome is Outcome.WRITTEN
    assert (world.receipt().read_bytes(), world.content().read_bytes()) == (kept, content)


@pytest.mark.parametrize("survivors", range(4))
def test_a_gate_killed_between_two_documents_is_completed(world, monkeypatch, survivors: int) -> None:
    real = publish_bytes
    calls: list[tuple[object, ...]] = []

    def killed_later(*arguments, **options):
        if len(calls) == survivors:
            raise KeyboardInterrupt
        calls.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(publication, "publish_bytes", killed_later)
    if survivors < 3:
        with pytest.raises(KeyboardInterrupt):
            run_gate(world.root, world.contracts)
        assert not world.receipt().exists()
        assert len(world.gate_files()) == survivors
    monkeypatch.setattr(publication, "publish_bytes", real)
    assert run_gate(world.root, world.contracts).outcome is Outcome.WRITTEN
    open_gate(world.root, world.contracts, state="S1")


# --- conflicts -------------------------------------------------------------------------------------------------


def _edit(name: str, change: Callable) -> Callable:
    def apply(world) -> None:
        path = getattr(world, name)()
        path.write_bytes(change(path.read_bytes()))

    return apply


def _edit_policy(world) -> None:
    path = world.place("grouping_policy_5B")
    path.write_bytes(path.read_bytes() + b"# another\n")


def _edit_receipt(**changes) -> Callable:
    return _edit("receipt", lambda body: json.dumps({**json.loads(body), **changes}).encode())


CONFLICTS = {
    "policy-changed": (PublishError, CONFLICT, "grouping_policy_5B", _edit_policy),
    "data-changed": (
        PublishError,
        CONFLICT,
        "zone_alloc",
        lambda world: (world.place("zone_alloc") / "part-00000.parquet").write_bytes(b"other"),
    ),
    "data-added": (
        PublishError,
        CONFLICT,
        "part-00001.parquet",
        lambda world: (world.place("zone_alloc") / "part-00001.parquet").write_bytes(b"other"),
    ),
    "sealed-absent": (PublishError, CONFLICT, "sealed inputs", lambda world: world.sealed().unlink()),
    "sealed-object": (PublishError, CONFLICT, "dict, not list", _edit("sealed", lambda _: b"{}")),
    "sealed-scalars": (PublishError, CONFLICT, "not rows", _edit("sealed", lambda _: b"[1,2]")),
    "sealed-cut": (PublishError, CONFLICT, "not JSON", _edit("sealed", lambda body: body[:-1])),
    "sealed-edited": (
        PublishError,
        CONFLICT,
        "zone_alloc",
        _edit("sealed", lambda body: body.replace(b'"owner_team":"mlr-3a-core"', b'"owner_team":"me"')),
    ),
    "content-list": (PublishError, CONFLICT, "list, not dict", _edit("content", lambda _: b"[]")),
    "content-cut": (PublishError, CONFLICT, "not JSON", _edit("content", lambda body: body[:-1])),
    "content-other-shape": (PublishError, CONFLICT, "different files", _edit("content", lambda _: b'{"entries":[1]}')),
    "receipt-cut": (GateError, MISMATCH, "not JSON", _edit("receipt", lambda body: body[:-1])),
    "receipt-list": (GateError, MISMATCH, "created_utc", _edit("receipt", lambda _: b"[]")),
    "receipt-time": (GateError, MISMATCH, "created_utc", _edit_receipt(created_utc="yesterday")),
    "receipt-run": (GateError, MISMATCH, "run_id", _edit_receipt(run_id="b" * 32)),
    "receipt-extra": (GateError, MISMATCH, "surprise", _edit_receipt(surprise=1)),
}


@pytest.mark.parametrize(("error", "code", "word", "damage"), CONFLICTS.values(), ids=CONFLICTS)
def test_another_gate_is_a_conflict_and_nothing_is_replaced(sealed, error, code, word, damage: Callable) -> None:
    damage(sealed)
    refusal = sealed.refused(error, code)
    assert word in refusal.what
    assert "--reseal" in refusal.remedy


def test_a_conflict_does_not_add_the_content_list(world) -> None:
    run_gate(world.root, world.contracts)
    world.content().unlink()
    _edit_policy(world)
    world.refused(PublishError, CONFLICT)


def test_a_disk_that_refuses_is_a_typed_error(world) -> None:
    world.write(world.root.path / "data/layer2/5B", b"a file where a folder must be")
    with pytest.raises(PublishError) as caught:
        run_gate(world.root, world.contracts)
    assert caught.value.code == "5B.S0.IO_WRITE_FAILED"


def test_a_scratch_folder_that_cannot_be_made_is_a_typed_error(world) -> None:
    world.write(world.root.path / "tmp", b"a file where a folder must be")
    world.refused(PublishError, "5B.S0.IO_WRITE_FAILED")
