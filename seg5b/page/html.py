"""The page around the figures: head, contents, sections, foot. Well-formed XML as well as HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from seg5b._version import __version__
from seg5b.page.charts import THEME
from seg5b.page.facts.asked import Asked
from seg5b.page.figure import Figure, data_script
from seg5b.page.markup import element, text
from seg5b.runs.identity import RunIdentity
from seg5b.runs.root import WORLD_SPECIFICATION

_WORDS = {"PASS": ("pass", "✓ PASS"), "FAIL": ("fail", "✗ FAIL"), "": ("none", "– not validated")}
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may load for the page: nothing. Vega compiles its expressions, hence eval."""
_SHOWN_OVERLAYS = 8


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the story: a heading, words or tables, figures."""

    anchor: str
    title: str
    sheets: Sequence[str] = ()
    figures: Sequence[Figure] = ()


def page(identity: RunIdentity, report: Mapping[str, Any] | None, arrivals: int, sections: Sequence[Section]) -> str:
    """The whole document. A verdict on another number of ``arrivals`` than the page counted is marked."""
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"seg5b {__version__}"),
        element("title", f"seg5b run {identity.run_id}"),
        element("style", _packaged("report.css")),
    ]
    numbers, drawn = 1, []
    for section in sections:
        drawn.append(_section(section, numbers))
        numbers += len(section.figures)
    body = [element("main", _head(identity, report, arrivals), _contents(sections), *drawn, _foot(identity))]
    scripts = [data_script("theme", THEME), data_script("land", _land()), _script("data/vega.js"), _script("report.js")]
    whole = element("html", element("head", *head), element("body", *body, *scripts), lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def _packaged(name: str) -> str:
    return files("seg5b.page").joinpath(name).read_text("utf-8")


def _land() -> object:
    return json.loads(_packaged("data/land.json"))


def _script(name: str) -> str:
    """A program, in a form that parsers of XML read too."""
    program = _packaged(name).replace("]]>", "]] >").replace("</script", "<\\/script")
    return f"<script>//<![CDATA[\n{program}\n//]]></script>"


def _head(identity: RunIdentity, report: Mapping[str, Any] | None, arrivals: int) -> str:
    """Name, and verdict at a glance."""
    look, word = _WORDS.get(str(report.get("status")) if report else "", _WORDS[""])
    judged = report.get("n_arrivals_total") if report else None
    if isinstance(judged, int) and judged != arrivals:
        look, word = "warn", f"{word}, but S5 saw {judged:,} arrivals: run seg5b verify"
    title = element("h1", "seg5b ", element("span", "run", class_="soft"), " ", element("code", identity.run_id))
    return element("header", element("div", title, element("span", word, class_=f"badge {look}"), class_="top"))


def _contents(sections: Sequence[Section]) -> str:
    """Links to sections and figures."""
    entries, number = [], 1
    for section in sections:
        inner = []
        for place, figure in enumerate(section.figures, number):
            inner.append(element("li", element("a", text(f"{place} {figure.name}"), href=f"#{figure.anchor}")))
        number += len(inner)
        link = element("a", text(section.title), href=f"#{section.anchor}")
        entries.append(element("li", link, element("ul", *inner) if inner else ""))
    return element("nav", element("ul", *entries), class_="sheet contents", aria_label="Contents")


def _section(section: Section, first: int) -> str:
    cards = [figure.html(number) for number, figure in enumerate(section.figures, first)]
    shown = element("div", *cards, class_="cards") if cards else ""
    return element("section", element("h2", text(section.title)), *section.sheets, shown, id=section.anchor)


def sheet(*parts: str, long: bool = False) -> str:
    """A framed part of a section; a ``long`` one may go on on the next sheet of paper."""
    return element("div", *parts, class_="sheet long" if long else "sheet")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], class_: str = "") -> str:
    """A table of text; the first cell of a row names it, numbers stand to the right."""
    top = element("tr", *(element("th", text(name), scope="col", class_="right" if place else None)
                          for place, name in enumerate(heads)))  # fmt: skip
    lines = [
        element(
            "tr",
            element("th", text(row[0]), scope="row"),
            *(element("td", text(cell), class_="right") for cell in row[1:]),
        )
        for row in rows
    ]
    inner = element("table", element("thead", top), element("tbody", *lines), class_=class_ or None)
    return element(
        "div", inner, class_="scroll", tabindex="0", role="region", aria_label=f"Table: {heads[0] or 'values'}"
    )


def asked(found: Asked) -> str:
    """The specification of the world, section by section."""
    rows = []
    for name, said in found.sections:
        overlays = found.overlays.get(name.removeprefix("scenario "), ()) if name.startswith("scenario ") else ()
        items = [element("li", element("b", text(each)), " ", text(words)) for each, words in overlays]
        listed = _overlays(items)
        rows.append(
            element("tr", element("th", text(name), scope="row", class_="tight"), element("td", text(said), listed))
        )
    whole = element("details", element("summary", "every value"), element("pre", text(found.text), tabindex="0"))
    source = element("p", "From ", element("code", WORLD_SPECIFICATION), ".", class_="soft")
    return sheet(
        element("h3", "What was asked for"), element("table", element("tbody", *rows)), source, whole, long=True
    )


def _overlays(items: Sequence[str]) -> str:
    """A list of overlays: the first few, and the others on request."""
    if not items:
        return ""
    shown, more = items[:_SHOWN_OVERLAYS], items[_SHOWN_OVERLAYS:]
    rest = element("details", element("summary", f"{len(more):,} more"), element("ul", *more, class_="overlays"))
    return element("ul", *shown, class_="overlays") + (rest if more else "")


def _foot(identity: RunIdentity) -> str:
    """Where the numbers come from."""
    return element(
        "footer",
        element("p", "Every number is an aggregate over the Parquet files that the run published."),
        element("p", "seed ", element("code", str(identity.seed)), " · manifest ",
                element("code", identity.manifest_fingerprint), " · parameters ",
                element("code", identity.parameter_hash), f" · seg5b {__version__}"),
    )  # fmt: skip
