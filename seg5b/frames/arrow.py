"""Frames by Arrow: decoded on the host, then uploaded. On the CPU nothing is copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from seg5b.backends.base import Backend
from seg5b.frames.base import FrameColumns, TextColumn
from seg5b.tables.reading import Columns, Kind, Text, iterate_columns, read_span


class ArrowFrames:
    """Reads for any backend; see `seg5b.frames.base.Frames`."""

    name = "arrow"

    def __init__(self, backend: Backend, reason: str) -> None:
        self.reason = reason
        self._backend = backend

    def iterate(self, files: Sequence[Path], kinds: Mapping[str, Kind], *, code: str) -> Iterator[FrameColumns]:
        """Columns piece by piece, a row group of Parquet each. Errors as `Frames`."""
        for columns in iterate_columns(files, kinds, code=code):
            yield self._there(columns)

    def rows(
        self, files: Sequence[Path], first: int, stop: int, kinds: Mapping[str, Kind], *, code: str
    ) -> FrameColumns:
        """Rows [first, stop) of one dataset. Errors as `Frames`."""
        return self._there(read_span(files, first, stop, kinds, code=code))

    def _there(self, columns: Columns) -> FrameColumns:
        upload = self._backend.upload
        return {
            name: TextColumn(upload(column.codes), column.values) if isinstance(column, Text) else upload(column)
            for name, column in columns.items()
        }
