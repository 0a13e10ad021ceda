"""Pruning, on folders made by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from seg5b.calibration import plan_prune, prune
from seg5b.calibration.prune import reclaimable

BASE, DERIVED, FAILED, OTHER = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)
REPORTS = "reports/layer2/realism/segment=5B"


def _run(folder: Path, name: str, **receipt: object) -> Path:
    run = folder / name
    run.mkdir()
    identity = {"run_id": name, "seed": 1, "parameter_hash": "0" * 64, "manifest_fingerprint": "1" * 64}
    (run / "run_receipt.json").write_text(json.dumps({**identity, **receipt}))
    (run / "big.bin").write_bytes(b"x" * 1000)
    return run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    base = _run(tmp_path, BASE)
    (base / "superseded/1").mkdir(parents=True)
    (base / "superseded/1/old.bin").write_bytes(b"y" * 500)
    derived = _run(tmp_path, DERIVED, derived_from=BASE)
    os.link(base / "big.bin", derived / "shared.bin")
    failed = _run(tmp_path, FAILED)
    (failed / "data").mkdir()
    (failed / "data/_FAILED.SENTINEL.json").write_text("{}")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/_FAILED.SENTINEL.json").write_text("{}")
    (tmp_path / OTHER).symlink_to(base)
    return tmp_path


def _report(runs: Path, name: str, payload: dict) -> None:
    folder = runs / BASE / REPORTS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(payload))


def test_a_plan_touches_nothing(runs: Path) -> None:
    before = sorted(runs.rglob("*"))
    plan = plan_prune(runs)
    assert {(item.path.name, item.kind) for item in plan.removable} == {
        (DERIVED, "derived"),
        (FAILED, "failed"),
        ("1", "superseded"),
    }
    assert plan.kept == ((BASE, "base run"),)
    assert sorted(runs.rglob("*")) == before


def test_shared_bytes_are_not_given_back(runs: Path) -> None:
    sizes = {item.path.name: item.size_bytes for item in plan_prune(runs).removable}
    receipt = (runs / DERIVED / "run_receipt.json").stat().st_size
    assert sizes[DERIVED] == 1000 + receipt
    assert sizes["1"] == 500


def test_bytes_shared_by_what_goes_count_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/file").write_bytes(b"z" * 70)
    os.link(tmp_path / "one/file", tmp_path / "two/file")
    assert reclaimable([tmp_path / "one"]) == [0]
    assert reclaimable([tmp_path / "one", tmp_path / "two"]) == [0, 70]


def test_removal(runs: Path) -> None:
    done = prune(plan_prune(runs))
    assert len(done.removed) == 3
    assert done.errors == ()
    assert done.reclaimed_mb == pytest.approx(sum(item.size_bytes for item in done.removed) / 1e6)
    assert {path.name for path in runs.iterdir()} == {BASE, OTHER, "notes"}
    assert (runs / BASE / "big.bin").read_bytes() == b"x" * 1000


def test_what_is_named_or_still_needed_stays(runs: Path) -> None:
    kinds = ("failed", "derived")
    assert {item.path.name for item in plan_prune(runs, keep=[DERIVED], kinds=kinds).removable} == {FAILED}
    assert {item.path.name for item in plan_prune(runs, kinds=("derived",)).removable} == {DERIVED}
    _report(runs, "sweep.json", {"best": {"run_id": DERIVED}})
    assert dict(plan_prune(runs, kinds=kinds).kept)[DERIVED] == "best candidate of the last sweep"
    _report(runs, "sweep.json", {"best": {"run_id": BASE}})
    _report(runs, "certification.json", {"decision": "HOLD_P4_REMEDIATE", "runs": [BASE, DERIVED]})
    assert dict(plan_prune(runs, kinds=kinds).kept)[DERIVED] == "panel of an open certification"
    _report(runs, "certification.json", {"decision": "PASS_B_ROBUST", "runs": [BASE, DERIVED]})
    assert DERIVED in {item.path.name for item in plan_prune(runs, kinds=kinds).removable}
