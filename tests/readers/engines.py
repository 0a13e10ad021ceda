"""Engines with a query language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.readers.truth import FIELDS
from tests.readers.ways import Reader, Way


def _sql(source: str, opened: str, query: str, moment: str) -> Way:
    """``query``: a call that takes SQL after ``FROM arrivals``. ``moment``: a literal of an instant."""
    begin, stop = moment.format("{start}"), moment.format("{end}")
    return Way(
        source,
        opened,
        query.format(""),
        query.format(" WHERE scenario_id = '{scenario}'"),
        query.format(" WHERE merchant_id = {merchant}"),
        query.format(f" WHERE ts_utc >= {begin} AND ts_utc < {stop}"),
    )


def _duckdb(source: str, files: str) -> Way:
    return _sql(source, f'arrivals = f"{files}"', 'duckdb.sql(f"FROM {{arrivals}}{}")', "TIMESTAMPTZ '{}'")


DUCKDB = Reader(
    "DuckDB",
    "duckdb",
    "import duckdb\n\nduckdb.sql(\"SET TimeZone = 'UTC'\")",
    (
        _duckdb("published", "read_parquet('{root}/**/*.parquet', hive_partitioning = false)"),
        _duckdb("exported", "'{folder}/**/*.parquet'"),
    ),
    lambda found: (dict(zip(found.columns, row, strict=True)) for row in found.fetchall()),
    (),
    "Without `hive_partitioning = false` the seed comes from the folder's name, as a signed number or, from 2^63 on, as text. "
    "Set the time zone, or instants are shown in the machine's.",
)

_DATAFUSION = 'session.sql(f"SELECT * FROM arrivals{}")'

DATAFUSION = Reader(
    "DataFusion",
    "datafusion",
    "from datafusion import SessionContext",
    (
        _sql(
            "published",
            'session = SessionContext()\nsession.register_parquet("arrivals", root)',
            _DATAFUSION,
            "TIMESTAMP '{}'",
        ),
        _sql(
            "exported",
            'session = SessionContext()\nkeys = [("scenario_id", "string"), ("day", "string")]\n'
            'session.register_parquet("arrivals", folder, table_partition_cols=keys)',
            _DATAFUSION,
            "TIMESTAMP '{}'",
        ),
    ),
    lambda found: found.to_arrow_table().to_pylist(),
    ("pyarrow",),
    "It takes the names of folders for columns only when it is told which.",
)


def _polars(source: str, read: str) -> Way:
    return Way(
        source,
        f"arrivals = {read}",
        "arrivals.collect()",
        'arrivals.filter(pl.col("scenario_id") == scenario).collect()',
        'arrivals.filter(pl.col("merchant_id") == merchant).collect()',
        'arrivals.filter(pl.col("ts_utc").is_between(start, end, closed="left")).collect()',
    )


POLARS = Reader(
    "polars",
    "polars",
    "import polars as pl",
    (
        _polars("published", "pl.scan_parquet(root, hive_partitioning=False)"),
        _polars("exported", "pl.scan_parquet(folder)"),
    ),
    lambda found: found.select(FIELDS).rows(named=True),
    (),
    "Right without `hive_partitioning=False` too, in the newest release.",
)


def _spark(source: str, read: str) -> Way:
    return Way(
        source,
        f"arrivals = {read}",
        "arrivals",
        "arrivals.where(arrivals.scenario_id == scenario)",
        "arrivals.where(arrivals.merchant_id == Decimal(merchant))",
        "arrivals.where(f\"ts_utc >= TIMESTAMP '{start}' AND ts_utc < TIMESTAMP '{end}'\")",
    )


def _collected(found: Any) -> Iterable[Mapping[str, Any]]:
    """Python has Spark's instants without a zone, in the machine's clock: asked for are their microseconds."""
    return (
        row.asDict() for row in found.selectExpr(*FIELDS[:6], "unix_micros(ts_utc) AS ts_utc", *FIELDS[7:]).collect()
    )


SPARK = Reader(
    "Spark",
    "pyspark",
    "from decimal import Decimal\nfrom pyspark.sql import SparkSession\n\n"
    'spark = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()',
    (
        _spark("published", 'spark.read.option("recursiveFileLookup", "true").parquet(root)'),
        _spark("exported", "spark.read.parquet(folder)"),
    ),
    _collected,
    (),
    "Ids are `decimal(20,0)`, whole; a Python number above 2^63 must be a `Decimal` in conditions. Instants become Python "
    "datetimes without a zone by the machine's clock, whose hour in the night when clocks are set back is not one: collect "
    "`unix_micros(ts_utc)`, or set `TZ=UTC`. Without `recursiveFileLookup` the seed is guessed from the folder's name.",
)
