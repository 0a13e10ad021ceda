"""Digests of what tables hold: equal for equal rows, whoever wrote them, in whatever files and row groups (law L8).

A dataset is looked at in blocks of `BLOCK_ROWS` rows, counted from its first row, so that blocks are independent work. The
digest of a block is the SHA-256 over its columns by name; that of the dataset is the SHA-256 over the columns' names and
kinds and the digests of its blocks in order (docs/laws#content-digest).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seg5b.errors import InputError
from seg5b.parallel import in_order
from seg5b.tables.limits import Unreadable, reason, size_fault

BLOCK_ROWS: Final = 1 << 17
"""Rows of a block, which is also what is decoded at a time. A law: it decides digests."""
_CLOCK: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}$"
_INSTANT: Final = f"{_CLOCK[:-1]}Z$"
_NOTHING: Final[Mapping[str, pa.DataType]] = MappingProxyType({})
UNREADABLE: Final = "5B.RUN.DATASET_UNREADABLE"


def content_digest(
    files: Sequence[Path],
    *,
    threads: int,
    advance: Callable[[int], None] | None = None,
    without: Collection[str] = (),
    told: Mapping[str, pa.DataType] = _NOTHING,
) -> str:
    """SHA-256 of the rows of a dataset, its files in order, ``without`` some columns. ``advance`` is called with rows done.
    ``told``: columns of texts that tell moments, with the type they have where they are none: digested as what they tell.

    Raises `InputError` ``5B.RUN.DATASET_UNREADABLE`` for a file that cannot be read, or has other columns than the first.
    """
    opened = [_open(file) for file in files]
    first = _kinds(opened[0].schema_arrow, files[0])
    kinds = {name: kind for name, kind in first.items() if name not in without}
    kinds |= {name: _kind(kind) for name, kind in told.items() if kinds.get(name) == "text"}
    for file, place in zip(opened, files, strict=True):
        if _kinds(file.schema_arrow, place) != first:
            raise _unreadable(place, "its columns are not those of the first file")
    whole = hashlib.sha256(json.dumps(sorted(kinds.items()), separators=(",", ":")).encode())
    names = sorted(kinds)

    def digests(group: Sequence[tuple[pq.ParquetFile, Path]]) -> list[bytes]:
        found = []
        for block in _blocks(group, names, told):
            found.append(_block_digest(block, kinds))
            if advance is not None:
                advance(block.num_rows)
        return found

    for _, found in in_order(_groups(list(zip(opened, files, strict=True))), digests, threads, label="digest"):
        for digest in found:
            whole.update(digest)
    return whole.hexdigest()


def _moments_of_texts(batch: pa.RecordBatch, told: Mapping[str, pa.DataType]) -> pa.RecordBatch:
    """The batch with the texts of the columns ``told`` read as moments of those types. Raises `ValueError` for a text that
    is not of the form of docs/laws#text-form."""
    columns = {
        name: _read(name, array, told[name]) if name in told and _kind(array.type) == "text" else array
        for name, array in zip(batch.schema.names, batch.columns, strict=True)
    }
    return pa.RecordBatch.from_pydict(columns)


def _read(name: str, array: pa.Array, kind: pa.DataType) -> pa.Array:
    texts = array.cast(pa.string())
    form = _INSTANT if kind.tz else _CLOCK
    if not pc.all(pc.match_substring_regex(texts, form)).as_py() and len(texts) > texts.null_count:
        raise ValueError(f"a text of {name} is no {_kind(kind)} in the form {form}")
    return texts.cast(kind)


def _open(file: Path) -> pq.ParquetFile:
    try:
        opened = pq.ParquetFile(file, page_checksum_verification=True)
        fault = size_fault(opened.metadata, opened.schema_arrow.names)
    except Unreadable as cause:
        raise _unreadable(file, reason(cause)) from cause
    if fault:
        raise _unreadable(file, fault)
    return opened


def _unreadable(file: Path, why: str) -> InputError:
    remedy = "run `seg5b verify` to see what changed"
    return InputError(UNREADABLE, f"cannot be read: {why}", where=str(file), remedy=remedy)


def _kinds(schema: pa.Schema, file: Path) -> dict[str, str]:
    """What each column holds, by name, whatever its width and encoding."""
    kinds = {field.name: _kind(field.type) for field in schema}
    odd = [name for name, kind in kinds.items() if not kind]
    if odd or len(kinds) < len(schema.names):
        raise _unreadable(file, f"columns of no known kind: {', '.join(odd)}" if odd else "a column occurs twice")
    return kinds


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if pa.types.is_timestamp(kind):
        return "moment" if kind.tz else "wall clock"
    tests = (
        ("integer", pa.types.is_integer),
        ("flag", pa.types.is_boolean),
        ("number", pa.types.is_float64),
        ("text", pa.types.is_string),
        ("list", pa.types.is_list),
    )
    return next((name for name, test in tests if test(kind)), "")


def _groups(files: Sequence[tuple[pq.ParquetFile, Path]]) -> Iterator[Sequence[tuple[pq.ParquetFile, Path]]]:
    """Files that belong together, since a block may begin in one and end in the next; most end where a block does."""
    group: list[tuple[pq.ParquetFile, Path]] = []
    rows = 0
    for file in files:
        group.append(file)
        rows += file[0].metadata.num_rows
        if rows % BLOCK_ROWS == 0:
            yield group
            group = []
    if group:
        yield group


def _blocks(
    files: Sequence[tuple[pq.ParquetFile, Path]], names: Sequence[str], told: Mapping[str, pa.DataType]
) -> Iterator[pa.Table]:
    pending: list[pa.RecordBatch] = []
    rows = 0
    for batch in _batches(files, names, told):
        while rows + batch.num_rows >= BLOCK_ROWS:
            rest = BLOCK_ROWS - rows
            yield pa.Table.from_batches([*pending, batch.slice(0, rest)])
            batch, pending, rows = batch.slice(rest), [], 0
        if batch.num_rows:
            pending.append(batch)
            rows += batch.num_rows
    if pending:
        yield pa.Table.from_batches(pending)


def _batches(
    files: Sequence[tuple[pq.ParquetFile, Path]], names: Sequence[str], told: Mapping[str, pa.DataType]
) -> Iterator[pa.RecordBatch]:
    for file, place in files:
        try:
            for batch in file.iter_batches(BLOCK_ROWS, columns=list(names), use_threads=False):
                yield _moments_of_texts(batch, told)
        except Unreadable as cause:
            raise _unreadable(place, reason(cause)) from cause


def _block_digest(block: pa.Table, kinds: dict[str, str]) -> bytes:
    digest = hashlib.sha256(block.num_rows.to_bytes(8, "little"))
    for name in sorted(kinds):
        for piece in _column_bytes(block.column(name), kinds[name]):
            digest.update(len(memoryview(piece).cast("B")).to_bytes(8, "little"))
            digest.update(piece)
    return digest.digest()


def _column_bytes(column: pa.ChunkedArray, kind: str) -> Iterator[Any]:
    """Where values are (one byte a row) if some are null, then the values, nulls as 0 (texts: as an empty one). A value that
    all rows have stands there once."""
    if column.null_count:
        yield np.asarray(pc.is_valid(column).to_numpy(), np.uint8)
    if kind in ("text", "list"):
        yield from _text_bytes(column, kind)
        return
    values = _numbers(column, kind)
    yield values[:1] if (values == values[0]).all() else values


def _numbers(column: pa.ChunkedArray, kind: str) -> np.ndarray:
    """A column as bytes, floats by their bits, or integers of 64 bits."""
    if kind == "flag":
        return np.asarray(pc.fill_null(column, False).to_numpy(), np.uint8)
    if kind == "number":
        return np.ascontiguousarray(pc.fill_null(column, 0.0).to_numpy(), "<f8").view("<i8")
    if kind != "integer":
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    elif column.type != pa.uint64():
        column = column.cast(pa.int64())
    return np.ascontiguousarray((pc.fill_null(column, 0) if column.null_count else column).to_numpy())


def _text_bytes(column: pa.ChunkedArray, kind: str) -> Iterator[Any]:
    """The texts that occur, in ascending order of their UTF-8 bytes; then, if they are several, each row's place among them:
    one byte each for up to 256 of them, else four."""
    if kind == "list":
        column = pa.chunked_array(
            [[json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]], pa.string()
        )
    column = pc.fill_null(column, "") if column.null_count else column
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    encoded = column.chunk(0) if column.num_chunks == 1 else column.unify_dictionaries().combine_chunks()
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False))
    texts = [text.encode() for text in encoded.dictionary.to_pylist()]
    occurs = np.flatnonzero(np.bincount(codes, minlength=len(texts)))
    ordered = sorted({texts[code] for code in occurs})
    yield b"".join(len(text).to_bytes(4, "little") + text for text in ordered)
    if len(ordered) > 1:
        place = {text: number for number, text in enumerate(ordered)}
        yield np.array([place.get(text, 0) for text in texts], "<u1" if len(ordered) <= 256 else "<i4")[codes]
