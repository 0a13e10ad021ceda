"""Does it look right in time: hours, weeks, weekends, daily profiles."""

from __future__ import annotations

import math
from collections.abc import Iterator

from seg5b.page import charts
from seg5b.page.facts.hours import HourProfile, shares
from seg5b.page.figure import Figure
from seg5b.page.measured import Measured, Views, names
from seg5b.page.wording import each, percent, rounded

_MILLIONTH = 1e-6
_KEPT_PP = 0.5
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TWO_OF_SEVEN = 2 / 7
_HOUR = charts.number("hour", "local hour", scale={"domain": [0, 23], "nice": False}, values=[0, 6, 12, 18, 23])


def rhythm(views: Views) -> tuple[Figure, ...]:
    """Hours of the week by channel, local hours by route, weekend shares, daily profiles of demand classes."""
    return _weeks(views), _routes(views), _weekends(views), _profiles(views)


def _weeks(views: Views) -> Figure:
    rows, peaks = [], []
    for view in views:
        said = []
        for channel, week in view.mix.week.items():
            whole = max(int(week.sum()), 1)
            day, hour = divmod(int(week.argmax()), 24)
            said.append(f"{channel} {_DAYS[day]} {hour}:00")
            panel = f"{channel} · {view.scenario_id}"
            for (weekday, at), arrivals in zip(
                ((d, h) for d in range(7) for h in range(24)), week.ravel(), strict=True
            ):
                cell = (view.scenario_id, channel, _DAYS[weekday], at, int(arrivals), rounded(int(arrivals) / whole))
                rows.append((*cell, panel))
        peaks.append((view.scenario_id, ", ".join(said) or "none"))
    most = max((row[5] or 0.0 for row in rows), default=0.0) or 1.0
    drawn = charts.marks(
        {"type": "rect", "stroke": "var(--card)", "strokeWidth": 1},
        {
            "x": {
                "field": "hour",
                "type": "ordinal",
                "title": "local hour",
                "axis": {"labelAngle": 0, "labelOverlap": True},
            },
            "y": charts.name("weekday", axis={"title": None, "domain": False}),
            "color": charts.steps("share", "share of the week", ".1%", (0, most)),
            "tooltip": charts.tips(scenario="", channel="", weekday="", hour="", arrivals=",", share=".2%"),
        },
        height=150,
    )
    return Figure(
        "week-by-hour",
        f"The busiest hour of the week: {each(peaks)}",
        f"Heat maps of 7 weekdays by 24 hours, one for each scenario and channel; busiest hours: {each(peaks)}.",
        "Share of a channel's arrivals in each hour of the week, by the primary local clock at the beginning of their bucket.",
        "nights are pale, days follow one another, and the weekend differs from the working week.",
        ("scenario", "channel", "weekday", "hour", "arrivals", "share", "panel"),
        rows,
        charts.panels(drawn, (row[-1] for row in rows), "panel", 7),
        panel_px=330,
        wide=True,
    )


def _routes(views: Views) -> Figure:
    rows, peaks = [], []
    for view in views:
        said = []
        for route, hours in (("physical", view.hours.physical), ("virtual", view.hours.virtual)):
            if not hours.sum():
                continue
            said.append(f"{route} at {int(hours.argmax())}:00")
            for hour, (arrivals, share) in enumerate(zip(hours.tolist(), shares(hours).tolist(), strict=True)):
                rows.append((view.scenario_id, route, hour, arrivals, rounded(share)))
        peaks.append((view.scenario_id, ", ".join(said) or "none"))
    encoding = {
        "x": _HOUR,
        "y": charts.number("share", "share of the route's arrivals", ".0%", scale={"zero": True}),
        "color": charts.colours("route", [("physical", charts.A), ("virtual", charts.B)]),
    }
    tips = charts.tips(scenario="", route="", hour="", arrivals=",", share=".2%")
    dash = {"strokeDash": {"field": "route", "type": "nominal", "scale": {"range": [[1, 0], [6, 3]]}, "legend": None}}
    drawn = charts.layer(charts.marks("line", {**encoding, **dash}), charts.points(encoding, tips))
    return Figure(
        "local-hours",
        f"Peaks of the day: {each(peaks)}",
        f"Lines of the share of arrivals by local hour, physical and virtual; peaks: {each(peaks)}.",
        "Share of arrivals by hour of the primary local clock. Physical arrivals land at a site, virtual ones on an edge.",
        "physical trade sleeps at night and peaks by day; virtual trade is flatter.",
        ("scenario", "route", "hour", "arrivals", "share"),
        rows,
        charts.panels(drawn, names(views)),
    )


def _weekends(views: Views) -> Figure:
    rows, said = [], []
    for view in views:
        found = {}
        for kind, part, whole in view.hours.weekend:
            share = part / whole if whole else 0.0
            found[kind] = share
            amount = whole * _MILLIONTH if kind.startswith("expected") else whole
            rows.append((view.scenario_id, kind, rounded(share) if whole else None, rounded(amount, 9)))
        seen, expected = found.get("all arrivals", 0.0), found.get("expected by S2", 0.0)
        said.append((view.scenario_id, f"{percent(seen, 2)}, expected {percent(expected, 2)}"))
    drawn = charts.layer(
        charts.rule("x", _TWO_OF_SEVEN),
        charts.points(
            {
                "y": charts.name("kind", axis={"title": None, "grid": True, "domain": False}),
                "x": charts.number(
                    "share", "share on Saturday and Sunday", ".0%", scale={"zero": False, "padding": 16}, tickCount=3
                ),
            },
            charts.tips(scenario="", kind="", share=".2%"),
            size=90,
        ),
        height=130,
    )
    return Figure(
        "weekend",
        f"Weekend share {each(said)}",
        f"Points of the share of arrivals on Saturday and Sunday: {each(said)}.",
        "Share on Saturday and Sunday by the primary local clock; S2's intensity counts in the zone of its series. The dashed "
        "line is 2 days of 7, 28.57%.",
        "all arrivals differ from the expected share by less than 0.2 percentage points.",
        ("scenario", "kind", "share", "amount"),
        rows,
        charts.panels(drawn, names(views)),
    )


def _profiles(views: Views) -> Figure:
    rows = [row for view in views for row in _profile_rows(view)]
    worst = [(view.scenario_id, max((one.gap_pp for one in view.hours.profiles), default=0.0)) for view in views]
    said = each([(scenario, f"{gap:.2f} points") for scenario, gap in worst])
    kept = all(gap <= _KEPT_PP for _, gap in worst)
    band = {
        "x": _HOUR,
        "y": charts.number("low", "share of the day", ".0%", scale={"zero": True}),
        "y2": {"field": "high"},
    }
    line = {"x": _HOUR, "y": charts.number("share", "share of the day", ".0%", scale={"zero": True})}
    tips = charts.tips(
        scenario="", demand_class="", hour="", arrivals=",", share=".2%", expected=".2%", low=".2%", high=".2%"
    )
    drawn = charts.layer(
        charts.marks("area", {**band, "color": charts.named("expected", _KEY)}),
        charts.marks("line", {**line, "color": charts.named("arrivals", _KEY)}),
        charts.points(line, tips),
        height=140,
    )
    compared = "" if all(view.thinning == 1 for view in views) else " Some keys are compared."
    return Figure(
        "daily-profiles",
        f"Each demand class keeps its expected day, within {said} on average"
        if kept
        else f"Daily profiles deviate from the expected ones by up to {said} on average",
        f"One panel for each demand class and scenario: arrivals by local hour inside the expected band. Mean gap {said}.",
        "Line: share of arrivals by local hour, physical ones on the wall clock where they land, virtual ones on that of their "
        f"series. Band: what S2 expects, plus and minus two standard deviations of S3's count law.{compared}",
        "the line stays in the band. A flat or shifted one means that arrivals left the zone they were shaped for.",
        ("scenario", "demand_class", "hour", "expected", "low", "high", "share", "arrivals", "panel"),
        rows,
        charts.panels(drawn, (row[-1] for row in rows), "panel", 7),
        panel_px=160,
        wide=True,
    )


_KEY = [("arrivals", charts.A), ("expected", charts.BAND)]


def _profile_rows(view: Measured) -> Iterator[tuple[str | int | float | None, ...]]:
    for profile in view.hours.profiles:
        name = class_name(profile)
        whole = float(profile.promised.sum()) or 1.0
        expected, seen = shares(profile.promised).tolist(), shares(profile.seen).tolist()
        for hour in range(24):
            spread = 2 * math.sqrt(float(profile.variance[hour]) / _MILLIONTH) / whole
            band = (rounded(max(expected[hour] - spread, 0.0)), rounded(expected[hour] + spread))
            amounts = (rounded(expected[hour]), *band, rounded(seen[hour]), int(profile.seen[hour]))
            yield (view.scenario_id, name, hour, *amounts, f"{name} · {view.scenario_id}")


def class_name(profile: HourProfile) -> str:
    """A demand class, and whether its series are virtual."""
    return f"{profile.demand_class}{', virtual' if profile.virtual_series else ''}"
