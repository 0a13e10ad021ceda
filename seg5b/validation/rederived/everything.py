"""On request: every factor, count and arrival of a run derived again, merchant by merchant in bounded memory; or a larger
sample than the policy asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from seg5b.explain.facts import load_merchants, routed_scene
from seg5b.run_tables.inputs import attach_scenario_inputs
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import scenario_tables
from seg5b.twin.merchants import MerchantFacts
from seg5b.twin.scene import Scene
from seg5b.validation.records import MOST_KEYS, Check, CheckResult, Compute, Finding, Key, Severity, Status
from seg5b.validation.rederived.arrivals import Arrival, DrawnRow, Slots, derive_rows, differing, published_between
from seg5b.validation.rederived.cells import compare_counts, compare_intensities
from seg5b.validation.rederived.sampling import bucket_rows, cell_sample, cells_of_arrivals, judge_arrivals
from seg5b.validation.rederived.series import SeriesTable, load_series

Asked = Literal["all"] | int
"""``all``, or how many arrivals and counts of each scenario."""
Progress = Callable[[str, int, int], None]
_CELLS: Final = 1 << 18
"""Cells that are derived at a time, about."""
_ARRIVALS: Final = 1 << 15
"""Arrivals that are compared at a time, about; those of one bucket stay together."""

ASKED = Check(
    "rederive.asked",
    "5B.S5.REDERIVATION_MISMATCH",
    "rng_accounting_ok",
    "rng_accounting_checks.rederived_rows",
    "everything that was asked to be derived again equals what was published",
    Compute(lambda _: Finding()),
)


@dataclass(slots=True)
class _Found:
    """What was derived of a scenario, and what differs: ``totals`` by name, ``wrong`` the first keys of ``violations``."""

    totals: Counter[str] = field(default_factory=Counter)
    violations: int = 0
    wrong: list[Key] = field(default_factory=list)

    def add(self, violations: int, keys: Sequence[Key], **totals: int) -> None:
        self.violations += violations
        self.wrong += keys[: max(MOST_KEYS - len(self.wrong), 0)]
        self.totals.update(totals)


def rederive_asked(run: Subject, asked: Asked, progress: Progress) -> CheckResult:
    """Derive everything of every scenario (``all``), or a sample of ``asked`` arrivals and as many counts, and compare it.

    Needs every output of S1 to S4. Raises as what it reads; a difference is a violation.
    """
    by_scenario: dict[str, _Found] = {}
    for scenario in run.gate.scenarios:
        subject = attach_scenario_inputs(scenario_tables(run, scenario))
        found = by_scenario.setdefault(scenario.scenario_id, _Found())
        if asked == "all":
            _everything(subject, found, progress)
        else:
            progress(f"{scenario.scenario_id}: derived again", 0, 1)
            _sample(subject, int(asked), found)
    violations = sum(found.violations for found in by_scenario.values())
    keys = [{"scenario_id": name, **key} for name, found in by_scenario.items() for key in found.wrong]
    rows = sum(found.totals["rederived_arrivals"] for found in by_scenario.values())
    facts = {name: dict(sorted(found.totals.items())) for name, found in by_scenario.items()}
    status = Status.FAIL if violations else Status.PASS
    return CheckResult(ASKED, status, Severity.ERROR, violations, tuple(keys[:MOST_KEYS]), rows, facts=facts)


def _sample(subject: Subject, rows: int, found: _Found) -> None:
    sample = cell_sample(subject, rows)
    factors = compare_intensities(subject, sample.table, sample.cells)
    found.add(*factors, rederived_factors=sample.cells.positions.size)
    counts = compare_counts(subject, sample.table, sample.cells)
    found.add(*counts, rederived_counts=int(sample.cells.counted.sum()))
    arrivals = judge_arrivals(subject, rows)
    found.add(arrivals.violations, arrivals.wrong, rederived_arrivals=arrivals.arrivals, **arrivals.modes)


def _everything(subject: Subject, found: _Found, progress: Progress) -> None:
    scene, table = routed_scene(subject), load_series(subject)
    whole, done = len(table.merchants), 0
    for merchants in _chunks(table):
        series = np.arange(table.rows_of[merchants[0]].start, table.rows_of[merchants[-1]].stop)
        facts = load_merchants(subject, merchants)
        before = dict.fromkeys(merchants, 0)
        width = max(_CELLS // series.size, 1)
        for first in range(0, table.buckets, width):
            progress(f"{subject.scenario_id}: series derived again", done, whole)
            window = np.arange(first, min(first + width, table.buckets))
            _window(subject, scene, table, facts, series, window, before, found)
        done += series.size
    progress(f"{subject.scenario_id}: series derived again", whole, whole)


def _chunks(table: SeriesTable) -> Iterator[list[int]]:
    """Neighbouring merchants, with about as many cells together as are derived at a time."""
    chunk: list[int] = []
    cells = 0
    for merchant, own in table.rows_of.items():
        size = len(own) * table.buckets
        if chunk and cells + size > _CELLS:
            yield chunk
            chunk, cells = [], 0
        chunk.append(merchant)
        cells += size
    if chunk:
        yield chunk


def _window(
    subject: Subject,
    scene: Scene,
    table: SeriesTable,
    facts: Mapping[int, MerchantFacts],
    series: np.ndarray,
    window: np.ndarray,
    before: dict[int, int],
    found: _Found,
) -> None:
    """All cells of some merchants in some buckets, and their arrivals. ``before``: arrivals of each so far, counted on here."""
    positions = (series[:, None] * table.buckets + window).ravel()
    cells = cells_of_arrivals(subject, scene, table, positions)
    found.add(*compare_intensities(subject, table, cells), rederived_factors=positions.size)
    found.add(*compare_counts(subject, table, cells), rederived_counts=positions.size)
    pending = _Pending(subject, found)
    for merchant, own in facts.items():
        for rows in _pieces(bucket_rows(scene, table, cells, merchant, window.tolist())):
            firsts: dict[int, int] = {}
            for row in rows:
                firsts.setdefault(row.bucket, before[merchant])
                before[merchant] += row.row.count
            pending.add(own, derive_rows(subject, scene, own, rows, firsts, _every_rank))
    pending.compare()


def _pieces(rows: Sequence[DrawnRow]) -> Iterator[list[DrawnRow]]:
    """Bucket rows with about as many arrivals as are compared at a time, those of a bucket together."""
    piece: list[DrawnRow] = []
    size = 0
    for row in rows:
        if size >= _ARRIVALS and row.bucket != piece[-1].bucket:
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += row.row.count
    if piece:
        yield piece


def _every_rank(slots: Slots, bucket: int, begin: int, end: int) -> Sequence[int]:
    return range(1, end - begin + 1)


@dataclass(slots=True)
class _Pending:
    """Derived arrivals of neighbouring merchants that are still to be compared."""

    subject: Subject
    found: _Found
    derived: dict[Arrival, dict[str, Any] | str] = field(default_factory=dict)

    def add(self, merchant: MerchantFacts, derived: Mapping[Arrival, dict[str, Any] | str]) -> None:
        """Take some more, and compare when there are enough."""
        self.derived |= derived
        self.found.add(0, (), **{merchant.mode: len(derived), "rederived_arrivals": len(derived)})
        if len(self.derived) >= _ARRIVALS:
            self.compare()

    def compare(self) -> None:
        """Compare what there is with the rows that lie between its first and last key."""
        if self.derived:
            rows = published_between(self.subject, min(self.derived), max(self.derived))
            wrong = differing(self.derived, rows)
            self.found.add(len(wrong), wrong)
            self.derived = {}
