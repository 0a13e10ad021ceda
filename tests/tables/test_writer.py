"""The file does not depend on how rows come: piece sizes, repeated columns, the encoding thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.tables import BackgroundWriter, Coded, Constant, Cycled, Masked, Moments, Repeated, RowGroupWriter
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import BUCKET_COUNTS
from seg5b.tables.writer import TableFormat

H, SERIES, FIRST = 9, 40, 4
ROWS = H * SERIES - FIRST
NAMES = text_values(["Europe/London", "Asia/Tokyo", "Etc/UTC"])
FORM = TableFormat(
    pa.schema(
        [
            ("seed", pa.uint64()),
            ("merchant_id", pa.uint64()),
            ("zone", pa.dictionary(pa.int32(), pa.string())),
            ("bucket_index", pa.int64()),
            ("kappa", pa.float64()),
            ("weight", pa.float64()),
            ("ts_utc", pa.timestamp("us", tz="UTC")),
            ("flag", pa.bool_()),
        ]
    ),
    dictionary=("seed", "merchant_id", "kappa"),
    rows_per_group=100,
)
_RNG = np.random.default_rng(4)
MERCHANT = np.sort(_RNG.integers(0, 2**64, SERIES, np.uint64))
ZONE, KAPPA = _RNG.integers(0, 3, SERIES).astype(np.int32), _RNG.random(SERIES)
WEIGHT, MICROS, FLAG = _RNG.random(ROWS), np.arange(ROWS) * 1000, _RNG.integers(0, 2, ROWS).astype(np.uint8)


def _plain(start: int, stop: int) -> dict[str, Column]:
    """Rows [start, stop), everything spelled out."""
    series, bucket = np.divmod(np.arange(FIRST + start, FIRST + stop), H)
    return {
        "seed": Constant(42),
        "merchant_id": MERCHANT[series],
        "zone": Coded(ZONE[series], NAMES),
        "bucket_index": bucket,
        "kappa": Masked(KAPPA[series], np.ones(series.size, bool)),
        "weight": WEIGHT[start:stop],
        "ts_utc": Moments(MICROS[start:stop]),
        "flag": FLAG[start:stop],
    }


def _on_the_axes(start: int, stop: int) -> dict[str, Column]:
    """The same rows, repeated columns as such."""
    first, run = divmod(FIRST + start, H)
    here = slice(first, (FIRST + stop - 1) // H + 1)
    return {
        **_plain(start, stop),
        "merchant_id": Repeated(MERCHANT[here], H, run),
        "zone": Coded(Repeated(ZONE[here], H, run), NAMES),
        "bucket_index": Cycled(H, run),
        "kappa": Repeated(KAPPA[here], H, run),
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("whole") / "file.parquet"
    with RowGroupWriter(file, FORM, {}) as writer:
        writer.append(_plain(0, ROWS), ROWS)
    assert pq.ParquetFile(file).metadata.num_row_groups == -(-ROWS // 100)
    return file.read_bytes()


PIECES = ([ROWS], [1] * ROWS, [100, 100, 100, ROWS - 300], [99, 2, 250, ROWS - 351], [ROWS - 1, 1])


@pytest.mark.parametrize("kind", [RowGroupWriter, BackgroundWriter])
@pytest.mark.parametrize("rows", [_plain, _on_the_axes])
@pytest.mark.parametrize("sizes", PIECES, ids=lambda sizes: f"{len(sizes)} pieces")
def test_pieces_do_not_show(
    tmp_path: Path, expected: bytes, kind: type[BackgroundWriter], rows: type, sizes: list[int]
) -> None:
    file, start = tmp_path / "file.parquet", 0
    with kind(file, FORM, {}) as writer:
        for size in sizes:
            writer.append(rows(start, start + size), size)
            start += size
    assert file.read_bytes() == expected


def test_nulls_throughout_are_a_constant(tmp_path: Path) -> None:
    """What S3 writes for poisson: kappa without values, as a mask or as the constant None."""
    form = TableFormat(pa.schema([BUCKET_COUNTS.schema.field("kappa")]), dictionary=("kappa",), rows_per_group=50)
    spellings: tuple[Column, ...] = (Masked(np.ones(120), np.zeros(120, bool)), Constant(None))
    for number, column in enumerate(spellings):
        with RowGroupWriter(tmp_path / str(number), form, {}) as writer:
            writer.append({"kappa": column}, 120)
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


@pytest.mark.parametrize("first", [0, 3, H, 2 * H + 5])
@pytest.mark.parametrize("rows", [slice(0, 0), slice(0, 1), slice(5, 60), slice(9, 18), slice(8, 19)])
def test_repeated_and_cycled_rows(first: int, rows: slice) -> None:
    every = np.arange(first, first + 80)
    values = np.arange(50) * 7
    assert (Repeated(values, H, first).rows(rows.start, rows.stop) == values[every // H][rows]).all()
    assert (Cycled(H, first).rows(rows.start, rows.stop) == (every % H)[rows]).all()


class _PlantedError(Exception):
    pass


@pytest.mark.parametrize("pieces", [3, 4, 20])
@pytest.mark.parametrize("waiting", [1, 5])
def test_a_failure_of_the_thread_is_raised_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: int, waiting: int
) -> None:
    """At the end, or while pieces are still coming; what waits behind it is not encoded."""
    begun: list[int] = []
    going = threading.Event()

    def append(self: RowGroupWriter, columns: Mapping[str, Column], rows: int) -> None:
        begun.append(rows)
        if len(begun) == 3:
            going.wait(20)
            raise _PlantedError("no space left")

    monkeypatch.setattr(RowGroupWriter, "append", append)
    before = threading.active_count()
    with (
        pytest.raises(_PlantedError, match="no space left"),
        BackgroundWriter(tmp_path / "file", FORM, {}, waiting) as writer,
    ):
        for piece in range(pieces):
            if piece >= min(pieces, 3 + waiting) - 1:  # as many wait as may
                going.set()
            writer.append({}, piece)
    assert begun == [0, 1, 2]
    assert threading.active_count() == before


def test_an_exception_of_the_body_gives_up_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, going, begun = threading.Event(), threading.Event(), []

    def append(self: RowGroupWriter, columns: Mapping[str, Column], rows: int) -> None:
        begun.append(rows)
        at_work.set()
        going.wait(20)

    monkeypatch.setattr(RowGroupWriter, "append", append)
    before = threading.active_count()
    with pytest.raises(_PlantedError), BackgroundWriter(tmp_path / "file", FORM, {}, waiting=2) as writer:
        for rows in (1, 2, 3):
            writer.append({}, rows)
        assert at_work.wait(20)
        threading.Timer(0.2, going.set).start()
        raise _PlantedError
    assert begun == [1]
    assert threading.active_count() <= before + 1  # the timer


def test_no_more_pieces_wait_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`append` blocks while one piece is being encoded and ``waiting`` more are there."""
    gate, done = threading.Semaphore(0), threading.Event()

    def append(self: RowGroupWriter, columns: Mapping[str, Column], rows: int) -> None:
        gate.acquire(timeout=5)

    monkeypatch.setattr(RowGroupWriter, "append", append)
    with BackgroundWriter(tmp_path / "file", FORM, {}, waiting=1) as writer:
        writer.append({}, 1)
        writer.append({}, 1)

        def append_and_tell() -> None:
            writer.append({}, 1)
            done.set()

        third = threading.Thread(target=append_and_tell)
        third.start()
        assert not done.wait(0.2)
        gate.release()
        assert done.wait(20)
        third.join()
        gate.release(2)


def test_a_closed_file_is_whole_even_without_rows(tmp_path: Path) -> None:
    with BackgroundWriter(tmp_path / "file", FORM, {}):
        pass
    assert pq.ParquetFile(tmp_path / "file").metadata.num_rows == 0
