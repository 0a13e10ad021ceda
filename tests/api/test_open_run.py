"""`seg5b.open_run` and what a `Run` gives: paths, tables, frames, checks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import seg5b
from seg5b.errors import ContractError, RunError, Seg5bError
from tests.frames.fake_cudf import FakeCudf
from tests.worlds import copy_run

SCENARIO = "baseline_v1"
ARRIVALS = "arrival_events_5B"


@pytest.fixture
def run(tiny_run: Path) -> seg5b.Run:
    return seg5b.open_run(tiny_run)


def code_of(call: Callable[[], object], kind: type[Seg5bError]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return caught.value.code


# ---------------------------------------------------------------------------------------------- open_run


def test_a_root_is_named_as_text_as_path_or_by_the_environment(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = tiny_run.iterdir()
    assert seg5b.open_run(tiny_run).root.path == seg5b.open_run(str(tiny_run)).root.path == folder
    monkeypatch.setenv("SEG5B_RUNS_ROOT", str(tiny_run))
    assert seg5b.open_run().root.path == folder
    monkeypatch.delenv("SEG5B_RUNS_ROOT")
    monkeypatch.chdir(tmp_path)
    copy_run(tiny_run, tmp_path)
    assert seg5b.open_run().root.path.resolve() == tmp_path / "runs" / folder.name


def test_without_an_id_the_newest_run_is_opened(tiny_run: Path, tmp_path: Path) -> None:
    (folder,) = tiny_run.iterdir()
    receipt = json.loads((folder / "run_receipt.json").read_text())
    for run_id, created in (("0" * 32, "2031-01-01"), ("f" * 32, "2030-01-01")):
        (tmp_path / run_id).mkdir()
        made = {**receipt, "run_id": run_id, "created_utc": f"{created}T00:00:00.000000Z"}
        (tmp_path / run_id / "run_receipt.json").write_text(json.dumps(made))
    assert seg5b.open_run(tmp_path).identity.run_id == "0" * 32
    assert seg5b.open_run(tmp_path, "f" * 32).identity.run_id == "f" * 32


def test_no_run_is_a_typed_error(tiny_run: Path, tmp_path: Path) -> None:
    assert code_of(lambda: seg5b.open_run(tmp_path), RunError) == "5B.RUN.NO_RUN"
    assert code_of(lambda: seg5b.open_run(tmp_path / "nowhere"), RunError) == "5B.RUN.NO_RUN"
    with pytest.raises(RunError):
        seg5b.open_run(tiny_run, "0" * 32)


def test_identity_is_the_receipt_s(run: seg5b.Run) -> None:
    receipt = json.loads((run.root.path / "run_receipt.json").read_text())
    assert run.identity.run_id == receipt["run_id"] == run.root.path.name
    assert (run.identity.seed, run.identity.parameter_hash) == (receipt["seed"], receipt["parameter_hash"])


# ---------------------------------------------------------------------------------------------- path


def test_paths_are_those_of_the_dictionary(run: seg5b.Run) -> None:
    of_arrivals = run.path(ARRIVALS, SCENARIO)
    assert of_arrivals.is_dir() and of_arrivals.name == f"scenario_id={SCENARIO}"
    assert run.path("s1_time_grid_5B", SCENARIO).is_file()
    assert run.path(ARRIVALS, "never_made").name == "scenario_id=never_made", "a path, whether it exists or not"


def test_paths_that_cannot_be_are_typed_errors(run: seg5b.Run) -> None:
    assert code_of(lambda: run.path("arrivals"), ContractError) == "5B.S0.CATALOGUE_INCOMPLETE"
    assert code_of(lambda: run.path(ARRIVALS), ContractError) == "5B.CONTRACT.PATH_TOKEN_MISSING"
    assert code_of(lambda: run.path(ARRIVALS, "../x"), ContractError) == "5B.CONTRACT.PATH_TOKEN_INVALID"


# ---------------------------------------------------------------------------------------------- table


def test_a_table_has_all_parts_in_order(run: seg5b.Run) -> None:
    table = run.table(ARRIVALS, SCENARIO)
    parts = sorted(run.path(ARRIVALS, SCENARIO).glob("part-*.parquet"))
    assert table.num_rows == sum(pq.ParquetFile(part).metadata.num_rows for part in parts) > 0
    assert "scenario_id" in table.column_names and "seed" in table.column_names
    keys = list(zip(table["merchant_id"].to_pylist(), table["arrival_seq"].to_pylist(), strict=True))
    assert keys == sorted(keys)


def test_a_table_of_some_columns_has_them_as_asked(run: seg5b.Run) -> None:
    table = run.table("s3_bucket_counts_5B", SCENARIO, columns=["count_N", "mu"])
    assert table.column_names == ["count_N", "mu"]
    assert sum(table["count_N"].to_pylist()) == run.table(ARRIVALS, SCENARIO, ["ts_utc"]).num_rows


def test_tables_that_are_not_there_are_typed_errors(run: seg5b.Run) -> None:
    assert code_of(lambda: run.table(ARRIVALS, "never_made"), RunError) == "5B.RUN.DATASET_MISSING"
    assert code_of(lambda: run.table("arrivals", SCENARIO), ContractError) == "5B.S0.CATALOGUE_INCOMPLETE"
    assert code_of(lambda: run.table(ARRIVALS), ContractError) == "5B.CONTRACT.PATH_TOKEN_MISSING"


# ---------------------------------------------------------------------------------------------- frame


def test_a_frame_is_made_of_the_same_table(run: seg5b.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cudf", FakeCudf())
    frame = run.frame(ARRIVALS, SCENARIO, ["merchant_id", "is_virtual"])
    table = run.table(ARRIVALS, SCENARIO, ["merchant_id", "is_virtual"])
    assert isinstance(frame, FakeCudf.DataFrame) and frame.columns == table.column_names
    for name in frame.columns:
        memory = frame[name].memory
        assert memory is not None and pa.array(memory).equals(table[name].combine_chunks())
    assert code_of(lambda: run.frame(ARRIVALS, "never_made"), RunError) == "5B.RUN.DATASET_MISSING"


def test_a_frame_without_cudf_is_a_typed_error(run: seg5b.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cudf", None)
    assert code_of(lambda: run.frame(ARRIVALS, SCENARIO), RunError) == "5B.RUN.NO_CUDF"


# ---------------------------------------------------------------------------------------------- checks


def test_checks_are_those_of_the_published_report(run: seg5b.Run) -> None:
    checks = run.checks()
    assert {"PASS"} <= {check["status"] for check in checks} <= {"PASS", "WARN", "NOT_APPLICABLE"}
    assert "s4.time_window" in {check["check_id"] for check in checks}


def test_before_s5_there_are_no_checks(tiny_world: Path) -> None:
    assert seg5b.open_run(tiny_world).checks() == []
