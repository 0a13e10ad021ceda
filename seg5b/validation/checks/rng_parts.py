"""Each row of the trace against what outputs and the derivation law give for its part (docs/laws#rng-trace)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from seg5b.explain.facts import latent_domains, scene_of
from seg5b.parts import series as series_parts
from seg5b.policy.rng import BUCKET_COUNT, EDGE_PICK, EDGE_TEMPER, LATENT, SITE_PICK, TIME_JITTER
from seg5b.run_tables.rng_logs import Record, traces
from seg5b.run_tables.subject import Subject
from seg5b.validation.checks.rng import STREAM_SWITCHES, STREAMS, substreams_not_asked
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

_MISMATCH = "5B.S5.RNG_ACCOUNTING_MISMATCH"
_FIELD = "rng_accounting_ok"
_SPAN = 1 << 128
_DRAWS = {TIME_JITTER: 1, SITE_PICK: 2, EDGE_PICK: 1, EDGE_TEMPER: 2}
"""Draws of an event of S4; each takes one block."""
_S4 = (TIME_JITTER, SITE_PICK, EDGE_PICK, EDGE_TEMPER)

Place = tuple[str, int, str]
"""State, part, substream label: what one row of the trace is about."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a row should state: ``events``, ``draws`` and ``blocks``, and the counters before the first block of the part's
    first domain and behind the last block of its last one."""

    events: int
    draws: int
    blocks: int
    before: int
    after: int

    def totals(self) -> tuple[int, int, int]:
        """Events, draws, blocks."""
        return self.events, self.draws, self.blocks


def _expected(subject: Subject) -> dict[Place, Row]:
    """Every row that the outputs imply, made once. Under tempering the events of its rows are the most that there can be."""
    key = f"trace rows {subject.scenario_id}"
    if key not in subject.shared:
        labels = {family_id: family.substream_label for family_id, family in subject.policies.rng.families.items()}
        rows = [*_latent(subject), *_counted(subject), *_arrived(subject)]
        subject.shared[key] = {
            (state, part, labels[family_id]): row for state, part, family_id, row in rows if row.events
        }
    found: dict[Place, Row] = subject.shared[key]
    return found


def _latent(subject: Subject) -> Iterator[tuple[str, int, str, Row]]:
    """S2 draws the paths of all groups, or of all levels, as one part."""
    domains = latent_domains(subject)
    if not domains:
        return
    buckets = int(subject.constants["buckets"] or 0)
    first, last = (scene_of(subject).latent_stream(domains[end]).base for end in (0, -1))
    blocks = len(domains) * buckets
    yield "S2", 0, LATENT, Row(len(domains), 2 * blocks, blocks, first, last + buckets)


def _counted(subject: Subject) -> Iterator[tuple[str, int, str, Row]]:
    """S3 draws one count for each row with a mean above the zero rule's."""
    buckets, draws = int(subject.constants["buckets"] or 0), 2 if subject.policies.count.count_law_id == "nb2" else 1
    starts = _part_starts([row[0] for row in subject.rows("SELECT merchant_id FROM series ORDER BY k")], buckets)
    for part, (first, stop) in enumerate(pairwise(starts)):
        events, low, high = subject.row(
            f"""SELECT count(*), min(position), max(position) FROM counts
                WHERE mu > $zero_eps AND position BETWEEN {first * buckets} AND {stop * buckets - 1}"""
        )
        if events:
            before, after = (_base_at(subject, BUCKET_COUNT, "counts", position) for position in (low, high))
            yield "S3", part, BUCKET_COUNT, Row(events, events * draws, events, before, after + 1)


def _part_starts(merchants: list[int], buckets: int) -> list[int]:
    """First series of each part of S2 and S3, and behind them the number of series: a part takes whole merchants until it
    has its cells (docs/laws#folder-of-parts)."""
    starts = [0]
    for series in range(1, len(merchants)):
        full = (series - starts[-1]) * buckets >= series_parts.CELLS_PER_PART
        if full and merchants[series] != merchants[series - 1]:
            starts.append(series)
    return [*starts, len(merchants)]


def _arrived(subject: Subject) -> Iterator[tuple[str, int, str, Row]]:
    """S4: arrivals of each part by what they drew, and the first and last bucket row that drew in it."""
    events = {
        part: (arrivals, coin, virtual, virtual)
        for part, arrivals, coin, virtual in subject.rows(
            """SELECT part, sum(arrivals)::BIGINT, coalesce(sum(arrivals) FILTER (virtual_mode <> 'VIRTUAL_ONLY'), 0)::BIGINT,
                      sum(virtual_arrivals)::BIGINT
               FROM merchant_parts LEFT JOIN modes USING (merchant_id) GROUP BY part"""
        )
    }
    tempered = subject.policies.routing.edge_temper.enabled
    for kind, part, first, last, blocks in subject.rows(_ENDS.replace("$ends", _end_rows(subject))):
        for family_id in _FAMILIES[kind] if tempered else _FAMILIES[kind][:1]:
            number = events[part][_S4.index(family_id)]
            before, after = (_base_at(subject, family_id, "summary", position) for position in (first, last))
            yield "S4", part, family_id, Row(number, number * _DRAWS[family_id], number, before, after + blocks)


def _end_rows(subject: Subject) -> str:
    """SQL for the first and last arrival of each part; each is looked up by itself, so that no part is read."""
    lookups = [
        f"""SELECT part, position = 0 AS is_first, merchant_id, bucket_index FROM arrivals_all
            WHERE part = {part} AND position IN (0, {rows - 1})"""
        for part, rows in subject.rows("SELECT part, part_rows FROM parts ORDER BY part")
    ]
    return " UNION ALL ".join(lookups)


_FAMILIES = {"all": (TIME_JITTER,), "coin": (SITE_PICK,), "virtual": (EDGE_PICK, EDGE_TEMPER)}
_ENDS = """
    WITH ends AS ($ends),
    begins AS (SELECT part, merchant_id, bucket_index AS low FROM ends WHERE is_first),
    stops AS (SELECT part, merchant_id, max(bucket_index) AS high FROM ends GROUP BY ALL),
    stretch AS (
        SELECT part, merchant_id, virtual_mode, coalesce(low, 0) AS low,
               CASE WHEN merchant_id = max(merchant_id) OVER (PARTITION BY part) THEN high ELSE $buckets END AS high
        FROM merchant_parts JOIN modes USING (merchant_id)
        LEFT JOIN begins USING (part, merchant_id) LEFT JOIN stops USING (part, merchant_id)),
    outer_ones AS (
        SELECT kind, part, merchant_id, low, high FROM (
            SELECT 'all' AS kind, * FROM stretch
            UNION ALL SELECT 'coin', * FROM stretch WHERE virtual_mode <> 'VIRTUAL_ONLY')
        QUALIFY merchant_id = min(merchant_id) OVER (PARTITION BY kind, part)
             OR merchant_id = max(merchant_id) OVER (PARTITION BY kind, part)
        UNION ALL SELECT 'virtual', part, merchant_id, low, high FROM stretch WHERE virtual_mode <> 'NON_VIRTUAL'),
    drawing AS (
        SELECT kind, part, position, CASE kind WHEN 'virtual' THEN count_virtual ELSE count_N END AS blocks,
               {'m': merchant_id, 'b': bucket_index, 'p': position} AS place
        FROM outer_ones JOIN summary USING (merchant_id) WHERE bucket_index BETWEEN low AND high)
    SELECT kind, part, arg_min(position, place), arg_max(position, place), arg_max(blocks, place)
    FROM drawing WHERE blocks > 0 GROUP BY ALL ORDER BY ALL"""
"""First and last bucket row that drew in each part, as positions in the summary, and the blocks of the last. Bucket rows
follow one another by merchant, bucket and series; a part begins and ends with whole ones of the bucket of its first and
last arrival. All merchants matter only where a row may have no virtual arrival; else those at the ends do."""


def _base_at(subject: Subject, family_id: str, table: str, position: int) -> int:
    """Base counter of the stream of the bucket row at a position."""
    merchant, zone, channel, bucket = subject.row(
        f"SELECT merchant_id, zone_representation, channel_group, bucket_index FROM {table} WHERE position = {position}"
    )
    scene = scene_of(subject)
    return scene.origin.stream(family_id, scene.bucket_key(merchant, zone, channel, bucket)).base


def _stated(subject: Subject) -> dict[Place, list[Row]]:
    """The rows of the trace, by what they are about."""
    found: dict[Place, list[Row]] = {}
    for state, records in traces(subject).items():
        for record in records:
            part = record.get("part_index", record.get("part"))
            place = state, part if isinstance(part, int) else -1, str(record.get("substream_label"))
            found.setdefault(place, []).append(_row_of(record))
    return found


def _compared(subject: Subject, odd: Callable[[bool, Row, Row], bool]) -> Finding:
    """Rows that are missing, that are more than one, or that are ``odd``: (of tempering, as stated, as expected)."""
    expected, stated = _expected(subject), _stated(subject)
    temper, ignored = subject.policies.rng.families[EDGE_TEMPER].substream_label, substreams_not_asked(subject)
    wrong: list[Key] = []
    for place in sorted(place for place in expected.keys() | stated.keys() if place[2] not in ignored):
        wanted, rows = expected.get(place), stated.get(place, [])
        tempered = place[2] == temper
        if tempered and not rows:  # no arrival need have been redirected
            continue
        if wanted is None or len(rows) != 1 or odd(tempered, rows[0], wanted):
            key = dict(zip(("state", "part", "substream_label"), place, strict=True))
            wrong.append({**key, "trace": list(map(_printed, rows)), "expected": wanted and _printed(wanted)})
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), sum(map(len, stated.values())))


def _row_of(record: Record) -> Row:
    """What a row of the trace states; -1 for what is no number."""

    def number(name: str) -> int:
        value = record.get(name)
        return value if isinstance(value, int) else -1

    counters = [number(f"rng_counter_{end}_hi") << 64 | number(f"rng_counter_{end}_lo") for end in ("before", "after")]
    return Row(*(number(f"{name}_total") for name in ("events", "draws", "blocks")), *counters)


def _printed(row: Row) -> dict[str, Any]:
    return {
        "events": row.events,
        "draws": row.draws,
        "blocks": row.blocks,
        "before": f"{row.before % _SPAN:032x}",
        "after": f"{row.after % _SPAN:032x}",
    }


def _odd_totals(tempered: bool, stated: Row, wanted: Row) -> bool:
    """Which events were tempered the outputs do not tell, only that there cannot be more than virtual arrivals."""
    if tempered:
        return (
            not 0 < stated.events <= wanted.events
            or stated.draws != 2 * stated.events
            or stated.blocks != stated.events
        )
    return stated.totals() != wanted.totals()


def _odd_counters(tempered: bool, stated: Row, wanted: Row) -> bool:
    return (stated.before, stated.after) != (wanted.before, wanted.after % _SPAN)


_NEEDS = ("grouping", "series", "counts", "summary", "merchant_parts", "modes", "arrivals_all", "parts")

CHECKS = (
    Check(
        "rng.part_totals",
        _MISMATCH,
        _FIELD,
        "rng_accounting_checks.draws_match_outputs",
        "part by part the trace has one row for each substream that drew, with exactly the events, draws and blocks of "
        "that part's outputs",
        Compute(lambda subject: _compared(subject, _odd_totals)),
        needs=_NEEDS,
    ),
    Check(
        "rng.part_counters",
        _MISMATCH,
        _FIELD,
        STREAMS,
        "part by part the counters are those that the derivation law gives the first and the last domain that drew",
        Compute(lambda subject: _compared(subject, _odd_counters)),
        needs=_NEEDS,
        switches=STREAM_SWITCHES,
    ),
)
