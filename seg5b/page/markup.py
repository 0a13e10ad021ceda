"""HTML text: elements with escaped content. Every element is well-formed XML."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

Attribute = str | int | bool | None


def text(content: object) -> str:
    """Characters with ``& < >`` escaped."""
    return escape(str(content))


def element(name: str, /, *children: str, **attributes: Attribute) -> str:
    """An element. ``class_`` becomes ``class``, other underscores hyphens; None and False leave an attribute out."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr('true' if value is True else str(value))}"
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"
