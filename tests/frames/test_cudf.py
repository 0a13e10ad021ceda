"""What only cudf's reader does, over the fake package: pieces, shared memory, when Arrow steps in, and being chosen."""

from __future__ import annotations

import gc
import logging
import sys
import weakref
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.backends.cpu import CpuBackend
from seg5b.errors import BackendError
from seg5b.frames import cudf as cudf_frames
from seg5b.frames import frames_for
from seg5b.frames.base import array, cut, text
from seg5b.frames.choose import CUDF_PAYS_CELLS
from seg5b.frames.cudf import CudfFrames, dataframe_maker, load_cudf, pieces
from seg5b.tables.reading import Kind
from tests.frames.fake_cudf import FakeCudf
from tests.frames.test_contract import CODE, KINDS, expected, same, table

# Columns whose stored type is their kind's: nothing stands between them and a kernel.
SHARED = ("merchant", "index", "weight", "flag", "utc", "local")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """700 rows in seven row groups, read in pieces of two."""
    monkeypatch.setattr(cudf_frames, "ROWS_PER_PIECE", 250)
    pq.write_table(table(), tmp_path / "file.parquet", row_group_size=100)
    return tmp_path / "file.parquet"


@pytest.mark.parametrize(
    ("group_rows", "found"),
    [
        ([], []),
        ([0, 0], []),
        ([100] * 5, [[0, 1], [2, 3], [4]]),
        ([250, 1], [[0], [1]]),
        ([900, 1, 900], [[0], [1], [2]]),
        ([0, 200, 0, 50, 1, 0], [[1, 3], [4]]),
        ([1] * 251, [list(range(250)), [250]]),
    ],
)
def test_pieces_are_consecutive_row_groups(monkeypatch: pytest.MonkeyPatch, group_rows: list[int], found: list[list[int]]) -> None:  # fmt: skip
    monkeypatch.setattr(cudf_frames, "ROWS_PER_PIECE", 250)
    assert list(pieces(group_rows)) == found


def test_each_row_group_is_read_once_and_only_columns_asked_for(by_cudf: CudfFrames, library: FakeCudf, file: Path) -> None:  # fmt: skip
    list(by_cudf.iterate([file], KINDS, code=CODE))
    assert library.calls == [("file.parquet", list(KINDS), groups) for groups in ([0, 1], [2, 3], [4, 5], [6])]
    by_cudf.rows([file], 150, 420, KINDS, code=CODE)
    assert library.calls[-1][2] == [1, 2, 3, 4]


def test_a_span_over_two_files_is_read_at_once_and_only_its_row_groups(
    by_cudf: CudfFrames, library: FakeCudf, file: Path
) -> None:
    other = file.with_name("other.parquet")
    pq.write_table(table(), other, row_group_size=300)
    by_cudf.rows([file, other], 550, 900, KINDS, code=CODE)
    assert library.calls == [("file.parquet", list(KINDS), [5, 6]), ("other.parquet", list(KINDS), [0])]


@pytest.mark.parametrize("name", SHARED)
def test_columns_reach_kernels_without_a_copy(simulated: Any, by_cudf: CudfFrames, library: FakeCudf, file: Path, name: str) -> None:  # fmt: skip
    """The array that a launch is given lies in the column's own memory; so do slices of it."""
    for columns in by_cudf.iterate([file], {name: KINDS[name]}, code=CODE):
        (series,) = library.series[-1:]
        launched = [array(each, name).memory for each in (columns, cut(columns, 30, 60))]
        assert all(np.shares_memory(each, series.memory) for each in launched)


def test_whoever_holds_an_array_holds_its_column(by_cudf: CudfFrames, library: FakeCudf, file: Path) -> None:
    part = cut(by_cudf.rows([file], 0, 100, {"merchant": Kind.ID}, code=CODE), 10, 20)
    (series,) = (weakref.ref(each) for each in library.series)
    library.series.clear()
    gc.collect()
    assert series() is not None
    del part
    gc.collect()
    assert series() is None


def test_texts_are_coded_on_the_device(simulated: Any, by_cudf: CudfFrames, file: Path) -> None:
    zones = text(by_cudf.rows([file], 0, 700, KINDS, code=CODE), "zone")
    codes = simulated.download(zones.codes)
    assert codes.dtype == np.int32 and len(zones.values) == 4
    assert [zones.values[code] for code in codes] == expected(table())["zone"]


@pytest.mark.parametrize("stored", [pa.int64(), pa.decimal128(20)])
def test_a_type_that_needs_more_than_widening_is_left_to_arrow(
    by_cudf: CudfFrames, library: FakeCudf, tmp_path: Path, stored: pa.DataType
) -> None:
    pq.write_table(pa.table({"merchant": pa.array([1, 2]).cast(stored)}), tmp_path / "file")
    with nullcontext() if stored == pa.int64() else pytest.raises(Exception, match="does not convert"):
        list(by_cudf.iterate([tmp_path / "file"], {"merchant": Kind.ID}, code=CODE))
    with nullcontext() if stored == pa.int64() else pytest.raises(Exception, match="does not convert"):
        by_cudf.rows([tmp_path / "file"], 0, 2, {"merchant": Kind.ID}, code=CODE)
    assert library.calls == []


@pytest.mark.parametrize(("first", "stop"), [(0, 701), (700, 701), (100, 100)])
def test_spans_that_are_none_are_left_to_arrow(
    by_cudf: CudfFrames, library: FakeCudf, file: Path, first: int, stop: int
) -> None:
    with nullcontext() if stop <= 700 else pytest.raises(Exception, match="were wanted"):
        by_cudf.rows([file], first, stop, KINDS, code=CODE)
    assert library.calls == []


@pytest.mark.parametrize("sound", [0, 2])
def test_where_cudf_fails_arrow_goes_on(
    simulated: Any, by_cudf: CudfFrames, library: FakeCudf, file: Path, caplog: pytest.LogCaptureFixture, sound: int
) -> None:
    """From that piece on, each row once; said once, and the file is not tried again. Other files are."""
    library.failure, library.sound = RuntimeError("nvcomp\ntoo old"), sound
    with caplog.at_level(logging.WARNING, "seg5b.frames"):
        found = list(by_cudf.iterate([file], KINDS, code=CODE))
        by_cudf.rows([file], 10, 300, KINDS, code=CODE)
        list(by_cudf.iterate([file], KINDS, code=CODE))
    merchants = np.concatenate([simulated.download(array(columns, "merchant")) for columns in found])
    assert same(merchants, expected(table())["merchant"])
    assert len(library.calls) == sound + 1
    assert [record.getMessage() for record in caplog.records] == [
        f"{file} is read by Arrow, cudf failed: RuntimeError: nvcomp too old"
    ]
    other = file.with_name("other.parquet")
    pq.write_table(table(), other)
    by_cudf.rows([other], 0, 1, KINDS, code=CODE)
    assert library.calls[-1][0] == "other.parquet"


def test_an_array_of_another_type_than_the_footer_said_is_not_taken(
    simulated: Any, by_cudf: CudfFrames, library: FakeCudf, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt = simulated.adopt
    monkeypatch.setattr(simulated, "adopt", lambda owner: adopt(SimpleNamespace(
        __cuda_array_interface__=np.zeros(700).__array_interface__)))  # fmt: skip
    (index,) = by_cudf.rows([file], 0, 700, {"index": Kind.INTEGER}, code=CODE).values()
    assert same(simulated.download(index), expected(table())["index"])


def test_nulls_are_arrow_s_to_tell_and_no_failure_of_cudf(
    by_cudf: CudfFrames, library: FakeCudf, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pq.write_table(pa.table({"merchant": pa.array([1, None], pa.uint64())}), tmp_path / "file")
    with pytest.raises(Exception, match="column merchant holds 1 nulls"):
        list(by_cudf.iterate([tmp_path / "file"], {"merchant": Kind.ID}, code=CODE))
    assert len(library.calls) == 1 and not caplog.records


@pytest.mark.parametrize("failure", [MemoryError("std::bad_alloc"), RuntimeError("cudaErrorMemoryAllocation out of memory")])  # fmt: skip
def test_too_little_memory_is_a_typed_error(by_cudf: CudfFrames, library: FakeCudf, file: Path, failure: Exception) -> None:  # fmt: skip
    """Arrow would need as much on the device; and what runs with less afterwards is read by cudf again."""
    library.failure = failure
    with pytest.raises(BackendError) as told:
        list(by_cudf.iterate([file], KINDS, code=CODE))
    assert told.value.code == "5B.BACKEND.OUT_OF_MEMORY"
    assert "row groups 0..1 of file.parquet" in told.value.what
    library.failure = None
    assert len(list(by_cudf.iterate([file], KINDS, code=CODE))) == 4
    assert len(library.calls) == 5


# ------------------------------------------------------------------------------------------------------------- choosing


class Plain:
    """rmm's resource that asks the driver each time."""


class Pool:
    """The driver's pool."""


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, library: FakeCudf) -> SimpleNamespace:
    """Packages cudf and rmm; the state of the latter."""
    state = SimpleNamespace(resource=Plain())
    rmm = ModuleType("rmm")
    rmm.mr = SimpleNamespace(  # type: ignore[attr-defined]
        CudaMemoryResource=Plain,
        CudaAsyncMemoryResource=Pool,
        get_current_device_resource=lambda: state.resource,
        set_current_device_resource=lambda resource: setattr(state, "resource", resource),
    )
    monkeypatch.setitem(sys.modules, "rmm", rmm)
    monkeypatch.setitem(sys.modules, "cudf", library)
    return state


@pytest.mark.usefixtures("installed")
def test_cudf_reads_for_cuda_where_it_is_installed(simulated: Any, file: Path, library: FakeCudf) -> None:
    for frames in (frames_for(simulated, "cudf"), frames_for(simulated, cells=lambda: CUDF_PAYS_CELLS)):
        assert (frames.name, frames.reason) == ("cudf", "cudf 26.10.0 reads on the device")
        library.calls.clear()
        frames.rows([file], 0, 1, KINDS, code=CODE)
        assert library.calls


@pytest.mark.usefixtures("installed")
def test_arrow_reads_for_cuda_where_it_is_told_to_or_little_is_to_be_read(simulated: Any) -> None:
    small = frames_for(simulated, cells=lambda: CUDF_PAYS_CELLS - 1)
    assert small.name == "arrow" and small.reason.startswith("below 67,108,864 cells")
    told = frames_for(simulated, "arrow", lambda: CUDF_PAYS_CELLS)
    assert (told.name, told.reason) == ("arrow", "requested")


def test_cudf_that_is_asked_for_and_cannot_be_had_is_a_typed_error(
    simulated: Any, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(backend: Any, reason: str) -> None:
        with pytest.raises(BackendError) as told:
            frames_for(backend, "cudf")
        assert (told.value.code, told.value.where) == ("5B.BACKEND.CUDF_UNAVAILABLE", "--frames cudf")
        assert reason in told.value.what

    refused(CpuBackend(), "the backend is cpu")
    monkeypatch.setitem(sys.modules, "rmm", None)
    refused(simulated, "cudf cannot be imported")
    monkeypatch.setitem(sys.modules, "cudf", None)
    refused(simulated, "cudf is not installed")


@pytest.mark.usefixtures("installed")
def test_arrow_reads_for_the_cpu_whatever_is_installed() -> None:
    frames = frames_for(CpuBackend())
    assert (frames.name, frames.reason) == ("arrow", "the backend is cpu")


def test_without_cudf_arrow_reads_and_cupy_carries(simulated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cudf", None)
    frames = frames_for(simulated, cells=lambda: CUDF_PAYS_CELLS)
    assert (frames.name, frames.reason) == ("arrow", "cudf is not installed; columns are uploaded")


def test_a_cudf_that_does_not_work_is_not_used(simulated: Any, installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rmm", None)
    assert str(load_cudf(simulated)).startswith("cudf cannot be imported: ")
    monkeypatch.setitem(sys.modules, "rmm", ModuleType("rmm"))
    assert str(load_cudf(simulated)).startswith("cudf cannot be used: AttributeError: ")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("value", "used"), [("1", False), ("0", True), ("", True)])
def test_a_stream_per_thread_would_break_the_order(simulated: Any, monkeypatch: pytest.MonkeyPatch, value: str, used: bool) -> None:  # fmt: skip
    monkeypatch.setenv("CUDF_PER_THREAD_STREAM", value)
    frames = frames_for(simulated, cells=lambda: CUDF_PAYS_CELLS)
    assert (frames.name == "cudf") is used
    assert ("CUDF_PER_THREAD_STREAM" in frames.reason) is not used


def test_rmm_gets_a_pool_unless_somebody_chose(simulated: Any, installed: SimpleNamespace) -> None:
    load_cudf(simulated)
    assert type(installed.resource) is Pool
    chosen = installed.resource = object()
    load_cudf(simulated)
    assert installed.resource is chosen


def test_dataframes_need_cudf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cudf", None)
    with pytest.raises(ImportError):
        dataframe_maker()
