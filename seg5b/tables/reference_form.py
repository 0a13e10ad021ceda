"""Tables in the form in which the reference engine writes and reads them (docs/laws#reference-form).

Texts are plain, also moments: instants with ``Z``, wall clocks without. Ids stay unsigned 64-bit numbers, counts signed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.errors import InputError
from seg5b.tables.content import UNREADABLE, content_digest
from seg5b.tables.limits import Unreadable, reason
from seg5b.tables.pandas_note import pandas_note
from seg5b.tables.text import moment_texts

_WORLD = ("manifest_fingerprint", "parameter_hash")
_SERIES = ("merchant_id", "zone_representation", "channel_group")
_DRAWN = (*_WORLD, "seed", "scenario_id", *_SERIES, "bucket_index")
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "s1_time_grid_5B": (
        *(*_WORLD, "scenario_id", "bucket_index", "bucket_start_utc", "bucket_end_utc", "bucket_duration_seconds"),
        *("s1_spec_version", "scenario_is_baseline", "scenario_is_stress", "scenario_labels", "local_day_of_week"),
        *("local_minutes_since_midnight", "is_weekend"),
    ),
    "s1_grouping_5B": (
        *(*_WORLD, "scenario_id", *_SERIES, "group_id", "scenario_band", "demand_class", "virtual_band"),
        *("zone_group_id", "s1_spec_version"),
    ),
    "s2_realised_intensity_5B": (
        *(*_DRAWN, "lambda_baseline", "lambda_random_component", "lambda_realised", "s2_spec_version"),
    ),
    "s3_bucket_counts_5B": (
        *(*_DRAWN, "lambda_realised", "mu", "count_N", "count_capped", "bucket_duration_seconds", "count_law_id"),
        "s3_spec_version",
    ),
    "arrival_events_5B": (
        *(*_DRAWN, "arrival_seq", "ts_utc", "tzid_primary", "ts_local_primary", "tzid_settlement"),
        *("ts_local_settlement", "tzid_operational", "ts_local_operational", "routing_universe_hash", "is_virtual"),
        *("s4_spec_version", "site_id", "edge_id", "lambda_realised", "tz_group_id"),
    ),
    "s4_arrival_summary_5B": (*_DRAWN, "count_N", "count_physical", "count_virtual", "s4_spec_version"),
}
"""The columns of each dataset in this form, in their order. Those that a run does not carry are left out; others than these,
which the reference engine does not know, stay behind."""
_ROWS: Final = 1 << 18
_NO_IDS = ("bucket_index", "arrival_seq", "count_N", "count_physical", "count_virtual")


def columns_of(dataset_id: str, file: Path) -> dict[str, pa.DataType]:
    """The columns that a published file has to give, with their types there. Raises `InputError`
    ``5B.RUN.DATASET_UNREADABLE``."""
    try:
        schema = pq.read_schema(file)
    except Unreadable as cause:
        raise _unreadable(file, cause) from cause
    return {name: schema.field(name).type for name in COLUMNS[dataset_id] if name in schema.names}


def write_reference_form(
    files: Sequence[Path],
    columns: Mapping[str, pa.DataType],
    out: Path,
    metadata: Mapping[str, str],
    advance: Callable[[int], None],
) -> None:
    """Write the rows of published ``files``, in order, as the one file ``out`` with ``columns``, zstd, 2^18 rows a row group.

    Texts go to the encoder as the codes that they are in ``files``, and the file does not say so: its readers see texts.
    ``advance`` is called with rows done. Raises `InputError` ``5B.RUN.DATASET_UNREADABLE``, `OSError`.
    """
    fields = [_field(field) for field in _fields(files[0], columns)]
    schema = pa.schema(fields, {**metadata, **pandas_note(fields)})
    texts = [name for name, kind in columns.items() if not pa.types.is_timestamp(kind)]
    with pq.ParquetWriter(
        out,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in texts if name not in _NO_IDS],
        write_statistics=True,
        store_schema=False,
    ) as writer:
        for batch in _batches(files, columns):
            arrays = [_text(name, each) for name, each in zip(schema.names, batch.columns, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema), _ROWS)
            advance(batch.num_rows)


def _fields(file: Path, columns: Mapping[str, pa.DataType]) -> Iterator[pa.Field]:
    schema = pq.read_schema(file)
    return (schema.field(name) for name in columns)


def _field(field: pa.Field) -> pa.Field:
    return field.with_type(pa.string()) if pa.types.is_timestamp(field.type) else field


def _text(name: str, array: pa.Array) -> pa.Array:
    return moment_texts(name, array) if pa.types.is_timestamp(array.type) else array


def _batches(files: Sequence[Path], columns: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    for file in files:
        try:
            opened = pq.ParquetFile(file, page_checksum_verification=True)
            for batch in opened.iter_batches(_ROWS, columns=list(columns), use_threads=False):
                yield batch.select(list(columns))
        except Unreadable as cause:
            raise _unreadable(file, cause) from cause


def _unreadable(file: Path, cause: Exception) -> InputError:
    what, remedy = f"cannot be read: {reason(cause)}", "run `seg5b verify` to see what changed"
    return InputError(UNREADABLE, what, where=str(file), remedy=remedy)


def reference_digest(files: Sequence[Path], columns: Mapping[str, pa.DataType], *, threads: int) -> str:
    """Content digest (docs/laws#content-digest) of files in this form, moments read back from their texts: that of the
    published rows without what stays behind, if they are the same. Raises as `content_digest`."""
    told = {name: kind for name, kind in columns.items() if pa.types.is_timestamp(kind)}
    return content_digest(files, threads=threads, told=told)


def published_digest(files: Sequence[Path], columns: Mapping[str, pa.DataType], *, threads: int) -> str:
    """Content digest of published files without what stays behind. Raises as `content_digest`."""
    return content_digest(files, threads=threads, without=left_behind(files[0], columns))


def left_behind(file: Path, columns: Mapping[str, pa.DataType]) -> tuple[str, ...]:
    """Columns of a published file that this form does not have."""
    return tuple(name for name in pq.read_schema(file).names if name not in columns)


def sampled(files: Sequence[Path], places: Sequence[int], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a dataset at ``places``, ascending, as Python values. Raises `InputError` ``5B.RUN.DATASET_UNREADABLE``."""
    if not columns:
        return [{} for _ in places]
    found: list[dict[str, Any]] = []
    start = 0
    for file in files:
        opened = pq.ParquetFile(file)
        for group in range(opened.num_row_groups):
            stop = start + opened.metadata.row_group(group).num_rows
            own = [place - start for place in places if start <= place < stop]
            if own:
                try:
                    found += opened.read_row_group(group, columns=list(columns)).take(own).to_pylist()
                except Unreadable as cause:
                    raise _unreadable(file, cause) from cause
            start = stop
    return found
