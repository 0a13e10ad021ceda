"""A life as plain text for a terminal or a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill, wrap

from seg5b.explain.life.parts import Life
from seg5b.sheets import Table

NARROWEST, WIDEST = 60, 100
_GAP = "  "
_LEAST_COLUMN = 6


def as_text(life: Life, width: int = 80, *, integers: bool = False) -> str:
    """All sections, ``width`` characters wide (60 to 100), and the ``integers`` behind them if they are asked for."""
    return "\n".join(_lines(life, min(max(width, NARROWEST), WIDEST), integers))


def _lines(life: Life, width: int, integers: bool) -> Iterator[str]:
    yield from (life.title, "=" * len(life.title))
    for section in life.sections:
        yield from ("", section.title, "-" * len(section.title))
        yield from (fill(sentence, width, break_on_hyphens=False) for sentence in section.sentences)
        for table in section.tables:
            yield from ("", *_table(table.with_mark(), width))
    if not integers:
        return
    yield from ("", "The integers", "------------")
    for each in life.integers:
        yield each.title
        for name, value in each.values.items():
            yield f"  {name:<22} {value}"


def _table(table: Table, width: int) -> Iterator[str]:
    """Caption, heads and rows; texts that are too long for their column are broken."""
    yield f"{table.caption}:"
    lines = [table.columns, *table.rows]
    columns = list(zip(*lines, strict=True))
    words = [max((len(word) for text in column for word in text.split()), default=0) for column in columns]
    sizes = _sizes([max(map(len, column)) for column in columns], words, width)
    right = [name in table.numbers for name in table.columns]
    for line in lines:
        cells = [wrap(text, size) or [""] for text, size in zip(line, sizes, strict=True)]
        for row in range(max(map(len, cells))):
            texts = [cell[row] if row < len(cell) else "" for cell in cells]
            aligned = [
                text.rjust(size) if end else text.ljust(size)
                for text, size, end in zip(texts, sizes, right, strict=True)
            ]
            yield ("  " + _GAP.join(aligned)).rstrip()


def _sizes(wanted: Sequence[int], words: Sequence[int], width: int) -> list[int]:
    """Widths of columns that fit ``width`` together: the widest give way, as long as one can without breaking a word."""
    sizes = list(wanted)
    while 2 + sum(sizes) + len(_GAP) * (len(sizes) - 1) > width and max(sizes) > _LEAST_COLUMN:
        loose = [size if size > word else 0 for size, word in zip(sizes, words, strict=True)]
        give = loose if any(loose) else sizes
        sizes[give.index(max(give))] -= 1
    return sizes
