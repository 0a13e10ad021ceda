"""Windows of time: every row in one of them, in order, of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.export.formats import shape_of
from seg5b.export.reading import plan
from seg5b.export.request import ExportRequest
from seg5b.export.windows import Window, time_windows
from seg5b.query import Database, open_database, parquet

MINUTE = 60_000_000
ROWS = [0, 1, 2, 9, 10, 11, 19, 20, 20, 20, 20, 20, 20, 45, 59, 60]
"""Minutes in which something happens."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    times = pa.array([minute * MINUTE for minute in ROWS], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"ts_utc": times, "bucket_index": pa.array(ROWS)}), tmp_path / "a")
    with open_database(0.2, 1, tmp_path / "scratch") as opened:
        opened.run(f"CREATE VIEW dataset AS SELECT * FROM {parquet([tmp_path / 'a'])}")
        yield opened


def held(database: Database, windows: list[Window], where: str = "true") -> list[list[int]]:
    """The minutes of each window."""
    sql = "SELECT bucket_index FROM dataset WHERE {} AND {} ORDER BY bucket_index"
    return [[row[0] for row in database.rows(sql.format(where, each.condition or "true"))] for each in windows]


@pytest.mark.parametrize("key", ["ts_utc", "bucket_index"])
@pytest.mark.parametrize("most", [1, 4, 5, 100])
def test_every_row_is_in_one_window(database: Database, key: str, most: int) -> None:
    windows = time_windows(database, key, [], most)
    found = held(database, windows)
    assert [minute for each in found for minute in each] == ROWS
    assert [window.rows for window in windows] == [len(each) for each in found]
    slots = [{minute if key == "bucket_index" else minute // 10 for minute in each} for each in found]
    assert all(len(each) <= most or len(slot) == 1 for each, slot in zip(found, slots, strict=True))
    assert len(windows) == {1: 6, 4: 4, 5: 4, 100: 1}[most] or key == "bucket_index"


def test_only_rows_that_are_selected_count(database: Database) -> None:
    windows = time_windows(database, "ts_utc", ["bucket_index < 45"], 7)
    assert held(database, windows, "bucket_index < 45") == [[0, 1, 2, 9, 10, 11, 19], [20] * 6]
    assert time_windows(database, "ts_utc", ["false"], 7) == []


def test_rows_without_a_moment_come_first(database: Database) -> None:
    database.run("ALTER VIEW dataset RENAME TO whole")
    database.run(
        "CREATE VIEW dataset AS SELECT bucket_index, CASE WHEN bucket_index > 0 THEN ts_utc END AS ts_utc FROM whole"
    )
    windows = time_windows(database, "ts_utc", [], 5)
    assert held(database, windows) == [[0, 1, 2, 9], [10, 11, 19], [20] * 6, [45, 59, 60]]
    assert [window.rows for window in windows] == [4, 3, 6, 3]


def test_rows_of_one_moment_come_by_merchant_and_number(tmp_path: Path) -> None:
    rows = [
        (minute, merchant, number) for minute in (30, 10, 20) for number in (2, 1) for merchant in (2**64 - 1, 7, 5)
    ]
    minutes, merchants, numbers = zip(*rows, strict=True)
    columns = {
        "merchant_id": pa.array(merchants, pa.uint64()),
        "arrival_seq": pa.array(numbers, pa.int64()),
        "ts_utc": pa.array([minute * MINUTE for minute in minutes], pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(columns), tmp_path / "a")
    shape = shape_of("-", "jsonl", None, None)
    with open_database(0.2, 1, tmp_path / "scratch") as opened:
        request = ExportRequest("-", order="time", columns=("arrival_seq",))
        reading = plan(opened, [tmp_path / "a"], request, shape, window_rows=6, beside=("merchant_id",), skip=7)
        found = [row for query in reading.queries for row in opened.rows(query)]
    wanted = [row[1:] for row in sorted(rows)]
    assert len(reading.queries) == 2 and (reading.rows, reading.selected, reading.surplus) == (11, 18, 1)
    assert found == wanted[6:]
