"""Vega-Lite in few words: the parts of a specification that figures share, as plain dictionaries.

Colours are CSS variables of ``report.css``, so that a chart follows the theme of the page, in print too, without being
drawn again. Scales of amounts have steps for that reason: a variable cannot be interpolated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Part = dict[str, Any]

INK, SOFT, LINE = "var(--ink)", "var(--soft)", "var(--line)"
BAND = "var(--h2)"
A, B, C, D = "var(--a)", "var(--b)", "var(--c)", "var(--d)"
STEPS: Final = tuple(f"var(--h{step})" for step in range(7))
FONT: Final = "system-ui, sans-serif"
THEME: Final[Mapping[str, Any]] = {
    "aria": False,
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "padding": 2,
    "axis": {
        "labelColor": SOFT, "titleColor": SOFT, "gridColor": LINE, "domainColor": SOFT, "tickColor": SOFT,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500, "labelOverlap": "greedy", "gridOpacity": 1,
    },
    "axisX": {"grid": False, "labelFlush": True, "labelSeparation": 8, "tickCount": 5},
    "axisY": {"domain": False, "ticks": False, "tickCount": 5, "titleAlign": "left", "titleAnchor": "end", "titleAngle": 0,
              "titleX": 0, "titleY": -7, "titleBaseline": "bottom"},
    "header": {"labelColor": INK, "titleColor": SOFT, "labelFontSize": 12, "labelFontWeight": 600, "labelAnchor": "start",
               "labelPadding": 26, "title": None},
    "legend": {
        "labelColor": INK, "titleColor": SOFT, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 500,
        "orient": "top", "direction": "horizontal", "symbolStrokeWidth": 2.5, "labelLimit": 260, "columnPadding": 14,
    },
    "title": {"color": INK, "fontSize": 12, "anchor": "start"},
    "line": {"strokeWidth": 2, "color": A},
    "point": {"filled": True, "size": 16, "color": A, "opacity": 1, "strokeWidth": 0},
    "bar": {"color": A},
    "rect": {"color": A},
    "rule": {"color": SOFT, "strokeWidth": 1.2},
    "text": {"color": INK, "fontSize": 12},
    "range": {"category": [A, B, C, D], "ordinal": list(STEPS), "heatmap": list(STEPS), "ramp": list(STEPS)},
    "facet": {"spacing": 26},
    "concat": {"spacing": 26},
}  # fmt: skip


def number(field: str, title: str | None, form: str = "", *, scale: Part | None = None, **axis: Any) -> Part:
    """A quantitative channel; ``form`` is a d3 number format of its axis."""
    written = {**_format(form), **axis} if form else axis
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        **({"scale": scale} if scale else {}),
        **({"axis": written} if written else {}),
    }


def _format(form: str) -> Part:
    """A d3 number format; with ``s`` each number gets the prefix that suits it, as an axis does not do by itself."""
    return {"labelExpr": f"format(datum.value, '{form}')"} if form.endswith("s") else {"format": form}


def name(field: str, title: str | None = None, **more: Any) -> Part:
    """A channel of names, in their order in the data."""
    return {"field": field, "type": "nominal", "title": title, "sort": None, **more}


def colours(field: str, pairs: Sequence[tuple[str, str]], title: str | None = None) -> Part:
    """A colour for each name, with a legend."""
    domain, shades = [value for value, _ in pairs], [colour for _, colour in pairs]
    return {"field": field, "type": "nominal", "title": title, "scale": {"domain": domain, "range": shades}}


def named(what: str, pairs: Sequence[tuple[str, str]]) -> Part:
    """The colour of a whole layer, by its entry in a legend that the layers share."""
    scale = {"domain": [value for value, _ in pairs], "range": [colour for _, colour in pairs]}
    legend = {"symbolType": "square", "symbolSize": 90, "symbolStrokeWidth": 0, "symbolOpacity": 1}
    return {"datum": what, "type": "nominal", "title": None, "scale": scale, "legend": legend}


def steps(field: str, title: str, form: str, domain: tuple[float, float]) -> Part:
    """A colour of seven steps for an amount; more of it is further from the colour of the paper."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": "quantize", "domain": list(domain), "range": list(STEPS)},
        "legend": {"format": form, "type": "symbol", "symbolType": "square", "symbolSize": 160, "symbolStrokeWidth": 0},
    }


def tips(**fields: str) -> list[Part]:
    """What a mark says of itself: field and d3 format; ``:`` before a format of dates, nothing for names."""
    return [_tip(field, form) for field, form in fields.items()]


def _tip(field: str, form: str) -> Part:
    title = field.replace("_", " ")
    if form.startswith(":"):
        return {"field": field, "type": "ordinal", "format": form[1:], "title": title, "timeUnit": "utcyearmonthdate"}
    if form:
        return {"field": field, "type": "quantitative", "format": form, "title": title}
    return {"field": field, "type": "nominal", "title": title}


def layer(*layers: Part, height: int = 200, **more: Any) -> Part:
    """Marks over one another."""
    return {"layer": list(layers), "height": height, **more}


def marks(kind: str | Part, encoding: Part, **more: Any) -> Part:
    """One kind of mark."""
    return {"mark": kind, "encoding": encoding, **more}


def points(encoding: Part, tooltip: list[Part], **mark: Any) -> Part:
    """Points with a margin that is invisible but can be pointed at."""
    kind = {"type": "point", "stroke": "transparent", "strokeWidth": 9, **mark}
    return marks(kind, {**encoding, "tooltip": tooltip})


def panels(spec: Part, names: Iterable[object], field: str = "scenario", most: int = 2) -> Part:
    """A panel for each of ``names``, which are values of ``field``, in that order, at most so many in a row. What stands
    behind ``·`` in a name goes to a second line."""
    facet = {
        "field": field,
        "type": "nominal",
        "title": None,
        "sort": list(dict.fromkeys(names)),
        "header": {"labelExpr": "split(datum.label, ' · ')"},
    }
    return {"facet": facet, "columns": most, "spec": spec}


def rule(axis: str, at: float) -> Part:
    """A dashed line across a panel."""
    return marks({"type": "rule", "strokeDash": [4, 4]}, {axis: {"datum": at}})
