"""The note to pandas is the one that pandas makes of its own tables, and stands where integers may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.api import open_run
from seg5b.tables import Masked, formats, write_table
from seg5b.tables.pandas_note import pandas_note
from seg5b.tables.writer import TableFormat

FORMATS = {name: form for name, form in vars(formats).items() if isinstance(form, TableFormat)}


def note(schema: pa.Schema) -> list[dict[str, Any]]:
    found = schema.with_metadata(pandas_note(schema)).pandas_metadata
    return list(found["columns"]) if found else []


@pytest.mark.parametrize("name", FORMATS)
def test_it_is_pandas_own(name: str) -> None:
    schema = FORMATS[name].schema
    nullable = {pa.uint64(): pd.UInt64Dtype(), pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
    frame = schema.empty_table().to_pandas(types_mapper=nullable.get)
    required = [field for field in schema if field.type in nullable and not field.nullable]
    frame = frame.astype({field.name: str(field.type) for field in required})
    own = {each["name"]: each for each in pa.Schema.from_pandas(frame, preserve_index=False).pandas_metadata["columns"]}
    described = note(schema)
    assert described == [own[each["name"]] for each in described]
    missing = {field.name for field in schema if field.nullable and pa.types.is_integer(field.type)}
    assert missing == {each["name"] for each in described if each["numpy_type"] in ("UInt64", "Int64", "Int32")}


def test_where_nothing_may_be_missing_there_is_none() -> None:
    assert not note(formats.BUCKET_COUNTS.schema) and note(formats.ARRIVAL_EVENTS.schema)


@pytest.mark.parametrize(("kind", "dtype"), [("uint64", "UInt64"), ("int64", "Int64"), ("int32", "Int32")])
def test_pandas_reads_what_is_missing(tmp_path: Path, kind: str, dtype: str) -> None:
    top = int(np.iinfo(kind).max)
    form = TableFormat(pa.schema([("number", pa.type_for_alias(kind))]))
    numbers = pd.array([top, 0], dtype=dtype).to_numpy(kind, na_value=0)
    write_table(
        tmp_path / "file.parquet", form, {"number": Masked(numbers, pd.array([1, 0], "uint8").to_numpy())}, 2, {}
    )
    found = pd.read_parquet(tmp_path / "file.parquet")["number"]
    assert str(found.dtype) == dtype and found[0] == top and found[1] is pd.NA


def test_a_run_reads_whole_with_defaults(tiny_arrivals: Path) -> None:
    """README's line."""
    run = open_run(tiny_arrivals)
    found, table = (
        pd.read_parquet(run.path("arrival_events_5B", "baseline_v1")),
        run.table("arrival_events_5B", "baseline_v1"),
    )
    for name in ("merchant_id", "site_id", "edge_id"):
        assert [None if each is pd.NA else int(each) for each in found[name]] == table[name].to_pylist()


def test_files_of_a_world_have_none(tiny_world: Path) -> None:
    """Their bytes are the world's identity. Integers are missing in two indexes alone, in the row for all merchants."""
    holes = set()
    for file in tiny_world.rglob("data/**/*.parquet"):
        with pq.ParquetFile(file) as opened:
            table, described = opened.read(), opened.schema_arrow.pandas_metadata
        assert described is None
        if any(pa.types.is_integer(column.type) and column.null_count for column in table.columns):
            holes.add(file.name.split(".")[0])
    assert holes == {"edge_catalogue_index_3B", "edge_alias_index_3B"}
