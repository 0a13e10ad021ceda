"""07, 08, 13, 14: when arrivals come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from seg5b.page.facts.asked import Event
from seg5b.page.facts.hours import HourProfile, Hours, shares
from seg5b.page.facts.scene import DAY_US, Scene
from seg5b.page.figure import Figure, rounded
from seg5b.page.frame import PANEL, PLOT, Axis, Box, drawing, plot
from seg5b.page.marks import band, line, rows_of_bars, steps
from seg5b.page.scales import percent, round_up, short
from seg5b.page.svg import label

_MILLIONTH = 1e-6
_KEPT_PP = 0.5
_HOURS = (0, 4, 8, 12, 16, 20, 23)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMED_EVENTS, _NAMED_DAYS = 8, 3


def hours(facts: Hours, scene: Scene, events: Sequence[Event] = ()) -> tuple[Figure, ...]:
    """Figures 07 (local hours), 08 (weekend share) and 13 (days, and on which of them something was asked for)."""
    return _routes(facts), _weekend(facts), _daily(facts, scene, events)


def _hour(value: float) -> str:
    return f"{value:.0f}"


def _routes(facts: Hours) -> Figure:
    physical, virtual = shares(facts.physical), shares(facts.virtual)
    x, y = PLOT.across(0, 23), PLOT.upward(0, round_up(max(physical.max(), virtual.max(), 0.01)))
    marks = [line(x, y, steps(physical), "a")]
    if facts.virtual.sum():
        marks.append(line(x, y, steps(virtual), "b dashed"))
    axes = (Axis(x, "local hour", _hour, _HOURS), Axis(y, "share of the route's arrivals", percent))
    peaks = f"Physical arrivals peak at {int(physical.argmax())}:00"
    return Figure(
        "07",
        f"{peaks}, virtual at {int(virtual.argmax())}:00" if facts.virtual.sum() else f"{peaks}; none are virtual",
        (plot(PLOT, *axes, marks, "share by local hour"),),
        "Share of each route's arrivals by hour of the primary local clock.",
        "physical trade sleeps at night and peaks by day; virtual trade is flatter.",
        {"physical": facts.physical.tolist(), "virtual": facts.virtual.tolist()},
        (("a", "physical"), ("b dashed", "virtual")) if facts.virtual.sum() else (("a", "physical"),),
    )


def _weekend(facts: Hours) -> Figure:
    box = Box(400, 240, 112, 64, 6, 10)
    entries = []
    for place, (name, part, whole) in enumerate(facts.weekend):
        share = part / whole if whole else 0.0
        note = f"{100 * share:.2f}%" if whole else "none"
        entries.append((name, share, note, "grey" if not place else "c" if place == 1 else "a" if place == 2 else "b"))
    flat = label(box.left, 218.0, "2 days of 7 are 28.57%", class_="tick")
    guide = box.across(0, max(0.4, *(share for _, share, *_ in entries)))
    marks = [*rows_of_bars(box, entries, guide.high, first=4, step=48), flat]
    promised, seen = entries[0][1], entries[1][1]
    return Figure(
        "08",
        f"Weekend share {100 * seen:.2f}%, expected {100 * promised:.2f}%",
        (drawing(box, marks, "weekend shares"),),
        "Share of arrivals on Saturday and Sunday by the primary local clock; S2's intensity is counted in the zone "
        "of its series.",
        "the first two bars differ by less than 0.2 points.",
        {"weekend": [[name, part, whole] for name, part, whole in facts.weekend]},
    )


def _daily(facts: Hours, scene: Scene, events: Sequence[Event]) -> Figure:
    promised, seen = facts.daily_promised * _MILLIONTH, facts.daily_seen
    x = PLOT.across(0, max(scene.days - 1, 1))
    y = PLOT.upward(0, round_up(float(max(promised.max(initial=0), seen.max(initial=0), 1))))
    first = scene.start_us // DAY_US
    stride = max(1, -(-scene.days // 35)) * 7
    days = range(0, scene.days, stride)

    def write(day: float) -> str:
        return _day(first + round(day))

    days_of = {event: (_number(event.first) - first, _number(event.last) - first) for event in events}
    bands = [band(x, y, *days_of[event], "event", event.name) for event in events if days_of[event][1] >= 0]
    marks = [*bands, line(x, y, steps(promised), "promise"), line(x, y, steps(seen), "a")]
    axes = (Axis(x, "UTC day", write, days), Axis(y, "arrivals a day", short))
    whole, expected = int(seen.sum()), float(promised.sum())
    apart = f"{100 * (whole / expected - 1):+.2f}%" if expected else "–"
    return Figure(
        "13",
        f"Arrivals by day: {apart} against the expected number",
        (plot(PLOT, *axes, marks, "arrivals a day"),),
        f"{whole:,} arrivals; S2 expected {expected:,.0f}.{_asked(events)}",
        "the blue line runs inside the grey one, and the totals agree within chance.",
        {"promised": [rounded(value) for value in promised], "seen": seen.tolist()},
        (("promise", "expected by S2"), ("a", "arrivals"), *([("event", "asked for")] if bands else [])),
    )


def _asked(events: Sequence[Event]) -> str:
    if not events:
        return ""
    named: dict[str, list[str]] = {}
    for event in events:
        first, last = _day(_number(event.first)), _day(_number(event.last))
        named.setdefault(event.name, []).append(first if first == last else f"{first} to {last}")
    shown = [
        f"{name} ({', '.join(days[:_NAMED_DAYS])}{', …' * (len(days) > _NAMED_DAYS)})" for name, days in named.items()
    ]
    more = f" and {len(shown) - _NAMED_EVENTS} more" if len(shown) > _NAMED_EVENTS else ""
    return f" Asked for: {', '.join(shown[:_NAMED_EVENTS])}{more}."


def _number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH.date()).days


def _day(day: int) -> str:
    moment = _EPOCH + timedelta(days=day)
    return f"{moment.day} {moment:%b}"


def profiles(facts: Hours, thinning: int) -> Figure:
    """14: one panel per demand class."""
    worst = max((profile.gap_pp for profile in facts.profiles), default=0.0)
    share = "" if thinning == 1 else f" One key in {thinning} is compared."
    return Figure(
        "14",
        "Each demand class keeps its expected daily profile"
        if worst <= _KEPT_PP
        else f"Daily profiles deviate from the expected ones by up to {worst:.1f} points",
        tuple(_profile(profile) for profile in facts.profiles),
        "Share by local hour: physical arrivals on the wall clock where they land, virtual ones on the clock of their "
        f"series. Mean gap in points beside each name; the largest is {worst:.2f}.{share}",
        "blue inside grey. Profiles that are flattened or shifted mean that arrivals left the zone they were shaped for.",
        {
            f"{profile.demand_class}{' virtual' if profile.virtual_series else ''}": {
                "promised": [rounded(value * _MILLIONTH) for value in profile.promised],
                "seen": profile.seen.tolist(),
            }
            for profile in facts.profiles
        },
        (("promise", "expected by S2"), ("a", "arrivals")),
        wide=True,
    )


def _profile(profile: HourProfile) -> str:
    promised, seen = shares(profile.promised), shares(profile.seen)
    x, y = PANEL.across(0, 23), PANEL.upward(0, round_up(float(max(promised.max(), seen.max(), 0.01))))
    name = f"{profile.demand_class}{', virtual' if profile.virtual_series else ''}"
    marks = [
        line(x, y, steps(promised), "promise"),
        line(x, y, steps(seen), "a"),
        label(PANEL.width - PANEL.right, 13.0, f"{profile.gap_pp:.2f} pp", class_="tick", text_anchor="end"),
    ]
    axes = (Axis(x, "local hour", _hour, (0, 6, 12, 18, 23)), Axis(y, f"share, {name}", percent, _few(y.high)))
    return plot(PANEL, *axes, marks, f"daily profile of {name}")


def _few(high: float) -> list[float]:
    return [float(value) for value in np.linspace(0, high, 3)]
