"""SVG and HTML text: elements with escaped content and short numbers. Every element is well-formed XML."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

Attribute = str | float | int | bool | None


def number(value: float) -> str:
    """A coordinate with at most one decimal."""
    short = f"{value:.1f}"
    return "0" if short == "-0.0" else short.removesuffix(".0")


def text(content: object) -> str:
    """Characters with ``& < >`` escaped."""
    return escape(str(content))


def element(name: str, /, *children: str, **attributes: Attribute) -> str:
    """An element. ``class_`` becomes ``class``, other underscores hyphens; None leaves an attribute out; numbers are
    rounded to a tenth."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(_attribute(value))}"
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def _attribute(value: Attribute) -> str:
    if value is True:
        return "true"
    return number(value) if isinstance(value, float) else str(value)


def path(points: Iterable[tuple[float, float]], *, closed: bool = False, **attributes: Attribute) -> str:
    """A line through points."""
    steps = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{steps}{'Z' if closed else ''}" if steps else "M0 0", **attributes)


def label(x: float, y: float, content: object, **attributes: Attribute) -> str:
    """Text at a point; ``text_anchor`` start, middle or end."""
    return element("text", text(content), x=float(x), y=float(y), **attributes)


def hint(content: object) -> str:
    """What a browser shows when the pointer rests on the element around it."""
    return element("title", text(content))
