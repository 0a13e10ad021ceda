"""An export from end to end: choose, read in batches, write, bring into place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from seg5b.contracts import ContractSource
from seg5b.errors import InputError
from seg5b.export.choosing import choose
from seg5b.export.formats import LAKES, TEXTS, Format, Shape, shape_of
from seg5b.export.lakes import check_lake, write_lake
from seg5b.export.reading import Reading, of_condition, plan
from seg5b.export.request import ORDERS, ExportRequest
from seg5b.export.targets import STDOUT, Target, target_of
from seg5b.export.windows import rows_in
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.progress import Advance, Reporter, Silent
from seg5b.query import Database, open_database
from seg5b.runs.root import RunRoot
from seg5b.runs.scratch import reader_scratch
from seg5b.tables import file_metadata
from seg5b.tables.outgoing import RowBatch, Sink, TextSink, Typed, arrow_sink, even, no_rows, parquet_sink, split
from seg5b.tables.text import TextForm

_BATCH_ROWS: Final = 1 << 16
_NULL_FOLDER: Final = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: ``rows`` of ``dataset_id`` and ``scenarios`` to ``out`` in ``files`` files (0: a table of a library),
    and the shape they have."""

    out: str
    dataset_id: str
    scenarios: tuple[str, ...]
    rows: int
    files: int
    shape: Shape


def export_dataset(
    root: RunRoot,
    contracts: ContractSource,
    request: ExportRequest,
    *,
    memory_limit_gb: float = DEFAULT_MEMORY_GB,
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> Exported:
    """Write rows of a published dataset to where the request says, in bounded memory: ``memory_limit_gb`` (10^9 bytes) for the
    query, which spills beyond it, and some hundred megabytes for what is being written.

    The run is only read. What is written appears whole or not at all (docs/laws#export-form). Raises `InputError` and
    `PublishError` ``5B.EXPORT.*`` for what cannot be, with what there is; `BrokenPipeError` where stdout was closed.
    """
    out = str(request.out)
    shape = shape_of(out, request.format, request.compression, request.ids)
    if request.order not in ORDERS:
        raise InputError(
            "5B.EXPORT.ORDER_UNKNOWN", f"no order {request.order!r}", remedy=f"choose {' or '.join(ORDERS)}"
        )
    lake, folder = shape.format in LAKES, bool(request.partition_by)
    if lake:
        check_lake(request, shape.format)
    target = None if lake else target_of(out, overwrite=request.overwrite, folder=folder, binary=_is_binary(shape))
    chosen = choose(root, contracts, request.dataset, request.scenarios)
    with reader_scratch(root, "export") as scratch, open_database(memory_limit_gb, threads, scratch) as database:
        reading = plan(database, chosen.files, request, shape, window_rows=rows_in(memory_limit_gb))
        with (reporter or Silent()).track(f"export {chosen.dataset_id}", reading.rows, "rows") as advance:
            batches = _batches(database, reading, request, advance)
            writer = _Writer(root, reading, shape, as_stream=out == STDOUT)
            files = 0
            if target is None:
                first, batches = writer.started(batches)
                write_lake(request, shape.format, writer.typed(first), batches)
            else:
                with target:
                    files = writer.write(target, batches)
    return Exported(out, chosen.dataset_id, chosen.scenarios, reading.rows, files, shape)


def _is_binary(shape: Shape) -> bool:
    return shape.format not in TEXTS or shape.compression != "none"


def _batches(database: Database, reading: Reading, request: ExportRequest, advance: Advance) -> Iterator[RowBatch]:
    with of_condition(request, [each.name for each in reading.columns]):
        found = (batch for query in reading.queries for batch in database.batches(query, _BATCH_ROWS, no_rows))
        for batch in even(found, _BATCH_ROWS):
            yield batch
            advance(batch.num_rows)


class _Writer:
    """Opens a file for each stretch of rows with the same keys, and writes them."""

    def __init__(self, root: RunRoot, reading: Reading, shape: Shape, *, as_stream: bool) -> None:
        self._metadata = file_metadata(root.identity, ids=shape.ids.value)
        self._reading, self._shape, self._as_stream = reading, shape, as_stream
        self._sink: Sink | None = None
        self._stream: Any = None
        self._values: tuple[str | None, ...] | None = None
        self._files = 0

    def started(self, batches: Iterator[RowBatch]) -> tuple[RowBatch, Iterator[RowBatch]]:
        """The first batch, for its types, and all of them. A query gives one at least, maybe without rows."""
        first = next(batches)

        def every() -> Iterator[RowBatch]:
            yield first
            yield from batches

        return first, every()

    def typed(self, sample: RowBatch) -> Typed:
        """The types of a file, by those of a batch."""
        plain = self._shape.format in LAKES
        return Typed(self._reading.columns, self._shape.ids, sample, self._metadata, plain_text=plain)

    def write(self, target: Target, batches: Iterator[RowBatch]) -> int:
        """Write all rows; returns in how many files."""
        keys = len(self._reading.keys)
        for batch in batches:
            pieces = split(batch, keys) if keys else [((), batch)]
            for values, rows in pieces:
                if values != self._values:
                    self._close()
                    self._open(target, values, rows)
                assert self._sink is not None
                self._sink.write(rows)
        self._close()
        return self._files

    def _open(self, target: Target, values: tuple[str | None, ...], sample: RowBatch) -> None:
        folders = [
            f"{name}={_NULL_FOLDER if value is None else quote(value, safe=' +,:@()')}"
            for name, value in zip(self._reading.keys, values, strict=True)
        ]
        self._stream = target.open("/".join([*folders, f"part-000000{self._shape.suffix}"]) if folders else "")
        self._values, self._files = values, self._files + 1
        self._sink = self._sink_of(sample)

    def _sink_of(self, sample: RowBatch) -> Sink:
        form, compression = self._shape.format, self._shape.compression
        if form in TEXTS:
            return TextSink(self._stream, TextForm(form.value), self._reading.columns, self._shape.ids, compression)
        if form is Format.PARQUET:
            return parquet_sink(self._stream, self.typed(sample), compression)
        return arrow_sink(self._stream, self.typed(sample), compression, as_stream=self._as_stream)

    def _close(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._stream.close()
            self._sink = None
