"""A range of rows of an intensity file, of a count file, or of both, from bytes to small tables.

Equal bytes and equal facts give equal tables, whoever calls: a thread, or another process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from seg5b.foreign_json import COUNT, INTEGER, Form, OrNull
from seg5b.hashing import sha256_hex
from seg5b.part_scan.cells import columns as c
from seg5b.part_scan.cells import walk as w
from seg5b.part_scan.cells.conditions import OF_COUNTS, OF_INTENSITY, Limits
from seg5b.part_scan.cells.scatter import empty_paths, empty_scatter, longer_paths, longer_scatter
from seg5b.part_scan.cells.tables import TABLES, count_tables, intensity_tables
from seg5b.part_scan.counting import empty_counts, longer, with_room
from seg5b.part_scan.loops import NAMED
from seg5b.part_scan.tables import REAL, PartTables, fault_facts, faults_form, tuple_of
from seg5b.part_scan.texts import Combinations, Texts, read_only
from seg5b.tables.reading import Kind
from seg5b.tables.stretches import Stretch, iterate_stretches, side_by_side

UNREADABLE = "5B.S5.IO_READ_FAILED"


@dataclass(frozen=True, slots=True)
class CellFacts:
    """What the tables of a range depend on besides its bytes.

    ``buckets`` of the grid and ``seconds`` of each; ``salt`` of the weights of baselines (`walk.weight`); ``count_law`` and the
    ``limits`` of the policies by the names of `Limits`; ``without_kappa``: the law has no dispersion; ``threshold`` of sampled
    mode (`seg5b.run_tables.sampling`), None where every row is judged; ``least``: least number that the contracts allow, by
    file and column. ``start``: position of the first row in its dataset; ``first_series`` and ``series``: number of the first
    series that belongs there, and (merchant, zone, channel, kappa, sigma, phi) of each, the last three None where there is no
    such number, or the path is measured in another series.
    """

    buckets: int
    seconds: int
    salt: int
    count_law: str
    without_kappa: bool
    threshold: int | None
    limits: tuple[tuple[str, float], ...]
    least: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]
    start: int
    first_series: int
    series: tuple[tuple[int, str, str, float | None, float | None, float | None], ...]


@dataclass(frozen=True, slots=True)
class CellScan:
    """What is to be scanned: row ``groups`` (None for all) of a file of ``intensities``, of one of ``counts``, or of both,
    which then hold as many rows, with which ``facts``, and the ``folder`` where results are kept.

    The facts of its tables: ``intensities`` and ``counts``, None without the file, else ``rows``, ``faults`` by condition
    (positions in the dataset), and of intensities ``factor_sum`` (billionths), ``factor_unsummed`` rows, ``factor_bounds``;
    of counts ``judged`` rows, ``residuals`` (number, sum and sum of squares in millionths), ``scatter`` (what the count law
    says of the squares, as `seg5b.run_tables.scatter.Scatter`), ``drawn`` rows, the positions ``first_drawn`` and
    ``last_drawn`` (None without any), and ``largest`` means as (position, mu).
    """

    names: ClassVar[tuple[str, ...]] = TABLES
    form: ClassVar[Form] = {
        "intensities": OrNull(
            {
                **dict.fromkeys(("rows", "factor_unsummed"), COUNT),
                "factor_sum": INTEGER,
                "factor_bounds": tuple_of(REAL, REAL),
                "faults": faults_form(OF_INTENSITY),
            }
        ),
        "counts": OrNull(
            {
                **dict.fromkeys(("rows", "judged", "drawn"), COUNT),
                **dict.fromkeys(("first_drawn", "last_drawn"), OrNull(COUNT)),
                "residuals": tuple_of(INTEGER, INTEGER, INTEGER),
                "scatter": tuple_of(COUNT, INTEGER, INTEGER, INTEGER, INTEGER),
                "largest": [tuple_of(COUNT, REAL)],
                "faults": faults_form(OF_COUNTS),
            }
        ),
    }
    intensities: Path | None
    counts: Path | None
    groups: tuple[int, ...] | None
    facts: CellFacts
    folder: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, or the one."""
        return tuple(file for file in (self.intensities, self.counts) if file)

    def key(self) -> str:
        """64 hex digits that differ wherever a fact differs."""
        facts = [getattr(self.facts, each.name) for each in fields(self.facts)]  # `asdict` would copy every series
        stated = [facts, self.groups, self.intensities is None, self.counts is None]
        return sha256_hex(json.dumps(stated, sort_keys=True).encode())

    def tables(self) -> PartTables:
        """Decode the rows and walk them. Raises `InputError` ``5B.S5.IO_READ_FAILED``."""
        return scan_cells(self)


def scan_cells(scan: CellScan) -> PartTables:
    """The tables of a range. Raises `InputError` ``5B.S5.IO_READ_FAILED``."""
    texts = Texts()
    series, limits = _series(scan.facts, texts), _limits(scan.facts, texts)
    intensities, counts = _Intensities(texts), _Counts(texts, scan.facts.buckets)
    position = scan.facts.start
    for first, second in _stretches(scan):
        if first:
            intensities.walk(first, position, series, limits)
        if second:
            counts.walk(second, position, series, limits)
        if first and second:
            counts.compare(intensities, position)
        position += first.rows if first else second.rows if second else 0
    return PartTables(
        {**intensities.tables(), **counts.tables()},
        {
            "intensities": intensities.facts() if scan.intensities else None,
            "counts": counts.facts() if scan.counts else None,
        },
    )


def _stretches(scan: CellScan) -> Iterator[tuple[Stretch | None, Stretch | None]]:
    """Stretches of the same rows of both files."""
    first, second = (
        iterate_stretches(file, kinds, groups=scan.groups, code=UNREADABLE) if file else None
        for file, kinds in ((scan.intensities, c.INTENSITY), (scan.counts, c.COUNTS))
    )
    if first and second:
        yield from side_by_side(first, second)
    elif first:
        yield from ((stretch, None) for stretch in first)
    elif second:
        yield from ((None, stretch) for stretch in second)


def _series(facts: CellFacts, texts: Texts) -> w.Series:
    """The expected series; where there is none at all, one that no position belongs to."""
    first, listed = (facts.first_series, facts.series) if facts.series else (-2, ((0, "", "", None, None, None),))
    merchants, zones, channels, *numbers = zip(*listed, strict=True)
    return w.Series(
        first,
        facts.buckets,
        facts.salt,
        np.array(merchants, np.uint64).view(np.int64),
        np.array([texts.number(zone) for zone in zones], np.int32),
        np.array([texts.number(channel) for channel in channels], np.int32),
        *(np.array([np.nan if each is None else each for each in column], np.float64) for column in numbers),
    )


def _limits(facts: CellFacts, texts: Texts) -> Limits:
    given, least = dict(facts.limits), {file: dict(columns) for file, columns in facts.least}

    def bounds(file: str, names: Sequence[str]) -> np.ndarray:
        return np.array([least.get(file, {}).get(name, -np.inf) for name in names])

    return Limits(
        most_lambda=float(given["most_lambda"]),
        least_factor=float(given["least_factor"]),
        most_factor=float(given["most_factor"]),
        lambda_cap=float(given["lambda_cap"]),
        zero_eps=float(given["zero_eps"]),
        most_count=int(given["most_count"]),
        count_cap=int(given["count_cap"]),
        seconds=facts.seconds,
        law=texts.number(facts.count_law),
        without_kappa=facts.without_kappa,
        reference_mean=float(given["reference_mean"]),
        volume_power=float(given["volume_power"]),
        least_kappa=float(given["least_kappa"]),
        most_kappa=float(given["most_kappa"]),
        threshold=-1 if facts.threshold is None else facts.threshold,
        least_intensity=bounds("intensity", c.INTENSITY_NUMBERS),
        least_count=bounds("counts", c.COUNT_NUMBERS),
    )


def _null_bits(stretch: Stretch) -> np.ndarray:
    bits = np.zeros(stretch.rows, np.uint32)
    for name, where in stretch.nulls.items():
        bits |= where.astype(np.uint32) * np.uint32(c.BIT[name])
    return bits


def _array(stretch: Stretch, texts: Texts, name: str, kind: Kind) -> np.ndarray:
    """A column as the walk sees it."""
    if kind is Kind.TEXT:
        return read_only(texts.codes(stretch, name))
    column = stretch.columns[name]
    assert isinstance(column, np.ndarray)
    return read_only(column if kind is Kind.NUMBER else column.view(np.uint8 if kind is Kind.FLAG else np.int64))


class _Intensities:
    """The walk over one file of intensities."""

    def __init__(self, texts: Texts) -> None:
        self._texts, self._constants = texts, Combinations(texts, c.INTENSITY_CONSTANTS)
        self.rows = c.IntensityRows(*[np.zeros(0)] * len(c.IntensityRows._fields))
        self._walk = w.IntensityWalk(
            state=np.zeros(3, np.int64),
            fault_rows=np.zeros(len(OF_INTENSITY), np.int64),
            fault_places=np.zeros((len(OF_INTENSITY), NAMED), np.int64),
            factor=np.zeros(3, np.int64),
            bounds=np.array([np.inf, -np.inf]),
            stretches=np.empty((0, 6), np.int64),
            sums=np.empty((0, 2)),
            paths=np.empty(0, np.uint64),
            constants=np.zeros(0, np.int64),
            latent=empty_paths(),
        )

    def walk(self, stretch: Stretch, position: int, series: w.Series, limits: Limits) -> None:
        columns = (_array(stretch, self._texts, name, c.INTENSITY[name]) for name in c.INTENSITY_WALKED)
        constants = read_only(self._constants.numbers(stretch))
        self.rows = c.IntensityRows(read_only(_null_bits(stretch)), constants, *columns)
        walk, used = self._walk, int(self._walk.state[w.STRETCHES])
        self._walk = walk._replace(
            stretches=longer(walk.stretches, used, stretch.rows),
            sums=longer(walk.sums, used, stretch.rows),
            paths=longer(walk.paths, used, stretch.rows),
            latent=longer_paths(walk.latent, used, stretch.rows),
            constants=np.pad(walk.constants, (0, len(self._constants) - len(walk.constants))),
        )
        w.walk_intensities(self.rows, position, series, limits, self._walk)

    def tables(self) -> Mapping[str, Any]:
        constants = self._constants.table(self._walk.constants)
        return {**intensity_tables(self._walk, self._texts.values), "intensity_constants": constants}

    def facts(self) -> dict[str, Any]:
        walk = self._walk
        return {
            "rows": int(walk.state[w.ROWS]),
            "faults": fault_facts(OF_INTENSITY, walk.fault_rows, walk.fault_places),
            "factor_sum": wide_sum(walk.factor),
            "factor_unsummed": int(walk.state[w.UNSUMMED]),
            "factor_bounds": walk.bounds.tolist(),
        }


class _Counts:
    """The walk over one file of counts."""

    def __init__(self, texts: Texts, buckets: int) -> None:
        self._texts, self._constants = texts, Combinations(texts, c.COUNT_CONSTANTS)
        self._rows = c.CountRows(*[np.zeros(0)] * len(c.CountRows._fields))
        self._walk = w.CountWalk(
            state=np.zeros(9, np.int64),
            fault_rows=np.zeros(len(OF_COUNTS), np.int64),
            fault_places=np.zeros((len(OF_COUNTS), NAMED), np.int64),
            constants=np.zeros(0, np.int64),
            residuals=np.zeros((6, 3), np.int64),
            stretches=np.empty((0, 8), np.int64),
            large=np.zeros(w.LARGEST, np.int64),
            means=np.zeros(w.LARGEST),
            small=np.zeros(w.SMALL_COUNTS, np.int64),
            others=empty_counts(2),
            scatter=empty_scatter(buckets),
        )

    def walk(self, stretch: Stretch, position: int, series: w.Series, limits: Limits) -> None:
        columns = (_array(stretch, self._texts, name, c.COUNTS[name]) for name in c.COUNTS_WALKED)
        constants = read_only(self._constants.numbers(stretch))
        self._rows = c.CountRows(read_only(_null_bits(stretch)), constants, *columns)
        walk, used = self._walk, int(self._walk.state[w.STRETCHES])
        self._walk = walk._replace(
            stretches=longer(walk.stretches, used, stretch.rows),
            scatter=longer_scatter(walk.scatter, used, stretch.rows),
            others=with_room(walk.others, stretch.rows),
            constants=np.pad(walk.constants, (0, len(self._constants) - len(walk.constants))),
        )
        w.walk_counts(self._rows, position, series, limits, self._walk)

    def compare(self, intensities: _Intensities, position: int) -> None:
        w.compare(self._rows, intensities.rows, position, self._walk)

    def tables(self) -> Mapping[str, Any]:
        constants = self._constants.table(self._walk.constants)
        return {**count_tables(self._walk, self._texts.values), "count_constants": constants}

    def facts(self) -> dict[str, Any]:
        walk, state = self._walk, self._walk.state
        drawn = int(state[w.DRAWN])
        largest = zip(walk.large.tolist(), walk.means.tolist(), strict=True)
        return {
            "rows": int(state[w.ROWS]),
            "faults": fault_facts(OF_COUNTS, walk.fault_rows, walk.fault_places),
            "judged": int(state[w.JUDGED]),
            "residuals": [int(state[w.MEASURED]), wide_sum(walk.residuals[0]), wide_sum(walk.residuals[1])],
            "scatter": [int(state[w.LAWFUL]), *map(wide_sum, walk.residuals[2:])],
            "drawn": drawn,
            "first_drawn": int(state[w.FIRST_DRAWN]) if drawn else None,
            "last_drawn": int(state[w.LAST_DRAWN]) if drawn else None,
            "largest": list(largest)[: int(state[w.LARGE])],
        }


def wide_sum(limbs: np.ndarray) -> int:
    """The sum that `seg5b.part_scan.loops.add_wide` made."""
    high, middle, low = map(int, limbs)
    return (high << 64) + (middle << 32) + low
