"""What the arrivals of a scenario come to: totals, and shares by hour, weekday, channel and zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seg5b.contracts import ContractSource
from seg5b.query import Database, parquet
from seg5b.run_tables.outputs import BY_TABLE, output_files
from seg5b.runs.root import RunRoot

PROFILES: Mapping[str, str] = {
    "Hour of the day (UTC)": "strftime(bucket_start_utc, '%H')",
    "Weekday (UTC)": "strftime(bucket_start_utc, '%u %a')",
    "Channel": "channel_group",
    "Zone": "zone_representation",
}
"""SQL of what each profile is by."""


@dataclass(frozen=True, slots=True)
class Measures:
    """``totals`` by name; ``shares``: of all arrivals, by profile and value, each profile adding up to 1."""

    totals: Mapping[str, float]
    shares: Mapping[str, Mapping[str, float]]


def measure_scenario(root: RunRoot, contracts: ContractSource, scenario_id: str, database: Database) -> Measures | None:
    """From the summary of S4, which has one row per bucket that is not empty; None where S4 has not published one.

    Raises `InputError` ``5B.RUN.DATASET_INCOMPLETE``, ``5B.QUERY.FAILED``."""
    files = [output_files(root, contracts, BY_TABLE[table], scenario_id) for table in ("summary", "grid")]
    if not all(files):
        return None
    source = f"{parquet(files[0])} JOIN {parquet(files[1])} USING (bucket_index)"
    arrivals, virtual, merchants, series, cells, largest = database.row(
        f"""SELECT coalesce(sum(count_N), 0), coalesce(sum(count_virtual), 0), count(DISTINCT merchant_id),
                   count(DISTINCT (merchant_id, zone_representation, channel_group)), count(*), coalesce(max(count_N), 0)
            FROM {parquet(files[0])}"""
    )
    totals = {
        "arrivals": float(arrivals),
        "virtual arrivals": float(virtual),
        "merchants with arrivals": float(merchants),
        "series with arrivals": float(series),
        "buckets with arrivals": float(cells),
        "largest bucket": float(largest),
    }
    shares = {
        name: {
            str(value): float(count) / max(arrivals, 1)
            for value, count in database.rows(f"SELECT {by} AS value, sum(count_N) FROM {source} GROUP BY value")
        }
        for name, by in PROFILES.items()
    }
    return Measures(totals, shares)
