"""A comparison as a page."""

from __future__ import annotations

from seg5b._version import __version__
from seg5b.comparison.comparing import Comparison, Section
from seg5b.sheets import Section as Chapter
from seg5b.sheets import Table, article, document


def as_page(found: Comparison) -> str:
    """The whole document."""
    return document(f"{found.left} and {found.right}", as_article(found))


def as_article(found: Comparison) -> str:
    """What stands on the page, with its style: every section, also those in which nothing differs."""
    differing = sum(bool(section.differences) for section in found.sections[1:])
    verdict = "nothing differs" if found.same else f"{differing} of {len(found.sections) - 1} sections differ"
    return article(
        "Two runs side by side",
        verdict,
        [_chapter(section) for section in found.sections],
        holds=found.same,
        footer=f"Left {found.left}, right {found.right}. Compared by seg5b {__version__}.",
    )


def _chapter(section: Section) -> Chapter:
    note = (section.note[:1].upper() + section.note[1:] + ".",) if section.note else ()
    if not section.differences:
        return Chapter(section.title, note)
    changes = any(each.change for each in section.differences)
    columns = ("name", "left", "right", *(("change",) if changes else ()))
    rows = tuple(
        (each.name, each.left, each.right, *((each.change,) if changes else ())) for each in section.differences
    )
    table = Table("What differs", columns, rows, frozenset(columns[1:]) if changes else frozenset())
    return Chapter(section.title, note, (table,))
