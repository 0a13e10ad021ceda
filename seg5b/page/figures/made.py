"""What was made: arrivals by day and by channel."""

from __future__ import annotations

import math

from seg5b.page import charts
from seg5b.page.facts.asked import Event
from seg5b.page.figure import Figure
from seg5b.page.measured import Measured, Views, names
from seg5b.page.wording import day_number, each, iso_day, percent, rounded

_NAMED_EVENTS, _NAMED_SPANS = 8, 3
_MILLIONTH = 1e-6


def by_day(views: Views) -> Figure:
    """Arrivals of each UTC day, what S2 expected, and what was asked for."""
    rows = [row for view in views for row in _days(view)]
    totals = [(view.scenario_id, _apart(view)) for view in views]
    outside = sum(not row[3] <= row[5] <= row[4] for row in rows)
    day = {"field": "day", "type": "temporal", "title": None, "scale": {"type": "utc"}, "axis": {"format": "%-d %b"}}
    low = charts.number("low", "arrivals a day", "~s", scale={"zero": True})
    tips = charts.tips(
        scenario="", day=":%a %-d %b %Y", arrivals=",", expected=",.0f", low=",.0f", high=",.0f", asked_for=""
    )
    arrivals, asked_for = charts.number("arrivals", "arrivals a day", "~s"), any(row[6] for row in rows)
    key = [("arrivals", charts.A), ("expected", charts.BAND), *([("asked for", charts.D)] if asked_for else [])]
    shaded = charts.marks(
        {"type": "rect", "opacity": 0.22},
        {"x": {**day, "timeUnit": "utcyearmonthdate"}, "color": charts.named("asked for", key), "tooltip": tips},
        transform=[{"filter": "datum.asked_for !== ''"}],
    )
    drawn = charts.layer(
        *([shaded] if asked_for else []),
        charts.marks("area", {"x": day, "y": low, "y2": {"field": "high"}, "color": charts.named("expected", key)}),
        charts.marks("line", {"x": day, "y": arrivals, "color": charts.named("arrivals", key)}),
        charts.points({"x": day, "y": arrivals}, tips),
        height=220,
    )
    return Figure(
        "arrivals-by-day",
        f"Arrivals are within chance of what was expected: {each(totals)}"
        if all(_z(view) <= 3 for view in views)
        else f"Arrivals are not what was expected: {each(totals)}",
        f"Lines of arrivals a day, one panel for each scenario; {outside} of {len(rows)} days lie outside the expected band.",
        f"Line: arrivals of each UTC day. Band: what S2 expects, plus and minus two standard deviations of S3's count law."
        f"{_asked(views)}",
        "about one day in twenty lies outside the band.",
        ("scenario", "day", "expected", "low", "high", "arrivals", "asked_for"),
        rows,
        charts.panels(drawn, names(views)),
    )  # fmt: skip


def _days(view: Measured) -> list[tuple[str, str, float, float, float, int, str]]:
    asked: dict[int, list[str]] = {}
    for event in view.events:
        for day in range(day_number(event.first), day_number(event.last) + 1):
            asked.setdefault(day, []).append(event.name)
    found = []
    hours = view.hours
    for place, (promised, variance, seen) in enumerate(
        zip(hours.daily_promised.tolist(), hours.daily_variance.tolist(), hours.daily_seen.tolist(), strict=True)
    ):
        expected, spread = promised * _MILLIONTH, 2 * math.sqrt(variance * _MILLIONTH)
        band = (round(max(expected - spread, 0.0), 3), round(expected + spread, 3))
        day = view.first_day + place
        names = ", ".join(dict.fromkeys(asked.get(day, ())))
        found.append((view.scenario_id, iso_day(day), round(expected, 3), *band, seen, names))
    return found


def _z(view: Measured) -> float:
    """How many standard deviations all arrivals lie from the expected number."""
    variance = float(view.hours.daily_variance.sum()) * _MILLIONTH
    apart = abs(float(view.hours.daily_seen.sum()) - float(view.hours.daily_promised.sum()) * _MILLIONTH)
    return apart / math.sqrt(variance) if variance else 0.0 if not apart else math.inf


def _apart(view: Measured) -> str:
    expected = float(view.hours.daily_promised.sum()) * _MILLIONTH
    seen = int(view.hours.daily_seen.sum())
    return (
        f"{seen:,} against {expected:,.0f}, {100 * (seen / expected - 1):+.2f}%" if expected else f"{seen:,} against 0"
    )


def _asked(views: Views) -> str:
    """The events of all scenarios in words."""
    named: dict[str, list[str]] = {}
    for event in dict.fromkeys(event for view in views for event in view.events):
        named.setdefault(event.name, []).append(_span(event))
    if not named:
        return ""
    shown = [
        f"{name} ({', '.join(spans[:_NAMED_SPANS])}{', …' * (len(spans) > _NAMED_SPANS)})"
        for name, spans in named.items()
    ]
    more = f" and {len(shown) - _NAMED_EVENTS} more" if len(shown) > _NAMED_EVENTS else ""
    return f" Shaded days: asked for, {', '.join(shown[:_NAMED_EVENTS])}{more}."


def _span(event: Event) -> str:
    first, last = f"{event.first.day} {event.first:%b}", f"{event.last.day} {event.last:%b}"
    return first if first == last else f"{first} to {last}"


def channels(views: Views) -> Figure:
    """Share of each channel group, at sites and at edges."""
    kinds = sorted({(channel, virtual) for view in views for channel, virtual, _ in view.mix.routes})
    rows = []
    for view in views:
        whole = sum(arrivals for *_, arrivals in view.mix.routes) or 1
        for channel, virtual, arrivals in view.mix.routes:
            rows.append((view.scenario_id, _kind(channel, virtual), arrivals, rounded(arrivals / whole)))
    shades = [charts.A, charts.B, charts.C, charts.D, charts.SOFT]
    encoding = {
        "y": charts.name("scenario", axis={"title": None, "labelLimit": 150, "domain": False}),
        "x": charts.number("share", "share of arrivals", "%", scale={"domain": [0, 1]}),
        "color": charts.colours("channel", [(_kind(*kind), shades[place % 5]) for place, kind in enumerate(kinds)])
        | {"legend": {"columns": 1}},
        "tooltip": charts.tips(scenario="", channel="", arrivals=",", share=".2%"),
    }
    said = [
        (view.scenario_id, f"{percent(view.virtual / view.arrivals) if view.arrivals else 'none'}") for view in views
    ]
    return Figure(
        "channels",
        f"Virtual arrivals, which land on edges, are {each(said)} of all",
        f"One bar for each scenario, in parts by channel: {_largest(rows)}.",
        "Share of arrivals by channel group and route: physical arrivals land at sites, virtual ones on edges of a merchant "
        "that sells without a place. All arrivals of the compared keys.",
        "the virtual share lies between 3% and 8% (gate T7).",
        ("scenario", "channel", "arrivals", "share"),
        rows,
        charts.marks("bar", encoding, height=44 * max(len(views), 1)),
        panel_px=400,
    )


def _kind(channel: str, virtual: bool) -> str:
    return f"{channel}, {'virtual' if virtual else 'physical'}"


def _largest(rows: list[tuple[str, str, int, float | None]]) -> str:
    if not rows:
        return "none has arrivals"
    scenario, channel, _, share = max(rows, key=lambda row: row[2])
    return f"the largest is {channel} with {percent(share or 0.0)} in {scenario}"
