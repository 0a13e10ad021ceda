"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

HEAD = "<!-- Written by `python -m docs.generate`; do not edit. -->"


def cell(text: str) -> str:
    """Text that a table cell shows as it is."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;").replace("_", "\\_")


def code(text: str) -> str:
    """Text in the font of code, in or outside a table."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
