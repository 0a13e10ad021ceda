"""Where arrivals land: zones on a map, the largest zones and countries, zones by rank."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from seg5b.page import charts
from seg5b.page.figure import Figure
from seg5b.page.measured import Measured, Views, names
from seg5b.page.wording import count, each, percent, rounded
from seg5b.tzdb import open_tzdb

LARGEST = 12
_T6 = 10


def places(views: Views) -> tuple[Figure, ...]:
    """The map of zones, the largest zones, the largest countries."""
    return _map(views), _largest_zones(views), _countries(views)


class Position(NamedTuple):
    """Principal place of a zone: country (ISO 3166), degrees north and east."""

    country: str
    north: float
    east: float


_ISO_6709 = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?$")


@cache
def zone_positions() -> Mapping[str, Position]:
    """The principal place of each zone, from zone.tab of the time-zone database."""
    found = {}
    for row in open_tzdb().table("zone.tab").splitlines():
        fields = row.split("\t")
        match = None if row.startswith("#") or len(fields) < 3 else _ISO_6709.match(fields[1])
        if match:
            south, lat, lat_m, _, west, lon, lon_m, _ = match.groups()
            north, east = int(lat) + int(lat_m) / 60, int(lon) + int(lon_m) / 60
            found[fields[2]] = Position(fields[0], -north if south == "-" else north, -east if west == "-" else east)
    return found


@cache
def _country_names() -> Mapping[str, str]:
    """English names by code, from iso3166.tab of the time-zone database."""
    rows = (row.split("\t") for row in open_tzdb().table("iso3166.tab").splitlines() if not row.startswith("#"))
    return {fields[0]: fields[1] for fields in rows if len(fields) > 1}


def _map(views: Views) -> Figure:
    known = zone_positions()
    rows, unplaced = [], 0
    for view in views:
        whole = max(int(view.places.zone_counts().sum()), 1)
        for tzid, arrivals, virtual in view.places.zones:
            if tzid not in known:
                unplaced += arrivals
            at = known.get(tzid, Position("", float("nan"), float("nan")))
            kind = "mostly virtual" if 2 * virtual > arrivals else "mostly physical"
            place = (rounded(at.north), rounded(at.east))
            rows.append((view.scenario_id, tzid, arrivals, rounded(arrivals / whole), virtual, kind, *place))
    largest = max((row[2] for row in rows), default=1)
    parts = [_world(view.scenario_id, largest) for view in views]
    if any(_crowded(view) for view in views):
        parts += [_world(view.scenario_id, largest, close=True) for view in views]
    used = [(view.scenario_id, f"{count(len(view.places.zones))} time zones") for view in views]
    lead = [(view.scenario_id, f"{view.places.zones[0][0]}" if view.places.zones else "none") for view in views]
    return Figure(
        "map",
        f"Arrivals land in {each(used)}; most in {each(lead)}",
        f"A map of the world for each scenario with a circle for each time zone; the largest is {each(lead)}.",
        "A circle at the principal place of each zone (zone.tab), its area by arrivals. "
        f"{count(unplaced)} arrivals are in zones that have no place there. Coast and borders: Natural Earth.",
        "the weight lies where the merchants are; virtual trade reaches further.",
        ("scenario", "zone", "arrivals", "share", "virtual", "kind", "north", "east"),
        rows,
        {"concat": parts, "columns": 2},
        panel_px=300,
        wide=True,
    )


_EUROPE = (-12.0, 32.0, 34.0, 66.0)
"""Where zones crowd: degrees west, east, south, north."""


def _crowded(view: Measured) -> bool:
    """Whether so many zones of Europe have arrivals that they cover each other on a map of the world."""
    west, east, south, north = _EUROPE
    at = [zone_positions().get(tzid) for tzid, *_ in view.places.zones]
    return sum(place is not None and west < place.east < east and south < place.north < north for place in at) >= 10


def _world(scenario_id: str, largest: int, *, close: bool = False) -> charts.Part:
    """The map of a scenario: the world, or Europe ``close``."""
    earth = charts.marks(
        {"type": "geoshape", "fill": "var(--land)", "stroke": "var(--coast)", "strokeWidth": 0.5, "clip": close}, {}
    )
    earth["data"] = {"name": "land"}
    power = 10 ** max(len(str(largest)) - 1, 0)
    steps = sorted({max(power // 100, 1), max(power // 10, 1), power, largest // power * power})
    size = {
        "field": "arrivals",
        "type": "quantitative",
        "scale": {"type": "sqrt", "domain": [0, largest], "range": [3, 500]},
        "legend": {
            "title": "arrivals",
            "symbolFillColor": charts.SOFT,
            "symbolStrokeWidth": 0,
            "labelExpr": "format(datum.value, '~s')",
            "values": steps,
        },
    }
    circles = charts.marks(
        {"type": "circle", "opacity": 0.7, "stroke": "var(--card)", "strokeWidth": 0.8, "clip": close},
        {
            "longitude": {"field": "east", "type": "quantitative"},
            "latitude": {"field": "north", "type": "quantitative"},
            "size": size,
            "color": charts.colours("kind", [("mostly physical", charts.A), ("mostly virtual", charts.B)]),
            "tooltip": charts.tips(scenario="", zone="", arrivals=",", share=".2%", virtual=","),
        },
        transform=[{"filter": {"field": "scenario", "equal": scenario_id}}, {"filter": "datum.north !== null"}],
    )
    if close:
        west, east, south, north = _EUROPE
        circles["transform"].append({"filter": {"field": "east", "range": [west, east]}})
        circles["transform"].append({"filter": {"field": "north", "range": [south, north]}})
    # The scale of a projection is in pixels: the page's program multiplies it with the width that the map gets.
    mercator = {"type": "mercator", "center": [10, 51.5], "scale": {"ratio": 1.15}}
    projection = mercator if close else {"type": "equalEarth"}
    title = f"{scenario_id}, Europe" if close else scenario_id
    return {"title": title, "layer": [earth, circles], "projection": projection, "height": {"ratio": 0.52}}


def _bars(views: Views, anchor: str, field: str, title: str, alt: str, shows: str, good: str) -> Figure:
    rows = [(view.scenario_id, *row) for view in views for row in _ranked(view, field)]
    encoding = {
        "y": charts.name(field, axis={"title": None, "labelLimit": 120, "domain": False}),
        "x": charts.number("share", "share of arrivals", ".0%"),
        "tooltip": charts.tips(scenario="", **{field: ""}, arrivals=",", share=".2%"),
    }
    drawn = charts.marks("bar", encoding, height={"step": 19})
    columns = ("scenario", field, "arrivals", "share")
    return Figure(anchor, title, alt, shows, good, columns, rows, charts.panels(drawn, names(views)))


def _ranked(view: Measured, field: str) -> list[tuple[str, int, float | None]]:
    amounts: dict[str, int] = {}
    for tzid, arrivals, _ in view.places.zones:
        known = zone_positions().get(tzid)
        code = known.country if known else ""
        key = tzid if field == "zone" else _country_names().get(code, code or "no country")
        amounts[key] = amounts.get(key, 0) + arrivals
    whole = max(sum(amounts.values()), 1)
    ordered = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))[:LARGEST]
    return [(key, arrivals, rounded(arrivals / whole)) for key, arrivals in ordered]


def _largest_zones(views: Views) -> Figure:
    shares = [(view.scenario_id, percent(top_ten(view))) for view in views]
    return _bars(
        views,
        "largest-zones",
        "zone",
        f"The ten busiest time zones hold {each(shares)} of arrivals",
        f"Bars of the {LARGEST} largest zones of each scenario: {each(_leaders(views, 'zone'))}.",
        f"Share of arrivals of the {LARGEST} largest primary zones.",
        "the ten busiest hold at most 72% (gate T6, grade B), or 62% (B+).",
    )


def _countries(views: Views) -> Figure:
    lead = each(_leaders(views, "country"))
    return _bars(
        views,
        "largest-countries",
        "country",
        f"The largest countries: {lead}",
        f"Bars of the {LARGEST} largest countries of each scenario: {lead}.",
        "Share of arrivals by country of the primary zone (zone.tab); a zone that several countries share counts for the "
        "country of its principal place.",
        "large economies lead, unless the world was asked to be otherwise.",
    )


def _leaders(views: Views, field: str) -> list[tuple[str, str]]:
    found = []
    for view in views:
        first = [f"{key} {percent(share or 0.0)}" for key, _, share in _ranked(view, field)[:2]]
        found.append((view.scenario_id, ", then ".join(first) or "none"))
    return found


def top_ten(view: Measured) -> float:
    """Share of arrivals of the ten busiest zones: gate T6."""
    sizes = view.places.zone_counts()
    return float(np.sort(sizes)[::-1][:_T6].sum() / max(int(sizes.sum()), 1))
