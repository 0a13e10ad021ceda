"""Places of a lawful run that faults are aimed at: series, merchants and cells by what they have, not by their number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Places = Mapping[str, str]
"""By name, as they are written into a fault's text."""


def places_of(run: Path) -> Places:
    """``series``: the busiest physical one with several sites; ``merchant`` and ``zone``: its own; ``first``, ``stop``: all
    series of that merchant; ``twin``, ``other``: two series of one physical merchant in two zones; ``hybrid``,
    ``hybrid_stop``: series of the busiest hybrid merchant; ``virtual``: a merchant that has edges; ``several``: a series of
    several countries; ``group``: a group in the middle; ``cell``: row of a busy cell; ``buckets``: H."""
    series = _series(run)
    buckets = series[0]["buckets"]
    order = sorted(range(len(series)), key=lambda number: -series[number]["arrivals"])
    physical = [number for number in order if series[number]["mode"] == "NON_VIRTUAL"]
    busy = next(number for number in physical if series[number]["sites"] >= 2)
    of_hybrid = next(number for number in order if series[number]["mode"] == "HYBRID")
    virtual = next(number for number in order if series[number]["mode"] == "VIRTUAL_ONLY")
    twin, other = _twins(series, physical)
    groups = list(dict.fromkeys(row["group_id"] for row in series))
    first, stop = _of_merchant(series, busy)
    hybrid, hybrid_stop = _of_merchant(series, of_hybrid)
    numbers = {
        "series": busy,
        "merchant": series[busy]["merchant_id"],
        "zone": repr(series[busy]["zone_representation"]),
        "first": first,
        "stop": stop,
        "twin": twin,
        "other": other,
        "hybrid": hybrid,
        "hybrid_stop": hybrid_stop,
        "virtual": series[virtual]["merchant_id"],
        "several": next(number for number in order if series[number]["component_count"] > 1),
        "class": repr(series[busy]["demand_class"]),
        "group": len(groups) // 2,
        "cell": busy * buckets + series[busy]["busiest"],
        "buckets": buckets,
    }
    return {name: str(value) for name, value in numbers.items()}


def _of_merchant(series: list[dict[str, Any]], number: int) -> tuple[int, int]:
    own = [place for place, row in enumerate(series) if row["merchant_id"] == series[number]["merchant_id"]]
    return own[0], own[-1] + 1


def _twins(series: list[dict[str, Any]], physical: list[int]) -> tuple[int, int]:
    """The busiest series that has another of its merchant in another zone, and that one."""
    for number in physical:
        own = [other for other in physical if series[other]["merchant_id"] == series[number]["merchant_id"]]
        zones = {series[other]["zone_representation"]: other for other in reversed(own)}
        if len(zones) > 1:
            one, other, *_ = sorted(zones.values(), key=own.index)
            return one, other
    raise LookupError("no physical merchant has series in two zones")


def _series(run: Path) -> list[dict[str, Any]]:
    """Series of the first scenario in their order: key, group, class, arrivals, mode, distinct sites, busiest bucket."""
    grouping = _read(run, "s1_grouping", "s1_grouping_5B.parquet").to_pylist()
    counts = _read(run, "s3_bucket_counts", "*.parquet", ["count_N"])["count_N"].to_numpy()
    modes_file = next(run.glob("data/layer1/3B/virtual_classification/**/*.parquet"))
    modes = {row["merchant_id"]: row["virtual_mode"] for row in pq.read_table(modes_file).to_pylist()}
    sites = _sites(run)
    by_series = counts.reshape(len(grouping), -1)
    return [
        row
        | {
            "arrivals": int(by_series[number].sum()),
            "busiest": int(by_series[number].argmax()),
            "buckets": by_series.shape[1],
            "mode": modes[row["merchant_id"]],
            "sites": sites.get((row["merchant_id"], row["zone_representation"]), 0),
        }
        for number, row in enumerate(grouping)
    ]


def _sites(run: Path) -> dict[tuple[int, str], int]:
    columns = ["merchant_id", "zone_representation", "site_id"]
    arrivals = _read(run, "arrival_events", "*.parquet", columns)
    arrivals = arrivals.set_column(1, "zone_representation", arrivals["zone_representation"].cast(pa.string()))
    used = arrivals.filter(pc.is_valid(arrivals["site_id"]))
    found = used.group_by(columns[:2]).aggregate([("site_id", "count_distinct")]).to_pylist()
    return {(row["merchant_id"], row["zone_representation"]): row["site_id_count_distinct"] for row in found}


def _read(run: Path, dataset: str, pattern: str, columns: list[str] | None = None) -> pa.Table:
    """A dataset of the run's first scenario."""
    folder = sorted(run.glob(f"data/layer2/5B/{dataset}/**/scenario_id=*"))[0]
    return pa.concat_tables(pq.ParquetFile(file).read(columns) for file in sorted(folder.rglob(pattern)))
