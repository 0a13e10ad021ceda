"""The room that knows DuckDB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.errors import InputError
from seg5b.query import identifier, literal, open_database, parquet, sort_parquet, with_constants


@pytest.fixture
def unsorted(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(3)
    files = []
    for number in range(3):
        rows = 4000
        table = pa.table(
            {
                "merchant_id": rng.integers(2**62, 2**64 - 1, 20, np.uint64)[rng.integers(0, 20, rows)],
                "tzid": pa.array(rng.choice(["Z", "a", "é", "Europe/Rome"], rows)).dictionary_encode(),
                "bucket": rng.integers(0, 2160, rows).astype(np.int16),
                "value": rng.random(rows, np.float32),
                "at": pa.array(rng.integers(0, 10**15, rows), pa.timestamp("us", tz="UTC")),
            }
        )
        files.append(tmp_path / f"part-{number}.parquet")
        pq.write_table(table, files[-1], row_group_size=500)
    return files


def test_sort_orders_integers_by_value_and_strings_by_bytes(unsorted: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "sorted.parquet"
    sort_parquet(unsorted, target, ["merchant_id", "tzid", "bucket"], threads=2)
    rows = pq.read_table(target).to_pylist()
    keys = [(row["merchant_id"], row["tzid"].encode(), row["bucket"]) for row in rows]
    assert len(rows) == 12_000 and keys == sorted(keys)
    given = [row for file in unsorted for row in pq.read_table(file).to_pylist()]
    whole = lambda row: (row["merchant_id"], row["tzid"], row["bucket"], row["value"], row["at"])  # noqa: E731
    assert sorted(map(whole, rows)) == sorted(map(whole, given))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*(file.name for file in unsorted), "sorted.parquet"]
    )


def test_sort_keeps_types(unsorted: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "sorted.parquet"
    sort_parquet(unsorted[0], target, ["bucket"], columns=["bucket", "tzid", "at", "merchant_id"])
    schema = pq.read_schema(target)
    assert [(field.name, field.type) for field in schema] == [
        ("bucket", pa.int16()),
        ("tzid", pa.string()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("merchant_id", pa.uint64()),
    ]
    assert pa.types.is_dictionary(pq.read_table(target, read_dictionary=["tzid"]).schema.field("tzid").type)


def test_sort_spills_in_little_memory(tmp_path: Path) -> None:
    source, target = tmp_path / "large.parquet", tmp_path / "sorted.parquet"
    values = np.random.default_rng(1).permutation(1_500_000)
    pq.write_table(pa.table({"a": values, "b": values * 2, "c": values.astype("U7")}), source)
    sort_parquet(source, target, ["a"], memory_limit_gb=0.1, threads=2)
    assert (pq.read_table(target, columns=["a"])["a"].to_numpy() == np.arange(values.size)).all()


def test_damage_is_a_typed_error(tmp_path: Path) -> None:
    source = tmp_path / "x.parquet"
    source.write_bytes(b"PAR1 not parquet at all PAR1")
    with pytest.raises(InputError) as caught:
        sort_parquet(source, tmp_path / "y.parquet", ["a"])
    assert caught.value.code == "5B.QUERY.FAILED" and caught.value.remedy


def test_quoting(tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s "odd".parquet'
    pq.write_table(pa.table({"a": [1]}), odd)
    with open_database(0.5, 1, tmp_path / "spill") as database:
        assert database.row(f"SELECT a FROM {parquet([odd])}") == (1,)
        values: dict[str, str | int | float | bool | None] = {
            "text": "it's",
            "large": 2**64 - 1,
            "small": 1e-9,
            "none": None,
            "yes": True,
        }
        sql = with_constants("SELECT $text, $large, $small, $none, $yes", values)
        assert database.row(sql) == ("it's", 2**64 - 1, 1e-9, None, True)
        assert database.row(f"SELECT {literal(float('inf'))} AS {identifier('a b')}") == (float("inf"),)
    with pytest.raises(KeyError):
        with_constants("SELECT $unknown", {})


def test_tables_keep_their_types(tmp_path: Path) -> None:
    with open_database(0.5, 2, tmp_path / "spill") as database:
        database.table("t", {"a": np.array([2**63], np.uint64), "b": ["x"]}, {"a": "UBIGINT", "b": "VARCHAR"})
        database.table("empty", {"a": []}, {"a": "BIGINT"})
        assert database.records("FROM t") == [{"a": 2**63, "b": "x"}]
        assert database.rows("FROM empty") == []
        assert database.arrays("SELECT b FROM t")["b"].tolist() == ["x"]
        assert database.row("SELECT current_setting('TimeZone')") == ("UTC",)
        assert not (tmp_path / "spill").exists()
