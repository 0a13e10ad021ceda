"""What a Parquet file may hold, judged by its footer before anything is decoded (law L16, docs/laws#foreign-bytes)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.errors import brief
from seg5b.refusals import pass_on_refusal

MOST_TEXT_BYTES: Final = 4096
"""Of one text: names of zones and countries, ids and digests are far shorter."""
MOST_ROWS: Final = 1 << 28
"""Of a dataset that is read whole. What is larger is read in pieces."""
_PAGE_SLACK: Final = 1 << 20  # page headers and dictionaries of a small column
Unreadable: Final = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)
"""What pyarrow raises for damaged files: a text that is not UTF-8, for one, is a plain `UnicodeDecodeError`, and a
moment that Python has no date for an `OverflowError`."""


def reason(cause: Exception) -> str:
    """First line of what pyarrow says, at a readable length. Raises the cause itself where the system refused something
    (memory, files, threads, the disk): the file may be sound, see `seg5b.refusals`."""
    pass_on_refusal(cause)
    if "Failed to launch worker thread" in str(cause):
        raise RuntimeError("can't start new thread") from cause
    return brief(next(iter(str(cause).splitlines()), type(cause).__name__))


def schema_fault(schema: pa.Schema, wanted: Collection[str], optional: Sequence[str]) -> str:
    """Why columns cannot be read by their names, if they cannot."""
    known = set(schema.names)
    missing = [name for name in wanted if name not in known and name not in optional]
    if missing:
        return f"columns {brief(', '.join(missing), 160)} are missing; present are {', '.join(sorted(known))}"
    for name in wanted:
        at = schema.get_all_field_indices(name)
        if len(at) > 1:
            return f"column {name} occurs {len(at)} times"
        if at and pa.types.is_nested(schema.field(at[0]).type):
            return f"column {name} of type {brief(str(schema.field(at[0]).type))} does not convert: it is nested"
    return ""


def size_fault(metadata: pq.FileMetaData, texts: Sequence[str]) -> str:
    """Which column of texts declares more bytes than its values may have, if one does."""
    columns = [at for at in range(metadata.num_columns) if metadata.schema.column(at).path in texts]
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for chunk in map(group.column, columns):
            if chunk.total_uncompressed_size > chunk.num_values * (MOST_TEXT_BYTES + 8) + _PAGE_SLACK:
                size = chunk.total_uncompressed_size
                return f"column {chunk.path_in_schema} declares {size} bytes for {chunk.num_values} texts"
    return ""
