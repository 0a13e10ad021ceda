"""What S5 derives again of every scenario, stage by stage, each made once: aimed cells, then aimed arrivals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seg5b.explain.facts import load_merchants, routed_scene, scene_of
from seg5b.run_tables.subject import Subject
from seg5b.twin.merchants import Around, CountRow
from seg5b.twin.scene import Scene
from seg5b.validation.records import Key
from seg5b.validation.rederived.arrival_aims import ArrivalAims, aimed_arrivals, chosen_ranks
from seg5b.validation.rederived.arrivals import Arrival, DrawnRow, derive_rows, differing, published_arrivals
from seg5b.validation.rederived.cell_aims import Aims, aimed_cells, aimed_paths
from seg5b.validation.rederived.cells import DerivedCells, compare_counts, derive_cells
from seg5b.validation.rederived.series import SeriesTable, load_series

LEAST_ROWS = 5000
"""Arrivals and counts of a scenario that are derived again, at least, unless the policy asks for none. The shipped policy asks
for fewer, and stays as it is: the identity of every world is hashed from it."""


def rows_of(subject: Subject) -> int:
    """How many arrivals, and how many counts, are derived again."""
    asked = subject.policies.validation.rng_accounting_checks.rederived_rows
    return max(asked, LEAST_ROWS) if asked else 0


@dataclass(frozen=True, slots=True)
class CellSample:
    """The cells of a scenario that are derived again, and why: series whose whole rows are, and counts."""

    scene: Scene
    table: SeriesTable
    paths: Aims
    counts: Aims
    cells: DerivedCells


def cell_sample(subject: Subject, rows: int) -> CellSample:
    """The sample of intensities and of about ``rows`` counts, derived. Raises as what it reads."""
    key = f"rederived cells {rows} {subject.scenario_id}"
    if key not in subject.shared:
        table, scene = load_series(subject), scene_of(subject)
        salt = f"{subject.gate.sealed_inputs_digest}|{subject.scenario_id}"
        paths = aimed_paths(table, rows, salt)
        counts = aimed_cells(subject, table, paths, rows, salt) if "counts" in subject.tables else {}
        series = np.unique(np.concatenate(list(paths.values())))
        whole = (series[:, None] * table.buckets + np.arange(table.buckets)).ravel()
        drawn = np.unique(np.concatenate([np.zeros(0, np.int64), *counts.values()]))
        positions = np.union1d(whole, drawn)
        cells = derive_cells(subject, scene, table, positions, np.isin(positions, drawn, assume_unique=True))
        subject.shared[key] = CellSample(scene, table, paths, counts, cells)
    found: CellSample = subject.shared[key]
    return found


@dataclass(frozen=True, slots=True)
class ArrivalFindings:
    """Arrivals that were derived again: how many, in how many buckets, of which strata and virtual modes; how many counts were
    derived for them; and what differs."""

    arrivals: int
    buckets: int
    counts: int
    strata: Mapping[str, int]
    modes: Mapping[str, int]
    violations: int
    wrong: list[Key]


def judge_arrivals(subject: Subject, rows: int) -> ArrivalFindings:
    """Derive a sample of about ``rows`` arrivals and compare them. Raises as what it reads."""
    scene, table = routed_scene(subject), load_series(subject)
    salt = f"{subject.gate.sealed_inputs_digest}|{subject.scenario_id}"
    largest = cell_sample(subject, rows).counts.get("largest_mean", np.zeros(0, np.int64)).tolist()
    modes = dict(subject.rows("SELECT merchant_id, virtual_mode FROM modes"))
    aims = aimed_arrivals(subject, table, largest, modes, rows, salt)
    positions = _positions(table, aims)
    cells = cells_of_arrivals(subject, scene, table, positions)
    wrong_counts, wrong = compare_counts(subject, table, cells)
    derived: dict[Arrival, dict[str, Any] | str] = {}
    by_mode: dict[str, int] = {}
    merchants = load_merchants(subject, aims.buckets)
    for merchant, own in aims.buckets.items():
        ranks = chosen_ranks(aims, merchant, salt)
        before = {bucket: int(aims.before[merchant][bucket]) for bucket in own}
        drawn = bucket_rows(scene, table, cells, merchant, sorted(own))
        of_merchant = derive_rows(subject, scene, merchants[merchant], drawn, before, ranks)
        by_mode[merchants[merchant].mode] = by_mode.get(merchants[merchant].mode, 0) + len(of_merchant)
        derived |= of_merchant
    differs = differing(derived, published_arrivals(subject, list(derived)))
    buckets = sum(map(len, aims.buckets.values()))
    strata = dict(sorted(aims.strata.items()))
    return ArrivalFindings(
        len(derived),
        buckets,
        int(cells.counted.sum()),
        strata,
        by_mode,
        wrong_counts + len(differs),
        [*wrong, *differs],
    )


def _positions(table: SeriesTable, aims: ArrivalAims) -> np.ndarray:
    """Cells of all series of a merchant in the buckets that are looked at."""
    found = [np.zeros(0, np.int64)]
    for merchant, own in aims.buckets.items():
        series = np.arange(table.rows_of[merchant].start, table.rows_of[merchant].stop)
        found.append((series[:, None] * table.buckets + np.array(list(own))).ravel())
    return np.unique(np.concatenate(found))


def cells_of_arrivals(subject: Subject, scene: Scene, table: SeriesTable, positions: np.ndarray) -> DerivedCells:
    """The cells at ``positions`` (ascending) with their counts; where the law of placement follows intensities, also those
    before and after them, without."""
    if not scene.readings.follows_intensity:
        return derive_cells(subject, scene, table, positions, np.ones(positions.size, bool))
    bucket = positions % table.buckets
    beside = [positions, positions[bucket > 0] - 1, positions[bucket < table.buckets - 1] + 1]
    every = np.unique(np.concatenate(beside))
    return derive_cells(subject, scene, table, every, np.isin(every, positions, assume_unique=True))


def _around(cells: DerivedCells, bucket: int, buckets: int, place: int) -> Around:
    """Intensities about the cell at ``place``, whose neighbours are derived beside it."""
    own = float(cells.realised[place])
    before = float(cells.realised[place - 1]) if bucket > 0 else own
    return Around(before, own, float(cells.realised[place + 1]) if bucket < buckets - 1 else own)


def bucket_rows(
    scene: Scene, table: SeriesTable, cells: DerivedCells, merchant: int, buckets: list[int]
) -> list[DrawnRow]:
    """Derived bucket rows with arrivals, by bucket and then in series order."""
    series = np.arange(table.rows_of[merchant].start, table.rows_of[merchant].stop)
    at = np.searchsorted(cells.positions, (np.array(buckets)[:, None] + series * table.buckets).ravel())
    count = cells.count[at]
    found = []
    for place in at[count > 0].tolist():
        k, bucket = divmod(int(cells.positions[place]), table.buckets)
        around = _around(cells, bucket, table.buckets, place) if scene.readings.follows_intensity else None
        row = CountRow(table.zones[k], table.channels[k], int(cells.count[place]), around)
        found.append(DrawnRow(k, bucket, row, float(cells.realised[place])))
    return found
