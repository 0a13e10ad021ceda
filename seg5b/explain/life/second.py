"""Which second: the place in the bucket, and the number that follows from it."""

from __future__ import annotations

from seg5b.explain.facts import routed_scene
from seg5b.explain.life.subject import ArrivalStory
from seg5b.explain.life.words import microsecond, minute, ordinal, several, wall_clock
from seg5b.sheets import Section, Table
from seg5b.twin.arrivals import heights, ordered_slots

_AROUND = 3
"""Arrivals of the bucket that are shown before and after."""


def told_second(story: ArrivalStory) -> Section:
    """Offset from u, rank among the merchant's arrivals of the bucket, number (law L7)."""
    bucket, rank = story.bucket, story.segment.rank
    offset_s = int(story.derived.notes["offset_us"]) / 1_000_000
    counted = sum(row.count for row in story.segment.rows)
    sentences = [f"{_placed(story)} is {offset_s:,.6f} s after {minute(wall_clock(bucket.start_us))} UTC."]
    earlier = story.arrival_seq - rank
    before = f"{several(earlier, 'arrival')} came before that {bucket.length}" if earlier else "none came before"
    if counted == 1:
        sentences.append(f"It is the merchant's only arrival then; {before}: number {story.arrival_seq:,}.")
        return Section("Which second", tuple(sentences))
    sentences.append(
        f"In order of time it is the {ordinal(rank)} of the merchant's {counted:,} arrivals in that {bucket.length}; {before}: "
        f"number {story.arrival_seq:,}."
    )
    return Section("Which second", tuple(sentences), (_neighbours(story, counted),))


def _placed(story: ArrivalStory) -> str:
    """What u means under the law of placement."""
    bucket, u = story.bucket, story.derived.draws["time"].u0
    own = f"Each arrival is placed in its {bucket.length} by a uniform of its own: u = {u:.6f} of"
    series = (bucket.zone, bucket.channel)
    around = next(row.around for row in story.segment.rows if (row.zone, row.channel) == series)
    if around is None:
        return f"{own} {bucket.length_us // 1_000_000:,} s"
    first, middle, last = heights(around)
    return (
        f"Within a {bucket.length} arrivals come as its neighbours let expect: at its start {first:.3f} times as densely as "
        f"on average, in its middle {middle:.3f}, at its end {last:.3f} times. {own} what comes then lies before what"
    )


def _neighbours(story: ArrivalStory, counted: int) -> Table:
    bucket, rank = story.bucket, story.segment.rank
    slots = ordered_slots(routed_scene(story.subject), story.segment)
    first, stop = max(rank - 1 - _AROUND, 0), min(rank + _AROUND, counted)
    rows = []
    for place in range(first, stop):
        series = story.segment.rows[slots[place].row]
        moment = wall_clock(bucket.start_us + slots[place].offset_us)
        number = f"{story.arrival_seq - rank + place + 1:,}"
        rows.append((number, microsecond(moment), f"{series.zone}, {series.channel}"))
    caption = f"The merchant's arrivals in that {bucket.length}" + (
        ", those around it" if stop - first < counted else ""
    )
    return Table(
        caption, ("number", "UTC", "counted in"), tuple(rows), frozenset(("number",)), rank - 1 - first, "this"
    )
