"""docs/laws#content-digest: the digest follows from the rows alone, by an independent reading of the law."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.errors import InputError
from seg5b.tables.content import BLOCK_ROWS, content_digest

ROWS = BLOCK_ROWS + 1000
START = datetime(2026, 3, 29, tzinfo=UTC)


def rows() -> pa.Table:
    """Every kind of column, with nulls, constants, and more than 256 texts."""
    place = range(ROWS)
    moments = [START + timedelta(microseconds=n * 7) for n in place]
    return pa.table(
        {
            "id": pa.array([2**64 - 1 - n for n in place], pa.uint64()),
            "small": pa.array([n % 7 - 3 for n in place], pa.int32()),
            "share": pa.array([-0.0 if n == 5 else n / 3 for n in place], pa.float64()),
            "site": pa.array([None if n % 5 else n for n in place], pa.uint64()),
            "virtual": pa.array([n % 3 == 0 for n in place], pa.bool_()),
            "utc": pa.array(moments, pa.timestamp("us", "UTC")),
            "local": pa.array([moment.replace(tzinfo=None) for moment in moments], pa.timestamp("us")),
            "zone": pa.array([f"zone {n % 300}" for n in place], pa.string()).dictionary_encode(),
            "band": pa.array([None if n == 9 else ("é", "b")[n % 2] for n in place], pa.string()),
            "scenario": pa.array(["baseline"] * ROWS, pa.string()).dictionary_encode(),
            "labels": pa.array([["a", "b"] if n % 2 else [] for n in place], pa.list_(pa.string())),
        }
    )


KINDS = {
    "id": "integer",
    "small": "integer",
    "share": "number",
    "site": "integer",
    "virtual": "flag",
    "utc": "moment",
    "local": "wall clock",
    "zone": "text",
    "band": "text",
    "scenario": "text",
    "labels": "list",
}


def by_the_law(table: pa.Table) -> str:
    """The digest as the law words it, value by value."""
    whole = hashlib.sha256(json.dumps(sorted(KINDS.items()), separators=(",", ":")).encode())
    for first in range(0, table.num_rows, BLOCK_ROWS):
        block = table.slice(first, BLOCK_ROWS)
        digest = hashlib.sha256(struct.pack("<Q", block.num_rows))
        for name in sorted(KINDS):
            values = block.column(name).to_pylist()
            pieces = []
            if None in values:
                pieces.append(bytes(value is not None for value in values))
            pieces += texts(values, KINDS[name]) if KINDS[name] in ("text", "list") else numbers(values, KINDS[name])
            for piece in pieces:
                digest.update(struct.pack("<Q", len(piece)) + piece)
        whole.update(digest.digest())
    return whole.hexdigest()


def numbers(values: list[Any], kind: str) -> list[bytes]:
    def packed(value: Any) -> bytes:
        if kind == "flag":
            return struct.pack("<B", value or 0)
        if kind == "number":
            return struct.pack("<d", value or 0 if value is None else value)
        if kind != "integer":
            value = (value.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return ((value or 0) % 2**64).to_bytes(8, "little")

    every = [packed(value) for value in values]
    return [every[0] if len(set(every)) == 1 else b"".join(every)]


def texts(values: list[Any], kind: str) -> list[bytes]:
    spelled = [(json.dumps(value) if kind == "list" else value or "").encode() for value in values]
    occur = sorted(set(spelled))
    pieces = [b"".join(struct.pack("<I", len(text)) + text for text in occur)]
    place = {text: number for number, text in enumerate(occur)}
    if len(occur) > 1:
        form = "<B" if len(occur) <= 256 else "<I"
        pieces.append(b"".join(struct.pack(form, place[text]) for text in spelled))
    return pieces


def written(folder: Path, table: pa.Table, cuts: Sequence[int] = (), **options: Any) -> list[Path]:
    files = []
    for number, (first, stop) in enumerate(zip((0, *cuts), (*cuts, table.num_rows), strict=True)):
        files.append(folder / f"{number}.parquet")
        pq.write_table(table.slice(first, stop - first), files[-1], **options)
    return files


def test_the_digest_is_the_law_s(tmp_path: Path) -> None:
    table = rows()
    assert content_digest(written(tmp_path, table), threads=2) == by_the_law(table)


WAYS: dict[str, tuple[Sequence[int], dict[str, Any]]] = {
    "other row groups": ((), {"row_group_size": 999}),
    "no dictionaries": ((), {"use_dictionary": False, "compression": "ZSTD"}),
    "pages of another version": ((), {"data_page_version": "2.0", "write_statistics": False}),
    "three files": ((10, BLOCK_ROWS - 3), {"row_group_size": 5000}),
    "files cut where blocks are": ((BLOCK_ROWS,), {}),
    "without the schema of Arrow": ((), {"store_schema": False}),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_does_not_depend_on_how_rows_are_written(tmp_path: Path, way: str) -> None:
    table = rows()
    cuts, options = WAYS[way]
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    if way == "without the schema of Arrow":
        table = table.drop_columns(["labels", "local"])  # what the format itself tells of them is less
    one, other = written(tmp_path / "one", table), written(tmp_path / "other", table, cuts, **options)
    assert content_digest(one, threads=1) == content_digest(other, threads=3)


@pytest.mark.parametrize("column", KINDS)
def test_any_value_shows(tmp_path: Path, column: str) -> None:
    table, row = rows(), ROWS - 7
    plain = table.field(column).type
    plain = plain.value_type if pa.types.is_dictionary(plain) else plain
    values = table.column(column).to_pylist()
    values[row] = {"share": 1.0, "virtual": not values[row], "labels": ["c"]}.get(column, values[row + 1])
    values[row] = "other" if column in ("zone", "scenario") else 5 if column == "site" else values[row]
    changed = table.set_column(table.column_names.index(column), column, pa.array(values, plain))
    (tmp_path / "other").mkdir()
    one, other = written(tmp_path, table), written(tmp_path / "other", changed)
    assert content_digest(one, threads=1) != content_digest(other, threads=1)


def test_a_null_is_no_zero_and_rows_have_an_order(tmp_path: Path) -> None:
    tables = {
        "sound": pa.table({"x": pa.array([0, None, 2])}),
        "zero": pa.table({"x": pa.array([0, 0, 2])}),
        "order": pa.table({"x": pa.array([None, 0, 2])}),
        "name": pa.table({"y": pa.array([0, None, 2])}),
        "kind": pa.table({"x": pa.array([0.0, None, 2.0])}),
        "shorter": pa.table({"x": pa.array([0, None])}),
        "empty": pa.table({"x": pa.array([], pa.int64())}),
    }
    digests = set()
    for name, table in tables.items():
        (tmp_path / name).mkdir()
        digests.add(content_digest(written(tmp_path / name, table), threads=1))
    assert len(digests) == len(tables)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    sound = written(tmp_path, rows())[0]
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(sound.read_bytes()[:-9])
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    pq.write_table(pa.table({"x": pa.array([{"a": 1}])}), tmp_path / "nested.parquet")
    for files in ([torn], [sound, tmp_path / "other.parquet"], [tmp_path / "nested.parquet"], [tmp_path / "none"]):
        with pytest.raises(InputError) as failure:
            content_digest(files, threads=1)
        assert failure.value.code == "5B.RUN.DATASET_UNREADABLE"


def test_moments_told_in_texts_count_as_moments(tmp_path: Path) -> None:
    kind = pa.timestamp("us", "UTC")
    native = pa.table({"ts": pa.array([0, 1_767_225_600_000_001], kind), "n": [1, 2]})
    texts = ["1970-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000001Z"]
    pq.write_table(native, tmp_path / "native.parquet")
    pq.write_table(native.set_column(0, "ts", pa.array(texts)), tmp_path / "texts.parquet")
    told = content_digest([tmp_path / "texts.parquet"], threads=1, told={"ts": kind})
    assert told == content_digest([tmp_path / "native.parquet"], threads=1)
    assert told != content_digest([tmp_path / "texts.parquet"], threads=1)
    for wrong in (
        "2026-01-01 00:00:00.000001Z",
        "2026-01-01T00:00:00.000001",
        "2026-01-01T00:00:00Z",
        "2026-13-01T00:00:00.000001Z",
    ):
        pq.write_table(native.set_column(0, "ts", pa.array([texts[0], wrong])), tmp_path / "wrong.parquet")
        with pytest.raises(InputError, match="cannot be read"):
            content_digest([tmp_path / "wrong.parquet"], threads=1, told={"ts": kind})
