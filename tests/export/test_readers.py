"""What common readers make of an export with their defaults: every id and every moment, exactly (law L18)."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.json
import pyarrow.parquet as pq
import pytest

from seg5b.export import Exported

Export = Callable[..., Exported]
IDS = ["merchant_id", "site_id", "edge_id"]


def wanted(published: pa.Table, spell: Callable[[int], Any]) -> list[list[Any]]:
    return [[None if v is None else spell(v) for v in row.values()] for row in published.select(IDS).to_pylist()]


def rows(frame: pd.DataFrame) -> list[list[Any]]:
    return [[None if pd.isna(v) else v for v in row] for row in frame[IDS].itertuples(index=False)]


def test_pandas(export: Export, published: pa.Table, tmp_path: Path) -> None:
    for name in ("a.parquet", "a.arrow", "a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.zst"):
        export(name)
    numbers, texts = wanted(published, int), wanted(published, lambda value: f"id_{value}")
    assert rows(pd.read_parquet(tmp_path / "a.parquet")) == numbers
    assert rows(pd.read_feather(tmp_path / "a.arrow")) == numbers
    assert rows(pd.read_csv(tmp_path / "a.csv")) == texts
    assert rows(pd.read_csv(tmp_path / "a.csv.gz")) == texts
    assert rows(pd.read_json(tmp_path / "a.jsonl", lines=True)) == texts
    unpacked = pa.CompressedInputStream(pa.OSFile(str(tmp_path / "a.jsonl.zst")), "zstd").read()
    assert rows(pd.read_json(io.BytesIO(unpacked), lines=True)) == texts


def test_pandas_knows_the_clocks(export: Export, published: pa.Table, tmp_path: Path) -> None:
    export("a.parquet", columns=["ts_utc", "ts_local_primary"])
    found = pd.read_parquet(tmp_path / "a.parquet")
    assert str(found["ts_utc"].dtype) == "datetime64[us, UTC]" and found["ts_local_primary"].dt.tz is None
    assert [moment.to_pydatetime() for moment in found["ts_utc"]] == published["ts_utc"].to_pylist()


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl"])
def test_duckdb(export: Export, published: pa.Table, tmp_path: Path, name: str) -> None:
    export(name)
    found = duckdb.sql(f"SELECT {', '.join(IDS)} FROM '{tmp_path / name}'").fetchall()
    spell = int if name == "a.parquet" else lambda value: f"id_{value}"
    assert list(map(list, found)) == wanted(published, spell)


def test_arrow(export: Export, published: pa.Table, tmp_path: Path) -> None:
    """Its readers of text too, and of folders, which name their keys in the folders alone."""
    for name in ("a.csv", "a.jsonl"):
        export(name)
    export("p", format="parquet", partition_by=["day", "channel_group"])
    texts = wanted(published, lambda value: f"id_{value}")
    for read, name in ((pa.csv.read_csv, "a.csv"), (pa.json.read_json, "a.jsonl")):
        found = read(tmp_path / name).select(IDS).to_pylist()
        assert [[value or None for value in row.values()] for row in found] == texts
    for table in (pq.read_table(tmp_path / "p"), pa.dataset.dataset(tmp_path / "p", partitioning="hive").to_table()):
        assert sorted(table["merchant_id"].to_pylist()) == sorted(published["merchant_id"].to_pylist())
    assert len(pd.read_parquet(tmp_path / "p")) == published.num_rows


def test_polars(export: Export, published: pa.Table, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    for name in ("a.parquet", "a.csv", "a.jsonl"):
        export(name)
    texts = wanted(published, lambda value: f"id_{value}")
    assert list(map(list, polars.read_parquet(tmp_path / "a.parquet").select(IDS).rows())) == wanted(published, int)
    assert list(map(list, polars.read_csv(tmp_path / "a.csv").select(IDS).rows())) == texts
    assert (
        list(map(list, polars.read_ndjson(tmp_path / "a.jsonl", infer_schema_length=None).select(IDS).rows())) == texts
    )
