"""Tables on disk (law L8): the only room that knows pyarrow, beside the writers of `seg5b.world`."""

from seg5b.tables.columns import Coded, Constant, Cycled, Masked, Moments, Repeated
from seg5b.tables.writer import (
    POLICIES_DIGEST,
    BackgroundWriter,
    ByteSink,
    RowGroupWriter,
    TableFormat,
    file_metadata,
    write_table,
)

__all__ = [
    "POLICIES_DIGEST",
    "BackgroundWriter",
    "ByteSink",
    "Coded",
    "Constant",
    "Cycled",
    "Masked",
    "Moments",
    "Repeated",
    "RowGroupWriter",
    "TableFormat",
    "file_metadata",
    "write_table",
]
