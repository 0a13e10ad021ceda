"""A life as HTML: a page that needs no other file, no network and no script, or the article of it for a notebook."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from seg5b._version import __version__
from seg5b.explain.life.parts import Integers, Life, Section, Table

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
_ARTICLE = """<article class="seg5b-life">
<style>{style}</style>
<header><h1>{title}</h1>
<p class="{look}">{verdict}</p></header>
{sections}
<details{opened}><summary>The integers behind it</summary>
{integers}
</details>
<footer><p>Derived again from the sealed inputs by seg5b {version}. Run {run_id}.</p></footer>
</article>"""


def as_page(life: Life, *, integers: bool = False) -> str:
    """The whole document; ``integers``: with the details of them open."""
    return _PAGE.format(version=__version__, title=escape(life.title), article=as_article(life, integers=integers))


def as_article(life: Life, *, integers: bool = False) -> str:
    """What stands on the page, with its style."""
    return _ARTICLE.format(
        style=files("seg5b.explain.life").joinpath("life.css").read_text("utf-8"),
        title=escape(life.title),
        look="holds" if life.holds else "differs",
        verdict="✓ equal to what was published" if life.holds else "✗ differs from what was published",
        sections="\n".join(_section(section) for section in life.sections),
        opened=' open="open"' if integers else "",
        integers="\n".join(_integers(each) for each in life.integers),
        version=__version__,
        run_id=escape(life.run_id),
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


def _integers(each: Integers) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td><code>{escape(value)}</code></td></tr>'
        for name, value in each.values.items()
    )
    return f"<table class='integers'><caption>{escape(each.title)}</caption><tbody>{rows}</tbody></table>"
