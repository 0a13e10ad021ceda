"""Lines of text say what plain Python says of the same values."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from seg5b.errors import InputError
from seg5b.tables.text import Lines, TextColumn, TextForm, constant_text

EPOCH = datetime(1970, 1, 1)
TEXTS = ["plain", "", None, 'quo"te', "comma,", "line\nfeed", "cr\rlf", "back\\slash", "tab\t\x01", "Zürich 東京 🦆"]
UNSIGNED = [0, 9, 10, 99, 100, 2**53 + 1, None, 2**63, 10**19, 2**64 - 1]
SIGNED = [0, -1, 7, -10, 12345, 2**63 - 1, -(2**63), None, 1000, -999]
FLAGS = [True, False, None, True, True, False, True, None, False, True]
MOMENTS = [
    *(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(1969, 12, 31, 23, 59, 59, 999999)),
    *(datetime(2024, 2, 29, 12), None, datetime(2100, 2, 28), datetime(2100, 3, 1), datetime(2000, 2, 29, 1, 2, 3, 4)),
    *(datetime(1600, 3, 1), datetime(2026, 1, 1)),
]


def batch() -> pa.RecordBatch:
    columns = {
        "text": pa.array(TEXTS),
        "code": pa.array(TEXTS).dictionary_encode(),
        "id": pa.array(UNSIGNED, pa.uint64()),
        "number": pa.array(SIGNED, pa.int64()),
        "flag": pa.array(FLAGS),
        "when": pa.array(MOMENTS, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
        "raw": pa.array([None if value is None else repr(value / 7) for value in SIGNED]),
    }
    return pa.RecordBatch.from_pydict(columns)


COLUMNS = [
    TextColumn("first", constant='"one"'),
    TextColumn("text"),
    TextColumn("code"),
    TextColumn("id", quoted=True, prefix="id_"),
    TextColumn("middle", constant="2"),
    TextColumn("number"),
    TextColumn("flag"),
    TextColumn("when", quoted=True, suffix="Z"),
    TextColumn("raw", raw=True),
    TextColumn("last", constant='"three"'),
]


def written(form: TextForm, rows: pa.RecordBatch) -> str:
    lines = Lines(form, COLUMNS)
    return (lines.header() + b"".join(bytes(piece) for piece in lines.of(rows))).decode()


def moment(value: datetime) -> str:
    return value.isoformat(timespec="microseconds")


@pytest.mark.parametrize("start", [0, 3])
def test_json(start: int) -> None:
    """Also of a batch that is a slice of another."""
    found = [json.loads(line) for line in written(TextForm.JSONL, batch().slice(start)).split("\n")[:-1]]
    assert len(found) == 10 - start
    for place, line in enumerate(found, start):
        number, identity, when = SIGNED[place], UNSIGNED[place], MOMENTS[place]
        assert line == {
            "first": "one",
            "text": TEXTS[place],
            "code": TEXTS[place],
            "id": None if identity is None else f"id_{identity}",
            "middle": 2,
            "number": number,
            "flag": FLAGS[place],
            "when": None if when is None else f"{moment(when)}Z",
            "raw": None if number is None else number / 7,
            "last": "three",
        }
        assert list(line) == [column.name for column in COLUMNS]


def test_csv() -> None:
    text = written(TextForm.CSV, batch())
    header, *found = csv.reader(io.StringIO(text, newline=""))
    assert header == [column.name for column in COLUMNS]
    for place, row in enumerate(found):
        assert row[1] == row[2] == (TEXTS[place] or "")
        assert row[3] == ("" if UNSIGNED[place] is None else f"id_{UNSIGNED[place]}")
        assert row[5] == ("" if SIGNED[place] is None else str(SIGNED[place]))
        assert row[6] == {True: "true", False: "false", None: ""}[FLAGS[place]]
        when = MOMENTS[place]
        assert row[7] == ("" if when is None else f"{moment(when)}Z")
    lines = text.split("\n")
    assert '"one","",' in lines[2] and '"one",,' in lines[3], "an empty text is not a null"


def test_every_day_of_four_centuries() -> None:
    days = [EPOCH.replace(year=1800) + timedelta(days=day, microseconds=day) for day in range(146_097)]
    lines = Lines(TextForm.CSV, [TextColumn("when")])
    rows = pa.RecordBatch.from_pydict({"when": pa.array(days, pa.timestamp("us"))})
    found = b"".join(bytes(piece) for piece in lines.of(rows)).decode().splitlines()
    assert found == [moment(day) for day in days]


def test_many_rows_come_in_pieces_that_hold_whole_lines() -> None:
    rows = pa.RecordBatch.from_pydict({"text": pa.array([str(row) * (row % 50) for row in range(60_000)])})
    pieces = [bytes(piece) for piece in Lines(TextForm.CSV, [TextColumn("text")]).of(rows)]
    assert len(pieces) > 10 and all(piece.endswith(b"\n") for piece in pieces)
    found = [row[0] for row in csv.reader(io.StringIO(b"".join(pieces).decode(), newline=""))]
    assert found == rows.column(0).to_pylist()


def test_no_rows() -> None:
    assert written(TextForm.JSONL, batch().slice(0, 0)) == ""


@pytest.mark.parametrize("micros", [-62_135_596_800_000_001, 253_402_300_800_000_000])
def test_a_year_of_five_digits_is_refused(micros: int) -> None:
    rows = pa.RecordBatch.from_pydict({"when": pa.array([micros], pa.int64()).cast(pa.timestamp("us"))})
    with pytest.raises(InputError, match="MOMENT_OUT_OF_RANGE"):
        list(Lines(TextForm.CSV, [TextColumn("when")]).of(rows))


@pytest.mark.parametrize(
    ("value", "json_form", "csv_form"),
    [(None, "null", ""), (7, "7", "7"), ("a", '"a"', "a"), ("a,b", '"a,b"', '"a,b"'), ("", '""', '""')],
)
def test_constants(value: str | int | None, json_form: str, csv_form: str) -> None:
    assert (constant_text(TextForm.JSONL, value), constant_text(TextForm.CSV, value)) == (json_form, csv_form)


def test_utc() -> None:
    rows = pa.RecordBatch.from_pydict(
        {"when": pa.array([datetime(2026, 7, 1, tzinfo=UTC)], pa.timestamp("ms", "Europe/Rome"))}
    )
    (piece,) = (bytes(each) for each in Lines(TextForm.CSV, [TextColumn("when", suffix="Z")]).of(rows))
    assert piece == b"2026-07-01T00:00:00.000000Z\n"
