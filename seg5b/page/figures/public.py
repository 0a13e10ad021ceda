"""Beside public figures: hours and days of demand classes, countries, and how days scatter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from seg5b.page import charts
from seg5b.page.facts.hours import shares
from seg5b.page.figure import Cell, Figure
from seg5b.page.figures.places import zone_positions
from seg5b.page.measured import Measured, Views
from seg5b.page.wording import counted, each, percent, rounded
from seg5b.public_tables import card_payments
from seg5b.world.public_hours import PublicShape, shapes_by_class

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_KEY = [("this run", charts.A), ("public", charts.B)]
_DASH = {"strokeDash": [5, 3]}
_LEAST_ARRIVALS = 1_000
_LABELLED = 0.02
_LEVEL, _SLOPE = 0.006, 2.0
"""Of 54 shops with 141 million payments: squared variation of a day = level + slope / mean."""


def public(views: Views) -> tuple[Figure, ...]:
    """Hours, days, countries, scatter of days."""
    return _hours(views), _days(views), _countries(views), _scatter(views)


def _hours(views: Views) -> Figure:
    axis = charts.number("hour", "local hour", scale={"domain": [0, 23], "nice": False}, values=[0, 6, 12, 18, 23])
    rows, furthest = _beside(views, lambda week: week.sum(axis=0), lambda shape: shape.hours, range(24))
    return Figure(
        "public-hours",
        f"Part of the arrivals in other hours than public tables have: {furthest}",
        f"One panel for each demand class and scenario: shares by local hour beside the public shape; {furthest}.",
        "Share of arrivals by hour of the local clock where they land, and the public table of weekly shapes. Online classes "
        "are seen by their customers' clocks.",
        "both lines have their peak and their night in the same hours; a few hundredths are in other hours.",
        ("scenario", "demand_class", "hour", "arrivals", "share", "public", "panel"),
        rows,
        charts.panels(_two_lines(axis), (row[-1] for row in rows), "panel", 7),
        panel_px=160,
        wide=True,
    )


def _days(views: Views) -> Figure:
    axis = {"field": "weekday", "type": "ordinal", "title": None, "sort": list(_DAYS), "axis": {"labelAngle": 0}}
    rows, furthest = _beside(views, lambda week: week.sum(axis=1), lambda shape: shape.days, _DAYS)
    return Figure(
        "public-days",
        f"Part of the arrivals on other weekdays than public tables have: {furthest}",
        f"One panel for each demand class and scenario: shares by weekday beside the public shape; {furthest}.",
        "Share of arrivals by weekday of the local clock where they land, and the public table of weekly shapes. Holidays, "
        "shut Sundays and a horizon of broken weeks move it.",
        "offices rest at the weekend, restaurants do not.",
        ("scenario", "demand_class", "weekday", "arrivals", "share", "public", "panel"),
        rows,
        charts.panels(_two_lines(axis), (row[-1] for row in rows), "panel", 7),
        panel_px=160,
        wide=True,
    )


def _beside(
    views: Views,
    summed: Callable[[np.ndarray], np.ndarray],
    table: Callable[[PublicShape], Sequence[int]],
    places: Sequence[str | int],
) -> tuple[list[tuple[Cell, ...]], str]:
    """Rows of every class and scenario, a place of the axis each, and in words which class lies furthest from its table."""
    rows: list[tuple[Cell, ...]] = []
    said = []
    for view in views:
        apart = {}
        for name, week in view.mix.class_week.items():
            arrivals = summed(week)
            seen, known = shares(arrivals), shares(np.array(table(shapes_by_class()[name])))
            apart[name] = float(np.abs(seen - known).sum() / 2)
            panel = f"{name} · {view.scenario_id}"
            for place, amount, share, wanted in zip(places, arrivals.tolist(), seen, known, strict=True):
                rows.append((view.scenario_id, name, place, amount, rounded(share), rounded(wanted), panel))
        said.append((view.scenario_id, _furthest(apart)))
    return rows, each(said)


def _two_lines(axis: charts.Part) -> charts.Part:
    tips = charts.tips(scenario="", demand_class="", **{axis["field"]: ""}, arrivals=",", share=".2%", public=".2%")
    seen, known = (
        {"x": axis, "y": charts.number(field, "share", ".0%", scale={"zero": True})} for field in ("share", "public")
    )
    return charts.layer(
        charts.marks({"type": "line", **_DASH}, {**known, "color": charts.named("public", _KEY)}),
        charts.marks("line", {**seen, "color": charts.named("this run", _KEY)}),
        charts.points(seen, tips),
        height=130,
    )


def _furthest(apart: Mapping[str, float]) -> str:
    if not apart:
        return "none"
    name = max(apart, key=lambda each_name: (apart[each_name], each_name))
    return f"at most {percent(apart[name])}, {name}"


def _countries(views: Views) -> Figure:
    rows, said = [], []
    for view in views:
        seen = _by_country(view)
        whole = sum(card_payments()[name] for name in seen) or 1.0
        total = sum(seen.values()) or 1
        for name, arrivals in sorted(seen.items(), key=lambda item: (-item[1], item[0])):
            wanted = card_payments()[name] / whole
            label = name if wanted >= _LABELLED else ""
            rows.append((view.scenario_id, name, arrivals, rounded(arrivals / total), rounded(wanted), label))
        gaps = [
            math.log(arrivals / total * whole / card_payments()[name])
            for name, arrivals in seen.items()
            if arrivals >= _LEAST_ARRIVALS
        ]
        deviation = float(np.std(gaps)) if len(gaps) > 1 else 0.0
        said.append((view.scenario_id, f"{deviation:.2f} over {counted(len(gaps), 'country', 'countries')}"))
    axes = {
        "x": charts.number("public", "share by public figures", "~p", scale={"type": "log"}, tickCount=4),
        "y": charts.number("share", "share of arrivals", "~p", scale={"type": "log"}, tickCount=4),
    }
    ends = {"x": {**axes["x"]}, "y": {**axes["x"], "field": "public", "title": "share of arrivals"}}
    drawn = charts.layer(
        charts.marks({"type": "line", **_DASH, "color": charts.SOFT}, ends),
        charts.points(axes, charts.tips(scenario="", country="", arrivals=",", share=".2%", public=".2%"), size=50),
        charts.marks({"type": "text", "dy": -8, "fontSize": 11}, {**axes, "text": {"field": "label"}}),
        height=300,
    )
    return Figure(
        "public-countries",
        f"Countries beside public card payments, deviation of the log ratio: {each(said)}",
        f"Points of countries by public share and share of arrivals, on logarithmic axes; deviation {each(said)}.",
        "Share of arrivals of each country with a public figure, by the zone where they land, beside population times card "
        f"payments per head. The dashed line is equality; countries below {_LEAST_ARRIVALS:,} arrivals do not count above.",
        "points lie along the line; a deviation below 0.5 is what different but plausible sources have.",
        ("scenario", "country", "arrivals", "share", "public", "label"),
        rows,
        charts.panels(drawn, (row[0] for row in rows)),
        panel_px=300,
    )


def _by_country(view: Measured) -> dict[str, int]:
    """Arrivals of the countries that have a public figure."""
    found: dict[str, int] = {}
    for tzid, arrivals, _ in view.places.zones:
        position = zone_positions().get(tzid)
        if position and position.country in card_payments():
            found[position.country] = found.get(position.country, 0) + arrivals
    return found


def _scatter(views: Views) -> Figure:
    rows, said = [], []
    for view in views:
        for size in view.scatter:
            wanted, poisson = _LEVEL + _SLOPE / size.mean, 1.0 / size.mean
            figures = (
                rounded(size.mean),
                size.series,
                *(rounded(each_one) for each_one in (size.variation, wanted, poisson)),
            )
            rows.append((view.scenario_id, *figures))
        largest = view.scatter[-1] if view.scatter else None
        said.append((view.scenario_id, f"{math.sqrt(largest.variation):.0%}" if largest else "too few weeks"))
    x = charts.number("mean", "arrivals a day", "~s", scale={"type": "log"}, tickCount=4)
    seen, known, least = (
        {"x": x, "y": charts.number(field, "squared variation of a day", "~g", scale={"type": "log"}, tickCount=4)}
        for field in ("variation", "public", "poisson")
    )
    key = [*_KEY, ("Poisson", charts.SOFT)]
    tips = charts.tips(scenario="", mean=",.1f", series=",", variation=".4f", public=".4f", poisson=".4f")
    drawn = charts.layer(
        charts.marks({"type": "line", "strokeWidth": 1.2}, {**least, "color": charts.named("Poisson", key)}),
        charts.marks({"type": "line", **_DASH}, {**known, "color": charts.named("public", key)}),
        charts.marks("line", {**seen, "color": charts.named("this run", key)}),
        charts.points(seen, tips, size=40),
        height=220,
    )
    return Figure(
        "scatter-of-days",
        f"The days of the largest series scatter by {each(said)}",
        f"Lines of the squared variation of daily arrivals by size of a series, beside a public law; largest {each(said)}.",
        "Squared coefficient of variation of a series' arrivals a day, its weekdays removed, by size; beside 0.006 + 2 / mean, "
        "measured at 54 shops, and the 1 / mean of pure chance. Holidays and campaigns add to it.",
        "small series follow chance, large ones flatten near 0.006; flat at any size means that all swing alike.",
        ("scenario", "mean", "series", "variation", "public", "poisson"),
        rows,
        charts.panels(drawn, (row[0] for row in rows)),
        panel_px=300,
    )
