"""Times between arrivals of a merchant, and bursts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seg5b.page import charts
from seg5b.page.facts.gaps import BINS_PER_DECADE, FIRST_DECADE, SIZES, WINDOWS_S, SizeGaps
from seg5b.page.figure import Figure
from seg5b.page.measured import Measured, Views, names
from seg5b.page.wording import counted, each, percent, rounded

_SHADES = (charts.D, charts.C, charts.B, charts.A)
_NAMES = {1: "1 s", 10: "10 s", 60: "1 min"}
_TITLE = "merchants with"
_POWERS = [0.00001, 0.0001, 0.001, 0.01, 0.1, 1]


def bursts(views: Views) -> tuple[Figure, ...]:
    """Inter-arrival times by size of the merchant, and the share of arrivals soon after the last one."""
    return _gaps(views), _bursts(views)


def _shades(views: Views) -> list[tuple[str, str]]:
    used = {gaps.size for view in views for gaps in view.gaps}
    return [(size, shade) for size, shade in zip(SIZES, _SHADES, strict=True) if size in used]


def _looked_at(views: Views) -> str:
    return each([(view.scenario_id, counted(sum(one.merchants for one in view.gaps), "merchant")) for view in views])


def _gap_rows(view: Measured) -> Iterator[tuple[str, str, float | None, int, float | None]]:
    """Scenario, size, middle of a class of lengths in seconds, gaps in it, their share."""
    for one in view.gaps:
        used = one.gaps.nonzero()[0]
        for place in range(int(used[0]), int(used[-1]) + 1) if used.size else ():
            number = int(one.gaps[place])
            share = rounded(number / int(one.gaps.sum()))
            yield view.scenario_id, one.size, rounded(_middle(place), 4), number, share


def _middle(place: int) -> float:
    """Middle of a class of lengths, in seconds."""
    return float(10 ** (FIRST_DECADE + (place + 0.5) / BINS_PER_DECADE))


def _medians(view: Measured) -> str:
    """Median gaps of the largest and the smallest merchants, to their class."""
    found = [_middle(int((one.gaps.cumsum() * 2 >= one.gaps.sum()).argmax())) for one in view.gaps if one.gaps.sum()]
    if not found:
        return "none"
    return f"{_duration(found[-1])} for the largest merchants, {_duration(found[0])} for the smallest"


def _gaps(views: Views) -> Figure:
    rows = [row for view in views for row in _gap_rows(view)]
    medians = [(view.scenario_id, _medians(view)) for view in views]
    encoding = {
        "x": {
            "field": "seconds", "type": "quantitative", "title": "time since the merchant's last arrival",
            "scale": {"type": "log"},
            "axis": {"values": [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000, 86400, 604800], "labelExpr": _CLOCK_LABELS},
        },
        "y": charts.number("share", "share of the gaps", ".0%"),
        "color": charts.colours("size", _shades(views), _TITLE),
    }  # fmt: skip
    tips = charts.tips(scenario="", size="", seconds=".3~s", gaps=",", share=".2%")
    drawn = charts.layer(
        charts.marks({"type": "line", "interpolate": "monotone"}, encoding), charts.points(encoding, tips)
    )
    return Figure(
        "inter-arrival",
        f"Half of the gaps between arrivals are shorter than {each(medians)}",
        f"Lines of how often each gap occurs, on a logarithmic axis of time; medians: {each(medians)}.",
        f"Gaps between an arrival and the merchant's last one, four classes a decade, of {_looked_at(views)}.",
        "one hump for each size of merchant, at about the inverse of its rate; a second hump means bursts or pauses.",
        ("scenario", "size", "seconds", "gaps", "share"),
        rows,
        charts.panels(drawn, names(views)),
    )


_CLOCK_LABELS = (
    "datum.value < 1 ? format(datum.value * 1000, '~g') + ' ms' : datum.value < 60 ? format(datum.value, '~g') + ' s' : "
    "datum.value < 3600 ? format(datum.value / 60, '.0f') + ' min' : datum.value < 86400 ? format(datum.value / 3600, '.0f') "
    "+ ' h' : format(datum.value / 86400, '.0f') + ' d'"
)


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s"


def _bursts(views: Views) -> Figure:
    rows = []
    for view in views:
        for one in view.gaps:
            for place, window in enumerate(WINDOWS_S):
                seen, placed = one.within[place] / max(one.arrivals, 1), one.placed[place]
                same = (view.scenario_id, one.size, _NAMES[window], one.within[place])
                rows.append((*same, "arrivals", rounded(seen) if seen else None))
                rows.append((*same, "placed at random in their buckets", rounded(placed) if placed else None))
    said = [(view.scenario_id, _share(view.gaps, 1)) for view in views]
    encoding = {
        "x": charts.name("within", "after the last arrival", axis={"labelAngle": 0}),
        "y": charts.number("share", "share of arrivals", "~%", scale={"type": "log"}, values=_POWERS),
        "color": charts.colours("size", _shades(views), _TITLE),
    }
    tips = charts.tips(scenario="", size="", within="", kind="", share=".3%")
    at_random = {"filter": "datum.kind !== 'arrivals'"}
    drawn = charts.layer(
        charts.marks(
            {"type": "tick", "thickness": 2.5, "size": 34, "opacity": 1},
            {**encoding, "tooltip": tips},
            transform=[at_random],
        ),
        charts.points(encoding, tips, size=70) | {"transform": [{"filter": "datum.kind === 'arrivals'"}]},
        height=220,
    )
    return Figure(
        "bursts",
        f"Within 10 s of the merchant's last arrival: {each(said)}",
        f"Points of the share of arrivals within 1 s, 10 s and 1 min of the last one; within 10 s: {each(said)}.",
        "Circles: arrivals. Ticks: what there would be if the arrivals of each merchant and bucket were placed evenly at "
        f"random in the bucket. {_looked_at(views)}; where there are none, nothing is drawn.",
        "circles on their ticks: inside a bucket nothing is bunched; bursts come from the intensity.",
        ("scenario", "size", "within", "arrivals_within", "kind", "share"),
        rows,
        charts.panels(drawn, names(views)),
    )


def _share(gaps: Sequence[SizeGaps], place: int) -> str:
    whole = sum(one.arrivals for one in gaps)
    if not whole:
        return "none"
    seen = sum(one.within[place] for one in gaps) / whole
    placed = sum(one.placed[place] * one.arrivals for one in gaps) / whole
    return f"{percent(seen, 2)} of arrivals, {percent(placed, 2)} if placed at random"
