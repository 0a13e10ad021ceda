"""pyarrow, and readers that hand Arrow tables over."""

from __future__ import annotations

from tests.readers.truth import LOCAL
from tests.readers.ways import Reader, Way


def _table(source: str, read: str) -> Way:
    return Way(
        source,
        "",
        f"{read})",
        f'{read}, filters=ds.field("scenario_id") == scenario)',
        f'{read}, filters=ds.field("merchant_id") == pa.scalar(merchant, pa.uint64()))',
        f'{read}, filters=(ds.field("ts_utc") >= start) & (ds.field("ts_utc") < end))',
    )


def _dataset(source: str, opened: str) -> Way:
    return Way(
        source,
        opened,
        "arrivals.to_table()",
        'arrivals.to_table(filter=ds.field("scenario_id") == scenario)',
        'arrivals.to_table(filter=ds.field("merchant_id") == pa.scalar(merchant, pa.uint64()))',
        'arrivals.to_table(filter=(ds.field("ts_utc") >= start) & (ds.field("ts_utc") < end))',
    )


_KEYS = """text = pa.dictionary(pa.int32(), pa.string())
keys = pa.schema([("seed", pa.uint64()), ("manifest_fingerprint", text), ("scenario_id", text)])
folders = ds.partitioning(keys, flavor="hive", dictionaries="infer")
arrivals = ds.dataset(root, partitioning=folders)"""

PYARROW = Reader(
    "pyarrow",
    "pyarrow",
    "import pyarrow as pa\nimport pyarrow.dataset as ds\nimport pyarrow.parquet as pq",
    (
        _dataset("published", "arrivals = ds.dataset(root)"),
        _dataset("published", _KEYS),
        _table("published", "pq.read_table(root, partitioning=None"),
        _dataset("exported", 'arrivals = ds.dataset(folder, partitioning="hive")'),
        _table("exported", "pq.read_table(folder"),
    ),
    lambda found: found.to_pylist(),
    (),
    "A dataset without `partitioning` takes every column from the files. Told the types of the folders' keys, as in the second "
    'way, it leaves folders out by their names; `partitioning="hive"` guesses types, and refuses its own guess for the seed. '
    "Python numbers above 2^63 need `pa.scalar`.",
)


def _filtered(table: str, opened: str) -> Way:
    return Way(
        "exported",
        opened,
        f"{table}.to_table()",
        f'{table}.to_table(filter=ds.field("scenario_id") == scenario)',
        f'{table}.to_table(filter=ds.field("merchant_id") == str(merchant))',
        f'{table}.to_table(filter=(ds.field("ts_utc") >= start) & (ds.field("ts_utc") < end))',
    )


DELTALAKE = Reader(
    "deltalake",
    "deltalake",
    "import pyarrow.dataset as ds\nfrom deltalake import DeltaTable",
    (_filtered("arrivals", "arrivals = DeltaTable(lake).to_pyarrow_dataset()"),),
    lambda found: found.to_pylist(),
    ("pyarrow",),
    "Reads tables that `seg5b export --format delta` wrote. Delta has no unsigned numbers, so ids are their digits as text.",
)

PYICEBERG = Reader(
    "pyiceberg",
    "pyiceberg",
    "from pyiceberg.catalog import load_catalog",
    (
        Way(
            "exported",
            'catalog = load_catalog("cards", uri=f"sqlite:///{warehouse}/catalog.db", warehouse=f"file://{warehouse}")\n'
            'arrivals = catalog.load_table("cards.arrivals")\n'
            "within = f\"ts_utc >= '{start.isoformat()}' and ts_utc < '{end.isoformat()}'\"",
            "arrivals.scan().to_arrow()",
            "arrivals.scan(row_filter=f\"scenario_id == '{scenario}'\").to_arrow()",
            "arrivals.scan(row_filter=f\"merchant_id == '{merchant}'\").to_arrow()",
            "arrivals.scan(row_filter=within).to_arrow()",
        ),
    ),
    lambda found: found.to_pylist(),
    ("pyarrow",),
    "Reads tables that `seg5b export --out iceberg://...` wrote. Iceberg has no unsigned numbers either: ids are text.",
)


def _query(source: str, files: str) -> Way:
    return Way(
        source,
        f"arrivals = f\"file('{files}')\"",
        *(
            f'chdb.query(f"SELECT * FROM {{arrivals}} {where}{{settings}}", "ArrowTable")'
            for where in (
                "",
                "WHERE scenario_id = '{scenario}' ",
                "WHERE merchant_id = {merchant} ",
                "WHERE {within.format(start, end)} ",
            )
        ),
    )


def _without_zone(found: object) -> list[dict[str, object]]:
    rows = found.to_pylist()  # type: ignore[attr-defined]
    return [{**row, **{name: row[name].replace(tzinfo=None) for name in LOCAL}} for row in rows]


CLICKHOUSE = Reader(
    "ClickHouse (chdb)",
    "chdb",
    "import chdb\n\nsettings = \"SETTINGS session_timezone = 'UTC'\"\nmoment = \"parseDateTime64BestEffort('{}', 6)\"\n"
    'within = f"ts_utc >= {moment} AND ts_utc < {moment}"',
    (_query("published", "{root}/**/*.parquet"), _query("exported", "{folder}/**/*.parquet")),
    _without_zone,
    ("chdb-core", "pyarrow"),
    "It knows no timestamps without a zone, so wall clocks come with one; the session must be in UTC, or an older release "
    "shifts them to the machine's.",
)
