"""The run folder: receipt, choice of the latest run, path resolution (docs/laws#run-layout)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from seg5b.errors import RunError
from seg5b.runs import RunIdentity, RunRoot, latest_run_id, open_root
from seg5b.runs.root import default_runs_root

RUN_ID = "0123456789abcdef" * 2
RECEIPT = {
    "run_id": RUN_ID,
    "seed": 42,
    "parameter_hash": "2" * 64,
    "manifest_fingerprint": "1" * 64,
    "created_utc": "2026-01-01T00:00:00.000000Z",
    "contracts_layout": "model_spec",
}


def _write(path: Path, content: str | bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _run(runs: Path, run_id: str = RUN_ID, **changes: Any) -> Path:
    return _write(runs / run_id / "run_receipt.json", json.dumps({**RECEIPT, "run_id": run_id, **changes}))


def _root(tmp_path: Path, *external: Path) -> RunRoot:
    _run(tmp_path / "runs")
    return open_root(tmp_path / "runs", RUN_ID, external)


# --- receipt ---------------------------------------------------------------------------------------------------


def test_a_receipt_gives_identity_and_keeps_its_other_fields(tmp_path: Path) -> None:
    root = _root(tmp_path)
    assert root.identity == RunIdentity(RUN_ID, 42, "2" * 64, "1" * 64)
    assert root.receipt["contracts_layout"] == "model_spec"
    assert root.path == tmp_path / "runs" / RUN_ID


def test_tokens_are_plain_text(tmp_path: Path) -> None:
    identity = RunIdentity(RUN_ID, 2**64 - 1, "2" * 64, "1" * 64)
    assert identity.tokens()["seed"] == "18446744073709551615"
    assert "scenario_id" not in identity.tokens()
    assert identity.tokens("baseline_v1")["scenario_id"] == "baseline_v1"


@pytest.mark.parametrize(
    "changes",
    [
        {"run_id": ""},
        {"run_id": "f" * 32},
        {"run_id": RUN_ID.upper()},
        {"run_id": 7},
        {"seed": None},
        {"seed": "42"},
        {"seed": 4.5},
        {"seed": True},
        {"seed": -1},
        {"seed": 2**64},
        {"parameter_hash": ""},
        {"parameter_hash": "A" * 64},
        {"parameter_hash": None},
        {"manifest_fingerprint": "1" * 63},
        {"manifest_fingerprint": "1" * 64 + "\n"},
        {"manifest_fingerprint": ["1" * 64]},
    ],
    ids=str,
)
def test_a_receipt_with_a_wrong_identity_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    _write(tmp_path / RUN_ID / "run_receipt.json", json.dumps({**RECEIPT, **changes}))
    with pytest.raises(RunError) as caught:
        open_root(tmp_path, RUN_ID)
    assert caught.value.code == "5B.S0.RUN_IDENTITY_INVALID"
    assert next(iter(changes)) in caught.value.what


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000], ids=["empty", "cut", "utf16", "deep"])
def test_an_unreadable_receipt_is_refused(tmp_path: Path, content: bytes) -> None:
    _write(tmp_path / RUN_ID / "run_receipt.json", content)
    with pytest.raises(RunError) as caught:
        open_root(tmp_path, RUN_ID)
    assert caught.value.code == "5B.RUN.RECEIPT_UNREADABLE"


@pytest.mark.parametrize("content", ["[]", "null", '"x"', "7"])
def test_a_receipt_of_another_shape_has_no_identity(tmp_path: Path, content: str) -> None:
    _write(tmp_path / RUN_ID / "run_receipt.json", content)
    with pytest.raises(RunError) as caught:
        open_root(tmp_path, RUN_ID)
    assert caught.value.code == "5B.S0.RUN_IDENTITY_INVALID"


def test_an_unknown_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        open_root(tmp_path, RUN_ID)
    assert caught.value.code == "5B.RUN.NO_RUN"


# --- latest ----------------------------------------------------------------------------------------------------


def _dated(runs: Path, run_id: str, created: object, mtime: float) -> None:
    os.utime(_run(runs, run_id, created_utc=created), (mtime, mtime))


A, B, C = "a" * 32, "b" * 32, "c" * 32


def test_the_latest_run_has_the_newest_creation_time_not_the_newest_file(tmp_path: Path) -> None:
    _dated(tmp_path, A, "2026-03-01T00:00:00.000000Z", 1_000_000_000)
    _dated(tmp_path, B, "2026-02-01T00:00:00.000000Z", 1_900_000_000)
    assert latest_run_id(tmp_path) == A
    assert open_root(tmp_path).identity.run_id == A


def test_creation_times_are_moments_not_texts(tmp_path: Path) -> None:
    _dated(tmp_path, A, "2026-03-01T00:30:00+02:00", 5)
    _dated(tmp_path, B, "2026-02-28T23:00:00", 5)  # naive means UTC: half an hour later
    assert latest_run_id(tmp_path) == B


def test_equal_creation_times_are_told_apart_by_the_file_time(tmp_path: Path) -> None:
    _dated(tmp_path, A, "2026-03-01T00:00:00Z", 9)
    _dated(tmp_path, B, "2026-03-01T00:00:00.000000Z", 8)
    assert latest_run_id(tmp_path) == A


@pytest.mark.parametrize("created", [None, "yesterday", 7, ["x"]], ids=str)
def test_without_a_usable_creation_time_the_file_time_counts(tmp_path: Path, created: object) -> None:
    _dated(tmp_path, A, created, 1_900_000_000)  # 2030
    _dated(tmp_path, B, "2026-03-01T00:00:00Z", 1_950_000_000)
    assert latest_run_id(tmp_path) == A


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b"[" * 100_000], ids=["cut", "utf8", "list", "deep"])
def test_a_receipt_that_is_no_json_counts_at_its_file_time(tmp_path: Path, content: bytes) -> None:
    os.utime(_write(tmp_path / A / "run_receipt.json", content), (1_900_000_000, 1_900_000_000))
    _dated(tmp_path, B, "2026-03-01T00:00:00Z", 5)
    assert latest_run_id(tmp_path) == A


def test_only_receipts_exactly_one_level_down_count(tmp_path: Path) -> None:
    _dated(tmp_path, A, "2026-01-01T00:00:00Z", 5)
    _dated(tmp_path / "archive", B, "2026-03-01T00:00:00Z", 5)
    _write(tmp_path / "run_receipt.json", json.dumps({**RECEIPT, "created_utc": "2027-01-01T00:00:00Z"}))
    assert latest_run_id(tmp_path) == A


def test_no_receipt_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        latest_run_id(tmp_path)
    assert caught.value.code == "5B.RUN.NO_RUN"


def test_the_variable_only_locates_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEG5B_RUNS_ROOT", "/elsewhere")
    assert default_runs_root() == Path("/elsewhere")
    monkeypatch.setenv("SEG5B_RUNS_ROOT", "")
    assert default_runs_root() == Path("runs")


# --- paths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", ["data", "logs", "reports"])
def test_run_folders_are_not_searched(tmp_path: Path, top: str) -> None:
    external = tmp_path / "external"
    _write(external / top / "x.bin")
    root = _root(tmp_path, external)
    assert root.resolve(f"{top}/x.bin") == root.path / top / "x.bin"
    assert not root.resolve(f"{top}/x.bin").exists()


def test_configuration_is_found_in_the_run_before_the_external_roots(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for external in (first, second):
        _write(external / "config/a.yaml")
    _write(second / "config/b.yaml")
    root = _root(tmp_path, first, second)
    assert root.resolve("config/a.yaml") == first / "config/a.yaml"
    assert root.resolve("config/b.yaml") == second / "config/b.yaml"
    _write(root.path / "reference/config/a.yaml")
    assert root.resolve("config/a.yaml") == root.path / "reference/config/a.yaml"


def test_artefacts_skip_the_reference_folder(tmp_path: Path) -> None:
    external = tmp_path / "external"
    root = _root(tmp_path, external)
    _write(root.path / "reference/artefacts/x.bin")
    with pytest.raises(RunError) as caught:
        root.resolve("artefacts/x.bin")
    assert caught.value.code == "5B.RUN.INPUT_UNRESOLVED"
    assert str(external) in caught.value.what
    _write(external / "artefacts/x.bin")
    assert root.resolve("artefacts/x.bin") == external / "artefacts/x.bin"


@pytest.mark.parametrize("path", ["", "/etc/hostname", "../x", "data/../../x", "config/../x", "data\\..\\x"], ids=str)
def test_paths_that_leave_their_root_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(RunError) as caught:
        _root(tmp_path).resolve(path)
    assert caught.value.code == "5B.RUN.PATH_ESCAPES"


def test_a_link_out_of_the_run_is_refused(tmp_path: Path) -> None:
    root = _root(tmp_path)
    (tmp_path / "outside").mkdir()
    (root.path / "data").symlink_to(tmp_path / "outside")
    with pytest.raises(RunError) as caught:
        root.resolve("data/layer1/x.bin")
    assert caught.value.code == "5B.RUN.PATH_ESCAPES"


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    root = _root(tmp_path)
    (root.path / "data").symlink_to(root.path / "data")
    with pytest.raises(RunError) as caught:
        root.resolve("data/layer1/x.bin")
    assert caught.value.code == "5B.RUN.PATH_ESCAPES"


def test_a_runs_root_behind_a_link_is_fine(tmp_path: Path) -> None:
    _run(tmp_path / "real")
    (tmp_path / "runs").symlink_to(tmp_path / "real")
    root = open_root(tmp_path / "runs", RUN_ID)
    assert root.resolve("data/x.bin") == tmp_path / "runs" / RUN_ID / "data/x.bin"


def test_scratch_is_made_on_first_use(tmp_path: Path) -> None:
    root = _root(tmp_path)
    assert not (root.path / "tmp").exists()
    assert root.tmp() == root.path / "tmp"
    assert root.tmp().is_dir()
