"""Which arrivals are derived again: buckets of some merchants, and in each the arrivals that tell most."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from seg5b.run_tables.outputs import BY_TABLE, output_files
from seg5b.run_tables.subject import Subject
from seg5b.run_tables.zones import cached_steps
from seg5b.tables.reading import file_layout
from seg5b.validation.rederived.arrivals import Slots
from seg5b.validation.rederived.places import digit_buckets, some, some_of, spread
from seg5b.validation.rederived.series import SeriesTable, plain

_ROWS_PER_MERCHANT = 125
_EACH = 4
"""Places of one kind."""
_PER_BUCKET = 50
"""Arrivals of a bucket, about: those next to one another share the draws of the whole bucket."""
_COMPACT = 1 << 20
"""Arrivals of a merchant up to which buckets all over the horizon are looked at: its rows lie close together in the files. Of a
larger one those about the buckets that were asked for by number are."""


@dataclass(slots=True)
class ArrivalAims:
    """``buckets``: by merchant, the buckets that are looked at, each with the stratum that asked for it first; ``ranks`` in
    them (from 1) that were asked for by number; ``before``: by merchant, int64 [H + 1], how many of its arrivals come before
    a bucket; ``per_bucket``: arrivals that are taken of each, beside those that tell most; ``strata``: how many arrivals or
    buckets each stratum named."""

    buckets: dict[int, dict[int, str]] = field(default_factory=dict)
    ranks: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    before: dict[int, np.ndarray] = field(default_factory=dict)
    strata: dict[str, int] = field(default_factory=dict)
    per_bucket: int = 1 << 31

    def add(self, stratum: str, merchant: int, bucket: int, rank: int = 0) -> None:
        """Look at a bucket that has arrivals."""
        own = self.before[merchant]
        if own[bucket + 1] > own[bucket]:
            self.buckets.setdefault(merchant, {}).setdefault(bucket, stratum)
            self.strata[stratum] = self.strata.get(stratum, 0) + 1
            if rank:
                self.ranks.setdefault((merchant, bucket), set()).add(rank)


def aimed_arrivals(
    subject: Subject, table: SeriesTable, largest: Sequence[int], modes: Mapping[int, str], rows: int, salt: str
) -> ArrivalAims:
    """Buckets with about ``rows`` arrivals to look at, those of all where there are no more. ``largest``: positions of the
    largest means; ``modes`` by merchant."""
    series = _series_totals(subject, table)
    totals = {m: int(series[own.start : own.stop].sum()) for m, own in table.rows_of.items()}
    merchants = [merchant for merchant, total in totals.items() if total]
    aims = ArrivalAims()
    if not merchants:
        return aims
    if sum(totals.values()) <= rows:
        aims.before = _before(subject, table, merchants)
        for merchant in merchants:
            for bucket in range(table.buckets):
                aims.add("every", merchant, bucket)
        return aims
    places = _places(subject, table, series, [totals[m] for m in merchants], merchants, modes, rows, salt)
    heavy = [(table.merchants[position // table.buckets], position % table.buckets) for position in largest[:_EACH]]
    heavy = [(merchant, bucket) for merchant, bucket in heavy if totals.get(merchant)]
    chosen = dict.fromkeys([merchant for _, merchant, _ in places] + [merchant for merchant, _ in heavy])
    while sum(totals[merchant] for merchant in chosen) < 2 * rows and len(chosen) < len(merchants):
        others = [merchant for merchant in merchants if merchant not in chosen]
        chosen |= dict.fromkeys(some(others, len(chosen), f"{salt}|more"))
    aims.before = _before(subject, table, list(chosen))
    for stratum, merchant, seq in places:
        bucket = int(np.searchsorted(aims.before[merchant], seq, side="left")) - 1
        if 0 <= bucket < table.buckets:
            aims.add(stratum, merchant, bucket, seq - int(aims.before[merchant][bucket]))
    for merchant, bucket in heavy:
        aims.add("largest_mean", merchant, bucket)
    _add_buckets(subject, table, aims, list(chosen), salt)
    _fill(aims, rows, salt)
    aims.per_bucket = _per_bucket(aims, rows)
    return aims


def _series_totals(subject: Subject, table: SeriesTable) -> np.ndarray:
    """Arrivals of each series by S3's counts, int64 [n]."""
    rows = subject.rows(
        f"SELECT position // {table.buckets} AS k, sum(count_N)::BIGINT FROM counts GROUP BY k HAVING sum(count_N) > 0"
    )
    totals = np.zeros(len(table.merchants), np.int64)
    for k, arrivals in rows:
        if 0 <= k < totals.size:
            totals[k] = arrivals
    return totals


def _before(subject: Subject, table: SeriesTable, merchants: Sequence[int]) -> dict[int, np.ndarray]:
    """By merchant and bucket, how many arrivals come before it."""
    own = np.array(merchants, np.uint64)
    subject.database.table("rederived_merchants", {"merchant_id": own}, {"merchant_id": "UBIGINT"})
    rows = subject.database.arrays(
        f"""SELECT merchant_id::UBIGINT AS merchant_id, bucket_index::BIGINT AS bucket, sum(count_N)::BIGINT AS n
            FROM counts JOIN rederived_merchants USING (merchant_id)
            WHERE count_N > 0 AND bucket_index BETWEEN 0 AND {table.buckets - 1} GROUP BY ALL"""
    )
    number = {merchant: place for place, merchant in enumerate(merchants)}
    whole = np.zeros((len(merchants), table.buckets + 1), np.int64)
    at = np.array([number[merchant] for merchant in plain(rows["merchant_id"], 0).tolist()], np.int64)
    whole[at, plain(rows["bucket"], 0).astype(np.int64) + 1] = plain(rows["n"], 0)
    return dict(zip(merchants, np.cumsum(whole, axis=1), strict=True))


def _places(
    subject: Subject,
    table: SeriesTable,
    series: np.ndarray,
    totals: Sequence[int],
    merchants: Sequence[int],
    modes: Mapping[int, str],
    rows: int,
    salt: str,
) -> list[tuple[str, int, int]]:
    """(stratum, merchant, arrival_seq) that are asked for by number."""
    ends = list(accumulate(totals))
    found: list[tuple[str, int, int]] = []

    def at(stratum: str, position: int) -> None:
        if 0 <= position < ends[-1]:
            owner = bisect_right(ends, position)
            found.append((stratum, merchants[owner], position - (ends[owner] - totals[owner]) + 1))

    def inside(stratum: str, merchant: int) -> None:
        owner = merchants.index(merchant)
        place = spread(totals[owner], 1, f"{salt}|{stratum}|{merchant}")[0]
        found.append((stratum, merchant, place + 1))

    for place in (0, ends[-1] - 1):
        at("first_and_last", place)
    for first, stop in _files(subject, salt):
        at("row_group_ends", first)
        at("row_group_ends", stop - 1)
    by_mode: dict[str, list[int]] = {}
    for merchant in merchants:
        by_mode.setdefault(modes.get(merchant, ""), []).append(merchant)
    for mode, own in sorted(by_mode.items()):
        for merchant in some(own, _EACH, f"{salt}|{mode}"):
            inside("virtual_mode", merchant)
    by_kind: dict[tuple[str, str], int] = {}
    for k in np.flatnonzero(series).tolist():
        by_kind.setdefault((table.traits[k].demand_class, table.traits[k].channel), k)
    for k in by_kind.values():
        inside("class_and_channel", table.merchants[k])
    inside("most_arrivals", merchants[int(np.argmax(totals))])
    inside("most_series", max(merchants, key=lambda merchant: len(table.rows_of[merchant])))
    for merchant in some(merchants, 2 * _EACH, f"{salt}|merchants"):
        inside("merchant", merchant)
    for place in spread(ends[-1], max(rows // _ROWS_PER_MERCHANT, 1), f"{salt}|arrivals"):
        at("spread", place)
    return found


def _files(subject: Subject, salt: str) -> list[tuple[int, int]]:
    """Rows [first, stop) of some row groups of the arrivals: the first and last of all, and of some parts."""
    files = output_files(subject.root, subject.contracts, BY_TABLE["arrivals"], subject.scenario_id)
    sizes = [file_layout(file, {}, code="5B.S5.IO_READ_FAILED").group_rows for file in files]
    spans: list[tuple[int, int]] = []
    heads, start = [], 0
    for groups in sizes:
        heads.append(len(spans))
        for size in groups:
            spans.append((start, start + size))
            start += size
    chosen = {*heads[:1], *some(heads, _EACH, f"{salt}|parts"), *spread(len(spans), _EACH, f"{salt}|row groups")}
    return [spans[number] for number in sorted(chosen) if number < len(spans)]


def _add_buckets(subject: Subject, table: SeriesTable, aims: ArrivalAims, merchants: Sequence[int], salt: str) -> None:
    """Buckets whose index has another number of digits than its neighbour, and those about a change of a zone's clocks."""
    digits = digit_buckets(table.buckets)
    changes = _changes(subject)
    compact = [merchant for merchant in merchants if aims.before[merchant][-1] <= _COMPACT]
    for turn, merchant in enumerate(compact or merchants):
        for step in range(_EACH):
            aims.add("bucket_digits", merchant, digits[(turn * _EACH + step) % len(digits)])
        zones = dict.fromkeys(table.zones[k] for k in table.rows_of[merchant])
        near = sorted({bucket for zone in zones for bucket in changes.get(zone, ())})
        for bucket in some(near, _EACH, f"{salt}|changes|{merchant}"):
            for beside in (bucket - 1, bucket):
                if 0 <= beside < table.buckets:
                    aims.add("change_of_clocks", merchant, beside)


def _changes(subject: Subject) -> dict[str, list[int]]:
    """Buckets in which offsets of a zone change, by the sealed cache."""
    horizon, length_us = subject.horizon, int(subject.constants["bucket_us"] or 1)
    found: dict[str, list[int]] = {}
    for step in cached_steps(subject):
        at_us = step.second * 1_000_000
        if horizon.start_us < at_us < horizon.end_us:
            found.setdefault(step.tzid, []).append((at_us - horizon.start_us) // length_us)
    return found


def _fill(aims: ArrivalAims, rows: int, salt: str) -> None:
    """Further buckets of the same merchants until ``rows`` arrivals can be had: of each as many, the small ones' rest being
    shared by the others."""
    having = {merchant: np.diff(own) for merchant, own in aims.before.items()}
    room = {merchant: int(np.minimum(own, _PER_BUCKET).sum()) for merchant, own in having.items()}
    left = rows
    for turn, merchant in enumerate(sorted(room, key=lambda each: (room[each], each))):
        share = min(-(-left // (len(room) - turn)), room[merchant])
        left -= share
        own = aims.buckets.get(merchant, {})
        sizes = np.minimum(having[merchant], _PER_BUCKET)
        planned = int(sizes[list(own)].sum())
        others = np.array([b for b in np.flatnonzero(having[merchant]).tolist() if b not in own], np.int64)
        near = others[:0]
        if aims.before[merchant][-1] > _COMPACT and own:
            near = others[np.abs(others[:, None] - np.array(sorted(own))).min(axis=1).argsort(kind="stable")]
        chosen, wanted = others[:0], 0
        while int(sizes[chosen].sum()) < share - planned and wanted < others.size:
            wanted += max(wanted // 8, 1)
            chosen = near[:wanted] if near.size else some_of(others, wanted, f"{salt}|fill|{merchant}")
        for bucket in chosen.tolist():
            aims.add("fill", merchant, bucket)


def _per_bucket(aims: ArrivalAims, rows: int) -> int:
    """The least number of arrivals of each bucket that makes ``rows`` of all of them."""
    sizes = np.array(
        [aims.before[m][b + 1] - aims.before[m][b] for m, own in aims.buckets.items() for b in own], np.int64
    )
    most = 1
    while np.minimum(sizes, most).sum() < rows and most < sizes.max(initial=0):
        most += max(most // 8, 1)
    return most


def chosen_ranks(aims: ArrivalAims, merchant: int, salt: str) -> Callable[[Slots, int, int, int], Sequence[int]]:
    """Ranks of a bucket that are derived: those asked for, first and last, arrivals at one instant, the nearest coins on both
    sides of a hybrid's threshold, and others spread between."""

    def ranks(slots: Slots, bucket: int, begin: int, end: int) -> Sequence[int]:
        size = end - begin
        found = {1, size, *aims.ranks.get((merchant, bucket), ())}
        found |= {place + 1 for place in spread(size, aims.per_bucket, f"{salt}|{merchant}|{bucket}")}
        ties = np.flatnonzero(np.diff(slots.offset_us[begin:end]) == 0)[:_EACH].tolist()
        if ties:
            aims.strata["same_instant"] = aims.strata.get("same_instant", 0) + len(ties)
            found |= {rank for tie in ties for rank in (tie + 1, tie + 2)}
        if slots.coin is not None and slots.below is not None:
            gap = slots.coin[begin:end] - slots.below[begin:end]
            for side in (gap < 0.0, gap >= 0.0):
                if side.any():
                    found.add(int(np.argmin(np.where(side, np.abs(gap), np.inf))) + 1)
                    aims.strata["coin"] = aims.strata.get("coin", 0) + 1
        return sorted(rank for rank in found if 1 <= rank <= size)

    return ranks
