"""The series of a scenario, and what the sealed surface expects of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seg5b.explain.facts import WITH_COUNTRY
from seg5b.query import parquet
from seg5b.run_tables.inputs import SURFACE
from seg5b.run_tables.subject import Subject
from seg5b.twin.merchants import Place, Traits


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """n series in canonical order: ``merchants`` ids, ``zones``, ``channels``, ``traits``, ``places``, ``countries`` (how many
    components); ``rows_of``: the range of series of each merchant. A cell is position = series * ``buckets`` + bucket."""

    buckets: int
    merchants: tuple[int, ...]
    zones: tuple[str, ...]
    channels: tuple[str, ...]
    traits: tuple[Traits, ...]
    places: tuple[Place, ...]
    countries: tuple[int, ...]
    rows_of: dict[int, range]

    def key(self, series: int, bucket: int) -> dict[str, object]:
        """How a cell is named in a finding."""
        return {
            "merchant_id": self.merchants[series],
            "zone_representation": self.zones[series],
            "channel_group": self.channels[series],
            "bucket_index": bucket,
        }


def load_series(subject: Subject) -> SeriesTable:
    """The series of a scenario, as S1 grouped them (which ``s1.*`` judges in full)."""
    key = f"series {subject.scenario_id}"
    if key not in subject.shared:
        shared = subject.policies.readings.has_levels
        country, source = (_text("country"), WITH_COUNTRY) if shared else ("''", "grouping g")
        rows = subject.rows(
            f"""SELECT coalesce(g.merchant_id::UBIGINT, 0), {_text("zone_representation")}, {_text("channel_group")},
                       coalesce(component_count::BIGINT, 0), {_text("group_id")}, {_text("demand_class")},
                       {_text("virtual_band")}, {_text("scenario_band")}, {country}
                FROM {source} ORDER BY g.merchant_id, zone_representation, channel_group"""
        )
        traits = tuple(Traits(row[4], row[5], row[2], row[6], row[7]) for row in rows)
        places = tuple(Place(row[0], row[1], row[2], row[8]) for row in rows)
        rows_of: dict[int, range] = {}
        for k, row in enumerate(rows):
            rows_of[row[0]] = range(rows_of[row[0]].start if row[0] in rows_of else k, k + 1)
        columns = [tuple(row[place] for row in rows) for place in range(4)]
        buckets = int(subject.constants["buckets"] or 0)
        subject.shared[key] = SeriesTable(
            buckets, columns[0], columns[1], columns[2], traits, places, columns[3], rows_of
        )
    found: SeriesTable = subject.shared[key]
    return found


def _text(column: str) -> str:
    return f"coalesce({column}::VARCHAR, '')"


def surface_targets(subject: Subject, table: SeriesTable, positions: np.ndarray) -> np.ndarray:
    """Expected arrivals of some cells, float64 [n]: the sum over the countries of the series, in byte order of the country. NaN
    where the surface has no row. ``positions`` ascend."""
    series = np.unique(positions // table.buckets).tolist()
    wanted = {
        "k": series,
        "merchant_id": np.array([table.merchants[k] for k in series], np.uint64),
        "tzid": [table.zones[k] for k in series],
        "channel_group": [table.channels[k] for k in series],
    }
    kinds = {"k": "BIGINT", "merchant_id": "UBIGINT", "tzid": "VARCHAR", "channel_group": "VARCHAR"}
    subject.database.table("rederived_series", wanted, kinds)
    whole = len(series) * table.buckets == positions.size
    if not whole:
        subject.database.table("rederived_cells", {"position": positions}, {"position": "BIGINT"})
    source = parquet(subject.sealed_files(SURFACE))
    named = "channel_group" in {row[0] for row in subject.rows(f"DESCRIBE SELECT * FROM {source}")}
    join = "" if named else "JOIN profile USING (merchant_id, legal_country_iso, tzid)"
    found = subject.database.arrays(
        f"""SELECT position, legal_country_iso AS country, expected
            FROM (SELECT k * {table.buckets} + local_horizon_bucket_index::BIGINT AS position, legal_country_iso,
                         lambda_local_scenario::DOUBLE AS expected
                  FROM {source} {join} JOIN rederived_series USING (merchant_id, tzid, channel_group)
                  WHERE local_horizon_bucket_index BETWEEN 0 AND {table.buckets - 1})
            {"" if whole else "JOIN rederived_cells USING (position)"}"""
    )
    return _summed(positions, plain(found["position"], -1), found["country"], plain(found["expected"], np.nan))


def _summed(positions: np.ndarray, at: np.ndarray, country: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Sums by position, added one country after the other."""
    names = sorted(set(country.tolist()), key=lambda name: str(name).encode())
    number = {name: place for place, name in enumerate(names)}
    code = np.array([number[name] for name in country.tolist()], np.int64)
    order = np.lexsort((code, at))
    at, expected = at[order], expected[order]
    first = np.flatnonzero(np.r_[True, at[1:] != at[:-1]]) if at.size else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[first, at.size])
    total = np.zeros(first.size)
    for turn in range(int(sizes.max(initial=0))):
        more = sizes > turn
        total[more] += expected[first[more] + turn]
    targets = np.full(positions.size, np.nan)
    place = np.searchsorted(positions, at[first])
    inside = place < positions.size
    inside[inside] = positions[place[inside]] == at[first][inside]
    targets[place[inside]] = total[inside]
    return targets


def plain(column: np.ndarray, null: float) -> np.ndarray:
    """A column of a query without nulls: ``null`` in their place."""
    return np.asarray(column.filled(null) if isinstance(column, np.ma.MaskedArray) else column)


def _whole_series(positions: np.ndarray, buckets: int) -> bool:
    """Whether ascending positions are all those of some series."""
    if positions.size % buckets:
        return False
    rows = positions.reshape(-1, buckets)
    return bool(((rows[:, 0] % buckets == 0) & (rows[:, -1] - rows[:, 0] == buckets - 1)).all())


def published(
    subject: Subject, table: str, columns: Mapping[str, str], positions: np.ndarray, buckets: int
) -> dict[str, np.ndarray]:
    """Columns of ``intensity`` or ``counts`` (with their SQL types) at some cells, which ascend, as the dataset has them.
    ``found`` says which cells it has, without nulls but in ``kappa``, where a null is NaN."""
    if positions.size and positions[-1] - positions[0] + 1 == positions.size:
        where = f"WHERE position BETWEEN {positions[0]} AND {positions[-1]}"
    elif _whole_series(positions, buckets):
        series = positions.reshape(-1, buckets)[:, 0] // buckets
        subject.database.table("rederived_rows", {"k": series}, {"k": "BIGINT"})
        where = f"JOIN rederived_rows ON k = position // {buckets}"
    else:
        subject.database.table("rederived_cells", {"position": positions}, {"position": "BIGINT"})
        where = "JOIN rederived_cells USING (position)"
    selected = ", ".join(f"{name}::{kind} AS {name}" for name, kind in columns.items())
    rows = subject.database.arrays(f"SELECT position::BIGINT AS position, {selected} FROM {table} {where}")
    order = np.argsort(plain(rows["position"], -1), kind="stable")
    at = plain(rows["position"], -1)[order]
    place = np.searchsorted(at, positions)
    there = place < at.size
    there[there] = at[place[there]] == positions[there]
    found = {"found": there.copy()}
    for name in columns:
        values = rows[name][order]
        null = False if values.dtype == bool else -1 if values.dtype.kind in "iu" else np.nan
        known = plain(values, null)
        whole = np.full(positions.size, null, known.dtype)
        whole[there] = known[place[there]]
        if name != "kappa" and isinstance(values, np.ma.MaskedArray):
            found["found"][there] &= ~np.ma.getmaskarray(values)[place[there]]
        found[name] = whole
    return found
