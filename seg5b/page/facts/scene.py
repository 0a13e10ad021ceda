"""One scenario behind SQL: its published datasets as views, and small tables, each from one pass over a large
dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, gcd
from pathlib import Path
from typing import Any

import numpy as np

from seg5b.contracts import ContractSource
from seg5b.engines import LocalEngine
from seg5b.errors import RunError
from seg5b.query import Database, literal, parquet, with_constants
from seg5b.run_tables.outputs import BY_TABLE, output_files
from seg5b.run_tables.part_tables import CELL_IS_WHOLE, load_part_table, scan_facts, scan_parts
from seg5b.run_tables.zones import intervals, zone_steps
from seg5b.runs.root import RunRoot

Row = tuple[Any, ...]
VIEWS = ("grid", "grouping", "intensity", "counts", "arrivals")
ARRIVALS_PER_FULL_CHECK = 250_000_000
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
QUARTER_US = HOUR_US // 4
PART_TABLES = ("cells", "quarters", "site_routes", "edge_routes")


@dataclass(frozen=True, slots=True)
class Scene:
    """One scenario. ``start_us`` and ``end_us`` bound its horizon (UTC microseconds), ``bucket_us`` is a bucket's
    length; one of ``thinning`` keys is compared arrival by arrival (1: all of them); ``bin_us`` divides every bucket,
    change of offset and local hour in use."""

    scenario_id: str
    database: Database
    start_us: int
    end_us: int
    bucket_us: int
    buckets: int
    arrivals: int
    thinning: int
    bin_us: int

    @property
    def days(self) -> int:
        """UTC days that the horizon touches."""
        return -(-self.end_us // DAY_US) - self.start_us // DAY_US

    def run(self, sql: str) -> None:
        """Execute a statement in which ``$name`` stands for a constant of the scenario."""
        self.database.run(with_constants(sql, self._constants()))

    def rows(self, sql: str) -> list[Row]:
        """Rows of such a query."""
        return self.database.rows(with_constants(sql, self._constants()))

    def arrays(self, sql: str) -> dict[str, np.ndarray]:
        """Columns of such a query."""
        return self.database.arrays(with_constants(sql, self._constants()))

    def number(self, sql: str) -> int:
        """The single integer of such a query; 0 for null."""
        ((value,),) = self.rows(sql)
        return int(value or 0)

    def _constants(self) -> dict[str, int]:
        names = ("start_us", "end_us", "bucket_us", "thinning", "bin_us")
        return {**{name: getattr(self, name) for name in names}, "hour_us": HOUR_US, "day_us": DAY_US}


def open_scene(
    root: RunRoot, contracts: ContractSource, scenario_id: str, database: Database, threads: int, scratch: Path
) -> Scene:
    """The scenario's views, then its tables; ``threads`` look at parts of the arrivals side by side,
    ``scratch`` lasts as long as the database. Raises `RunError`
    ``5B.PAGE.DATASET_MISSING``, `InputError` ``5B.S5.IO_READ_FAILED``, ``5B.QUERY.FAILED``."""
    files = {table: _files(root, contracts, table, scenario_id) for table in VIEWS}
    for table in VIEWS:
        database.run(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM {parquet(files[table])}")
    start_us, end_us, buckets, bucket_s = database.row(
        """SELECT min(epoch_us(bucket_start_utc)), max(epoch_us(bucket_end_utc)), count(*), min(bucket_duration_seconds)
           FROM grid"""
    )
    (arrivals,) = database.row("SELECT count(*) FROM arrivals")
    facts = scan_facts(start_us, end_us, bucket_s * SECOND_US, arrivals)
    parts = scan_parts(root, scenario_id, files["arrivals"], facts, LocalEngine(threads), scratch)
    for table in PART_TABLES:
        load_part_table(database, table, parts, name=f"part_{table}")
    zones = [tzid for (tzid,) in database.rows("SELECT DISTINCT tzid_primary FROM part_cells ORDER BY ALL")]
    zones += [tzid for (tzid,) in database.rows("SELECT DISTINCT zone_representation FROM grouping ORDER BY ALL")]
    thinning = max(1, ceil(arrivals / ARRIVALS_PER_FULL_CHECK))
    bin_us = _attach_offsets(database, sorted(set(zones)), start_us, end_us, bucket_s)
    scene = Scene(scenario_id, database, start_us, end_us, bucket_s * SECOND_US, buckets, arrivals, thinning, bin_us)
    for statement in (*TABLES, _clock(scene, facts.fine_zones)):
        scene.run(statement)
    return scene


def _clock(scene: Scene, fine_zones: Sequence[str]) -> str:
    """Makes ``clock``: from the tables of parts, whose quarters of an hour divide every hour and change of offset in use
    today; from the arrivals themselves where zones of the past are in use."""
    if scene.bin_us % gcd(QUARTER_US, scene.bucket_us) == 0:
        fine = ", ".join(map(literal, fine_zones))
        return CLOCK.format(source=_FROM_PARTS.format(fine=f"({fine})" if fine else "('')"))
    return CLOCK.format(source=_FROM_ARRIVALS)


def _files(root: RunRoot, contracts: ContractSource, table: str, scenario_id: str) -> list[Path]:
    output = BY_TABLE[table]
    files = output_files(root, contracts, output, scenario_id)
    if not files:
        raise RunError(
            "5B.PAGE.DATASET_MISSING",
            f"{output.dataset_id} of scenario {scenario_id} is not published",
            where=str(root.path),
            remedy="realise the run first: seg5b run --to S4",
        )
    return files


def _attach_offsets(database: Database, zones: list[str], start_us: int, end_us: int, bucket_s: int) -> int:
    """``steps``: the true offset of each zone by interval. Returns the length of a bin (microseconds)."""
    low_s, high_s = start_us // SECOND_US, -(-end_us // SECOND_US)
    steps = [step for tzid in zones for step in zone_steps(tzid, low_s, high_s)]
    rows = intervals(steps, start_us, end_us)
    kinds = {"tzid": "VARCHAR", "from_us": "BIGINT", "to_us": "BIGINT", "offset_min": "INTEGER"}
    columns = {name: [row[place] for row in rows] for place, name in enumerate(kinds)}
    database.table("steps", columns, kinds)
    divisors = (3600, bucket_s, *(step.second for step in steps), *(step.offset_min * 60 for step in steps))
    return gcd(*divisors) * SECOND_US


_KEY_SAMPLE = "hash(merchant_id, bucket_index) % $thinning = 0"
_OFFSET_US = "coalesce(s.offset_min, 0)::BIGINT * 60000000"

VARIANCE_MICRO = "CAST((mu + coalesce(mu * mu / kappa, 0)) * 1e6 AS BIGINT)"
"""Variance of a count by S3's law, in millionths, of a row of ``active``."""
_GAP_US = "offset_min * 60000000 + error_us"

# series: the keys of S1, numbered. active: S3 rows that expect or hold anything. cells: arrivals by key, route and wall
# clock. places: arrivals by site or edge. clock (below): arrivals by zone, instant from which on all of them are in one hour
# and offset, and gap between wall clock and UTC.
TABLES = (
    """CREATE OR REPLACE TABLE series AS
       SELECT (row_number() OVER (ORDER BY merchant_id, zone_representation, channel_group))::INTEGER AS k,
              merchant_id, zone_representation AS tzid, channel_group, group_id, demand_class,
              virtual_band = 'virtual' AS virtual_series, component_count
       FROM grouping""",
    f"""CREATE OR REPLACE TABLE active AS
        SELECT k, c.bucket_index::INTEGER AS bucket, lambda_realised AS lam, mu, kappa, count_N AS counted,
               {_KEY_SAMPLE.replace("merchant_id", "c.merchant_id")} AS compared
        FROM counts AS c JOIN series AS g
          ON g.merchant_id = c.merchant_id AND tzid = zone_representation AND g.channel_group = c.channel_group
        WHERE lambda_realised > 0 OR count_N > 0""",
    f"""CREATE OR REPLACE TABLE cells AS
        SELECT coalesce(k, 0) AS k, bucket, is_virtual, gap_us, arrivals
        FROM (SELECT merchant_id, zone_representation, channel_group, bucket_index::INTEGER AS bucket, is_virtual,
                     {_GAP_US} AS gap_us, sum(arrivals)::BIGINT AS arrivals
              FROM part_cells WHERE {_KEY_SAMPLE} GROUP BY ALL) AS a
        LEFT JOIN series AS g
          ON g.merchant_id = a.merchant_id AND tzid = zone_representation AND g.channel_group = a.channel_group""",
    """CREATE OR REPLACE TABLE places AS
       SELECT merchant_id, site_id, NULL::UBIGINT AS edge_id, sum(arrivals)::BIGINT AS arrivals FROM part_site_routes
       GROUP BY ALL
       UNION ALL
       SELECT merchant_id, NULL, edge_id, sum(arrivals)::BIGINT FROM part_edge_routes GROUP BY ALL""",
    f"""CREATE OR REPLACE TABLE promise AS
        SELECT p.tzid, demand_class, virtual_series, $start_us + bucket::BIGINT * $bucket_us AS at_us,
               {_OFFSET_US} AS true_us, micro, variance_micro
        FROM (SELECT tzid, demand_class, virtual_series, bucket, sum(CAST(lam * 1e6 AS BIGINT))::HUGEINT AS micro,
                     sum({VARIANCE_MICRO})::HUGEINT AS variance_micro
              FROM active JOIN series USING (k) GROUP BY ALL) AS p
        LEFT JOIN steps AS s ON s.tzid = p.tzid AND $start_us + bucket::BIGINT * $bucket_us >= from_us
             AND $start_us + bucket::BIGINT * $bucket_us < to_us""",
)

CLOCK = f"""
    CREATE OR REPLACE TABLE clock AS
    SELECT c.tzid, is_virtual, at_us, gap_us, s.offset_min IS NOT NULL AS known,
           CASE WHEN s.offset_min IS NULL THEN gap_us ELSE {_OFFSET_US} END AS true_us, arrivals
    FROM ({{source}}) AS c LEFT JOIN steps AS s ON s.tzid = c.tzid AND at_us >= from_us AND at_us < to_us"""

_FROM_PARTS = f"""
    SELECT tzid_primary AS tzid, is_virtual, $start_us + bucket_index * $bucket_us AS at_us, {_GAP_US} AS gap_us,
           sum(arrivals)::BIGINT AS arrivals
    FROM part_cells WHERE {CELL_IS_WHOLE} AND coalesce(tzid_primary, '') NOT IN {{fine}} GROUP BY ALL
    UNION ALL
    SELECT tzid_primary, is_virtual, quarter * {QUARTER_US}, {_GAP_US}, sum(arrivals)::BIGINT
    FROM part_quarters GROUP BY ALL"""

_FROM_ARRIVALS = """
    SELECT tzid_primary AS tzid, is_virtual, epoch_us(ts_utc) // $bin_us * $bin_us AS at_us,
           epoch_us(ts_local_primary) - epoch_us(ts_utc) AS gap_us, count(*) AS arrivals
    FROM arrivals GROUP BY ALL"""
