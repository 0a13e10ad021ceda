"""Which rows and columns leave, in which order, in which form of ids."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from seg5b.api import Run
from seg5b.errors import InputError, RunError
from seg5b.export import Exported
from tests.export.conftest import ARRIVALS, plain

Export = Callable[..., Exported]
IDS = ("merchant_id", "site_id", "edge_id", "seed")
KEY = ["merchant_id", "arrival_seq"]


def test_parquet_is_what_is_published(run: Run, export: Export, tmp_path: Path) -> None:
    done = export("a.parquet")
    found = pq.read_table(tmp_path / "a.parquet")
    source = run.table(ARRIVALS, "baseline_v1")
    assert found.schema.equals(source.schema) and plain(found).equals(plain(source))
    assert (done.rows, done.files) == (source.num_rows, 1)
    assert found.schema.metadata[b"seg5b.manifest_fingerprint"].decode() == run.identity.manifest_fingerprint


def test_arrow(export: Export, published: pa.Table, tmp_path: Path) -> None:
    export("a.arrow", compression="zstd")
    with pa.ipc.open_file(tmp_path / "a.arrow") as file:
        assert plain(file.read_all()).equals(published)


def test_json_lines_are_what_is_published(export: Export, published: pa.Table, tmp_path: Path) -> None:
    export("a.jsonl")
    with (tmp_path / "a.jsonl").open() as lines:
        for line, want in zip(lines, published.to_pylist(), strict=True):
            found = json.loads(line)
            assert list(found) == list(want)
            for name, value in want.items():
                assert found[name] == in_json(name, value), name


def in_json(name: str, value: Any) -> Any:
    if name in IDS and value is not None:
        return f"id_{value}"
    if name.startswith("ts_"):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + ("Z" if name == "ts_utc" else "")
    return value


def test_time_order_over_merchants(export: Export, published: pa.Table, tmp_path: Path) -> None:
    export("t.parquet", order="time")
    keys = [(name, "ascending") for name in ("ts_utc", *KEY)]
    assert plain(pq.read_table(tmp_path / "t.parquet")).equals(published.sort_by(keys))


def test_time_order_with_a_limit_takes_the_first(export: Export, published: pa.Table, tmp_path: Path) -> None:
    done = export("t.csv", order="time", limit=7, columns=["ts_utc"])
    with (tmp_path / "t.csv").open() as file:
        found = [row["ts_utc"] for row in csv.DictReader(file)]
    want = sorted(published["ts_utc"].to_pylist())[:7]
    assert found == [value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for value in want] and done.rows == 7


def test_both_scenarios(run: Run, export: Export, tmp_path: Path) -> None:
    done = export("a.parquet", scenarios=("all",), columns=["scenario_id", *KEY])
    both = [run.table(ARRIVALS, name, ["scenario_id", *KEY]) for name in done.scenarios]
    assert len(both) == 2
    assert plain(pq.read_table(tmp_path / "a.parquet")).equals(plain(pa.concat_tables(map(plain, both))))


def test_selections(export: Export, published: pa.Table, tmp_path: Path) -> None:
    merchants = pc.unique(published["merchant_id"]).to_pylist()[3:5]
    middle = published["ts_utc"].to_pylist()[1000].replace(hour=0, minute=0, second=0, microsecond=0)
    wanted = {"merchants": merchants, "since": f"{middle:%Y-%m-%d}", "where": "NOT is_virtual OR site_id IS NULL"}
    export("a.parquet", **wanted)
    rows = published.filter(pc.is_in(published["merchant_id"], pa.array(merchants, pa.uint64())))
    rows = rows.filter(pc.greater_equal(rows["ts_utc"], pa.scalar(middle, pa.timestamp("us", "UTC"))))
    assert 0 < rows.num_rows < published.num_rows
    assert plain(pq.read_table(tmp_path / "a.parquet")).equals(rows)


def test_bounds_are_half_open(export: Export, published: pa.Table, tmp_path: Path) -> None:
    moments = sorted(set(published["ts_utc"].to_pylist()))
    first, after = moments[10], moments[20]
    export(
        "a.jsonl",
        since=first.isoformat(),
        until=after.isoformat().replace("+00:00", "Z"),
        columns=["ts_utc"],
        order="time",
    )
    found = [json.loads(line)["ts_utc"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert found[0] == in_json("ts_utc", first) and found[-1] == in_json("ts_utc", moments[19])


@pytest.mark.parametrize("moment", ["2026-03-05T10:00:00", "5 March", "2026-13-01", "", "2026-03-05T10"])
def test_moments_that_could_be_anywhere_are_refused(export: Export, moment: str) -> None:
    with pytest.raises(InputError, match="MOMENT_UNCLEAR"):
        export("a.csv", since=moment)


def test_the_columns_that_vary(run: Run, export: Export, tmp_path: Path) -> None:
    export("a.jsonl", columns=["varying"], limit=3)
    names = list(json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0]))
    gone = {"manifest_fingerprint", "parameter_hash", "seed", "scenario_id", "routing_universe_hash", "s4_spec_version"}
    assert names == [name for name in run.table(ARRIVALS, "baseline_v1").column_names if name not in gone]


@pytest.mark.parametrize("limit", [None, 50])
@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl", "arrow"])
def test_columns_in_the_order_asked_for_constant_or_not(
    export: Export, published: pa.Table, tmp_path: Path, form: str, limit: int | None
) -> None:
    names = ["scenario_id", "edge_id", "ts_utc", "seed", "is_virtual", "parameter_hash"]
    export(f"a.{form}", columns=names, limit=limit, ids="uint64")
    export(f"b.{form}", columns=["parameter_hash"], limit=limit)
    rows = published.slice(0, limit).select(names)
    assert values(tmp_path / f"a.{form}") == [
        [shown(form, value) for value in row.values()] for row in rows.to_pylist()
    ]
    assert values(tmp_path / f"b.{form}") == [[text] for text in rows["parameter_hash"].to_pylist()]


def values(file: Path) -> list[list[Any]]:
    """Rows of a file as lists."""
    if file.suffix == ".csv":
        with file.open(newline="") as stream:
            return list(csv.reader(stream))[1:]
    if file.suffix == ".jsonl":
        return [list(json.loads(line).values()) for line in file.read_text().splitlines()]
    table = pq.read_table(file) if file.suffix == ".parquet" else pa.ipc.open_file(file).read_all()
    return [list(row.values()) for row in table.to_pylist()]


def shown(form: str, value: Any) -> Any:
    if form in ("parquet", "arrow"):
        return value
    if hasattr(value, "strftime"):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if form == "jsonl":
        return value
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize(
    ("ids", "spelled"),
    [
        ("uint64", lambda value: value),
        ("int64", lambda value: value - 2**64 if value >= 2**63 else value),
        ("string", str),
        ("prefixed", lambda value: f"id_{value}"),
    ],
)
def test_forms_of_ids(
    export: Export, published: pa.Table, tmp_path: Path, ids: str, spelled: Callable[[int], Any], form: str
) -> None:
    names = ["merchant_id", "site_id", "seed"]
    export(f"a.{form}", columns=names, ids=ids)
    text = str if form == "csv" else lambda value: value
    want = [[None if v is None else spelled(v) for v in row.values()] for row in published.select(names).to_pylist()]
    assert any(merchant >= 2**63 for merchant in published["merchant_id"].to_pylist())
    assert values(tmp_path / f"a.{form}") == [
        ["" if v is None and form == "csv" else text(v) for v in row] for row in want
    ]


@pytest.mark.parametrize(
    ("wanted", "code", "told"),
    [
        ({"dataset": "arrivals"}, "DATASET_UNKNOWN", "arrival_events_5B, "),
        ({"dataset": "s0_gate_receipt"}, "DATASET_UNKNOWN", "s3_bucket_counts_5B"),
        ({"scenarios": ("nope",)}, "SCENARIO_UNKNOWN", "baseline_v1, stress_peak_online_v1"),
        ({"dataset": "site_locations", "scenarios": ("baseline_v1",)}, "SCENARIO_UNKNOWN", "leave out"),
        ({"merchants": (5,)}, "MERCHANT_UNKNOWN", "16 merchants: "),
        ({"columns": ("price",)}, "COLUMN_UNKNOWN", "ts_utc, tzid_primary"),
        ({"dataset": "s1_time_grid", "merchants": (5,)}, "COLUMN_UNKNOWN", "bucket_start_utc"),
        ({"dataset": "s3_bucket_counts", "since": "2026-03-02"}, "COLUMN_UNKNOWN", "--where"),
        ({"since": "2026-03-02", "until": "2026-03-02"}, "MOMENT_UNCLEAR", "--from before --to"),
        ({"partition_by": ("merchant_id",)}, "PARTITION_UNKNOWN", "day, month, "),
        ({"order": "random"}, "ORDER_UNKNOWN", "merchant or time"),
    ],
)
def test_what_there_is_is_told(export: Export, tmp_path: Path, wanted: dict[str, Any], code: str, told: str) -> None:
    with pytest.raises(InputError) as failure:
        export("x.csv", **wanted)
    assert failure.value.code == f"5B.EXPORT.{code}" and told in failure.value.remedy
    assert not list(tmp_path.iterdir())


def test_what_was_not_made_yet(tiny_world: Path, run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="DATASET_MISSING"):
        run.export(tmp_path / "x.csv", dataset="s2_latent_field")


@pytest.mark.parametrize(
    "where",
    [
        "1=1; COPY dataset TO 'stolen.csv'",
        "1=1) TO 'stolen.csv'; SELECT (1",
        "site_id IN (SELECT 1 FROM read_csv('/etc/passwd'))",
        "EXISTS (FROM read_text('/etc/hostname'))",
        "price > 1",
        "bucket_index <",
        "is_virtual ORDER BY ts_utc",
        "is_virtual) OR (true",
        "CAST(tzid_primary AS INTEGER) = 1",
        "",
    ],
)
def test_a_condition_reads_and_writes_nothing_else(export: Export, tmp_path: Path, where: str) -> None:
    with pytest.raises(InputError) as failure:
        export("x.csv", where=where)
    assert failure.value.code == "5B.EXPORT.WHERE_WRONG" and "ts_utc" in failure.value.remedy
    assert not list(tmp_path.iterdir()) and not Path("stolen.csv").exists()


def test_folders(run: Run, export: Export, published: pa.Table, tmp_path: Path) -> None:
    done = export("p", format="parquet", partition_by=("day", "channel_group"))
    files = sorted((tmp_path / "p").rglob("*.parquet"))
    assert done.files == len(files) > 20
    days = pc.strftime(published["ts_utc"], "%Y-%m-%d").to_pylist()
    for file in files:
        day, channel = (folder.partition("=")[2] for folder in file.relative_to(tmp_path / "p").parts[:2])
        here = pa.array(
            [d == day and c == channel for d, c in zip(days, published["channel_group"].to_pylist(), strict=True)]
        )
        found = pq.read_table(file, partitioning=None)
        assert plain(found).equals(plain(published.filter(here).drop_columns("channel_group")))
    whole = pq.read_table(tmp_path / "p")
    assert whole.num_rows == published.num_rows and pa.types.is_dictionary(whole.schema.field("day").type)


def test_folders_of_names_with_slashes(export: Export, published: pa.Table, tmp_path: Path) -> None:
    export("p", format="csv", partition_by=("tzid_primary",), order="time", limit=500, columns=["ts_utc"])
    first = published.sort_by([(name, "ascending") for name in ("ts_utc", *KEY)]).slice(0, 500)
    found = {folder.name for folder in (tmp_path / "p").iterdir()}
    assert found == {f"tzid_primary={zone.replace('/', '%2F')}" for zone in first["tzid_primary"].to_pylist()}


@pytest.mark.parametrize(
    "dataset", ["s1_time_grid", "s1_grouping", "s3_bucket_counts", "s4_arrival_summary", "site_locations"]
)
@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_other_datasets(run: Run, export: Export, tmp_path: Path, dataset: str, form: str) -> None:
    done = export(f"x.{form}", dataset=dataset, order="merchant", ids="uint64")
    found = values(tmp_path / f"x.{form}")
    assert len(found) == done.rows > 0
    if dataset == "s1_time_grid" and form != "csv":
        labels = run.table("s1_time_grid_5B", "baseline_v1")["scenario_labels"].to_pylist()
        assert [row[10] for row in found] == labels


def test_counts_in_order_of_time(export: Export, tmp_path: Path) -> None:
    export("c.parquet", dataset="s3_bucket_counts", order="time")
    buckets = pq.read_table(tmp_path / "c.parquet")["bucket_index"].to_pylist()
    assert buckets == sorted(buckets) and buckets[0] != buckets[-1]


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl", "arrow"])
def test_no_rows(export: Export, published: pa.Table, tmp_path: Path, form: str) -> None:
    """A file with a header and types, and a folder without files."""
    assert export(f"a.{form}", where="false").rows == 0
    assert values(tmp_path / f"a.{form}") == []
    if form == "csv":
        assert (tmp_path / "a.csv").read_text().strip().split(",") == published.column_names
    assert export("p", format=form, where="false", partition_by=["day"]).files == 0
    assert not list((tmp_path / "p").iterdir())
