"""A whole run in the reference engine's form: what it holds, what it is checked for, what it refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from seg5b.api import Run, open_run
from seg5b.cli import main
from seg5b.errors import InputError, PublishError, RunError
from seg5b.export import ReferenceRoot, reference_root
from seg5b.tables import reference_form
from seg5b.tables.reference_form import columns_of, reference_digest, write_reference_form
from seg5b.tables.text import moment_texts
from tests.splitting import split
from tests.validation.harness import Run as JudgedRun
from tests.worlds import copy_run

TABLES = "data/layer2/5B"
GRID, ARRIVALS = "s1_time_grid_5B", "arrival_events_5B"
BASELINE = "baseline_v1"


@pytest.fixture(scope="module")
def judged(tiny_run: Path) -> Run:
    return open_run(tiny_run)


@pytest.fixture(scope="module")
def done(judged: Run, tmp_path_factory: pytest.TempPathFactory) -> ReferenceRoot:
    return judged.export_reference_root(tmp_path_factory.mktemp("reference") / "runs")


def table_of(done: ReferenceRoot, dataset_id: str, scenario: str = BASELINE) -> pa.Table:
    (entry,) = [
        each for each in done.receipt["datasets"] if (each["dataset_id"], each["scenario_id"]) == (dataset_id, scenario)
    ]
    return pa.concat_tables([pq.read_table(done.path / name, partitioning=None) for name in entry["files"]])


@pytest.mark.parametrize("dataset_id", reference_form.COLUMNS)
def test_rows_are_the_published_ones(judged: Run, done: ReferenceRoot, dataset_id: str) -> None:
    found = table_of(done, dataset_id)
    source = judged.table(dataset_id, BASELINE).select(found.column_names)
    assert found.num_rows == source.num_rows > 0
    for name in found.column_names:
        kind = source.schema.field(name).type
        values = source.column(name).to_pylist()
        if pa.types.is_timestamp(kind):
            values = [value.strftime("%Y-%m-%dT%H:%M:%S.%f") + ("Z" if kind.tz else "") for value in values]
        assert found.column(name).to_pylist() == values, name


@pytest.mark.parametrize("dataset_id", reference_form.COLUMNS)
def test_texts_are_plain_and_columns_are_those_of_the_form(done: ReferenceRoot, dataset_id: str) -> None:
    polars = pytest.importorskip("polars")
    schema = table_of(done, dataset_id).schema
    optional = {"lambda_realised", "tz_group_id"} if dataset_id == ARRIVALS else set()
    assert schema.names == [name for name in reference_form.COLUMNS[dataset_id] if name not in optional]
    kinds = {str(field.type) for field in schema} - {"list<element: string>", "list<item: string>"}
    assert kinds <= {"string", "uint64", "int64", "double", "bool"}
    (first, *_) = (done.path / TABLES).rglob(f"*{dataset_id.removesuffix('_5B').removeprefix('s4_')}*/**/*.parquet")
    read = polars.read_parquet(first).schema
    assert {read[name] for name in read if "tzid" in name or name.startswith("ts_")} <= {polars.String}


def test_root_is_whole_and_of_copies(judged: Run, done: ReferenceRoot) -> None:
    assert done.path.name == judged.identity.run_id
    found = {path.name for path in done.path.iterdir()}
    assert found == {"data", "logs", "reference", "reports", "run_receipt.json", "reference_form.json"}
    assert not [
        path for path in done.path.rglob("*") if path.is_symlink() or (path.stat().st_nlink > 1 and path.is_file())
    ]
    for folder in ("data/layer1", "data/layer2/5A", f"{TABLES}/validation", f"{TABLES}/sealed_inputs", "reference"):
        for path in (judged.root.path / folder).rglob("*"):
            if path.is_file():
                assert (done.path / path.relative_to(judged.root.path)).read_bytes() == path.read_bytes()
    assert not list((done.path / TABLES).rglob("*anomalies_5B*")) and not list(done.path.parent.glob(".*"))
    assert open_run(done.path.parent).identity == judged.identity


def test_receipt_says_what_was_compared(judged: Run, done: ReferenceRoot) -> None:
    receipt = json.loads((done.path / "reference_form.json").read_text())
    assert receipt == done.receipt and (receipt["through"], receipt["form"]) == ("S5", "reference")
    by_place = {(each["dataset_id"], each["scenario_id"]): each for each in receipt["datasets"]}
    arrivals = by_place[ARRIVALS, BASELINE]
    assert arrivals["rows"] == len(judged.table(ARRIVALS, BASELINE, ["merchant_id"])) and len(arrivals["files"]) > 1
    assert arrivals["columns_left_behind"] == [
        f"utc_offset_min_{clock}" for clock in ("primary", "settlement", "operational")
    ]
    assert {each["rows_that_fit_the_contract"] for each in receipt["datasets"]} == {64}
    assert done.rows == sum(each["rows"] for each in receipt["datasets"])


def test_trace_is_one_file_whose_largest_counter_has_the_totals(judged: Run, done: ReferenceRoot) -> None:
    (file,) = (done.path / "logs/layer2/5B/rng/trace").rglob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    published = [
        json.loads(line)
        for path in (judged.root.path / "logs/layer2/5B/rng/trace").rglob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    totals: Counter[tuple[str, str]] = Counter()
    for row in published:
        for name in ("events_total", "draws_total", "blocks_total"):
            totals[row["substream_label"], name] += row[name]
    assert len(rows) == len(published) > 10
    for label in {row["substream_label"] for row in rows}:
        last = max(
            (row for row in rows if row["substream_label"] == label),
            key=lambda row: (row["rng_counter_after_hi"], row["rng_counter_after_lo"]),
        )
        assert {name: last[name] for name in ("events_total", "draws_total", "blocks_total")} == {
            name: totals[label, name] for name in ("events_total", "draws_total", "blocks_total")
        }
    counters = {f"rng_counter_{at}_{half}" for at in ("before", "after") for half in ("hi", "lo")}
    envelope = {"ts_utc", "run_id", "seed", "module", "substream_label", "events_total", "draws_total", "blocks_total"}
    assert {frozenset(row) for row in rows} == {frozenset(counters | envelope)}


def test_parts_become_one_file(judged: Run, tmp_path: Path) -> None:
    whole = judged.table("s3_bucket_counts_5B", BASELINE)
    parts = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    pq.write_table(whole.slice(0, 1000), parts[0])
    pq.write_table(whole.slice(1000), parts[1])
    columns = columns_of("s3_bucket_counts_5B", parts[0])
    done: list[int] = []
    write_reference_form(parts, columns, tmp_path / "one.parquet", {}, done.append)
    assert sum(done) == whole.num_rows == pq.read_metadata(tmp_path / "one.parquet").num_rows
    again = reference_digest([tmp_path / "one.parquet"], columns, threads=1)
    assert again == reference_form.published_digest(parts, columns, threads=1)
    assert again != reference_form.published_digest(parts[:1], columns, threads=1)


def test_datasets_in_parts_leave_as_one_file(tiny_arrivals: Path, done: ReferenceRoot, tmp_path: Path) -> None:
    root = copy_run(tiny_arrivals, tmp_path)
    run = open_run(root.path.parent)
    for dataset_id in ("s2_realised_intensity_5B", "s3_bucket_counts_5B"):
        assert len(list(split(root, run.contracts, dataset_id, BASELINE).iterdir())) == 3
    again = run.export_reference_root(tmp_path / "out")
    for dataset_id in ("s2_realised_intensity_5B", "s3_bucket_counts_5B"):
        assert table_of(again, dataset_id).equals(table_of(done, dataset_id))


def test_optional_columns_come_along(ornate: JudgedRun, tmp_path: Path) -> None:
    run = Run(ornate.root, ornate.contracts)
    done = run.export_reference_root(tmp_path / "out")
    found = table_of(done, ARRIVALS)
    assert found.column_names == list(reference_form.COLUMNS[ARRIVALS])
    for name in ("lambda_realised", "tz_group_id"):
        assert found.column(name).to_pylist() == run.table(ARRIVALS, BASELINE).column(name).to_pylist()


def test_a_text_that_is_off_by_a_microsecond_is_seen(
    judged: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = moment_texts

    def late(name: str, array: pa.Array) -> pa.Array:
        moved = array.cast(pa.int64()).to_numpy().copy()
        moved[-1] += name == "ts_local_operational"
        return sound(name, pa.array(moved).cast(array.type))

    monkeypatch.setattr(reference_form, "moment_texts", late)
    with pytest.raises(PublishError, match="reads back as") as caught:
        judged.export_reference_root(tmp_path / "runs")
    assert caught.value.code == "5B.EXPORT.FORM_DIFFERS" and ARRIVALS in caught.value.what
    assert not list((tmp_path / "runs").iterdir())


def test_a_row_that_does_not_fit_the_contract_is_seen(
    judged: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sampled(*arguments: Any) -> list[dict[str, Any]]:
        rows = reference_form.sampled(*arguments)
        return [{**row, "bucket_start_utc": "2026-03-01"} if "bucket_start_utc" in row else row for row in rows]

    monkeypatch.setattr(reference_root, "sampled", sampled)
    with pytest.raises(PublishError, match="does not fit") as caught:
        judged.export_reference_root(tmp_path / "runs")
    assert caught.value.code == "5B.EXPORT.FORM_DIFFERS" and GRID in caught.value.what


def test_only_some_states(judged: Run, tmp_path: Path) -> None:
    done = judged.export_reference_root(tmp_path / "runs", through="S2")
    there = {path.name for path in (done.path / TABLES).iterdir()}
    assert {"s1_time_grid", "s1_grouping", "s2_realised_intensity"} <= there
    assert not there & {"s3_bucket_counts", "arrival_events", "arrival_summary", "validation"}
    (trace,) = (done.path / "logs/layer2/5B/rng/trace").rglob("*.jsonl")
    assert {json.loads(line)["module"] for line in trace.read_text().splitlines()} == {"5B.S2"}
    alone = judged.export_reference_root(tmp_path / "others", through="S1")
    assert not list((alone.path / "logs/layer2/5B/rng").rglob("rng_trace_log.jsonl"))


def test_refusals(judged: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no state") as unknown:
        judged.export_reference_root(tmp_path / "runs", through="S6")
    assert unknown.value.code == "5B.EXPORT.STATE_UNKNOWN"
    with pytest.raises(PublishError) as inside:
        judged.export_reference_root(judged.root.path / "reference_root")
    assert inside.value.code == "5B.EXPORT.TARGET_IN_RUN" and not (judged.root.path / "reference_root").exists()
    (tmp_path / "runs" / judged.identity.run_id).mkdir(parents=True)
    with pytest.raises(PublishError) as there:
        judged.export_reference_root(tmp_path / "runs")
    assert there.value.code == "5B.EXPORT.TARGET_EXISTS"


def test_what_is_not_published_is_named(tiny_arrivals: Path, tmp_path: Path) -> None:
    root = copy_run(tiny_arrivals, tmp_path)
    shutil.rmtree(root.path / TABLES / "s3_bucket_counts")
    with pytest.raises(RunError, match="S3 has not run") as missing:
        open_run(root.path.parent).export_reference_root(tmp_path / "out")
    assert missing.value.code == "5B.EXPORT.DATASET_MISSING" and not (tmp_path / "out").exists()
    assert open_run(root.path.parent).export_reference_root(tmp_path / "out", through="S2").rows > 0


def test_run_is_only_read(judged: Run, tmp_path: Path) -> None:
    def stamps() -> dict[str, str]:
        files = [path for path in judged.root.path.rglob("*") if path.is_file() and "tmp" not in path.parts]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = stamps()
    judged.export_reference_root(tmp_path / "runs", through="S1")
    assert stamps() == before


def invoked(run: Run, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", "--runs-root", str(run.root.path.parent), *arguments])


def test_command(judged: Run, tmp_path: Path) -> None:
    asked = ("--compat", "reference", "--through", "s1", "--out", str(tmp_path / "runs"), "--json")
    told = json.loads(invoked(judged, *asked).stdout)
    assert (told["through"], told["files"]) == ("S1", 4)
    assert told["path"] == str(tmp_path / "runs" / judged.identity.run_id)
    assert told["size_bytes"] > 0 and told["published_bytes"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--compat", "reference", "--limit", "5"), "leave out --limit"),
        (("--compat", "reference", "--overwrite"), "leave out --overwrite"),
        (("--through", "S1"), "--through belongs to --compat"),
    ],
)
def test_options_that_do_not_go_together(judged: Run, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = invoked(judged, *arguments, "--out", str(tmp_path / "a.parquet"))
    assert result.exit_code == 2 and said in result.output
