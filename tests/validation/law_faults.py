"""Faults that only the law of a draw can tell: everything that they leave agrees with itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.validation.harness import Change, Run, edit

Plant = Callable[[Run], None]
HOUR_US = 3_600_000_000
INTENSITY, COUNTS = "s2_realised_intensity_5B", "s3_bucket_counts_5B"


def _column(name: str, values: Callable[[pa.Table, np.ndarray], np.ndarray]) -> Change:
    """Replace the numbers of a column by those that ``values`` makes of the table and of them."""

    def change(table: pa.Table) -> pa.Table:
        place = table.column_names.index(name)
        kind = table.schema.field(name).type
        column = table.column(name).combine_chunks()
        missing = column.is_null()
        plainly = column.cast(pa.int64()) if pa.types.is_timestamp(kind) else column
        whole = pc.fill_null(plainly, pa.scalar(0, pa.int64()).cast(plainly.type))
        new = values(table, whole.to_numpy(zero_copy_only=False))
        made = pa.array(new, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(new, kind)
        return table.set_column(place, name, pc.if_else(missing, pa.scalar(None, kind), made))

    return change


def _counts(values: Callable[[pa.Table, np.ndarray], np.ndarray]) -> Plant:
    return lambda run: edit(run.path(COUNTS), _column("count_N", values))


def _arrivals(name: str, values: Callable[[pa.Table, np.ndarray], np.ndarray]) -> Plant:
    def plant(run: Run) -> None:
        for path in sorted(run.path("arrival_events_5B").parent.glob("*.parquet")):
            edit(path, _column(name, values))

    return plant


def _means(table: pa.Table) -> np.ndarray:
    return table.column("mu").to_numpy()


def _series_length(table: pa.Table) -> int:
    return int(pc.max(table.column("bucket_index")).as_py()) + 1


def _an_hour_late(table: pa.Table, counts: np.ndarray) -> np.ndarray:
    return np.roll(counts.reshape(-1, _series_length(table)), 1, axis=1).reshape(-1)


def _rounded(table: pa.Table, counts: np.ndarray) -> np.ndarray:
    return np.rint(_means(table)).astype(np.int64)


def _one_stream(table: pa.Table, counts: np.ndarray) -> np.ndarray:
    """Every series draws with the same number in a bucket: a step from half to one and a half of the mean."""
    up = np.random.default_rng(3).random(_series_length(table)) < 0.5
    factor = np.where(np.tile(up, counts.size // up.size), 1.6, 0.4)
    return np.rint(_means(table) * factor).astype(np.int64)


def _more(table: pa.Table, counts: np.ndarray) -> np.ndarray:
    more = np.random.default_rng(4).random(counts.size) < 0.3
    return np.where((counts > 0) & more, counts + 1, counts)


def _sorted_by_time(kind: str) -> Callable[[pa.Table, np.ndarray], np.ndarray]:
    """The same sites (or edges) as often, but in ascending order along each merchant and zone."""

    def values(table: pa.Table, ids: np.ndarray) -> np.ndarray:
        merchants = table.column("merchant_id").to_numpy()
        zones = table.column("tzid_primary").to_pylist() if kind == "site" else [""] * len(ids)
        there = table.column(f"{kind}_id").combine_chunks().is_valid().to_numpy(zero_copy_only=False)
        new = ids.copy()
        for merchant, zone in set(zip(merchants.tolist(), zones, strict=True)):
            own = np.flatnonzero(there & (merchants == merchant) & (np.array(zones) == zone))
            new[own] = np.sort(ids[own])
        return new

    return values


def _first(kind: str) -> Callable[[pa.Table, np.ndarray], np.ndarray]:
    """One site (or edge) of each merchant and zone, whatever their weights."""

    def values(table: pa.Table, ids: np.ndarray) -> np.ndarray:
        merchants = table.column("merchant_id").to_numpy()
        zones = np.array(table.column("tzid_operational").to_pylist())
        there = table.column(f"{kind}_id").combine_chunks().is_valid().to_numpy(zero_copy_only=False)
        new = ids.copy()
        for merchant, zone in set(zip(merchants.tolist(), zones.tolist(), strict=True)):
            own = np.flatnonzero(there & (merchants == merchant) & (zones == zone))
            if own.size:
                new[own] = ids[own].min()
        return new

    return values


def _all_physical(table: pa.Table, flags: np.ndarray) -> np.ndarray:
    return np.zeros(flags.size, bool)


def _tied(table: pa.Table, instants: np.ndarray) -> np.ndarray:
    """Pairs of arrivals of one merchant at one instant."""
    merchants = table.column("merchant_id").to_numpy()
    new = instants.copy()
    pairs = np.flatnonzero((merchants[1:] == merchants[:-1]) & (np.arange(instants.size - 1) % 40 == 0))
    new[pairs + 1] = new[pairs]
    return new


def _whole(unit_us: int) -> Callable[[pa.Table, np.ndarray], np.ndarray]:
    return lambda table, instants: instants - instants % unit_us


def _early(table: pa.Table, instants: np.ndarray) -> np.ndarray:
    """A tenth of the bucket is empty."""
    return instants - instants % HOUR_US + instants % HOUR_US * 9 // 10


def _stretched(power: float) -> Plant:
    def values(table: pa.Table, factors: np.ndarray) -> np.ndarray:
        return np.clip(factors**power, 0.2, 5.0)

    return lambda run: edit(run.path(INTENSITY), _column("lambda_random_component", values))


def _one_path(run: Run) -> None:
    """A series of another group has the path of the first one."""
    groups = pq.ParquetFile(run.path("s1_grouping_5B")).read().column("group_id").to_pylist()
    other = next(k for k, group in enumerate(groups) if group != groups[0])

    def values(table: pa.Table, factors: np.ndarray) -> np.ndarray:
        paths = factors.reshape(-1, _series_length(table)).copy()
        paths[other] = paths[0]
        return paths.reshape(-1)

    edit(run.path(INTENSITY), _column("lambda_random_component", values))


LAW_FAULTS: tuple[tuple[str, Plant], ...] = (
    ("law.counts_mean", _counts(_more)),
    ("law.counts_scatter", _counts(_rounded)),
    ("law.counts_scatter", _counts(_one_stream)),
    ("law.counts_late", _counts(_an_hour_late)),
    ("law.times_tie", _arrivals("ts_utc", _tied)),
    ("law.times_digits", _arrivals("ts_utc", _whole(1000))),
    ("law.times_digits", _arrivals("ts_utc", _whole(10_000_000))),
    ("law.times_place", _arrivals("ts_utc", _early)),
    ("law.routes_coin", _arrivals("is_virtual", _all_physical)),
    ("law.routes_sites", _arrivals("site_id", _first("site"))),
    ("law.routes_edges", _arrivals("edge_id", _first("edge"))),
    ("law.routes_order", _arrivals("site_id", _sorted_by_time("site"))),
    ("law.routes_order", _arrivals("edge_id", _sorted_by_time("edge"))),
    ("law.paths_step", _stretched(1.3)),
    ("law.paths_step", _stretched(0.8)),
    ("law.paths_differ", _one_path),
)
