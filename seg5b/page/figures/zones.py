"""12, 15: time zones, by rank and on a map."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache

import numpy as np

from seg5b.page.facts.places import Places
from seg5b.page.figure import Figure, rounded
from seg5b.page.frame import PLOT, Axis, Box, drawing, plot
from seg5b.page.marks import line, rows_of_bars
from seg5b.page.scales import count, counted, percent, zone_name
from seg5b.page.svg import element, hint, label, path
from seg5b.tzdb import open_tzdb

LARGEST = 12
_T6 = 10


def zones(facts: Places) -> tuple[Figure, ...]:
    """Figures 12a and 12b (zones by rank) and 15 (zones on a map)."""
    return _ranked(facts), _largest(facts), _map(facts)


def _ranked(facts: Places) -> Figure:
    sizes = facts.zone_counts()
    climbed = np.cumsum(sizes) / max(int(sizes.sum()), 1)
    rank = (np.arange(sizes.size) + 1) / max(sizes.size, 1)
    x, y = PLOT.across(0, 1), PLOT.upward(0, 1)
    ten = min(_T6, sizes.size)
    share = float(climbed[ten - 1]) if sizes.size else 0.0
    at = ten / max(sizes.size, 1)
    points = [(0.0, 0.0), *zip(rank.tolist(), climbed.tolist(), strict=True)]
    marks = [
        line(x, y, [(at, 0), (at, 1)], "rule"),
        line(x, y, points, "a"),
        element("circle", cx=x(at), cy=y(share), r=4.0, class_="spot a"),
        label(x(at) + 10, y(share) + 16, f"top {ten}: {100 * share:.1f}%", class_="value"),
    ]
    axes = (Axis(x, "part of all zones, busiest first", percent), Axis(y, "share of arrivals", percent))
    return Figure(
        "12a",
        f"The {ten} busiest of {count(sizes.size)} zones hold {100 * share:.1f}%",
        (plot(PLOT, *axes, marks, "cumulative share of zones"),),
        "Cumulative share of arrivals over primary zones, busiest first; the dashed line stands at the tenth (gate T6).",
        "at most 72% at the dashed line (grade B), at most 62% for B+.",
        {"zones": int(sizes.size), "top10_share": rounded(share)},
    )


def _largest(facts: Places) -> Figure:
    shown = facts.zones[:LARGEST]
    whole = max(int(facts.zone_counts().sum()), 1)
    box = Box(400, 8 + 25 * max(len(shown), 6), 146, 52, 0, 0)
    entries = [(zone_name(tzid), float(n), f"{100 * n / whole:.1f}%", "a") for tzid, n, _ in shown]
    marks = rows_of_bars(box, entries, max((size for _, size, *_ in entries), default=1.0), first=2, step=25)
    leader = shown[0][0] if shown else "none"
    return Figure(
        "12b",
        f"{leader} leads",
        (drawing(box, marks, "largest zones"),),
        f"The {counted(len(shown), 'largest zone')} by share of arrivals.",
        "large economies lead; no zone holds more than about a fifth.",
        {"largest": [[tzid, arrivals] for tzid, arrivals, _ in shown]},
    )


def _map(facts: Places) -> Figure:
    box = Box(400, 240, 0, 0, 4, 4)
    known = zone_positions()
    x, y = box.across(-180, 180), box.upward(_mercator(-56), _mercator(80))
    busy = {tzid for tzid, *_ in facts.zones}
    marks = [*_graticule(box)]
    backdrop = [
        element("circle", cx=x(east), cy=y(_mercator(north)), r=1.3)
        for tzid, (north, east) in known.items()
        if tzid not in busy
    ]
    marks.append(element("g", *backdrop, class_="backdrop"))
    largest = max((arrivals for _, arrivals, _ in facts.zones), default=1)
    for tzid, arrivals, virtual in facts.zones:
        if tzid in known:
            north, east = known[tzid]
            note = f"{tzid}: {counted(arrivals, 'arrival')}, {100 * virtual / arrivals:.0f}% virtual"
            look = "b" if 2 * virtual > arrivals else "a"
            size = 1.4 + 15 * (arrivals / largest) ** 0.5
            marks.append(
                element("circle", hint(note), cx=x(east), cy=y(_mercator(north)), r=size, class_=f"bubble {look}")
            )
    unplaced = sum(arrivals for tzid, arrivals, _ in facts.zones if tzid not in known)
    return Figure(
        "15",
        f"Arrivals land in {count(len(facts.zones))} time zones",
        (drawing(box, marks, "zones on a map"),),
        "A dot at the principal place of each zone (zone.tab, Mercator), its area by arrivals; grey: zones without. "
        f"{count(unplaced)} arrivals are in zones that have no place there.",
        "the weight lies where the merchants are; virtual trade reaches further.",
        {"zones": [[tzid, arrivals, virtual] for tzid, arrivals, virtual in facts.zones]},
        (("a round", "mostly physical"), ("b round", "mostly virtual")),
    )


def _graticule(box: Box) -> list[str]:
    x, y = box.across(-180, 180), box.upward(0, 1)
    at = box.upward(_mercator(-56), _mercator(80))
    levels = [path([(x(-180), at(_mercator(n))), (x(180), at(_mercator(n)))], class_="grid") for n in (-30, 0, 30, 60)]
    return [*levels, *(path([(x(east), y(0)), (x(east), y(1))], class_="grid") for east in range(-180, 181, 60))]


def _mercator(north: float) -> float:
    """Mercator's height of a latitude in degrees."""
    return math.log(math.tan(math.pi / 4 + math.radians(max(-85.0, min(85.0, north))) / 2))


_ISO_6709 = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?$")


@cache
def zone_positions() -> Mapping[str, tuple[float, float]]:
    """Degrees north and east of each zone's principal place."""
    found = {}
    for row in open_tzdb().table("zone.tab").splitlines():
        fields = row.split("\t")
        match = None if row.startswith("#") or len(fields) < 3 else _ISO_6709.match(fields[1])
        if match:
            south, lat, lat_m, _, west, lon, lon_m, _ = match.groups()
            north, east = int(lat) + int(lat_m) / 60, int(lon) + int(lon_m) / 60
            found[fields[2]] = (-north if south == "-" else north, -east if west == "-" else east)
    return found
