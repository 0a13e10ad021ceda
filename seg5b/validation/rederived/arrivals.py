"""Arrivals of some segments derived from counts that were derived themselves, and compared column by column (law L7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from seg5b.errors import RunError
from seg5b.run_tables.subject import Subject
from seg5b.twin.arrivals import JITTER_FAMILY, SITE_FAMILY, Router
from seg5b.twin.merchants import CountRow, MerchantFacts
from seg5b.twin.scene import Scene
from seg5b.twin.vectors import Streams, linear_places, uniforms
from seg5b.validation.records import Key

Arrival = tuple[int, int]
"""(merchant_id, arrival_seq)."""
_MOST_LOOKUPS = 1 << 22
"""Rows of a scenario up to which they are looked through once, instead of merchant by merchant."""


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """A bucket row with arrivals: its series, bucket and count, and the realised intensity."""

    series: int
    bucket: int
    row: CountRow
    realised: float


@dataclass(frozen=True, slots=True)
class Slots:
    """All draws of some bucket rows, by bucket and then in the order of time: which of the rows (``row``), the draw's number
    in it (``index``), the offset in microseconds, the first uniform of the site stream (``coin``, of hybrid merchants only),
    what it is compared with (``below``), how many draws before it in the row are virtual (``before``), and where the slots of
    each bucket begin and end (``spans`` by bucket)."""

    row: np.ndarray
    index: np.ndarray
    offset_us: np.ndarray
    coin: np.ndarray | None
    below: np.ndarray | None
    before: np.ndarray | None
    spans: dict[int, tuple[int, int]]


def draw_slots(scene: Scene, merchant: MerchantFacts, rows: Sequence[DrawnRow]) -> Slots:
    """Draw every arrival of whole bucket rows, which hold all arrivals of the merchant in their buckets, in series order."""
    sizes = np.array([each.row.count for each in rows], np.int64)
    number = np.repeat(np.arange(sizes.size), sizes)
    index = np.arange(number.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    keys = [scene.bucket_key(merchant.merchant_id, each.row.zone, each.row.channel, each.bucket) for each in rows]
    words, _ = Streams.named(scene.origin, JITTER_FAMILY, keys).take(number).words(index)
    place = uniforms(words)
    around = [each.row.around for each in rows]
    if scene.readings.follows_intensity and around:
        beside = np.array([(each.before, each.own, each.after) for each in around if each is not None])
        place = linear_places(place, *np.ascontiguousarray(beside.T[:, number]))
    offset = np.minimum((place * float(scene.bucket_us)).astype(np.int64), scene.bucket_us - 1)
    coin: np.ndarray | None = None
    below: np.ndarray | None = None
    before: np.ndarray | None = None
    if merchant.mode == "HYBRID":
        coin = uniforms(Streams.named(scene.origin, SITE_FAMILY, keys).take(number).words(index)[0])
        below = _coins(scene, rows, number, offset)
        virtual = coin < below
        running: np.ndarray = np.cumsum(virtual) - virtual
        first = (np.cumsum(sizes) - sizes)[sizes > 0]
        before = running - np.repeat(running[first], sizes[sizes > 0])
    bucket = np.array([each.bucket for each in rows], np.int64)[number]
    order = np.lexsort((index, number, offset, bucket))
    ordered = bucket[order]
    bounds = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1], True]) if ordered.size else np.zeros(1, np.int64)
    spans = {int(ordered[begin]): (begin, end) for begin, end in pairwise(bounds.tolist())}
    coin, below, before = (None if each is None else each[order] for each in (coin, below, before))
    return Slots(number[order], index[order], offset[order], coin, below, before, spans)


def _coins(scene: Scene, rows: Sequence[DrawnRow], number: np.ndarray, offset_us: np.ndarray) -> np.ndarray:
    """Below what each draw is virtual, float64 [n], from the row it belongs to and its offset into the bucket."""
    read, hour = scene.readings, np.zeros(number.size, np.int64)
    if read.coins_have_hours:
        began = np.array([scene.bucket_start_us(each.bucket) for each in rows], np.int64)
        hour = _local_hours(scene, [each.row.zone for each in rows], number, (began[number] + offset_us) // 1_000_000)
    by_hour = np.array([[read.p_virtual(each.row.channel, at) for at in range(24)] for each in rows]).reshape(-1, 24)
    return np.asarray(by_hour[number, hour])


_NO_CLOCK = ([0], [0])
"""Of a zone that the sealed cache does not have: `Router` says so of its arrivals."""


def _local_hours(scene: Scene, zones: Sequence[str], number: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Hour of the day int64 [n] at some seconds since 1970, each in the zone of its row."""
    minutes = np.zeros(second.size, np.int64)
    for zone in set(zones):
        own = np.array([each == zone for each in zones])[number]
        changes, offsets = (np.asarray(each, np.int64) for each in scene.zones.get(zone, _NO_CLOCK))
        minutes[own] = offsets[np.maximum(np.searchsorted(changes, second[own], side="right") - 1, 0)]
    return (second + 60 * minutes) // 3600 % 24


Ranks = Callable[[Slots, int, int, int], Sequence[int]]
"""Which ranks (from 1) of a bucket are derived: given the slots, the bucket, and where its slots begin and end."""


def derive_rows(
    subject: Subject,
    scene: Scene,
    merchant: MerchantFacts,
    rows: Sequence[DrawnRow],
    first_seq: Mapping[int, int],
    ranks: Ranks,
) -> dict[Arrival, dict[str, Any] | str]:
    """Every column of the chosen arrivals of some bucket rows by (merchant_id, arrival_seq), or in words what the inputs lack.
    ``first_seq``: by bucket, how many arrivals of the merchant come before it."""
    slots, router = draw_slots(scene, merchant, rows), Router(scene, merchant)
    found: dict[Arrival, dict[str, Any] | str] = {}
    same = {column: subject.constants[name] for column, name in _SAME.items()}
    for bucket, (begin, end) in slots.spans.items():
        for rank in ranks(slots, bucket, begin, end):
            place = begin + rank - 1
            drawn, index = rows[int(slots.row[place])], int(slots.index[place])
            ts_us = scene.bucket_start_us(bucket) + int(slots.offset_us[place])
            key = (merchant.merchant_id, first_seq[bucket] + rank)
            try:
                before = None if slots.before is None else int(slots.before[place])
                routed = router.route(drawn.row, bucket, index, before)
                values = router.values(routed, drawn.row, ts_us)
            except RunError as cause:
                found[key] = cause.what
                continue
            found[key] = {
                **same,
                "zone_representation": drawn.row.zone,
                "channel_group": drawn.row.channel,
                "bucket_index": bucket,
                "ts_us": ts_us,
                **values,
                "lambda_realised": drawn.realised,
                "tz_group_id": routed.tz_group,
            }
    return found


_SAME = {
    "manifest_fingerprint": "fingerprint",
    "parameter_hash": "parameters",
    "seed": "seed",
    "scenario_id": "scenario",
    "s4_spec_version": "spec",
    "routing_universe_hash": "universe",
}
"""Columns that are the same in every row, and the constants that they hold."""


def differing(
    derived: Mapping[Arrival, dict[str, Any] | str], rows: Mapping[Arrival, dict[str, Any] | None]
) -> list[Key]:
    """The arrivals that were published otherwise."""
    wrong: list[Key] = []
    for (merchant, seq), own in derived.items():
        row = rows.get((merchant, seq))
        if isinstance(own, str):
            differs = own
        elif row is None:
            differs = "occurs twice" if (merchant, seq) in rows else "is not published"
        else:
            differs = ", ".join(name for name, value in row.items() if value != own[name])
        if differs:
            wrong.append({"merchant_id": merchant, "arrival_seq": seq, "differs": differs})
    for merchant, seq in sorted(rows.keys() - derived.keys()):
        wrong.append({"merchant_id": merchant, "arrival_seq": seq, "differs": "no such arrival"})
    return wrong


def published_arrivals(subject: Subject, wanted: Sequence[Arrival]) -> dict[Arrival, dict[str, Any] | None]:
    """Published columns of some arrivals, instants in microseconds; None for a key that occurs twice, absent ones are left
    out."""
    by_merchant: dict[int, list[int]] = {}
    for merchant, seq in wanted:
        by_merchant.setdefault(merchant, []).append(seq)
    (rows,) = subject.row("SELECT coalesce(sum(part_rows), 0)::BIGINT FROM parts")
    columns = _columns(subject)
    if rows <= _MOST_LOOKUPS and len(by_merchant) > 1:
        return _keyed(_looked_through(subject, columns, by_merchant))
    found: dict[Arrival, dict[str, Any] | None] = {}
    for merchant, numbers in by_merchant.items():
        low, high = min(numbers), max(numbers)
        where = f"merchant_id = {merchant} AND arrival_seq BETWEEN {low} AND {high}"
        if high - low + 1 > len(numbers):
            where += f" AND arrival_seq IN ({', '.join(map(str, sorted(numbers)))})"
        found |= _keyed(subject.records(f"SELECT {columns} FROM arrivals_all WHERE {where}"))
    return found


def published_between(subject: Subject, first: Arrival, last: Arrival) -> dict[Arrival, dict[str, Any] | None]:
    """The same of all arrivals from one key to another."""
    where = f"""merchant_id BETWEEN {first[0]} AND {last[0]} AND (merchant_id > {first[0]} OR arrival_seq >= {first[1]})
                AND (merchant_id < {last[0]} OR arrival_seq <= {last[1]})"""
    return _keyed(subject.records(f"SELECT {_columns(subject)} FROM arrivals_all WHERE {where}"))


def _looked_through(
    subject: Subject, columns: str, by_merchant: Mapping[int, Sequence[int]]
) -> Sequence[dict[str, Any]]:
    keys = [(merchant, seq) for merchant, numbers in by_merchant.items() for seq in numbers]
    wanted = {
        "merchant_id": np.array([key[0] for key in keys], np.uint64),
        "arrival_seq": np.array([key[1] for key in keys], np.int64),
    }
    subject.database.table("rederived_arrivals", wanted, {"merchant_id": "UBIGINT", "arrival_seq": "BIGINT"})
    return subject.records(
        f"SELECT {columns} FROM arrivals_all JOIN rederived_arrivals USING (merchant_id, arrival_seq)"
    )


def _columns(subject: Subject) -> str:
    """Every column of the arrivals, as derived ones are named."""
    stored = {row[0] for row in subject.rows("DESCRIBE SELECT * FROM arrivals_all")}
    optional = [name for name in ("lambda_realised", "tz_group_id") if name in stored]
    clocks = [
        f"tzid_{name}, utc_offset_min_{name}, epoch_us(ts_local_{name}) AS local_us_{name}"
        for name in ("primary", "operational", "settlement")
    ]
    own = "merchant_id, arrival_seq, zone_representation, channel_group, bucket_index, epoch_us(ts_utc) AS ts_us, is_virtual"
    return ", ".join((own, "site_id, edge_id", *_SAME, *clocks, *optional))


def _keyed(records: Sequence[dict[str, Any]]) -> dict[Arrival, dict[str, Any] | None]:
    found: dict[Arrival, dict[str, Any] | None] = {}
    for record in records:
        key = (record.pop("merchant_id"), record.pop("arrival_seq"))
        found[key] = None if key in found else record
    return found
