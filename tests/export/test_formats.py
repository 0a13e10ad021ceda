"""The name of a target decides the format, or contradicts what was asked for."""

from __future__ import annotations

import pytest

from seg5b.errors import InputError
from seg5b.export.formats import Format, shape_of
from seg5b.tables.outgoing import IdForm

PARQUET, CSV, JSONL, ARROW, DELTA, ICEBERG = Format


@pytest.mark.parametrize(
    ("out", "asked", "compression", "found"),
    [
        ("a.parquet", None, None, (PARQUET, "snappy", IdForm.UINT64)),
        ("A.PARQUET", None, "zstd", (PARQUET, "zstd", IdForm.UINT64)),
        ("a.b.csv", None, None, (CSV, "none", IdForm.PREFIXED)),
        ("a.csv.gz", None, None, (CSV, "gzip", IdForm.PREFIXED)),
        ("a.csv.gz", "csv", "gzip", (CSV, "gzip", IdForm.PREFIXED)),
        ("s3://b/a.jsonl.zst", None, None, (JSONL, "zstd", IdForm.PREFIXED)),
        ("a.ndjson", "jsonl", None, (JSONL, "none", IdForm.PREFIXED)),
        ("a.feather", None, "lz4", (ARROW, "lz4", IdForm.UINT64)),
        ("-", "csv", "gzip", (CSV, "gzip", IdForm.PREFIXED)),
        ("v1.2/a", "jsonl", None, (JSONL, "none", IdForm.PREFIXED)),
        ("a.gz", "jsonl", None, (JSONL, "gzip", IdForm.PREFIXED)),
        ("folder/", "parquet", None, (PARQUET, "snappy", IdForm.UINT64)),
        ("table", "delta", None, (DELTA, "none", IdForm.STRING)),
        ("iceberg://c/n/t", None, None, (ICEBERG, "none", IdForm.STRING)),
    ],
)
def test_shape(out: str, asked: str | None, compression: str | None, found: tuple[object, ...]) -> None:
    shape = shape_of(out, asked, compression, None)
    assert (shape.format, shape.compression, shape.ids) == found


@pytest.mark.parametrize(
    ("out", "asked", "compression", "ids", "code"),
    [
        ("a.parquet", "csv", None, None, "FORMAT_CONTRADICTION"),
        ("a.csv", "jsonl", None, None, "FORMAT_CONTRADICTION"),
        ("a.csv", None, "gzip", None, "FORMAT_CONTRADICTION"),
        ("a.csv.gz", None, "zstd", None, "FORMAT_CONTRADICTION"),
        ("a.csv.gz", None, "none", None, "FORMAT_CONTRADICTION"),
        ("a.csv.bz2", "csv", None, None, "FORMAT_CONTRADICTION"),
        ("a.parquet.gz", None, None, None, "FORMAT_CONTRADICTION"),
        ("a.gz", "parquet", None, None, "FORMAT_CONTRADICTION"),
        ("a.json", "jsonl", None, None, "FORMAT_CONTRADICTION"),
        ("a.xlsx", "csv", None, None, "FORMAT_CONTRADICTION"),
        ("iceberg://c/n/t", "delta", None, None, "FORMAT_CONTRADICTION"),
        ("a", None, None, None, "FORMAT_UNKNOWN"),
        ("a.txt", None, None, None, "FORMAT_UNKNOWN"),
        ("-", None, None, None, "FORMAT_UNKNOWN"),
        ("a.parquet", None, "brotli", None, "COMPRESSION_UNKNOWN"),
        ("a.csv", None, "snappy", None, "COMPRESSION_UNKNOWN"),
        ("table", "delta", "zstd", None, "COMPRESSION_UNKNOWN"),
        ("table", "delta", None, "uint64", "IDS_UNKNOWN"),
        ("a.csv", None, None, "hex", "IDS_UNKNOWN"),
    ],
)
def test_contradictions(out: str, asked: str | None, compression: str | None, ids: str | None, code: str) -> None:
    with pytest.raises(InputError) as failure:
        shape_of(out, asked, compression, ids)
    assert failure.value.code == f"5B.EXPORT.{code}" and failure.value.remedy
