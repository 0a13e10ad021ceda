"""A sheet as HTML: a page that needs no other file, no network and no script, or the article of it for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from seg5b._version import __version__
from seg5b.sheets.parts import Section, Table

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="generator" content="seg5b {version}"/>
<title>{title}</title>
</head>
<body style="margin:0">
<main>
{article}
</main>
</body>
</html>
"""
_ARTICLE = """<article class="seg5b-sheet">
<style>{style}</style>
<header><h1>{title}</h1>
<p class="{look}">{verdict}</p></header>
{sections}
{more}
<footer><p>{footer}</p></footer>
</article>"""


def document(title: str, body: str) -> str:
    """The whole document around an `article`."""
    return _PAGE.format(version=__version__, title=escape(title), article=body)


def article(title: str, verdict: str, sections: Sequence[Section], *, holds: bool, footer: str, more: str = "") -> str:
    """What stands on the page, with its style. ``verdict``: one line below the title, in the colour of what ``holds`` or does
    not; ``more``: HTML below the sections."""
    return _ARTICLE.format(
        style=files("seg5b.sheets").joinpath("sheet.css").read_text("utf-8"),
        title=escape(title),
        look="holds" if holds else "differs",
        verdict=escape(verdict),
        sections="\n".join(_section(section) for section in sections),
        more=more,
        footer=escape(footer),
    )


def _section(section: Section) -> str:
    sentences = "\n".join(f"<p>{escape(sentence)}</p>" for sentence in section.sentences)
    tables = "\n".join(_table(table) for table in section.tables)
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{sentences}\n{tables}\n</section>"


def _table(table: Table) -> str:
    marked = table.with_mark()
    looks = [' class="number"' if name in marked.numbers else "" for name in marked.columns]
    head = "".join(
        f'<th scope="col"{look}>{escape(name)}</th>' for name, look in zip(marked.columns, looks, strict=True)
    )
    rows = []
    for place, row in enumerate(marked.rows):
        cells = "".join(f"<td{look}>{_cell(text)}</td>" for text, look in zip(row, looks, strict=True))
        rows.append(f"<tr{_PICKED if place == table.picked else ''}>{cells}</tr>")
    caption = f"<caption>{escape(table.caption)}</caption>"
    inner = f"<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table.caption)}">{inner}</div>'


_PICKED = ' class="picked"'


def _cell(text: str) -> str:
    """A text that may break behind the slashes of a zone's name."""
    return escape(text).replace("/", "/<wbr/>")
