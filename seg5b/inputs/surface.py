"""The 5A surface: expected arrivals of every country component (merchant, country, tzid) in every bucket.

Upstream promises neither order nor completeness, so both are established here. A surface that is sorted by merchant
and holds each component in one piece is streamed; any other is sorted first, on disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seg5b.errors import DomainError, InputError, NumericError
from seg5b.inputs.keys import Vocabulary, run_starts
from seg5b.query import sort_parquet
from seg5b.tables.reading import Columns, Kind, column_names, iterate_columns, numbers, text

KEY = {"merchant_id": Kind.ID, "legal_country_iso": Kind.TEXT, "tzid": Kind.TEXT}
CHANNEL = {"channel_group": Kind.TEXT}
POINT = {"local_horizon_bucket_index": Kind.INTEGER, "lambda_local_scenario": Kind.NUMBER}


@dataclass(frozen=True, slots=True)
class Components:
    """Distinct keys [C] of a surface in series order: merchant as uint64, then tzid, channel and country by bytes.

    ``merchant_id`` uint64; ``country``, ``tzid``, ``channel`` strings; ``channel`` is empty where the surface has no
    such column.
    """

    merchant_id: np.ndarray
    country: tuple[str, ...]
    tzid: tuple[str, ...]
    channel: tuple[str, ...]

    def __len__(self) -> int:
        return self.merchant_id.size


def scan_components(files: Sequence[Path], scenario_id: str, *, code: str) -> Components:
    """Distinct component keys of a scenario's surface, in any file order.

    Raises `InputError` ``code``: nulls, a row of another scenario, a blank channel, no rows.
    """
    has_channel = "channel_group" in column_names(files[0], code=code)
    kinds = {"scenario_id": Kind.TEXT, **KEY, **(CHANNEL if has_channel else {})}
    names = [Vocabulary() for _ in range(3)]
    found: set[tuple[int, int, int, int]] = set()
    for batch in iterate_columns(files, kinds, code=code):
        _check_scenario(batch, scenario_id, files[0], code)
        columns = [numbers(batch, "merchant_id")]
        for vocabulary, name in zip(names, ("legal_country_iso", "tzid", "channel_group"), strict=True):
            present = name in batch
            columns.append(vocabulary.encode(text(batch, name)) if present else np.zeros(columns[0].size, np.int32))
        starts = run_starts(*columns)
        found.update(zip(*(column[starts].tolist() for column in columns), strict=True))
    if not found:
        raise InputError(code, "the surface has no rows", where=str(files[0]), remedy="restore the surface of 5A")
    return _in_order(found, names, has_channel, files[0], code)


def _check_scenario(batch: Columns, scenario_id: str, file: Path, code: str) -> None:
    column = text(batch, "scenario_id")
    foreign = [column.values[used] for used in np.unique(column.codes) if column.values[used] != scenario_id]
    if foreign:
        raise InputError(
            code,
            f"rows of scenario {foreign[0]!r} lie in the partition of {scenario_id!r}",
            where=str(file),
            remedy="restore the partition that 5A wrote",
        )


def _in_order(
    found: set[tuple[int, int, int, int]], names: list[Vocabulary], has_channel: bool, file: Path, code: str
) -> Components:
    countries, tzids, channels = (vocabulary.values for vocabulary in names)
    blank = [channel for channel in channels if not channel.strip()]
    if blank:
        raise InputError(code, "channel_group is blank", where=str(file), remedy="upstream must name a channel")
    rows = [(m, tzids[z], channels[h] if has_channel else "", countries[c]) for m, c, z, h in found]
    rows.sort(key=lambda row: (row[0], row[1].encode(), row[2].encode(), row[3].encode()))
    merchant, tzid, channel, country = zip(*rows, strict=True)
    return Components(np.array(merchant, np.uint64), country, tzid, channel)


def component_volumes(
    files: Sequence[Path], keys: Collection[tuple[int, str, str]], *, code: str
) -> dict[tuple[int, str, str], float]:
    """Expected arrivals over the horizon, float64 sums in file order, of the components named by
    (merchant_id, country, tzid). Raises `InputError` ``code``."""
    volumes = dict.fromkeys(keys, 0.0)
    kinds = {**KEY, "lambda_local_scenario": Kind.NUMBER}
    for batch in iterate_columns(files, kinds, code=code):
        merchant, country, tzid = numbers(batch, "merchant_id"), text(batch, "legal_country_iso"), text(batch, "tzid")
        expected = numbers(batch, "lambda_local_scenario")
        starts = run_starts(merchant, country.codes, tzid.codes)
        for start, total in zip(starts.tolist(), np.add.reduceat(expected, starts) if starts.size else (), strict=True):
            key = (int(merchant[start]), country.values[country.codes[start]], tzid.values[tzid.codes[start]])
            if key in volumes:
                volumes[key] += float(total)
    return volumes


@dataclass(frozen=True, slots=True)
class SurfaceBlock:
    """Whole merchants of a surface: ``components`` [C] in series order, ``surface`` float64 [C, H] expected arrivals
    per bucket, non-negative and finite, every bucket exactly once."""

    components: Components
    surface: np.ndarray


class UnsortedSurfaceError(Exception):
    """The rows are not in streaming order; `sorted_copy` puts them there."""


def sorted_copy(files: Sequence[Path], scratch: Path, *, code: str) -> list[Path]:
    """A copy of a surface, sorted by component and bucket, below ``scratch``; memory stays bounded."""
    target = scratch / "surface_sorted.parquet"
    channel = tuple(name for name in CHANNEL if name in column_names(files[0], code=code))
    sort_parquet(files, target, (*KEY, *channel, "local_horizon_bucket_index"))
    return [target]


def iterate_blocks(files: Sequence[Path], bucket_count: int, *, state: str) -> Iterator[SurfaceBlock]:
    """The surface as blocks of whole merchants, merchants ascending, about a million rows each.

    ``bucket_count``: H. Raises `UnsortedSurfaceError` when merchants do not ascend or a component's rows do not follow
    each other in bucket order. Raises with ``5B.<state>.``: `InputError` ``LAMBDA_SOURCE_MISSING`` (unreadable, nulls),
    `DomainError` ``BUCKET_SET_INCONSISTENT`` (index outside the horizon), ``REALISED_DOMAIN_INCOMPLETE`` (a gap),
    ``DOMAIN_ALIGN_FAILED`` (a duplicate), `NumericError` ``REALISED_NUMERIC_INVALID`` (negative or not finite).
    """
    return _BlockReader(bucket_count, state).blocks(files)


class _BlockReader:
    def __init__(self, bucket_count: int, state: str) -> None:
        self._buckets = bucket_count
        self._state = state
        self._code = f"5B.{state}.LAMBDA_SOURCE_MISSING"
        self._last_merchant = -1

    def _kinds(self, files: Sequence[Path]) -> dict[str, Kind]:
        has_channel = "channel_group" in column_names(files[0], code=self._code)
        return {**KEY, **(CHANNEL if has_channel else {}), **POINT}

    def blocks(self, files: Sequence[Path]) -> Iterator[SurfaceBlock]:
        """Blocks in merchant order; a merchant is handed out once its last row was seen."""
        names = [Vocabulary() for _ in range(3)]
        held: list[np.ndarray] | None = None
        for batch in iterate_columns(files, self._kinds(files), code=self._code):
            columns = self._columns(batch, names)
            if held is not None:
                columns = [np.concatenate(pair) for pair in zip(held, columns, strict=True)]
            merchant = columns[0]
            cut = int(np.searchsorted(merchant, merchant[-1])) if merchant.size else 0
            if cut:
                yield self._block([column[:cut] for column in columns], names)
            held = [column[cut:] for column in columns]
        if held is not None and held[0].size:
            yield self._block(held, names)

    def _columns(self, batch: Columns, names: list[Vocabulary]) -> list[np.ndarray]:
        columns = [numbers(batch, "merchant_id")]
        for vocabulary, name in zip(names, ("legal_country_iso", "tzid", "channel_group"), strict=True):
            columns.append(
                vocabulary.encode(text(batch, name)) if name in batch else np.zeros(columns[0].size, np.int32)
            )
        columns += [numbers(batch, "local_horizon_bucket_index"), numbers(batch, "lambda_local_scenario")]
        return columns

    def _block(self, columns: list[np.ndarray], names: list[Vocabulary]) -> SurfaceBlock:
        merchant, country, tzid, channel, bucket, expected = columns
        starts = run_starts(merchant, country, tzid, channel)
        self._check_order(merchant, starts)
        components = [(int(merchant[s]), int(country[s]), int(tzid[s]), int(channel[s])) for s in starts.tolist()]
        self._check_complete(components, starts, bucket, names)
        self._check_numbers(components, starts, bucket, expected, names)
        surface = expected.reshape(len(components), self._buckets)
        countries, tzids, channels = (vocabulary.values or ("",) for vocabulary in names)
        order = sorted(
            range(len(components)),
            key=lambda k: (
                components[k][0],
                tzids[components[k][2]].encode(),
                channels[components[k][3]].encode(),
                countries[components[k][1]].encode(),
            ),
        )
        picked = [components[k] for k in order]
        keys = Components(
            np.array([key[0] for key in picked], np.uint64),
            tuple(countries[key[1]] for key in picked),
            tuple(tzids[key[2]] for key in picked),
            tuple(channels[key[3]] for key in picked),
        )
        return SurfaceBlock(keys, surface[order])

    def _check_order(self, merchant: np.ndarray, starts: np.ndarray) -> None:
        if int(merchant[0]) <= self._last_merchant or (merchant[1:] < merchant[:-1]).any():
            raise UnsortedSurfaceError
        self._last_merchant = int(merchant[-1])

    def _check_complete(
        self,
        components: list[tuple[int, int, int, int]],
        starts: np.ndarray,
        bucket: np.ndarray,
        names: list[Vocabulary],
    ) -> None:
        """Every component holds buckets 0 .. H-1 exactly once, in order."""
        lengths = np.diff(np.append(starts, bucket.size))
        whole = (lengths == self._buckets).all()
        if whole and (bucket.reshape(-1, self._buckets) == np.arange(self._buckets)).all():
            if len(set(components)) < len(components):
                raise UnsortedSurfaceError
            return
        inner = np.ones(bucket.size, bool)
        inner[starts] = False
        if len(set(components)) < len(components) or ((np.diff(bucket) < 0) & inner[1:]).any():
            raise UnsortedSurfaceError
        outside = np.flatnonzero((bucket < 0) | (bucket >= self._buckets))
        if outside.size:
            at = int(outside[0])
            self._fail(DomainError, "BUCKET_SET_INCONSISTENT", components, starts, at, names,
                       f"bucket index {int(bucket[at])} lies outside 0..{self._buckets - 1}")  # fmt: skip
        repeated = np.flatnonzero(np.append(False, bucket[1:] == bucket[:-1]) & inner)
        if repeated.size:
            at = int(repeated[0])
            self._fail(DomainError, "DOMAIN_ALIGN_FAILED", components, starts, at, names,
                       f"bucket {int(bucket[at])} occurs twice")  # fmt: skip
        short = int(np.flatnonzero(lengths != self._buckets)[0])
        held = bucket[starts[short] : starts[short] + lengths[short]]
        missing = np.setdiff1d(np.arange(self._buckets), held)
        what = f"bucket {int(missing[0])} is missing ({missing.size} of {self._buckets} are)"
        self._fail(DomainError, "REALISED_DOMAIN_INCOMPLETE", components, starts, int(starts[short]), names, what)

    def _check_numbers(
        self,
        components: list[tuple[int, int, int, int]],
        starts: np.ndarray,
        bucket: np.ndarray,
        expected: np.ndarray,
        names: list[Vocabulary],
    ) -> None:
        bad = np.flatnonzero(~((expected >= 0.0) & (expected < np.inf)))
        if bad.size:
            at = int(bad[0])
            what = f"lambda {float(expected[at])} in bucket {int(bucket[at])} is not a non-negative finite number"
            self._fail(NumericError, "REALISED_NUMERIC_INVALID", components, starts, at, names,
                       f"{what} ({bad.size} such values in this block)")  # fmt: skip

    def _fail(
        self,
        kind: type[DomainError] | type[NumericError],
        reason: str,
        components: list[tuple[int, int, int, int]],
        starts: np.ndarray,
        row: int,
        names: list[Vocabulary],
        what: str,
    ) -> None:
        merchant, country, tzid, _ = components[int(np.searchsorted(starts, row, side="right")) - 1]
        raise kind(
            f"5B.{self._state}.{reason}",
            what,
            where=f"merchant {merchant}, country {names[0].values[country]}, tzid {names[1].values[tzid]}",
            remedy="restore the surface of 5A: each component needs each bucket of the horizon exactly once",
        )
