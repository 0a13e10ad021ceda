"""Tables on disk (law L8): the only room of the pipeline that knows pyarrow."""

from seg5b.tables.columns import Coded, Constant, Masked, Moments
from seg5b.tables.writer import RowGroupWriter, TableFormat, file_metadata, write_table

__all__ = [
    "Coded",
    "Constant",
    "Masked",
    "Moments",
    "RowGroupWriter",
    "TableFormat",
    "file_metadata",
    "write_table",
]
