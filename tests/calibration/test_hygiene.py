"""Pruning, on folders made by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from seg5b_kernels._cache import _FOLDER as KERNELS_CACHE

from seg5b.calibration import plan_prune, prune
from seg5b.calibration.prune import Plan, reclaimable
from seg5b.part_scan._compiled import _FOLDER as SCANS_CACHE
from seg5b.runs.lock import exclusive
from seg5b.runs.root import open_root
from seg5b.runs.scratch import has_reader, reader_scratch
from seg5b.tables.text.loop import _FOLDER as TEXT_CACHE
from tests.calibration.ledgers import append_records

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


def _failed(run: Path, code: str = "5B.S4.BOOM", *, made: bool = True) -> Path:
    """A run whose S4 failed last; ``made`` by `seg5b world make`."""
    append_records(run, {"S1": 1.0})
    append_records(run, {"S4": 1.0}, status="FAIL", error_code=code)
    if made:
        (run / "reports/world_report.json").write_text("{}")
    return run


def test_a_run_whose_state_failed_last_is_failed(tmp_path: Path) -> None:
    failed = _failed(_run(tmp_path, FAILED))
    plan = plan_prune(tmp_path)
    assert [(item.path, item.kind) for item in plan.removable] == [(failed, "failed")]
    assert prune(plan).errors == () and not failed.exists()


@pytest.mark.parametrize(
    ("code", "made", "why"),
    [("5B.S4.BOOM", False, "upstream's, though S4 failed"), ("5B.S4.INTERRUPTED", True, "base run")],
)
def test_a_foreign_or_interrupted_run_stays(tmp_path: Path, code: str, made: bool, why: str) -> None:
    _failed(_run(tmp_path, BASE), code, made=made)
    assert plan_prune(tmp_path) == Plan((), ((BASE, why),))


def test_a_state_that_passed_since_is_no_failure(tmp_path: Path) -> None:
    run = _failed(_run(tmp_path, BASE))
    append_records(run, {"S4": 1.0})
    assert plan_prune(tmp_path).removable == ()


def test_a_failed_base_stays_while_what_came_from_it_stays(tmp_path: Path) -> None:
    """Over two steps: the derived run that is named, and the one between."""
    _failed(_run(tmp_path, BASE))
    _failed(_run(tmp_path, DERIVED, derived_from=BASE))
    _run(tmp_path, OTHER, derived_from=DERIVED)
    assert {item.path.name for item in plan_prune(tmp_path).removable} == {BASE, DERIVED, OTHER}
    plan = plan_prune(tmp_path, keep=[OTHER])
    assert plan.removable == ()
    assert dict(plan.kept)[BASE] == f"the derived run {DERIVED[:8]} came from it"


def test_a_run_that_is_written_to_stays(tmp_path: Path) -> None:
    failed = _failed(_run(tmp_path, FAILED))
    before = plan_prune(tmp_path)
    with exclusive(open_root(tmp_path, FAILED)):
        assert dict(plan_prune(tmp_path).kept)[FAILED] == "a process writes to it"
        assert [path for path, _ in prune(before).errors] == [str(failed)], "nor one that is written to since"
    assert failed.exists()


def test_scratch_that_nobody_works_with(tmp_path: Path) -> None:
    root = open_root(tmp_path, _run(tmp_path, BASE).name)
    left, parts, scans = (root.tmp() / name for name in ("S4_left", "kept/S4", "kept/parts"))
    for folder, size in ((left, 300), (parts, 50), (scans, 20)):
        folder.mkdir(parents=True)
        (folder / "x.bin").write_bytes(b"x" * size)
    with reader_scratch(root, "score") as working:
        plan = plan_prune(tmp_path)
        assert [(item.path, item.size_bytes) for item in plan.removable] == [(left, 300)], "somebody reads the scans"
        assert plan.by_kind == {"scratch": 300}
        assert "somebody reads it" in dict(prune(plan).errors)[str(left)] and working.exists()
    plan = plan_prune(tmp_path)
    assert [item.path for item in plan.removable] in ([scans], [left, scans])
    assert prune(plan).errors == ()
    assert (parts / "x.bin").exists() and not left.exists() and not scans.exists(), "S4 goes on with its parts"
    assert not has_reader(left) and not has_reader(root.path / "big.bin")


def test_caches_of_other_sources(tmp_path: Path) -> None:
    """The folders that this process compiles into stay, and so does what is none."""
    own = [folder.name for folder in (KERNELS_CACHE, SCANS_CACHE, TEXT_CACHE)]
    for name in (*own, "kernels-0123456789abcdef", "part-scan-0123456789abcdef", "cupy", "kernels"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "loop.nbc").write_bytes(b"x" * 10)
    found = plan_prune(tmp_path / "none", kinds=("caches",), caches=tmp_path)
    assert [item.path.name for item in found.removable] == ["kernels-0123456789abcdef", "part-scan-0123456789abcdef"]
    assert prune(found).reclaimed_mb == pytest.approx(2e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*own, "cupy", "kernels"])
    assert plan_prune(tmp_path / "none", caches=tmp_path).removable == (), "they serve others: only where named"


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
