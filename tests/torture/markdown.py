"""Tables of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table, with an empty one behind it."""
    lines = [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *lines, ""]


def section(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]], text: str = "") -> list[str]:
    """Lines of a section with a table; none where there is no row."""
    found = list(rows)
    return [f"## {title}", "", *([text, ""] if text else []), *table(heads, found)] if found else []
