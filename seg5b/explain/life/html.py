"""A life as HTML: a sheet, with the integers behind it below."""

from __future__ import annotations

from html import escape

from seg5b._version import __version__
from seg5b.explain.life.parts import Integers, Life
from seg5b.sheets import article, document

_DETAILS = """<details{opened}><summary>The integers behind it</summary>
{integers}
</details>"""


def as_page(life: Life, *, integers: bool = False) -> str:
    """The whole document; ``integers``: with the details of them open."""
    return document(life.title, as_article(life, integers=integers))


def as_article(life: Life, *, integers: bool = False) -> str:
    """What stands on the page, with its style."""
    return article(
        life.title,
        "✓ equal to what was published" if life.holds else "✗ differs from what was published",
        life.sections,
        holds=life.holds,
        footer=f"Derived again from the sealed inputs by seg5b {__version__}. Run {life.run_id}.",
        more=_DETAILS.format(
            opened=' open="open"' if integers else "", integers="\n".join(_integers(each) for each in life.integers)
        ),
    )


def _integers(each: Integers) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td><code>{escape(value)}</code></td></tr>'
        for name, value in each.values.items()
    )
    return f"<table class='integers'><caption>{escape(each.title)}</caption><tbody>{rows}</tbody></table>"
