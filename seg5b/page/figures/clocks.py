"""04-06: local wall clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from seg5b.page.facts.clocks import ClockFacts, ZoneDays
from seg5b.page.facts.scene import DAY_US, Scene
from seg5b.page.figure import Figure
from seg5b.page.frame import PLOT, Axis, Box, drawing, plot
from seg5b.page.marks import cell, column, strength
from seg5b.page.scales import ScaleKind, count, counted, zone_name
from seg5b.page.svg import label, path

_NAMED = (-3600, 0, 3600)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def clocks(facts: ClockFacts, scene: Scene) -> tuple[Figure, ...]:
    """Figures 04 (errors of wall clocks), 05 (zones by day) and 06 (true and written hours)."""
    return _errors(facts), _days(facts, scene), _hours(facts)


def _errors(facts: ClockFacts) -> Figure:
    groups = dict.fromkeys(_NAMED, 0)
    other = facts.unknown
    for error, arrivals in facts.errors:
        nearest = round(error)
        if nearest in groups and abs(error - nearest) < 0.5:
            groups[nearest] += arrivals
        else:
            other += arrivals
    bars = [("−3600", groups[-3600], "b"), ("0", groups[0], "a"), ("+3600", groups[3600], "b"), ("other", other, "b")]
    x = PLOT.across(-0.6, 3.6)
    y = PLOT.upward(0, 3 * max(1, *(arrivals for _, arrivals, _ in bars)), ScaleKind.LOG1P)
    marks = []
    for place, (name, arrivals, look) in enumerate(bars):
        marks.append(column(x(place), 56, y(arrivals), y(0), look, f"{counted(arrivals, 'arrival')} off by {name} s"))
        marks.append(label(x(place), y(arrivals) - 6, count(arrivals), class_="value", text_anchor="middle"))
    axis = Axis(x, "written − true wall clock, seconds", lambda place: bars[round(place)][0], range(4))
    title = f"{counted(facts.wrong, 'wall clock')} wrong" if facts.wrong else "Every wall clock is right"
    return Figure(
        "04",
        title,
        (plot(PLOT, axis, Axis(y, "arrivals"), marks, "clock errors"),),
        "The primary local time of every arrival beside UTC plus the offset that the time-zone database gives. Other: any "
        "other error, or a zone that it does not know.",
        "only the bar at 0 is there; an hour to either side is a missed DST change.",
        {"errors": facts.errors, "unknown_zone": facts.unknown, "wrong": facts.wrong},
    )


def _days(facts: ClockFacts, scene: Scene) -> Figure:
    box = Box(400, 310, 136, 10, 22, 30)
    first = scene.start_us // DAY_US
    height = (box.height - box.top - box.bottom) / max(len(facts.zones), 6)
    x = box.across(0, scene.days)
    marks = [label(2.0, 13.0, "zone", class_="axis"), *_dates(box, first, scene.days)]
    for row, zone in enumerate(facts.zones):
        top = box.top + row * height
        marks.append(
            label(box.left - 6, top + height * 0.72, zone_name(zone.tzid), class_="name small", text_anchor="end")
        )
        marks += _zone_row(zone, x(1) - x(0), x.start, top, height - 3)
        marks += [_change(x(at), top, height - 3) for at in zone.changes]
    wrong = sum(int(zone.wrong.sum()) for zone in facts.zones)
    return Figure(
        "05",
        f"{counted(wrong, 'error')} in these zones" if wrong else "No error in any zone on any day",
        (drawing(box, marks, "wrong wall clocks by zone and day"),),
        "The zones with most errors, then those with a DST change, then the busiest. Blue: days with arrivals, orange: "
        f"share of wrong clocks, bars: changes of offset (UTC days; {count(facts.changing)} zones in use have one).",
        "no orange, least of all beside the bars.",
        {
            "first_day": _date(first),
            "zones": {zone.tzid: [int(zone.arrivals.sum()), int(zone.wrong.sum())] for zone in facts.zones},
            "changes": {zone.tzid: [round(at, 4) for at in zone.changes] for zone in facts.zones if zone.changes},
        },
        (("a pale", "arrivals, clocks right"), ("b", "wrong clocks"), ("ink", "offset changes")),
    )


def _zone_row(zone: ZoneDays, width: float, left: float, top: float, height: float) -> list[str]:
    """Runs of days with arrivals as one bar each, days with errors above them."""
    parts, start = [], -1
    for day in range(zone.arrivals.size + 1):
        busy = day < zone.arrivals.size and zone.arrivals[day] > 0
        if busy and start < 0:
            start = day
        elif not busy and start >= 0:
            note = f"{zone.tzid}: {counted(int(zone.arrivals[start:day].sum()), 'arrival')}"
            parts.append(cell(left + start * width, top, (day - start) * width, height, "a", "0.22", note))
            start = -1
    for day in map(int, zone.wrong.nonzero()[0]):
        share = zone.wrong[day] / zone.arrivals[day]
        note = f"{zone.tzid}: {100 * share:.2f}% wrong"
        parts.append(cell(left + day * width, top, width, height, "b", f"{0.25 + 0.75 * share:.2f}", note))
    return parts


def _change(x: float, top: float, height: float) -> str:
    return path([(x, top - 1), (x, top + height + 1)], class_="change")


def _date(day: int) -> str:
    return f"{_EPOCH + timedelta(days=day):%Y-%m-%d}"


def _dates(box: Box, first: int, days: int) -> list[str]:
    """Weeks or months below the rows."""
    floor, x = box.height - box.bottom, box.across(0, days)
    stride = max(1, -(-days // 35)) * 7
    parts = [path([(box.left, floor), (box.width - box.right, floor)], class_="base")]
    for day in range(0, days, stride):
        moment = _EPOCH + timedelta(days=first + day)
        anchor = "middle" if x(day) < box.width - box.right - 18 else "end"
        parts.append(path([(x(day), floor), (x(day), floor + 4)], class_="base"))
        parts.append(label(x(day), floor + 17, f"{moment.day} {moment:%b}", class_="tick", text_anchor=anchor))
    return parts


def _hours(facts: ClockFacts) -> Figure:
    box = PLOT
    x, y = box.across(0, 24), box.upward(0, 24)
    size = (x.end - x.start) / 24
    tall = (y.start - y.end) / 24
    largest = int(facts.hours.max())
    marks = []
    for expected, seen in zip(*facts.hours.nonzero(), strict=True):
        arrivals = int(facts.hours[expected, seen])
        note = f"true hour {expected}, written hour {seen}: {counted(arrivals, 'arrival')}"
        look, least = ("a", 0.12) if expected == seen else ("b", 0.5)
        place = (x.start + expected * size + 0.5, y.start - (seen + 1) * tall + 0.5)
        marks.append(cell(*place, size - 1, tall - 1, look, strength(arrivals, largest, least), note))
    apart = int(facts.hours.sum() - facts.hours.trace())
    hours = [0.5 + hour for hour in (0, 4, 8, 12, 16, 20, 23)]
    axes = (Axis(x, "true local hour", _hour, hours), Axis(y, "written local hour", _hour, hours))
    return Figure(
        "06",
        f"{counted(apart, 'arrival')} off the diagonal" if apart else "True and written hour agree",
        (plot(box, *axes, marks, "written against true hour"),),
        "Darker cells hold more arrivals (logarithmic). Arrivals written into another hour than their true one are "
        "orange.",
        "a single diagonal; a second one beside it would be a shift of one hour.",
        {"hours": facts.hours.tolist()},
    )


def _hour(value: float) -> str:
    return f"{int(value)}"
