"""Stands in for cudf where there is no device: the calls that `seg5b.frames.cudf` makes, over host memory.

As strict as cudf and cupy where it matters: no array of a column with nulls or of texts and times, no memory once its
column is gone, columns from folder names unless they are switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from simulated import DeviceArray

__version__ = "26.10.0"


class Index:
    """Distinct values of a factorised column."""

    def __init__(self, values: pa.Array) -> None:
        self._values = values

    def to_arrow(self) -> pa.Array:
        return self._values


class Series:
    """One column; ``memory`` is what would be device memory."""

    def __init__(self, column: pa.Array, memory: np.ndarray | None = None) -> None:
        self._column = column
        self.null_count = column.null_count
        number = not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type))
        if memory is None and number:
            filled = pc.fill_null(column, pa.scalar(0).cast(column.type)) if column.null_count else column
            memory = np.array(filled.to_numpy(zero_copy_only=False))
        self.memory = memory

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if self.memory is None or self.null_count or self.memory.dtype.kind == "M":
            raise TypeError(f"no device array of {self._column.type} with {self.null_count} nulls")
        return self.memory.__array_interface__

    def astype(self, dtype: str) -> Series:
        assert self.memory is not None and (dtype, self.memory.dtype.kind) == ("int64", "M")
        return Series(self._column, self.memory.view(np.int64))

    def factorize(self) -> tuple[DeviceArray, Index]:
        """Codes int64 in order of first appearance."""
        coded = pc.dictionary_encode(self._column)
        return DeviceArray(coded.indices.to_numpy().astype(np.int64)), Index(coded.dictionary)


class DataFrame:
    """Columns by name, as cudf takes them from an Arrow table."""

    def __init__(self, columns: dict[str, Series]) -> None:
        self._columns = columns

    @classmethod
    def from_arrow(cls, table: pa.Table) -> DataFrame:
        return cls({name: Series(_decoded(table.column(name))) for name in table.column_names})

    @property
    def columns(self) -> list[str]:
        return list(self._columns)

    def __getitem__(self, name: str) -> Series:
        return self._columns[name]


@dataclass
class FakeCudf:
    """The package. ``calls``: what was read, file by file; ``failure``: raised by the next reads, after ``sound`` more."""

    calls: list[tuple[str, list[str], list[int]]] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    failure: Exception | None = None
    sound: int = 0
    __version__ = __version__
    DataFrame = DataFrame

    def read_parquet(
        self,
        paths: Sequence[str],
        *,
        columns: Sequence[str],
        row_groups: Sequence[Sequence[int]],
        use_pandas_metadata: bool = True,
        dataset_kwargs: dict[str, Any] | None = None,
    ) -> dict[str, Series]:
        wanted = list(zip(paths, row_groups, strict=True))
        self.calls += [(Path(path).name, list(columns), list(groups)) for path, groups in wanted]
        if self.failure is not None:
            self.sound -= 1
            if self.sound < 0:
                raise self.failure
        assert not use_pandas_metadata and dataset_kwargs == {"partitioning": None}
        read = [pq.ParquetFile(path).read_row_groups(list(groups), columns=list(columns)) for path, groups in wanted]
        table = pa.concat_tables(read)
        frame = {name: Series(_decoded(table.column(name))) for name in columns}
        self.series += frame.values()
        return frame


def _decoded(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    whole = whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole
    return whole.cast(pa.timestamp(whole.type.unit)) if pa.types.is_timestamp(whole.type) else whole
