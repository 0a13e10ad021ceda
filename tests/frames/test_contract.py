"""What every reader of frames must do: the same values, and the same error, whoever reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.errors import InputError
from seg5b.frames import cudf as cudf_frames
from seg5b.tables.reading import Kind
from tests.frames.readers import Reader

CODE = "5B.TEST.UNREADABLE"
KINDS = {
    "merchant": Kind.ID,
    "index": Kind.INTEGER,
    "weight": Kind.NUMBER,
    "flag": Kind.FLAG,
    "zone": Kind.TEXT,
    "class": Kind.TEXT,
    "utc": Kind.MOMENT,
    "local": Kind.MOMENT,
}
DTYPES = {"merchant": "u8", "index": "i8", "weight": "f8", "flag": "?", "utc": "i8", "local": "i8"}
ROWS = 700


def table(rows: int = ROWS, seed: int = 3) -> pa.Table:
    """All kinds; texts plain and dictionary-encoded."""
    rng = np.random.default_rng(seed)
    micros = rng.integers(-(2**50), 2**50, rows)
    zones = [("Europe/London", "Asia/Tokyo", "America/São_Paulo", "")[k] for k in rng.integers(0, 4, rows)]
    return pa.table(
        {
            "merchant": rng.integers(0, 2**64, rows, np.uint64),
            "index": rng.integers(-(2**63), 2**63, rows),
            "weight": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(0, 1e300, rows)),
            "flag": rng.random(rows) < 0.5,
            "zone": pa.array(zones, pa.string()),
            "class": pa.array(sorted(zones), pa.string()).dictionary_encode(),
            "utc": pa.array(micros, pa.timestamp("us", tz="UTC")),
            "local": pa.array(-micros, pa.timestamp("us")),
            "unread": pa.array([None] * rows, pa.float64()),
        }
    )


def expected(source: pa.Table) -> dict[str, Any]:
    return {
        name: source.column(name).to_pylist()
        if kind is Kind.TEXT
        else np.asarray(source.column(name).cast(pa.int64()) if kind is Kind.MOMENT else source.column(name))
        for name, kind in KINDS.items()
    }


def same(found: Any, wanted: Any) -> bool:
    """Equal lists of strings, or arrays equal bit for bit."""
    if isinstance(wanted, list):
        return bool(found == wanted)
    return bool(found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes())


def read(reader: Reader, files: list[Path], kinds: dict[str, Kind] = KINDS) -> dict[str, Any]:
    """All pieces, one after the other; none may be empty."""
    pieces = [reader.host(columns) for columns in reader.frames.iterate(files, kinds, code=CODE)]
    assert all(list(piece) == list(kinds) for piece in pieces)
    assert all({len(column) for column in piece.values()} == {len(piece[next(iter(kinds))])} for piece in pieces)
    assert all(len(column) for piece in pieces for column in piece.values())
    return {
        name: [text for piece in pieces for text in piece[name]]
        if kind is Kind.TEXT
        else np.concatenate([piece[name] for piece in pieces])
        for name, kind in kinds.items()
    }


@pytest.fixture(params=[1, 64, 199, 10_000], ids=lambda rows: f"groups of {rows}")
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The table in row groups of one size, below a folder that looks like a partition; pieces of several groups."""
    monkeypatch.setattr(cudf_frames, "ROWS_PER_PIECE", 150)
    folder = tmp_path / "merchant=12" / "seed=42"
    folder.mkdir(parents=True)
    rows = table() if request.param > 1 else table(40)
    pq.write_table(rows, folder / "part.parquet", row_group_size=request.param)
    return folder / "part.parquet"


def test_every_kind_in_every_layout(reader: Reader, file: Path) -> None:
    found, wanted = read(reader, [file]), expected(pq.ParquetFile(file).read())
    for name in KINDS:
        assert same(found[name], wanted[name]), name
    assert {name: np.dtype(dtype) for name, dtype in DTYPES.items()} == {name: found[name].dtype for name in DTYPES}


def test_files_come_in_the_order_given(reader: Reader, tmp_path: Path) -> None:
    """Whatever their dictionaries and row groups; those without rows add nothing."""
    files = []
    for number, rows in enumerate((300, 0, 1, 77)):
        files.append(tmp_path / f"{9 - number}.parquet")
        pq.write_table(table(rows, number), files[-1], row_group_size=100)
    wanted = [expected(table(rows, number)) for number, rows in enumerate((300, 0, 1, 77)) if rows]
    found = read(reader, files)
    assert found["zone"] == [zone for each in wanted for zone in each["zone"]]
    assert same(found["merchant"], np.concatenate([each["merchant"] for each in wanted]))


def test_a_file_without_rows_has_no_pieces(reader: Reader, tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    pq.write_table(table(0), empty)
    assert list(reader.frames.iterate([empty], KINDS, code=CODE)) == []
    assert list(reader.frames.iterate([], KINDS, code=CODE)) == []


def test_row_groups_without_rows_are_passed_over(reader: Reader, tmp_path: Path) -> None:
    with pq.ParquetWriter(tmp_path / "gaps", table(0).schema) as writer:
        for rows in (0, 5, 0, 0, 7, 0):
            writer.write_table(table(rows))
    found = read(reader, [tmp_path / "gaps"])
    assert found["index"].tolist() == [*expected(table(5))["index"], *expected(table(7))["index"]]


NARROW = {
    "merchant": (pa.uint8(), pa.uint16(), pa.uint32()),
    "index": (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint32()),
    "weight": (pa.float32(),),
    "zone": (pa.large_string(), pa.dictionary(pa.int8(), pa.string())),
    # Not of the same family, but without loss for the values there are.
    "flag": (),
    "utc": (pa.timestamp("ms"), pa.timestamp("s", tz="UTC"), pa.int64()),
}
_OTHER = {"merchant": (pa.int64(), pa.int32()), "index": (pa.uint64(),), "weight": (pa.int32(), pa.uint64())}
CONVERSIONS = [(name, kind) for known in (NARROW, _OTHER) for name, kinds in known.items() for kind in kinds]


@pytest.mark.parametrize(("name", "stored"), CONVERSIONS, ids=str)
def test_what_converts_without_loss_is_converted(
    reader: Reader, tmp_path: Path, name: str, stored: pa.DataType
) -> None:
    texts, numbers = ["b", "a", "b", "c"] * 30, [0, 1, 100, 7] * 30
    column = pa.array(texts if KINDS[name] is Kind.TEXT else numbers).cast(stored)
    pq.write_table(pa.table({name: column}), tmp_path / "file", row_group_size=50)
    found = read(reader, [tmp_path / "file"], {name: KINDS[name]})[name]
    if KINDS[name] is Kind.TEXT:
        assert found == texts
    else:
        unit = {"ms": 1000, "s": 1_000_000}.get(getattr(stored, "unit", ""), 1)
        assert found.dtype == np.dtype(DTYPES[name])
        assert found.tolist() == [number * unit for number in numbers]


WRONG = {
    "a text as id": ("merchant", pa.array(["1", "2"])),
    "a negative id": ("merchant", pa.array([5, -1])),
    "a fraction as index": ("index", pa.array([1.0, 2.0])),
    "an index beyond int64": ("index", pa.array([2**63], pa.uint64())),
    "a text as number": ("weight", pa.array(["1.0"])),
    "a number as flag": ("flag", pa.array(["true", "perhaps"])),
    "a number as text": ("zone", pa.array([1, 2])),
    "bytes as text": ("zone", pa.array([b"a"])),
    "nanoseconds": ("utc", pa.array([1_000_000_001], pa.timestamp("ns"))),
    "lists": ("weight", pa.array([[1.0], [2.0]])),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_does_not_convert_is_refused(reader: Reader, tmp_path: Path, wrong: str) -> None:
    name, column = WRONG[wrong]
    pq.write_table(pa.table({name: column}), tmp_path / "file")
    with pytest.raises(InputError, match=f"{CODE}: column {name} of type .* does not convert"):
        read(reader, [tmp_path / "file"], {name: KINDS[name]})


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("row", [0, 399, ROWS - 1])
def test_nulls_are_refused(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, row: int
) -> None:
    """In the first piece or in a later one; rows before it have been handed out by then, and not twice."""
    monkeypatch.setattr(cudf_frames, "ROWS_PER_PIECE", 200)
    whole = table()
    damaged = whole.set_column(
        whole.schema.get_field_index(name), name, pa.array([*(v if k != row else None for k, v in enumerate(whole.column(name).to_pylist()))], whole.schema.field(name).type)
    )  # fmt: skip
    pq.write_table(damaged, tmp_path / "file", row_group_size=100)
    handed = 0
    with pytest.raises(InputError) as failure:
        for columns in reader.frames.iterate([tmp_path / "file"], KINDS, code=CODE):
            handed += len(next(iter(reader.host(columns).values())))
    assert handed <= row
    assert failure.value.code == CODE and failure.value.what == f"column {name} holds 1 nulls"
    with pytest.raises(InputError, match=f"column {name} holds 1 nulls"):
        reader.frames.rows([tmp_path / "file"], row, row + 1, KINDS, code=CODE)


def test_nulls_of_other_columns_do_not_matter(reader: Reader, file: Path) -> None:
    assert pq.ParquetFile(file).read(["unread"]).column(0).null_count
    read(reader, [file])


def test_a_missing_column_is_named(reader: Reader, file: Path) -> None:
    with pytest.raises(InputError, match=rf"{CODE}: columns absent are missing"):
        read(reader, [file], {**KINDS, "absent": Kind.ID})


@pytest.mark.parametrize("damage", ["absent", "empty", "cut short", "no Parquet"])
def test_what_is_no_parquet_file_is_refused(reader: Reader, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "file"
    pq.write_table(table(), file)
    if damage == "absent":
        file.unlink()
    else:
        raw = file.read_bytes()
        file.write_bytes({"empty": b"", "cut short": raw[: len(raw) // 2], "no Parquet": b"x" * 5000}[damage])
    with pytest.raises(InputError, match=CODE):
        read(reader, [file])
    with pytest.raises(InputError, match=CODE):
        reader.frames.rows([file], 0, 1, KINDS, code=CODE)


@pytest.mark.parametrize(("first", "stop"), [(0, 40), (0, 1), (39, 40), (13, 14), (0, 0), (40, 40), (20, 20), (9, 33)])
def test_spans(reader: Reader, file: Path, first: int, stop: int) -> None:
    whole = pq.ParquetFile(file).read()
    last = whole.num_rows - 40
    for start, end in ((first, stop), (first + last, stop + last), (first, stop + last)):
        found, wanted = (
            reader.host(reader.frames.rows([file], start, end, KINDS, code=CODE)),
            expected(whole.slice(start, end - start)),
        )
        assert all(same(found[name], wanted[name]) for name in KINDS), (start, end)


def test_a_span_beyond_the_end_is_refused(reader: Reader, file: Path) -> None:
    rows = pq.ParquetFile(file).metadata.num_rows
    for first in (0, rows - 1, rows, rows + 5):
        with pytest.raises(InputError, match=f"{CODE}: .* were wanted, there are {rows}"):
            reader.frames.rows([file], first, rows + 6, KINDS, code=CODE)


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """The table in files of 300, 0, 1 and 399 rows, each with dictionaries and row groups of its own."""
    files, first = [], 0
    for number, rows in enumerate((300, 0, 1, 399)):
        files.append(tmp_path / f"part-{number}.parquet")
        pq.write_table(table().slice(first, rows), files[-1], row_group_size=70)
        first += rows
    return files


@pytest.mark.parametrize(
    ("first", "stop"),
    [(0, 700), (0, 300), (299, 301), (300, 301), (301, 700), (150, 690), (350, 360), (0, 0), (700, 700)],
)
def test_spans_over_several_files(reader: Reader, parts: list[Path], first: int, stop: int) -> None:
    """As of one file that holds all of their rows."""
    found = reader.host(reader.frames.rows(parts, first, stop, KINDS, code=CODE))
    wanted = expected(table().slice(first, stop - first))
    assert all(same(found[name], wanted[name]) for name in KINDS)


def test_a_span_beyond_the_last_file_is_refused(reader: Reader, parts: list[Path]) -> None:
    with pytest.raises(InputError, match=f"{CODE}: rows 650..700 were wanted, there are 700") as failure:
        reader.frames.rows(parts, 650, 701, KINDS, code=CODE)
    assert failure.value.where == str(parts[0].parent)


def test_damage_of_one_file_among_several_names_it(reader: Reader, parts: list[Path]) -> None:
    """A null in it, or the file cut short; spans of other files can be read where the file has a footer."""
    whole = table(399, seed=5)
    nulls = pa.array([None] * 399, pa.uint64())
    pq.write_table(whole.set_column(0, "merchant", nulls), parts[3], row_group_size=70)
    with pytest.raises(InputError, match="column merchant holds") as failure:
        reader.frames.rows(parts, 290, 320, KINDS, code=CODE)
    assert failure.value.where == str(parts[3])
    reader.frames.rows(parts, 200, 301, KINDS, code=CODE)
    parts[3].write_bytes(parts[3].read_bytes()[:-9])
    with pytest.raises(InputError, match="not a readable Parquet file") as failure:
        reader.frames.rows(parts, 290, 320, KINDS, code=CODE)
    assert failure.value.where == str(parts[3])
