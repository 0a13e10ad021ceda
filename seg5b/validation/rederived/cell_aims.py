"""Which intensities and counts are derived again: whole paths, and cells where code that is wrong now and then would be."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import numpy as np

from seg5b.run_tables.cell_tables import cell_totals
from seg5b.run_tables.outputs import BY_TABLE, output_files
from seg5b.run_tables.subject import Subject
from seg5b.tables.reading import file_layout
from seg5b.validation.rederived.places import digit_buckets, some, some_of, spread
from seg5b.validation.rederived.series import SeriesTable, plain

ROWS_PER_PATH = 25
_EACH = 12
"""Places of one kind, about."""
_AROUND = 256
"""Means near the switch between the two ways of inversion: the mean that nb2 draws lies on either side of it."""

Aims = dict[str, np.ndarray]
"""Positions by stratum, ascending and distinct, int64. A position may lie in several."""


def aimed_paths(table: SeriesTable, rows: int, salt: str) -> Aims:
    """Series whose whole rows are derived, by stratum: one for every `ROWS_PER_PATH` rows and more, each of another group where
    there are enough."""
    members: dict[str, list[int]] = {}
    kinds: dict[tuple[str, str, str], list[int]] = {}
    for k, traits in enumerate(table.traits):
        members.setdefault(traits.group_id, []).append(k)
        kinds.setdefault((traits.demand_class, traits.channel, traits.virtual_band), []).append(k)
    groups = sorted(members)
    wanted = -(-rows // ROWS_PER_PATH)
    several = [k for k, countries in enumerate(table.countries) if countries > 1]
    found = {
        "group": [_one(members[group], f"{salt}|{group}") for group in some(groups, wanted, f"{salt}|groups")],
        "first_and_last_group": [members[group][place] for group in (groups[0], groups[-1]) for place in (0, -1)],
        "first_and_last_series": [0, len(table.traits) - 1],
        "class_and_channel": [_one(own, f"{salt}|{kind}") for kind, own in sorted(kinds.items())],
        "several_countries": some(several, _EACH, f"{salt}|countries"),
    }
    return {name: _distinct(own) for name, own in found.items()}


def aimed_cells(subject: Subject, table: SeriesTable, paths: Aims, rows: int, salt: str) -> Aims:
    """Cells whose counts are derived, by stratum: ``rows`` above the zero rule spread over the series of ``paths``, and places
    that are aimed at in the whole scenario."""
    buckets = table.buckets
    series = np.unique(np.concatenate(list(paths.values())))
    drawn, silent, least = _of_series(subject, buckets, series)
    digits = [some_of(drawn[drawn % buckets == b], _EACH, f"{salt}|bucket {b}") for b in digit_buckets(buckets)]
    merchants = some([own.start for own in table.rows_of.values()], 4 * _EACH, f"{salt}|merchants")
    at = spread(buckets, len(merchants), f"{salt}|at") if merchants else []
    found: dict[str, np.ndarray | Iterable[int]] = {
        "spread": some_of(drawn, rows, f"{salt}|cells"),
        "bucket_digits": np.concatenate(digits),
        "first_series_of_merchant": [k * buckets + b for k, b in zip(merchants, at, strict=False)],
        "row_group_ends": _ends(subject, salt),
        "at_or_below_zero_rule": some_of(silent, _EACH, f"{salt}|silent"),
        "least_mean": least,
        **_clipped(subject, salt),
        **_extreme(subject, salt),
    }
    last = len(table.traits) * buckets
    return {name: own[own < last] for name, own in ((name, _distinct(own)) for name, own in found.items())}


def _of_series(subject: Subject, buckets: int, series: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions above the zero rule and not above it in some series, and those of the least means above it."""
    subject.database.table("rederived_rows", {"k": series}, {"k": "BIGINT"})
    found = subject.database.arrays(
        f"SELECT position::BIGINT AS position, mu::DOUBLE AS mu FROM counts JOIN rederived_rows ON k = position // {buckets}"
    )
    position, mu = plain(found["position"], -1), plain(found["mu"], np.nan)
    order = np.argsort(position, kind="stable")
    position, mu = position[order], mu[order]
    above = mu > float(subject.constants["zero_eps"] or 0)
    drawn = position[above]
    smallest = np.argsort(mu[above], kind="stable")[:_EACH]
    return drawn, position[~above], drawn[smallest]


def _clipped(subject: Subject, salt: str) -> Aims:
    """Factors at a limit of the clip, and intensities at theirs."""
    if "intensity" not in subject.tables:
        return {}
    limits = {
        "factor_clipped_below": "lambda_random_component <= $least_factor AND $least_factor < 1.0",
        "factor_clipped_above": "lambda_random_component >= $most_factor AND $most_factor > 1.0",
        "intensity_capped": "lambda_realised >= $lambda_cap",
    }
    any_of = " OR ".join(f"({condition})" for condition in limits.values())
    flags = ", ".join(f"coalesce({condition}, FALSE) AS {name}" for name, condition in limits.items())
    found = subject.arrays(f"SELECT position::BIGINT AS position, {flags} FROM intensity WHERE {any_of}")
    position = plain(found["position"], -1)
    return {name: some_of(np.sort(position[plain(found[name], False)]), _EACH, f"{salt}|{name}") for name in limits}


def _extreme(subject: Subject, salt: str) -> Aims:
    """Means on both sides of the switch between inversion by terms and by the normal law, capped counts, the largest means."""
    switch = subject.policies.readings.exact_max
    found = subject.database.arrays(
        f"""SELECT position::BIGINT AS position, mu::DOUBLE AS mu, coalesce(count_capped, FALSE)::BOOLEAN AS capped FROM counts
            WHERE count_capped OR mu BETWEEN {0.8 * switch!r} AND {1.25 * switch!r}"""
    )
    position, mu = plain(found["position"], -1), plain(found["mu"], np.nan)
    capped = plain(found["capped"], False)
    order = np.argsort(position, kind="stable")
    position, mu, capped = position[order], mu[order], capped[order]
    near = np.flatnonzero((mu >= 0.8 * switch) & (mu <= 1.25 * switch))
    below, above = near[mu[near] <= switch], near[mu[near] > switch]
    return {
        "mean_at_switch_or_below": position[below[np.argsort(-mu[below], kind="stable")[:_EACH]]],
        "mean_above_switch": position[above[np.argsort(mu[above], kind="stable")[:_EACH]]],
        "mean_around_switch": some_of(position[near], _AROUND, f"{salt}|switch"),
        "count_capped": some_of(position[capped], _EACH, f"{salt}|capped"),
        "largest_mean": _largest(subject),
    }


def _largest(subject: Subject) -> np.ndarray:
    """Positions of the largest means: those that the walk over the counts kept, where it was made."""
    if "count_faults" in subject.tables:
        return np.array([place for place, _ in cell_totals(subject, "counts").largest], np.int64)
    rows = subject.rows(f"SELECT position FROM counts ORDER BY mu DESC, position LIMIT {_EACH}")
    return np.array([row[0] for row in rows], np.int64)


def _ends(subject: Subject, salt: str) -> list[int]:
    """First and last rows of parts and row groups of the counts."""
    files = output_files(subject.root, subject.contracts, BY_TABLE["counts"], subject.scenario_id)
    sizes = [size for file in files for size in file_layout(file, {}, code="5B.S5.IO_READ_FAILED").group_rows]
    ends = list(accumulate(sizes))
    chosen = {0, len(ends) - 1, *spread(len(ends), 2 * _EACH, f"{salt}|row groups")} if ends else set()
    return [place for number in sorted(chosen) for place in (ends[number] - sizes[number], ends[number] - 1)]


def _one(own: list[int], label: str) -> int:
    return own[spread(len(own), 1, label)[0]]


def _distinct(own: np.ndarray | Iterable[int]) -> np.ndarray:
    return np.unique(np.asarray(own if isinstance(own, np.ndarray) else list(own), np.int64))
