"""What stands inside a frame: lines, bars, dots, cells. Colours are classes of the style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from seg5b.page.frame import Box
from seg5b.page.scales import Scale
from seg5b.page.svg import element, hint, label, path


def line(x: Scale, y: Scale, points: Iterable[tuple[float, float]], look: str) -> str:
    """A line through values; ``look``: ``a``, ``b``, ``c``, ``d`` for a series, ``promise`` for a broad grey band,
    ``rule`` for a thin dashed guide."""
    return path(((x(u), y(v)) for u, v in points), class_=f"line {look}")


def dots(x: Scale, y: Scale, points: Iterable[tuple[float, float]], look: str, radius: float = 2.2) -> str:
    """Dots at values."""
    circles = [element("circle", cx=x(u), cy=y(v), r=radius) for u, v in points]
    return element("g", *circles, class_=f"dots {look}") if circles else ""


def column(x: float, width: float, top: float, floor: float, look: str, note: str) -> str:
    """An upright bar centred at ``x``; ``note`` is shown on hover."""
    height = max(floor - top, 0.0)
    return element("rect", hint(note), x=x - width / 2, y=top, width=float(width), height=height, class_=f"bar {look}")


def band(x: Scale, y: Scale, first: float, last: float, look: str, note: str) -> str:
    """A stretch of the x axis, half a unit beyond both values and never beyond the axis, from floor to ceiling."""
    left, right = (x(min(max(value, x.low), x.high)) for value in (first - 0.5, last + 0.5))
    top, floor = y(y.high), y(y.low)
    return element("rect", hint(note), x=left, y=top, width=max(right - left, 0.0), height=floor - top, class_=look)


def whisker(x: float, low: float, high: float, look: str) -> str:
    """A thin upright line between two coordinates."""
    return path([(x, low), (x, high)], class_=f"whisker {look}")


def rows_of_bars(
    box: Box, entries: Sequence[tuple[str, float, str, str]], longest: float, *, first: float = 6.0, step: float = 24.0
) -> list[str]:
    """Level bars from the top: (label, length, text behind it, look) each, lengths up to ``longest``."""
    room = box.width - box.left - box.right
    parts = []
    for place, (name, length, note, look) in enumerate(entries):
        top = first + place * step
        size = room * length / longest if longest > 0 else 0.0
        parts.append(label(box.left - 8, top + step * 0.6, name, class_="name", text_anchor="end"))
        parts.append(
            element("rect", x=box.left, y=top + 2, width=max(size, 0.8), height=step - 8, class_=f"bar {look}")
        )
        parts.append(label(box.left + size + 6, top + step * 0.6, note, class_="value"))
    return parts


def strength(amount: float, largest: float, least: float = 0.12) -> str:
    """Opacity of a cell: by the logarithm of its amount, from ``least`` to 1 for the largest."""
    part = math.log1p(amount) / math.log1p(largest) if largest > 0 else 0.0
    return f"{least + (1 - least) * part:.2f}"


def cell(x: float, y: float, width: float, height: float, look: str, opacity: str, note: str) -> str:
    """A cell of a grid."""
    return element(
        "rect",
        hint(note),
        x=float(x),
        y=float(y),
        width=float(width),
        height=float(height),
        class_=f"cell {look}",
        fill_opacity=opacity,
    )


def steps(values: np.ndarray) -> list[tuple[float, float]]:
    """(position, value) pairs of an array."""
    return [(float(place), float(value)) for place, value in enumerate(values)]
