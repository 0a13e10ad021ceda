"""Frames by cudf: decoded on the device, and handed to kernels where they lie. The only room that knows cudf and rmm.

**Order.** cudf works on CUDA's default stream, kernels on the stream of the backend. That one is a blocking stream, so
the driver keeps both in the order in which they were asked for: a kernel waits for the decoding before it, and what
cudf does next, a release of memory included, waits for the kernels before it. With ``CUDF_PER_THREAD_STREAM=1`` cudf
would work on a stream without that guarantee; then it is not used. Downloads go through a third stream, which waits for
the backend's, and are over before their array can go.

**Memory.** An array over a column keeps the column, and a slice of it keeps the array: whoever holds either, cudf does
not take the memory back. Importing cudf also moves cupy's allocations to rmm, whose first resource asks the driver each
time; it is replaced by the driver's own pool, unless another was chosen before.

**Not checked.** cudf does not look at page checksums, as Arrow does. What was sealed has been verified by then; S5
reads the outputs of S2 and S3 again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seg5b.backends.base import Array
from seg5b.errors import BackendError
from seg5b.frames.arrow import ArrowFrames
from seg5b.frames.base import FrameColumns, TextColumn, cut
from seg5b.tables.reading import Kind, file_layout, groups_of_span, spans_of_files

if TYPE_CHECKING:
    from seg5b.backends.cuda import CudaBackend

# A piece of consecutive row groups: enough for a device to be busy, few enough that two pieces fit beside the rest.
ROWS_PER_PIECE = 1 << 22
_log = logging.getLogger("seg5b.frames")

_STORED_AS = {Kind.ID: "u", Kind.INTEGER: "iu", Kind.NUMBER: "f", Kind.FLAG: "b", Kind.MOMENT: "i"}
_DTYPE = {
    Kind.ID: np.dtype(np.uint64),
    Kind.INTEGER: np.dtype(np.int64),
    Kind.NUMBER: np.dtype(np.float64),
    Kind.FLAG: np.dtype(np.bool_),
    Kind.MOMENT: np.dtype(np.int64),
}


def load_cudf(backend: CudaBackend) -> Any | str:
    """The cudf package, ready to share the backend's device; or why it cannot be used, in a few words."""
    if os.environ.get("CUDF_PER_THREAD_STREAM") == "1":
        return "CUDF_PER_THREAD_STREAM is set, cudf would work beside the backend's stream"
    try:
        with backend.working("cudf"):
            import cudf
            import rmm

            if type(rmm.mr.get_current_device_resource()) is rmm.mr.CudaMemoryResource:
                rmm.mr.set_current_device_resource(rmm.mr.CudaAsyncMemoryResource())
    except ModuleNotFoundError as cause:
        return "cudf is not installed" if cause.name == "cudf" else f"cudf cannot be imported: {cause}"
    except Exception as cause:  # an install that does not fit the driver fails in many ways
        return f"cudf cannot be used: {type(cause).__name__}: {' '.join(str(cause).split())}"
    return cudf


def dataframe_maker() -> Callable[[Any], Any]:
    """What makes a `cudf.DataFrame` of an Arrow table. Raises `ImportError` where cudf is not installed."""
    import cudf

    make: Callable[[Any], Any] = cudf.DataFrame.from_arrow
    return make


class CudfFrames:
    """Reads on the device of a CUDA backend; see `seg5b.frames.base.Frames`.

    ``library``: the cudf package. A file with a column that needs more than widening to become its `Kind`, or that cudf
    fails on, is read by Arrow, which has the values and the words for whatever is wrong; the first time a file fails is
    logged. Nulls are reported by Arrow too. Raises `BackendError` ``5B.BACKEND.OUT_OF_MEMORY`` beyond what Arrow raises.
    """

    name = "cudf"

    def __init__(self, backend: CudaBackend, reason: str, library: Any) -> None:
        self.reason = reason
        self._backend = backend
        self._cudf = library
        self._arrow = ArrowFrames(backend, "cudf cannot read the file")
        self._given_up: set[Path] = set()

    def iterate(self, files: Sequence[Path], kinds: Mapping[str, Kind], *, code: str) -> Iterator[FrameColumns]:
        """Columns piece by piece, some row groups each; by Arrow where cudf cannot read a file. Errors as `Frames`."""
        for file in files:
            layout = file_layout(file, kinds, code=code)
            if not layout.widens or file in self._given_up:
                yield from self._arrow.iterate([file], kinds, code=code)
                continue
            first = 0
            for groups in pieces(layout.group_rows):
                stop = first + sum(layout.group_rows[group] for group in groups)
                read = self._by_cudf({file: groups}, kinds)
                yield self._arrow.rows([file], first, stop, kinds, code=code) if read is None else read
                first = stop

    def rows(
        self, files: Sequence[Path], first: int, stop: int, kinds: Mapping[str, Kind], *, code: str
    ) -> FrameColumns:
        """Rows [first, stop) of one dataset; by Arrow where cudf cannot read a file of them. Errors as `Frames`."""
        layouts = [file_layout(file, kinds, code=code) for file in files]
        file_rows = [sum(layout.group_rows) for layout in layouts]
        if first < stop <= sum(file_rows):
            spans = spans_of_files(file_rows, first, stop)
            held = [groups_of_span(layouts[number].group_rows, *span) for number, *span in spans]
            if all(layouts[number].widens for number, *_ in spans):
                wanted = {files[number]: groups for (number, *_), (groups, _) in zip(spans, held, strict=True)}
                read = self._by_cudf(wanted, kinds)
                if read is not None:
                    before = held[0][1]
                    return cut(read, before, before + stop - first)
        return self._arrow.rows(files, first, stop, kinds, code=code)

    def _by_cudf(self, wanted: Mapping[Path, Sequence[int]], kinds: Mapping[str, Kind]) -> FrameColumns | None:
        """Row groups of some files, one after the other; None where Arrow has to read them."""
        if not self._given_up.isdisjoint(wanted):
            return None
        named = ", ".join(f"row groups {groups[0]}..{groups[-1]} of {file.name}" for file, groups in wanted.items())
        try:
            with self._backend.working(named):
                frame = self._cudf.read_parquet(
                    [str(file) for file in wanted],
                    columns=list(kinds),
                    row_groups=[list(groups) for groups in wanted.values()],
                    use_pandas_metadata=False,
                    dataset_kwargs={"partitioning": None},  # names of folders become no columns
                )
                return {name: self._column(frame[name], kind) for name, kind in kinds.items()}
        except BackendError:
            raise
        except Exception as cause:  # reading again with Arrow finds the typed error, if the file is at fault
            self._given_up.update(wanted)
            if not isinstance(cause, _NullsError):
                said = f"{type(cause).__name__}: {' '.join(str(cause).split())}"
                _log.warning("%s is read by Arrow, cudf failed: %s", ", ".join(map(str, wanted)), said)
            return None

    def _column(self, series: Any, kind: Kind) -> Array | TextColumn:
        if series.null_count:
            raise _NullsError
        if kind is Kind.TEXT:
            codes, values = series.factorize()
            return TextColumn(codes.astype(np.int32), tuple(values.to_arrow().to_pylist()))
        if kind is Kind.MOMENT:
            series = series.astype("int64")  # the same memory
        held = self._backend.adopt(series)
        if held.dtype.kind not in _STORED_AS[kind]:
            raise TypeError(f"{held.dtype} for {kind.value}")
        return held if held.dtype == _DTYPE[kind] else held.astype(_DTYPE[kind])


class _NullsError(Exception):
    """A column holds nulls."""


def pieces(group_rows: Sequence[int]) -> Iterator[list[int]]:
    """Consecutive row groups, empty ones left out, in pieces of `ROWS_PER_PIECE` rows or one row group."""
    piece: list[int] = []
    held = 0
    for group, rows in enumerate(group_rows):
        if held and held + rows > ROWS_PER_PIECE:
            yield piece
            piece, held = [], 0
        if rows:
            piece.append(group)
            held += rows
    if piece:
        yield piece
