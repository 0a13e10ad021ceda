"""The frame of a plot: its box, axes with ticks and titles, faint grid lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seg5b.page.scales import Scale, ScaleKind, short
from seg5b.page.svg import element, label, path


@dataclass(frozen=True, slots=True)
class Box:
    """Size of a drawing and the margins around its plot, in units that are about pixels."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float

    def across(self, low: float, high: float, kind: ScaleKind = ScaleKind.LINEAR) -> Scale:
        """Scale of the horizontal axis."""
        return Scale(low, high, self.left, self.width - self.right, kind)

    def upward(self, low: float, high: float, kind: ScaleKind = ScaleKind.LINEAR) -> Scale:
        """Scale of the vertical axis."""
        return Scale(low, high, self.height - self.bottom, self.top, kind)


PLOT = Box(400, 310, 46, 14, 28, 42)
PANEL = Box(280, 190, 44, 10, 26, 40)
_CLOSEST = 13.0


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: its scale, what it measures with the unit, and how ticks are written. ``ticks`` None: round values."""

    scale: Scale
    title: str
    write: Callable[[float], str] = short
    ticks: Sequence[float] | None = None

    def marks(self, most: int) -> Sequence[float]:
        """Where ticks stand."""
        return self.scale.ticks(most) if self.ticks is None else self.ticks


def plot(box: Box, x: Axis, y: Axis, marks: Sequence[str], name: str) -> str:
    """A drawing with both axes around ``marks``; ``name`` is read out in place of the picture."""
    return drawing(box, [*_upright(box, y), *_level(box, x), *marks], name)


def drawing(box: Box, marks: Sequence[str], name: str) -> str:
    """A drawing without axes."""
    size = f"0 0 {box.width:g} {box.height:g}"
    return element("svg", *marks, viewBox=size, role="img", aria_label=name)


def _upright(box: Box, axis: Axis) -> list[str]:
    left, right = box.left, box.width - box.right
    parts = [label(2.0, 13.0, axis.title, class_="axis")]
    last = float("inf")
    for value in axis.marks(5):
        at = axis.scale(value)
        if abs(at - last) < _CLOSEST:
            continue
        last = at
        parts.append(path([(left, at), (right, at)], class_="grid"))
        parts.append(label(left - 6, at + 4, axis.write(value), class_="tick", text_anchor="end"))
    return parts


def _level(box: Box, axis: Axis) -> list[str]:
    floor = box.height - box.bottom
    parts = [path([(box.left, floor), (box.width - box.right, floor)], class_="base")]
    for value in axis.marks(5 if box.width < 300 else 7):
        at = axis.scale(value)
        parts.append(path([(at, floor), (at, floor + 4)], class_="base"))
        parts.append(label(at, floor + 17, axis.write(value), class_="tick", text_anchor="middle"))
    if axis.title:
        parts.append(label(box.width - box.right, box.height - 5, axis.title, class_="axis", text_anchor="end"))
    return parts
