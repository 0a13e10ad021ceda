"""Law L15: a run is made again from its sealed inputs, and what is published otherwise is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from seg5b.api import Run, open_run
from seg5b.cli import main
from seg5b.gate import open_gate
from seg5b.options import EngineOptions, GateOptions, Options, Tuning
from seg5b.pipeline import run_states
from seg5b.replay import ReplayReport, replay
from seg5b.validation import Problem
from seg5b.world.presets import BASELINE
from tests.long import LONG
from tests.policies import change_policies
from tests.replay.rewriting import by_another_release, rewrite, with_metadata, with_value, without_row
from tests.worlds import copy_run


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Run:
    """The tiny world, S0-S5 done, to be damaged."""
    return open_run(copy_run(tiny_run, tmp_path).path.parent)


def replayed(run: Run, **options: Any) -> ReplayReport:
    return replay(run.root, run.contracts, **options)


def only(report: ReplayReport) -> Problem:
    (problem,) = report.problems
    return problem


def part(run: Run, number: int = 0) -> Path:
    return run.path("arrival_events_5B", BASELINE) / f"part-{number:06d}.parquet"


def test_an_untouched_run_is_what_its_inputs_make(tiny_run: Path) -> None:
    run = open_run(tiny_run)
    before = sorted((path, path.stat().st_mtime_ns) for path in run.root.path.rglob("*"))
    report = replayed(run)
    assert report.ok and not report.notes and report.encoded_otherwise == 0
    assert report.files > 20 and report.size_bytes > 10**6 and set(report.seconds) == {"S0", "S1", "S2", "S3", "S4"}
    assert sorted((path, path.stat().st_mtime_ns) for path in run.root.path.rglob("*")) == before


def test_a_site_exchanged_for_another_is_named_by_its_row(run: Run) -> None:
    arrivals = pq.read_table(part(run)).to_pydict()
    row = next(number for number, site in enumerate(arrivals["site_id"]) if site is not None)
    site = arrivals["site_id"][row]
    rewrite(part(run), with_value("site_id", row, site + 1))
    problem = only(replayed(run))
    assert problem.code == "5B.REPLAY.DIFFERS"
    assert problem.path.endswith("part-000000.parquet") and "arrival_events" in problem.path
    merchant, seq = arrivals["merchant_id"][row], arrivals["arrival_seq"][row]
    assert problem.facts["row"] == row and problem.facts["rows"] == 1
    assert problem.facts["found"] == {"site_id": site + 1} and problem.facts["made_again"] == {"site_id": site}
    assert problem.facts["key"]["merchant_id"] == merchant and problem.facts["key"]["arrival_seq"] == seq
    assert f"site_id is {site + 1}, made again {site}" in problem.what and f"arrival_seq {seq}" in problem.what


SMALL_CHANGES: dict[str, tuple[str, Callable[[pa.Table], pa.Table], str]] = {
    "grid label": ("s1_time_grid_5B", with_value("is_weekend", 7, lambda old: not old), "row 7"),
    "grid labels": (
        "s1_time_grid_5B",
        with_value("scenario_labels", 7, ["QUIET"]),
        "row 7 (bucket_index 7): scenario_labels is ['QUIET'], made again ['",
    ),
    "group": ("s1_grouping_5B", with_value("demand_class", 3, "other"), "demand_class is other"),
    "intensity": (
        "s2_realised_intensity_5B",
        with_value("lambda_realised", 11, lambda old: old * 1.0001),
        "lambda_realised",
    ),
    "count": ("s3_bucket_counts_5B", with_value("count_capped", 20, lambda old: not old), "row 20"),
    "summary": ("s4_arrival_summary_5B", with_value("count_virtual", 5, lambda old: old + 1), "count_virtual"),
    "metadata": ("s2_realised_intensity_5B", with_metadata("seg5b.seed", "43"), "metadata 'seg5b.seed' is '43'"),
    "a row less": ("s4_arrival_summary_5B", without_row(5), "row 5"),
    "a column less": (
        "s1_grouping_5B",
        lambda table: table.drop_columns("zone_group_id"),
        "has no column zone_group_id",
    ),
    "a column more": (
        "s1_grouping_5B",
        lambda table: table.append_column("note", pa.nulls(table.num_rows, pa.int8())),
        "has a column note",
    ),
}


@pytest.mark.parametrize("name", SMALL_CHANGES)
def test_any_small_change_is_named(run: Run, name: str) -> None:
    dataset_id, change, told = SMALL_CHANGES[name]
    path = run.path(dataset_id, BASELINE)
    rewrite(path, change)
    named = {problem.path: problem for problem in replayed(run).problems}
    assert told in named[path.relative_to(run.root.path).as_posix()].what


def test_bounds_that_would_hide_rows_are_named(run: Run) -> None:
    """Readers skip row groups by their bounds, so that a wrong one loses rows without changing any."""
    rewrite(part(run), lambda table: table, write_statistics=["merchant_id"])
    assert "states for bucket_index of row group 0 nothing" in only(replayed(run)).what


def test_another_encoding_of_the_same_is_no_fault_of_another_release(run: Run) -> None:
    rewrite(part(run), lambda table: table, compression="GZIP")
    assert "in other bytes, though by the same release" in only(replayed(run)).what
    by_another_release(part(run))
    report = replayed(run)
    assert report.ok and report.encoded_otherwise == 1 and "1 files hold the same in other bytes" in report.notes[0]


def test_a_file_that_cannot_be_read_is_named(run: Run) -> None:
    part(run).write_bytes(b"PAR1 no more PAR1")
    assert "cannot be read" in only(replayed(run)).what


def test_files_that_no_state_makes_and_files_that_are_missing_are_named(run: Run) -> None:
    shutil.copy(part(run), part(run, 77))
    latent = run.path("s2_latent_field_5B", BASELINE)
    latent.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(part(run), latent)
    part(run, 1).unlink()
    found = {(problem.code, Path(problem.path).name) for problem in replayed(run).problems}
    assert found == {
        ("5B.REPLAY.UNMADE", "part-000077.parquet"),
        ("5B.REPLAY.UNMADE", latent.name),
        ("5B.REPLAY.MISSING", "part-000001.parquet"),
    }


def trace(run: Run, state: str) -> Path:
    (path,) = run.path("rng_trace_log").glob(f"state={state}/scenario_id={BASELINE}/*")
    return path


def edited(path: Path, line: int, **values: Any) -> None:
    lines = path.read_text("ascii").splitlines()
    record = {**json.loads(lines[line]), **values}
    lines[line] = json.dumps(record, sort_keys=True, separators=(",", ":"))
    path.write_text("\n".join([*lines, ""]), "ascii")


@pytest.mark.parametrize("state", ["S2", "S3", "S4"])
@pytest.mark.parametrize("parts", [None, 1])
def test_counters_of_the_trace_are_made_again(run: Run, state: str, parts: int | None) -> None:
    edited(trace(run, state), 0, rng_counter_before_lo=7)
    some = parts is not None and state == "S4"
    problem = only(replayed(run, parts=None if some else parts))
    assert problem.path.endswith("rng_trace_log.jsonl") and "rng_counter_before_lo" in problem.what


def test_the_audit_log_is_judged_by_what_follows_from_the_run(run: Run) -> None:
    edited(run.path("rng_audit_log"), 0, algorithm="pcg64", hostname="elsewhere")
    assert only(replayed(run)).what == "algorithm is 'pcg64', made again 'philox2x64-10'"


def test_some_parts_are_always_the_same_ones(run: Run) -> None:
    report = replayed(run, parts=1)
    assert report.ok and "s4_arrival_summary_5B" in report.notes[0]
    every = replayed(run)
    assert 0 < report.size_bytes < every.size_bytes
    hit = []
    for number in range(5):
        sound = part(run, number).read_bytes()
        rewrite(part(run, number), with_value("arrival_seq", 0, 10**6))
        hit.append(not replayed(run, parts=1).ok)
        part(run, number).write_bytes(sound)
    assert sum(hit) == 1


@LONG
def test_event_logs_are_made_again_where_they_are_published(tiny_world: Path, tmp_path: Path) -> None:
    run = open_run(copy_run(tiny_world, tmp_path).path.parent)
    options = Options(tuning=Tuning(event_logs="jsonl"))
    run_states(run.root, run.contracts, ("S0", "S1", "S2", "S3", "S4"), options=options)
    assert replayed(run).ok
    log = next(run.path("rng_event_arrival_site_pick").rglob("*.jsonl"))
    edited(log, 1000, arrival_index=99)
    assert "line 1001: arrival_index is 99" in only(replayed(run)).what
    assert "rng_event_arrival_site_pick" in " ".join(replayed(run, parts=1).notes)


def test_a_cluster_makes_it_again(run: Run) -> None:
    pytest.importorskip("distributed")
    rewrite(part(run, 2), with_value("is_virtual", 3, lambda old: not old))
    report = replayed(run, options=Options(engine=EngineOptions("dask", workers=1)))
    assert only(report).facts["row"] == 3 and only(report).path.endswith("part-000002.parquet")


def test_inputs_gate_and_policies_of_another_world_are_named_by_the_first_gate(
    run: Run, tmp_path: Path, tiny_run: Path
) -> None:
    """Exchanged together they agree with each other, and with outputs that were made from them."""
    other = copy_run(tiny_run, tmp_path / "other")
    change_policies(other.path, {"arrival_count_config_5B": {"lambda_zero_eps": 2e-9}})
    made = open_run(other.path.parent)
    run_states(made.root, made.contracts, ("S0",), options=Options(gate=GateOptions(reseal=True)))
    run_states(made.root, made.contracts, ("S1", "S2", "S3", "S4", "S5"))
    assert replayed(made).ok and "sealed 2 times" in replayed(made).notes[0]
    for name in ("data", "logs", "reference", "config"):
        if (made.root.path / name).exists():
            shutil.rmtree(run.root.path / name, ignore_errors=True)
            shutil.copytree(made.root.path / name, run.root.path / name)
    problem = only(replayed(run))
    assert problem.code == "5B.REPLAY.GATE_EXCHANGED" and "but S0 sealed" in problem.what


def test_an_input_that_was_changed_stops_the_states_that_read_it(run: Run) -> None:
    surface = open_gate(run.root, run.contracts, state="S2").files("merchant_zone_scenario_local_5A", BASELINE)[0]
    content = surface.read_bytes()
    surface.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    problems = replayed(run).problems
    assert [problem.what.split()[0] for problem in problems] == ["S0", "S1", "S2"]
    assert surface.name in problems[0].what
    assert all(problem.path == surface.relative_to(run.root.path).as_posix() for problem in problems[1:])


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    return result.exit_code, result.output


def test_the_command_says_what_it_found(run: Run) -> None:
    runs_root = str(run.root.path.parent)
    status, told = invoke("verify", "--runs-root", runs_root, "--replay", "all", "--json")
    result = json.loads(told)
    assert status == 0 and result["status"] == "PASS" and result["replay"]["files"] > 20
    rewrite(part(run), with_value("edge_id", 0, 4))
    status, told = invoke("verify", "--runs-root", runs_root, "--replay", "--json")
    result = json.loads(told)
    assert status == 1 and result["status"] == "FAIL"
    assert [problem["code"] for problem in result["problems"]] == ["5B.S5.PUBLISHED_FILE_CHANGED", "5B.REPLAY.DIFFERS"]
    assert result["problems"][1]["row"] == 0
    status, told = invoke("verify", "--runs-root", runs_root, "--replay", "none")
    assert status == 2 and "neither 'all' nor a number of parts" in told


def test_verify_of_a_run_that_failed_says_that_first(tiny_arrivals: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_arrivals, tmp_path)
    status, told = invoke("verify", "--runs-root", str(root.path.parent))
    assert status == 1 and told.startswith("5B.S5.BUNDLE_MISSING") and len(told.splitlines()) == 2
    (ledger,) = root.path.glob("reports/layer2/segment_state_runs/segment=5B/*/*.jsonl")
    record = {**json.loads(ledger.read_text().splitlines()[-1]), "state": "S5", "status": "FAIL"}
    record |= {"error_code": "5B.S5.STRUCTURE", "error_context": {"what": "a check failed"}}
    ledger.write_text(ledger.read_text() + json.dumps(record) + "\n")
    status, told = invoke("verify", "--runs-root", str(root.path.parent))
    assert status == 1 and told.startswith("5B.S5.STRUCTURE: .: S5 failed at ") and len(told.splitlines()) == 2
