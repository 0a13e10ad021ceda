"""A scenario small enough for the simulator and rich enough for every branch of the expansion.

Three merchants (physical, hybrid, virtual) in up to three zones and two channels, buckets from one arrival to many,
tz-group tables, edges in busy zones with tempering, coins by the hour, an offset of half an hour, a clock change inside
the horizon.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from seg5b_kernels.alias import build_alias_tables
from seg5b_kernels.arrivals import HYBRID, PHYSICAL, VIRTUAL
from seg5b_kernels.clocks import Clocks
from seg5b_kernels.coins import Coins
from seg5b_kernels.routing import NO_TABLE, Edges, Groups, RoutePolicy, Series, Sites

from seg5b.axes import Group, SeriesAxis, TimeGrid
from seg5b.backends.base import Backend
from seg5b.expansion import ArrivalTotals, MerchantBlocks, Realiser, RouteTables, arrival_buffers
from seg5b.expansion.realise import Family, RowArrays
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER, SITE_PICK, TIME_JITTER, RngFamily, RngPolicy
from seg5b.rng.device import StreamScope, stream_source
from seg5b.runs.identity import RunIdentity

IDENTITY = RunIdentity("0" * 32, 42, "b" * 64, "a" * 64)
SCENARIO, DOMAIN_SEP, LAW = "baseline_v1", "5B.rng.v1", "merchant_zone_channel_bucket"
ZONES, CHANNELS = ("Europe/London", "Asia/Kolkata", "America/Lima"), ("cnp", "cp")
GRID = TimeGrid(1_774_742_400_000_000, 3_600_000_000, 48, "baseline")
POLICY = RoutePolicy(0.5, 1)
CLOCKS = Clocks(
    np.array([0, 2, 3, 4]),
    np.array([0, GRID.start_us // 1_000_000 + 9000, 0, 0]),
    np.array([0, 60, 330, -300], np.int32),
)
P_VIRTUAL = tuple(tuple((hour * step % 24) / 24 for hour in range(24)) for step in (5, 7))  # by channel and local hour
# merchant, zone, channel, mode, settlement zone; canonical order.
SERIES = (
    (7, 2, 0, PHYSICAL, -1),
    (7, 2, 1, PHYSICAL, -1),
    (7, 0, 0, PHYSICAL, -1),
    (11, 1, 0, HYBRID, 2),
    (11, 0, 1, HYBRID, 2),
    (2**64 - 3, 0, 0, VIRTUAL, -1),
    (2**64 - 3, 0, 1, VIRTUAL, -1),
)
MERCHANT_ROW = [0, 0, 0, 1, 1, 2, 2]
SITE_WEIGHTS = ([1.0], [0.5, 0.3, 0.2], [2.0, 1.0, 1.0, 4.0])
EDGE_WEIGHTS = ([0.2, 0.3, 0.5], [1.0, 1.0], [0.3, 0.6, 0.1])
GROUP_WEIGHTS = ([0.7, 0.3], [0.2, 0.5, 0.3])


def axis() -> SeriesAxis:
    merchant, zone, channel, _, _ = zip(*SERIES, strict=True)
    ones = np.ones(len(SERIES), np.int64)
    group = (Group("g", "class", "cnp", "physical"),)
    columns = (np.array(zone, np.int32), np.array(channel, np.int32), np.zeros(len(SERIES), np.int32))
    return SeriesAxis(np.array(merchant, np.uint64), *columns, ones, ZONES, CHANNELS, group)


def counts(scale: float = 3.0, seed: int = 5) -> np.ndarray:
    """int64 [series, buckets] with mean ``scale`` in most buckets and a hundredfold in a few."""
    rng = np.random.default_rng(seed)
    mean = np.where(rng.random((len(SERIES), GRID.bucket_count)) < 0.05, 100 * scale, scale)
    return rng.poisson(mean)


def totals(scale: float = 3.0) -> ArrivalTotals:
    return ArrivalTotals.of(counts(scale).reshape(len(SERIES), 2, 24).sum(axis=2), axis())


def alias_columns(weights: tuple[list[float], ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start = np.append(0, np.cumsum([len(each) for each in weights]))
    probability, alias = np.zeros(start[-1]), np.zeros(start[-1], np.int32)
    build_alias_tables(np.concatenate(weights), start, probability, alias, *np.zeros((2, start[-1]), np.int32))
    return start, probability, alias


def _ids(kind: str, n: int) -> np.ndarray:
    digests = (hashlib.sha256(f"{kind}{k}".encode()).digest() for k in range(n))
    return np.array([int.from_bytes(digest[:8], "big") for digest in digests], np.uint64)


def series_columns(scale: float) -> Series:
    merchant, zone, channel, _, settlement = zip(*SERIES, strict=True)
    number = np.arange(len(SERIES))
    return Series(
        np.array(merchant, np.uint64),
        np.array([mode for _, _, _, mode, _ in SERIES], np.uint8),
        np.array(zone, np.int16),
        np.array(channel, np.int8),
        (number % 3).astype(np.int32),
        (number % 2).astype(np.int32),
        np.where(number % 2 == 0, 2, NO_TABLE).astype(np.int32),
        np.array(MERCHANT_ROW, np.int32),
        np.array(settlement, np.int16),
        totals(scale).merchant_start[MERCHANT_ROW],
    )


def columns(scale: float = 3.0) -> dict[str, Any]:
    """All tables, on the host."""
    sites, edges, groups = (alias_columns(weights) for weights in (SITE_WEIGHTS, EDGE_WEIGHTS, GROUP_WEIGHTS))
    return {
        "series": series_columns(scale),
        "coins": Coins(1, np.ravel(P_VIRTUAL)),
        "sites": Sites(*sites, _ids("site", 8), np.array([2, 0, 1, 2, 0, 0, 1, 1], np.int16)),
        "edges": Edges(
            *edges,
            _ids("edge", 8),
            np.array([0, 1, 2, 2, 0, 1, 2, 0], np.int16),
            np.array([1, 0, 1, 1, 1, 0, 0, 0], np.uint8),
        ),
        "groups": Groups(
            np.array([[0, 1], [NO_TABLE, 0], [NO_TABLE, NO_TABLE]], np.int32),
            *groups,
            np.array([0, 1, 2, 0, 1], np.int32),
            np.array([0, 1, 2, 0, 1], np.int16),
        ),
        "clocks": CLOCKS,
    }


def families() -> RngPolicy:
    ids = (TIME_JITTER, SITE_PICK, EDGE_PICK, EDGE_TEMPER)
    return RngPolicy(DOMAIN_SEP, {family: RngFamily(family, "5B.S4", "label", LAW) for family in ids})


def realiser(backend: Backend, scale: float = 3.0) -> Realiser:
    """The scenario on a backend."""
    every, counted, host = axis(), counts(scale), columns(scale)
    tables = RouteTables(
        **{name: backend.table(each) for name, each in host.items()},
        policy=POLICY,
        mode=host["series"].mode,
    )
    policy = families()
    scope = StreamScope(policy, IDENTITY, SCENARIO)
    slot = backend.upload(np.arange(len(SERIES), dtype=np.int32))
    streams = {
        family: Family(
            stream_source(backend, scope, family, every, range(len(SERIES)), GRID.bucket_count),
            slot,
        )
        for family in policy.families
    }
    blocks = MerchantBlocks(
        backend,
        every,
        GRID.bucket_count,
        totals(scale),
        lambda first, stop: (backend.upload(counted[first:stop].ravel()), None),
    )
    return Realiser(backend, GRID, blocks, tables, streams)


def arrivals(made: Realiser) -> int:
    return made.blocks.totals.arrivals


def realised(made: Realiser, first: int, stop: int) -> dict[str, np.ndarray]:
    """Rows [first, stop) on the host; ``row`` is the row of `counts` (series x bucket), whatever the window."""
    out = arrival_buffers(made.backend, stop - first)
    result = made.realise(first, stop, out)
    columns = {name: np.array(made.backend.download(column)) for name, column in out._asdict().items()}
    rows = RowArrays(*made.backend.downloads(result.rows))
    row = rows.series.astype(np.int64) * GRID.bucket_count + rows.bucket
    columns["row"] = row[columns["row"]]
    return columns
