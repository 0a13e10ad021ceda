"""The NumPy part of what a user would write instead of S4, shared by the scripts beside it.

From the counts of S3 and the site weights of 2B to arrivals in time order: counts are repeated, times drawn by one Philox
generator a chunk, sorted by merchant and time, sites and edges picked by cumulative weights, wall clocks shifted by the
offset that holds at the start of the bucket. What it leaves out: draws that can be addressed one by one, evidence of what
was drawn, tz groups, tempering of edges, parts that a killed run finds again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

COUNTS = "data/layer2/5B/s3_bucket_counts"
GRID = "data/layer2/5B/s1_time_grid"
SITES = "data/layer1/2B/s1_site_weights"
EDGES = "data/layer1/3B/edge_catalogue"
MODES = "data/layer1/3B/virtual_classification"
SETTLEMENT = "data/layer1/3B/virtual_settlement"
COUNT_COLUMNS = ["merchant_id", "zone_representation", "channel_group", "bucket_index", "count_N"]
COLUMNS = {"7": "seven", "all": "all 24 of arrival_events_5B"}
MOST_ARRIVALS = 2_000_000  # of a chunk
HOUR_US = 3_600_000_000
VIRTUAL_SHARE = 0.35  # of the arrivals of merchants with sites and edges


class Weighted(NamedTuple):
    """Entries of merchants, ascending by merchant: ``first`` and ``total`` weight of each merchant in ``reached``, the
    prefix sums of all weights."""

    merchants: np.ndarray
    first: np.ndarray
    total: np.ndarray
    reached: np.ndarray

    @classmethod
    def of(cls, merchant: np.ndarray, weight: np.ndarray) -> Weighted:
        """From entries in ascending order of ``merchant`` uint64."""
        merchants, start = np.unique(merchant, return_index=True)
        reached = np.cumsum(weight)
        before = np.append(0.0, reached)[np.append(start, merchant.size)]
        return cls(merchants, before[:-1], np.diff(before), reached)

    def pick(self, merchant: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """An entry for each arrival, int64; of the nearest merchant where one has none."""
        of = np.minimum(np.searchsorted(self.merchants, merchant), self.merchants.size - 1)
        found: np.ndarray = np.searchsorted(self.reached, self.first[of] + uniform * self.total[of], side="right")
        return found.clip(max=self.reached.size - 1)


@dataclass(frozen=True)
class World:
    """What arrivals are made from. Rows with arrivals: ``merchant`` uint64, ``zone`` int32, ``channel`` int32, ``bucket``
    and ``count`` int64; names that the codes stand for; ``start_us`` of each bucket; ``offset_us`` [zones, buckets]."""

    merchant: np.ndarray
    zone: np.ndarray
    channel: np.ndarray
    bucket: np.ndarray
    count: np.ndarray
    zones: list[str]
    channels: list[str]
    start_us: np.ndarray
    offset_us: np.ndarray
    sites: Weighted
    edges: Weighted
    edge_zone: np.ndarray
    settlement: dict[int, int]
    mode: dict[int, str]


def utc_offsets(zones: list[str], start_us: np.ndarray) -> np.ndarray:
    """Microseconds east of UTC at the start of each bucket, int64 [zones, buckets]."""
    seconds = start_us / 1e6
    found = np.empty((len(zones), start_us.size), np.int64)
    for number, name in enumerate(zones):
        zone = ZoneInfo(name)
        offsets = (datetime.fromtimestamp(second, zone).utcoffset() for second in seconds)
        found[number] = [int(offset.total_seconds()) * 1_000_000 for offset in offsets if offset is not None]
    return found


def first_file(run: Path, dataset: str) -> Path:
    """The first Parquet file of a dataset: the first scenario, where it has scenarios."""
    return min((run / dataset).rglob("*.parquet"))


def chunks(world: World, limit: int, shares: int) -> Iterator[slice]:
    """Rows of whole merchants until ``limit`` arrivals (0: all) are reached, in chunks of equal size that give each of
    ``shares`` processes several."""
    before = np.append(0, np.cumsum(world.count))
    limit = min(limit or int(before[-1]), int(before[-1]))
    size = min(MOST_ARRIVALS, -(-limit // (4 * shares)))
    cuts = np.append(np.flatnonzero(np.diff(world.merchant)) + 1, world.merchant.size)
    first = 0
    while first < world.merchant.size and before[first] < limit:
        wanted = np.searchsorted(before, before[first] + size)
        stop = int(cuts[min(np.searchsorted(cuts, wanted), cuts.size - 1)])
        yield slice(first, stop)
        first = stop


def expand(world: World, rows: slice, rng: np.random.Generator, wide: bool) -> dict[str, np.ndarray]:
    """Arrivals of some rows by merchant and time; ``wide`` adds what the other columns need."""
    row = np.repeat(np.arange(rows.start, rows.stop), world.count[rows])
    time_us = world.start_us[world.bucket[row]] + (rng.random(row.size) * HOUR_US).astype(np.int64)
    order = np.lexsort((time_us, world.merchant[row]))
    row, time_us = row[order], time_us[order]
    merchant, zone, bucket = world.merchant[row], world.zone[row], world.bucket[row]
    starts = np.flatnonzero(np.append(True, merchant[1:] != merchant[:-1]))
    number = np.arange(row.size) - np.repeat(starts, np.diff(np.append(starts, row.size))) + 1
    arrivals = {
        "merchant_id": merchant,
        "zone": zone,
        "bucket_index": bucket,
        "arrival_seq": number,
        "ts_utc": time_us,
        "ts_local": time_us + world.offset_us[zone, bucket],
        "site_id": world.sites.pick(merchant, rng.random(row.size)),
    }
    return {**arrivals, **_further(world, row, arrivals, rng)} if wide else arrivals


def _further(
    world: World, row: np.ndarray, arrivals: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Virtual arrivals with their edge, and the two other clocks."""
    merchant, zone, bucket = arrivals["merchant_id"], arrivals["zone"], arrivals["bucket_index"]
    merchants, of = np.unique(merchant, return_inverse=True)
    chance = {"VIRTUAL_ONLY": 1.0, "HYBRID": VIRTUAL_SHARE}
    share = np.array([chance.get(world.mode.get(int(one), ""), 0.0) for one in merchants])
    settled = np.array([world.settlement.get(int(one), -1) for one in merchants], np.int32)
    virtual = rng.random(row.size) < share[of]
    edge = world.edges.pick(merchant, rng.random(row.size))
    settlement = np.where(virtual & (settled[of] >= 0), settled[of], zone)
    operational = np.where(virtual, world.edge_zone[edge], zone)
    return {
        "channel": world.channel[row],
        "is_virtual": virtual,
        "edge_id": edge,
        "settlement": settlement,
        "operational": operational,
        "offset_min": world.offset_us[zone, bucket] // 60_000_000,
        "settlement_offset_us": world.offset_us[settlement, bucket],
        "operational_offset_us": world.offset_us[operational, bucket],
    }


Read = Callable[[Path], World]
Write = Callable[[World, dict[str, np.ndarray], Path, bool], None]


def main(read: Read, write: Write, about: str | None) -> None:
    """Make a share of the arrivals of RUN's first scenario below OUT; one JSON on stdout: arrivals, seconds of reading,
    and when expanding began and ended (seconds since the epoch, to be put together over processes)."""
    options = _arguments(about)
    begun = time.perf_counter()
    world = read(options.run)
    read_s = time.perf_counter() - begun
    number, shares = options.share
    folder = options.out / f"process-{number}"
    folder.mkdir(parents=True)
    arrivals, began = 0, time.time()
    for part, rows in enumerate(chunks(world, options.arrivals, shares)):
        if part % shares == number:
            made = expand(world, rows, np.random.Generator(np.random.Philox(part)), options.columns == "all")
            write(world, made, folder / f"part-{part:05d}.parquet", options.columns == "all")
            arrivals += made["ts_utc"].size
    told: dict[str, Any] = {"arrivals": arrivals, "read_s": read_s, "began": began, "ended": time.time()}
    print(json.dumps({**told, "bytes": sum(file.stat().st_size for file in folder.iterdir())}))


def _arguments(about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run with S3 done")
    parser.add_argument("out", type=Path, help="folder to write below; this process makes a new one there")
    parser.add_argument("--columns", choices=tuple(COLUMNS), default="7", help="7 columns (default) or all 24")
    parser.add_argument("--share", type=_share, default=(0, 1), help="which part of the work: 0/2 is the first half")
    parser.add_argument("--arrivals", type=int, default=0, help="stop after about so many, all processes together")
    return parser.parse_args()


def _share(text: str) -> tuple[int, int]:
    number, shares = map(int, text.split("/"))
    if not 0 <= number < shares:
        raise argparse.ArgumentTypeError(f"{text}: want K/N with 0 <= K < N")
    return number, shares
