"""The story of an arrival, and of a bucket, in the order in which it happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seg5b.explain.facts import routed_scene
from seg5b.explain.life.clocks import told_clock, told_other_clock
from seg5b.explain.life.counted import told_counts
from seg5b.explain.life.integers import arrival_integers, bucket_integers
from seg5b.explain.life.landing import told_landing
from seg5b.explain.life.parts import Life
from seg5b.explain.life.second import told_second
from seg5b.explain.life.subject import ArrivalStory, BucketStory
from seg5b.explain.life.words import day, microsecond, offset, second, several, short_day, wall_clock
from seg5b.sheets import Section, Table

_CLOCKS = ("primary", "operational", "settlement")
_THE_DAY = "The day, and its clocks"


def tell_arrival(story: ArrivalStory) -> Life:
    """The life of an arrival."""
    title = f"Arrival {story.arrival_seq:,} of merchant {story.merchant.merchant_id}"
    differences = (*story.bucket.differences, *story.differences)
    values = {**story.derived.values, **story.bucket.derived.values}
    sections = (
        _what(story),
        Section(_THE_DAY, tuple(_days(story))),
        told_counts(story.bucket),
        told_second(story),
        told_landing(story),
        _checked(values, {**story.published, **story.bucket.published}, differences),
    )
    return Life(title, story.subject.root.identity.run_id, not differences, sections, arrival_integers(story))


def tell_bucket(story: BucketStory) -> Life:
    """The life of one bucket of a series: how its number of arrivals came about."""
    start = wall_clock(story.start_us)
    where = f"{story.zone} by {story.channel}"
    title = f"Bucket {story.bucket} of merchant {story.merchant_id} in {where}"
    what = (
        f"The {story.length} {story.span()} UTC on {day(start)} in scenario {story.subject.scenario_id}: "
        f"{several(int(story.derived.values['count_N']), 'arrival')} of merchant {story.merchant_id} in {where}, demand class "
        f"{story.derived.notes['demand_class']}."
    )
    sections = (
        Section("What it is", (what,)),
        Section(_THE_DAY, tuple(told_clock(story.subject, story.zone, story.start_us))),
        told_counts(story),
        _checked(story.derived.values, story.published, story.differences),
    )
    return Life(title, story.subject.root.identity.run_id, not story.differences, sections, bucket_integers(story))


def _what(story: ArrivalStory) -> Section:
    values, bucket = story.derived.values, story.bucket
    offset_min = int(values["utc_offset_min_primary"])
    local, utc = wall_clock(story.ts_us, offset_min), wall_clock(story.ts_us)
    place = f"edge {values['edge_id']}" if story.is_virtual else f"site {values['site_id']}"
    other = "" if utc.date() == local.date() else f" of {day(utc)}"
    sentences = (
        f"{'A virtual' if story.is_virtual else 'A physical'} payment ({bucket.channel}, demand class "
        f"{bucket.derived.notes['demand_class']}) of merchant {story.merchant.merchant_id}, its arrival number "
        f"{story.arrival_seq:,} of {story.total:,} in scenario {story.subject.scenario_id}. It reached {place}.",
        f"That was on {day(local)} at {microsecond(local)} by the clock of {story.zone_of('primary')} "
        f"({offset(offset_min)}), which is {microsecond(utc)} UTC{other}.",
    )
    return Section("What it is", sentences, (_clocks(story),))


def _clocks(story: ArrivalStory) -> Table:
    """The clocks of the row, and that of the series' zone where it is another one."""
    values = story.derived.values
    zones: dict[str, list[str]] = {}
    for name in _CLOCKS:
        zones.setdefault(story.zone_of(name), []).append(name)
    rows = []
    for tzid, names in zones.items():
        minutes = int(values[f"utc_offset_min_{names[0]}"])
        local = wall_clock(story.ts_us, minutes)
        rows.append((", ".join(names), tzid, f"{short_day(local)}, {second(local)}", offset(minutes)))
    if story.bucket.zone not in zones:
        minutes = routed_scene(story.subject).offset_minutes(story.bucket.zone, story.ts_us)
        local = wall_clock(story.ts_us, minutes)
        rows.append(("counted in", story.bucket.zone, f"{short_day(local)}, {second(local)}", offset(minutes)))
    utc = wall_clock(story.ts_us)
    rows.append(("UTC", "", f"{short_day(utc)}, {second(utc)}", ""))
    return Table("By its clocks", ("clock", "zone", "time", "offset"), tuple(rows), frozenset(("offset",)))


def _days(story: ArrivalStory) -> list[str]:
    """What the clocks of its zones did around it: always its primary one, the others where they changed nearby."""
    primary = story.zone_of("primary")
    others = dict.fromkeys([story.zone_of("settlement"), story.bucket.zone, story.zone_of("operational")])
    told = told_clock(story.subject, primary, story.ts_us)
    for tzid in others:
        if tzid != primary:
            told += told_other_clock(story.subject, tzid, story.ts_us)
    return told


def _checked(values: Mapping[str, Any], published: Mapping[str, Any], differences: Sequence[str]) -> Section:
    """Every derived value beside the published one."""
    rows = tuple(
        (
            _readable(name),
            _value(name, value),
            _value(name, published.get(name)) if name in differences else "the same",
        )
        for name, value in values.items()
    )
    table = Table("Derived again, and published", ("column", "derived", "published"), rows)
    how = (
        "All of this was derived again from the sealed inputs, by code that shares nothing with what made the arrivals."
    )
    outcome = f"The {len(rows)} values are equal to what was published."
    if differences:
        outcome = f"It DIFFERS from what was published in {', '.join(differences)}."
    return Section("Whether it is so", (how, outcome), (table,))


def _readable(name: str) -> str:
    """Name of the published column behind a value in microseconds."""
    return "ts_utc" if name == "ts_us" else name.replace("local_us_", "ts_local_")


def _value(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name == "ts_us" or name.startswith("local_us_"):
        moment = wall_clock(int(value))
        return f"{moment:%Y-%m-%d} {microsecond(moment)}"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
