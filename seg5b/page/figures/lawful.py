"""Is it lawful: zones and their clocks day by day; differences of counts and errors of clocks, where there are any."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seg5b.page import charts
from seg5b.page.facts.clocks import ZoneDays
from seg5b.page.facts.places import POINTS
from seg5b.page.figure import Figure
from seg5b.page.measured import Measured, Views, names
from seg5b.page.wording import count, counted, each, iso_day, percent, rounded

_FARTHEST = 50
_CLOSE = 0.99


def lawful(views: Views) -> tuple[Figure, ...]:
    """Clocks by zone and day, merchants; differences between S3 and S4 and errors of clocks only where there are any."""
    found = [_days(views), _merchants(views)]
    if any(view.keys.unequal for view in views):
        found.insert(0, _differences(views))
    if any(view.clocks.wrong or view.clocks.unknown for view in views):
        found.insert(0, _errors(views))
    return tuple(found)


def _days(views: Views) -> Figure:
    rows = [row for view in views for zone in view.clocks.zones for row in _zone_days(view, zone)]
    wrong = [(view.scenario_id, sum(int(zone.wrong.sum()) for zone in view.clocks.zones)) for view in views]
    changes = each(
        [(view.scenario_id, counted(view.clocks.changing, "zone in use has", "zones in use have")) for view in views]
    )
    said = each([(scenario, counted(number, "wrong wall clock")) for scenario, number in wrong])
    encoding = {
        "x": {"field": "day", "type": "ordinal", "title": None, "timeUnit": "utcyearmonthdate",
              "axis": {"format": "%-d %b", "labelAngle": 0, "labelSeparation": 20}},
        "y": charts.name("zone", axis={"title": None, "labelLimit": 120, "domain": False}),
    }  # fmt: skip
    state = charts.colours(
        "state", [("clocks right", "var(--h2)"), ("offset changes", charts.A), ("some clocks wrong", charts.B)]
    )
    tips = charts.tips(scenario="", zone="", day=":%a %-d %b %Y", arrivals=",", wrong=",", state="")
    drawn = charts.marks(
        {"type": "rect", "stroke": "var(--card)", "strokeWidth": 1},
        {**encoding, "color": state, "tooltip": tips},
        height={"step": 19},
    )
    return Figure(
        "clocks-by-zone",
        f"{said} in the zones where errors are likeliest" if any(number for _, number in wrong)
        else "No wall clock is wrong, on days when clocks change either",
        f"A grid of zones by day, coloured by whether wall clocks are right: {said}.",
        "The zones with most errors, then those whose offset changes within the horizon, then the busiest, on UTC days with "
        f"arrivals. {changes} such a change.",
        "no orange, least of all beside a change.",
        ("scenario", "zone", "day", "arrivals", "wrong", "state"),
        rows,
        charts.panels(drawn, names(views)),
    )  # fmt: skip


def _zone_days(view: Measured, zone: ZoneDays) -> Iterator[tuple[str | int, ...]]:
    changes = {int(at) for at in zone.changes}
    for place in range(zone.arrivals.size):
        arrivals, wrong = int(zone.arrivals[place]), int(zone.wrong[place])
        if arrivals or place in changes:
            state = "some clocks wrong" if wrong else "offset changes" if place in changes else "clocks right"
            yield view.scenario_id, zone.tzid, iso_day(view.first_day + place), arrivals, wrong, state


def _errors(views: Views) -> Figure:
    rows: list[tuple[str, str, int]] = []
    for view in views:
        rows += [
            (view.scenario_id, f"{error:+,.6g} s" if error else "right", arrivals)
            for error, arrivals in view.clocks.errors
        ]
        if view.clocks.unknown:
            rows.append((view.scenario_id, "unknown zone", view.clocks.unknown))
    said = each([(view.scenario_id, counted(view.clocks.wrong, "wall clock")) for view in views])
    encoding = {
        "y": charts.name("error", axis={"title": None, "domain": False}),
        "x": charts.number("arrivals", "arrivals", "~s", scale={"type": "symlog"}),
        "tooltip": charts.tips(scenario="", error="", arrivals=","),
    }
    return Figure(
        "clock-errors",
        f"{said} wrong",
        f"Bars of arrivals by error of their wall clock: {said} wrong.",
        "Written minus true wall clock: the primary local time beside UTC plus the offset that the time-zone database gives.",
        "nothing but right clocks; one hour to either side is a missed change of offset.",
        ("scenario", "error", "arrivals"),
        rows,
        charts.panels(charts.marks("bar", encoding, height={"step": 22}), names(views)),
    )


def _differences(views: Views) -> Figure:
    rows = []
    for view in views:
        clipped: dict[int, int] = {}
        for gap, keys in view.keys.residuals().items():
            at = max(-_FARTHEST, min(_FARTHEST, gap))
            clipped[at] = clipped.get(at, 0) + keys
        rows += [(view.scenario_id, gap, keys) for gap, keys in sorted(clipped.items())]
    said = each([(view.scenario_id, counted(view.keys.unequal, "key differs", "keys differ")) for view in views])
    encoding = {
        "x": charts.number("difference", "arrivals of S4 minus count of S3", "+d"),
        "y": charts.number("keys", "keys", "~s", scale={"type": "symlog"}),
        "tooltip": charts.tips(scenario="", difference="+d", keys=","),
    }
    return Figure(
        "differences",
        f"{said} between S3 and S4",
        f"Bars of keys by the difference of their arrivals and count: {said}.",
        f"A key is a series and a bucket; differences are clipped at ±{_FARTHEST}.",
        "one bar, at zero.",
        ("scenario", "difference", "keys"),
        rows,
        charts.panels(charts.marks({"type": "bar", "width": 6}, encoding, height=200), names(views)),
    )


def _merchants(views: Views) -> Figure:
    rows, said, left_out = [], [], 0
    for view in views:
        promised, seen = view.places.promised * 1e-6, view.places.seen
        both = (promised > 0) & (seen > 0)
        left_out += int((~both).sum())
        for expected, arrivals in zip(promised[both][:POINTS].tolist(), seen[both][:POINTS].tolist(), strict=True):
            rows.append((view.scenario_id, rounded(expected), arrivals))
        found = view.places.correlation()
        said.append((view.scenario_id, f"r = {found:.4f}" if np.isfinite(found) else "r unknown"))
    close = all(view.places.correlation() >= _CLOSE for view in views)
    ends = [value for _, *pair in rows for value in pair if value] or [1, 10]
    guide = charts.marks(
        {"type": "line", "color": charts.SOFT, "strokeWidth": 1.2, "strokeDash": [4, 4]},
        {"x": {"field": "expected", "type": "quantitative"}, "y": {"field": "arrivals", "type": "quantitative"}},
        data={"values": [{"expected": end, "arrivals": end} for end in (min(ends), max(ends))]},
    )
    encoding = {
        "x": charts.number("expected", "intensity summed over the horizon", "~s", scale={"type": "log"}, tickCount=4),
        "y": charts.number("arrivals", "arrivals of the merchant", "~s", scale={"type": "log"}, tickCount=4),
    }
    tips = charts.tips(scenario="", expected=",.1f", arrivals=",")
    drawn = charts.layer(guide, charts.points(encoding, tips, size=14, opacity=0.7, strokeWidth=4), height=230)
    return Figure(
        "merchants",
        f"{'Merchants get what their intensity says' if close else 'Merchants stray from their intensity'}, {each(said)}",
        f"A cloud of merchants along the diagonal of arrivals against intensity, {each(said)}.",
        f"Merchants taken by a hash of their id, at most {count(POINTS)} a scenario; {count(left_out)} have no arrival or no "
        "intensity and no place on a logarithmic axis. r is over all.",
        "a thin line of dots along the diagonal; small merchants scatter more.",
        ("scenario", "expected", "arrivals"),
        rows,
        charts.panels(drawn, names(views)),
    )


def wrong_hours(view: Measured) -> int:
    """Arrivals written into another local hour than their true one."""
    return int(view.clocks.hours.sum() - view.clocks.hours.trace())


def share_of(part: int, whole: int) -> str:
    """A share in percent, or a dash."""
    return percent(part / whole, 2) if whole else "–"
