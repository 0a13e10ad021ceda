"""What the arrivals of the synthetic inputs are like: every mode as often as the others, or as a run has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from seg5b_kernels.alias import build_alias_tables
from seg5b_kernels.arrivals import HYBRID, LINEAR, PHYSICAL, UNIFORM, VIRTUAL, Density
from seg5b_kernels.clocks import HOURS, Clocks
from seg5b_kernels.coins import Coins
from seg5b_kernels.counts import SAME_KAPPA, VolumePower
from seg5b_kernels.derivation import PaddedMessages
from seg5b_kernels.routing import NO_TABLE, Edges, Groups, RoutePolicy, Series, Sites
from seg5b_kernels.segments import Rows

from seg5b.rng.messages import bucket_domain_prefix
from seg5b.rng.templates import padded_messages

START_US = 1_774_742_400_000_000  # 2026-03-29T00:00:00Z: European clocks change an hour later
ZONES, CHANNELS = 40, 7
Templates = tuple[PaddedMessages, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class RaggedRows:
    """R bucket rows of a chunk: ``count`` arrivals, first slot ``start`` [R + 1], and its segment's first slot and
    slot count; all int32."""

    count: np.ndarray
    start: np.ndarray
    segment_start: np.ndarray
    segment_size: np.ndarray

    def table(self) -> Rows:
        """The rows as kernels take them; each row is a series of its own, in bucket 0."""
        number = np.arange(self.count.size, dtype=np.int32)
        return Rows(number, np.zeros_like(number), self.start, self.segment_start, self.segment_size)


def ragged_rows(count: np.ndarray, segment_rows: np.ndarray) -> RaggedRows:
    """Rows with ``count`` [R] arrivals, consecutive ones put into segments of ``segment_rows`` [S] rows."""
    start = np.append(0, np.cumsum(count))
    cuts = np.append(0, np.cumsum(segment_rows))
    first, stop = start[cuts[:-1]], start[cuts[1:]]
    columns = (count, start, np.repeat(first, segment_rows), np.repeat(stop - first, segment_rows))
    return RaggedRows(*(column.astype(np.int32) for column in columns))


class EveryMode:
    """Every mode and branch of the kernels about as often as the others, rows of any series one after another: for tests.

    ``tables`` series, each with tables of its own; ``policy`` tempers; ``digits`` of the largest bucket index.
    """

    tables = 60
    policy = RoutePolicy(0.4, 1)
    digits = 4
    BUCKETS = 48

    def messages(self, series: int, digits: int) -> Templates:
        """Messages of a family, of several lengths, many of which end in two blocks; as `padded_messages` returns them."""
        head = b"\0\0\0\x095B.rng.v1" + bytes(190)
        prefixes = [f"merchant_id={1000 + s}|zone={'Area/City'[: 3 + s % 7]}|bucket_index=" for s in range(series)]
        return padded_messages(head, prefixes, digits)

    def slots(self, items: int, series: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Slot of each series, int32 [series], some without; series and bucket, int32 [items], whose streams are derived."""
        slot = np.where(np.arange(series) % 9 == 8, -1, np.arange(series)).astype(np.int32)
        return (
            slot,
            rng.integers(0, series, items).astype(np.int32),
            (10 ** rng.uniform(0, self.digits, items) - 1).astype(np.int32),
        )

    def row_counts(self, items: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Skewed counts that sum to ``items``, and rows per segment."""
        count = _summing_to(items, 1 + rng.geometric(0.2, items // 4 + 1))
        return count, _summing_to(count.size, rng.integers(1, 4, count.size))

    def on_axes(self, rows: RaggedRows, rng: np.random.Generator) -> Rows:
        """Rows of any series, over two days."""
        table, size = rows.table(), rows.count.size
        series = rng.integers(0, self.tables, size).astype(np.int32)
        return table._replace(series=series, bucket=np.sort(rng.integers(0, self.BUCKETS, size)).astype(np.int32))

    def series(self, rng: np.random.Generator) -> Series:
        """One series per table; some without plain edges, without tz-group tables, or without a known settlement zone."""
        number = np.arange(self.tables, dtype=np.int32)
        plain = np.where(number % 3 == 0, NO_TABLE, number + self.tables).astype(np.int32)
        return Series(
            rng.integers(1, 2**64, self.tables, np.uint64),
            self._modes(rng),
            rng.integers(0, ZONES, self.tables).astype(np.int16),
            (number % CHANNELS).astype(np.int8),
            number,
            number,
            plain,
            np.where(number % 2 == 0, NO_TABLE, number).astype(np.int32),
            rng.integers(-1, ZONES, self.tables).astype(np.int16),
            rng.integers(0, 100, self.tables),
        )

    def coins(self) -> Coins:
        """Of one channel no arrival is virtual, of another every one; those of the others by the hour of the day."""
        of_channels = np.tile(np.linspace(0.0, 0.9, HOURS), (CHANNELS, 1))
        of_channels[0], of_channels[3] = 0.0, 1.0
        return Coins(1, of_channels.ravel())

    def _modes(self, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, 3, self.tables).astype(np.uint8)

    def density(self, rng: np.random.Generator) -> Density:
        """Straight pieces: intensities of any size beside one another, some of them 0."""
        realised = np.exp(rng.uniform(-6.0, 6.0, (self.tables, self.BUCKETS)))
        realised[rng.random(realised.shape) < 0.1] = 0.0
        return Density(LINEAR, realised.ravel(), 0, self.BUCKETS)

    def volume(self) -> VolumePower:
        """Dispersion follows the mean of a cell, between bounds that some reach."""
        return VolumePower(8.0, 0.7, 3.0, 90.0)

    def sites(self, rng: np.random.Generator) -> Sites:
        """A table for each series."""
        return Sites(*_alias(self.tables, rng), *_places(self.tables, rng))

    def edges(self, rng: np.random.Generator) -> Edges:
        """A table for each series, and one without the busy zones."""
        columns = (*_alias(2 * self.tables, rng), *_places(2 * self.tables, rng))
        return Edges(*columns, (rng.random(columns[-1].size) < 0.4).astype(np.uint8))

    def groups(self, rng: np.random.Generator) -> Groups:
        """Tz-group tables by day."""
        columns = _alias(self.tables, rng)
        entries = columns[1].size
        by_day = rng.integers(0, self.tables, (self.tables, 2)).astype(np.int32)
        site_table = rng.integers(0, self.tables, entries).astype(np.int32)
        return Groups(by_day, *columns, site_table, rng.integers(0, ZONES, entries).astype(np.int16))


class AsInRuns(EveryMode):
    """As the reference world has it under the shipped policies: for speed.

    8.3 % of merchants are hybrid and 2.9 % virtual only, so that 5.9 % of arrivals are virtual; nothing is tempered and the
    zone of a series is its tz group. 32 arrivals fall into a row, skewed, and 1.2 rows into a segment; a merchant's
    segments follow each other, with two of its four series at most; a message ends in one block. Shares and lengths are those
    of the demo, sizes of rows those of the reference world.
    """

    tables = 4000
    policy = RoutePolicy(0.0, 0)
    digits = 3
    SERIES, SEGMENTS, ROW, SKEW = 4, 42, 32.4, 1.2  # of a merchant, of a merchant, arrivals, sigma of their logarithm

    def messages(self, series: int, digits: int) -> Templates:
        """Messages of a family as long as those of S4."""
        head = b"\0\0\0\x095B.rng.v1" + bytes(190)
        merchants = (10**18 + 10**14 * s for s in range(series))
        prefixes = [bucket_domain_prefix("merchant_zone_bucket", each, "Europe/Berlin", "") for each in merchants]
        return padded_messages(head, prefixes, digits)

    def slots(self, items: int, series: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Slot of each series; series and bucket, int32 [items], series after series, over two weeks of hours."""
        slot = np.arange(series, dtype=np.int32)
        return (
            slot,
            np.sort(rng.integers(0, series, items)).astype(np.int32),
            rng.integers(0, 336, items).astype(np.int32),
        )

    def row_counts(self, items: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Counts that sum to ``items``, and rows per segment."""
        rows = int(1.2 * items / self.ROW) + 10 * self.SERIES
        mean = np.log(self.ROW - 0.5) - self.SKEW**2 / 2  # rounding up adds half an arrival
        drawn = np.ceil(rng.lognormal(mean, self.SKEW, rows)).astype(np.int64)
        count = _summing_to(items, np.append(drawn, items))
        return count, _summing_to(count.size, rng.choice([1, 2], count.size, p=[0.8, 0.2]))

    def on_axes(self, rows: RaggedRows, rng: np.random.Generator) -> Rows:
        """Merchant after merchant, segment after segment, one or two series of the merchant in each."""
        segment = np.cumsum(np.append(True, np.diff(rows.segment_start) > 0)) - 1
        within = np.arange(segment.size) - np.searchsorted(segment, segment)
        merchant, place = np.divmod(segment, self.SEGMENTS)
        of = (merchant % (self.tables // self.SERIES)) * self.SERIES + (within + merchant + place) % self.SERIES
        bucket = 8 * place + rng.integers(0, 8, segment[-1] + 1)[segment]
        return rows.table()._replace(series=of.astype(np.int32), bucket=bucket.astype(np.int32))

    def series(self, rng: np.random.Generator) -> Series:
        """One series per table; no plain edges, no tz-group tables."""
        none = np.full(self.tables, NO_TABLE, np.int32)
        return super().series(rng)._replace(plain_edge_table=none, group_row=none)

    def _modes(self, rng: np.random.Generator) -> np.ndarray:
        merchant = np.arange(self.tables) // self.SERIES
        mode = np.where(merchant % 12 == 0, HYBRID, np.where(merchant % 34 == 5, VIRTUAL, PHYSICAL))
        return mode.astype(np.uint8)

    def density(self, rng: np.random.Generator) -> Density:
        """As shipped: uniform."""
        return Density(UNIFORM, np.zeros(1), 0, 0)

    def coins(self) -> Coins:
        """The shipped policy's."""
        return Coins(0, np.full(CHANNELS * HOURS, 0.35))

    def volume(self) -> VolumePower:
        """As shipped: all cells of a group have the same dispersion."""
        return SAME_KAPPA

    def edges(self, rng: np.random.Generator) -> Edges:
        """A table for each series, no zone busy."""
        edges = super().edges(rng)
        return edges._replace(is_busy=np.zeros_like(edges.is_busy))

    def groups(self, rng: np.random.Generator) -> Groups:
        """No tables."""
        columns = [np.zeros(0, dtype) for dtype in (np.float64, np.int32, np.int32, np.int16)]
        return Groups(np.zeros((1, 1), np.int32), np.zeros(1, np.int64), *columns)


def clocks(rng: np.random.Generator) -> Clocks:
    """One or two offsets per zone; the second starts within the first hours of the horizon."""
    sizes = 1 + np.arange(ZONES) % 2
    start = np.append(0, np.cumsum(sizes))
    second = np.full(start[-1], START_US // 1_000_000 - 86_400)
    second[start[1:][sizes == 2] - 1] = START_US // 1_000_000 + 3600
    return Clocks(start, second, (rng.integers(-48, 56, start[-1]) * 15).astype(np.int32))


def _summing_to(total: int, drawn: np.ndarray) -> np.ndarray:
    """The first of some positive numbers, the last of them cut so that their sum is ``total``."""
    kept = drawn[: int(np.searchsorted(np.cumsum(drawn), total, side="left")) + 1]
    kept[-1] -= kept.sum() - total
    return kept


def _sizes(tables: int) -> np.ndarray:
    """Entries per table, from 1 up."""
    return 1 + np.arange(tables) % 33


def _alias(tables: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start = np.append(0, np.cumsum(_sizes(tables)))
    weights = rng.pareto(1.2, start[-1]) + 0.01
    probability, alias = np.zeros(start[-1]), np.zeros(start[-1], np.int32)
    build_alias_tables(weights, start, probability, alias, *np.zeros((2, start[-1]), np.int32))
    return start, probability, alias


def _places(tables: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ids and zones of all entries."""
    entries = int(_sizes(tables).sum())
    return rng.integers(1, 2**64, entries, np.uint64), rng.integers(0, ZONES, entries).astype(np.int16)
