"""The small tables of a range of intensities and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seg5b.part_scan.cells import walk as w
from seg5b.part_scan.counting import listed
from seg5b.part_scan.tables import PartTable, column_of
from seg5b.tables.columns import Column
from seg5b.tables.reading import Kind

TABLES = (
    "intensity_series",
    "intensity_constants",
    "count_series",
    "count_constants",
    "count_histogram",
    "count_buckets",
)
"""``intensity_series`` and ``count_series``: stretches of rows of one key that lie where series ``k`` should;
``*_constants``: rows by identity; ``count_histogram``: rows by count; ``count_buckets``: how counts scatter, by bucket."""
_KEYS = {
    "k": (Kind.INTEGER, w.SERIES),
    "merchant_id": (Kind.ID, w.MERCHANT),
    "zone_representation": (Kind.TEXT, w.ZONE),
    "channel_group": (Kind.TEXT, w.CHANNEL),
    "rows": (Kind.INTEGER, w.LENGTH),
}
LATENT = ("steps", "step_sum", "step_squares", "pairs", "pair_products")
"""Columns of ``intensity_series`` about latent paths, as `seg5b.part_scan.cells.scatter.Paths` has them."""
SCATTER = (
    *("gap", "gap_variance", "gap_third"),
    *("squares", "cut_squares", "squares_variance", "squares_third"),
    *("late", "late_variance", "late_third"),
)
"""Columns of ``count_series`` about the scatter of counts, as `seg5b.part_scan.cells.scatter.Scatter` has them."""
BY_BUCKET = ("gap", "variance", "third", "fourth")
_DRAWS = {"arrivals": (Kind.INTEGER, w.ARRIVALS), "drawn": (Kind.INTEGER, w.DRAWS)}


def intensity_tables(walk: w.IntensityWalk, texts: Sequence[str]) -> Mapping[str, PartTable]:
    """Tables of a walk over intensities: ``volume`` and ``moment`` of each stretch are sums of baselines, and of baselines
    times the weight of their bucket; ``path`` a digest of its factors; `LATENT`."""
    used = int(walk.state[w.STRETCHES])
    kinds, columns = _stretches(walk.stretches[:used], texts, _KEYS)
    kinds |= {"volume": Kind.NUMBER, "moment": Kind.NUMBER, "path": Kind.ID}
    sums = np.ascontiguousarray(walk.sums[:used].T)
    columns |= {"volume": sums[0], "moment": sums[1], "path": walk.paths[:used]}
    kinds, columns = _with_numbers(kinds, columns, LATENT, walk.latent.series[:used])
    return {"intensity_series": PartTable(kinds, columns, used)}


def count_tables(walk: w.CountWalk, texts: Sequence[str]) -> Mapping[str, PartTable]:
    """Tables of a walk over counts: ``arrivals`` of each stretch is the sum of its counts, ``drawn`` the rows that are not
    zero by the zero rule; `SCATTER`."""
    used = int(walk.state[w.STRETCHES])
    kinds, columns = _stretches(walk.stretches[:used], texts, {**_KEYS, **_DRAWS})
    kinds, columns = _with_numbers(kinds, columns, SCATTER, walk.scatter.series[:used])
    keys, often = listed(walk.others)
    met = np.flatnonzero(walk.small)
    histogram: dict[str, Column] = {
        "count_n": np.concatenate([met, keys[:, 1]]),
        "rows": np.concatenate([walk.small[met], often]),
    }
    numbers = dict.fromkeys(histogram, Kind.INTEGER)
    return {
        "count_series": PartTable(kinds, columns, used),
        "count_histogram": PartTable(numbers, histogram, len(met) + len(keys)),
        "count_buckets": _buckets(walk.scatter.buckets),
    }


def _with_numbers(
    kinds: Mapping[str, Kind], columns: Mapping[str, Column], names: Sequence[str], numbers: np.ndarray
) -> tuple[dict[str, Kind], dict[str, Column]]:
    """Columns with those of float64 [n, names] behind them."""
    more = dict(zip(names, np.ascontiguousarray(numbers.T), strict=True))
    return {**kinds, **dict.fromkeys(names, Kind.NUMBER)}, {**columns, **more}


def _buckets(sums: np.ndarray) -> PartTable:
    """Buckets with any variance: sums float64 [H, 4]."""
    met = np.flatnonzero(sums[:, 1])
    kinds, columns = _with_numbers({"bucket_index": Kind.INTEGER}, {"bucket_index": met}, BY_BUCKET, sums[met])
    return PartTable(kinds, columns, len(met))


def _stretches(
    found: np.ndarray, texts: Sequence[str], wanted: Mapping[str, tuple[Kind, int]]
) -> tuple[dict[str, Kind], dict[str, Column]]:
    columns: dict[str, Column] = {}
    for name, (kind, place) in wanted.items():
        absent = found[:, w.NULLS] != 0 if place == w.MERCHANT else None
        columns[name] = column_of(kind, found[:, place], absent, texts)
    return {name: kind for name, (kind, _) in wanted.items()}, columns
