"""Some rows of a dataset, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from seg5b.frames.base import FrameColumns, Frames
from seg5b.tables.reading import Kind, file_layout

Rows = tuple[int, int | None]
"""First and stop of a range; None for the end."""
ALL_ROWS: Rows = (0, None)


def iterate_rows(
    frames: Frames, files: Sequence[Path], kinds: Mapping[str, Kind], rows: Rows, *, code: str
) -> Iterator[FrameColumns]:
    """Columns of a range of rows of several files taken together, at most a row group a piece. Errors as `Frames`."""
    if rows == ALL_ROWS:
        yield from frames.iterate(files, kinds, code=code)
        return
    first, stop = rows
    start = 0
    for file in files:
        group_start = start
        for size in file_layout(file, kinds, code=code).group_rows:
            low, high = max(group_start, first), group_start + size if stop is None else min(group_start + size, stop)
            if low < high:
                yield frames.rows([file], low - start, high - start, kinds, code=code)
            group_start += size
        start = group_start
