"""A figure: its rows, how Vega-Lite draws them, what they show, and what good looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seg5b.canonical_json import canonical_json
from seg5b.page.markup import element, text

Spec = Mapping[str, Any]
Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Figure:
    """``anchor`` names it in links and files; ``title`` states the finding; ``alt`` says in words what the picture shows,
    for those who do not see it; ``shows`` says what is drawn, ``good`` what a sound run looks like. ``columns`` and
    ``rows``: the numbers, for the chart, the table and the CSV alike. ``spec``: Vega-Lite without data, configuration
    and widths; its panels are at least ``panel_px`` wide. ``wide`` figures take a whole row of the page."""

    anchor: str
    title: str
    alt: str
    shows: str
    good: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    spec: Spec
    panel_px: int = 170
    wide: bool = False

    def html(self, number: int) -> str:
        """The figure as a card. The chart is drawn, and table and CSV are made, by ``report.js``."""
        chart = element(
            "div",
            element("div", " ", aria_hidden="true"),
            class_="chart",
            tabindex="0",
            role="application",
            aria_roledescription="chart",
            aria_label=f"{self.alt} Arrow keys move from mark to mark.",
        )
        table = element("div", " ", class_="rows", tabindex="0", role="region", aria_label=f"Table: {self.title}")
        csv = element("a", "CSV", href="#" + self.anchor, class_="csv", download=f"{self.anchor}.csv")
        return element(
            "figure",
            element("h3", element("span", f"{number} ", class_="number"), text(self.title)),
            chart,
            element("p", " ", class_="told", aria_live="polite"),
            element("figcaption", text(self.shows), " ", element("b", "Good:"), " ", text(self.good)),
            element("details", element("summary", f"Table, {len(self.rows):,} rows"), csv, table, class_="numbers"),
            data_script(f"data-{self.anchor}", self._data()),
            id=self.anchor,
            class_="card wide" if self.wide else "card",
        )

    @property
    def name(self) -> str:
        """What it is about, in a few words."""
        return self.anchor.replace("-", " ").capitalize()

    def _data(self) -> Mapping[str, Any]:
        return {
            "columns": self.columns,
            "rows": [list(row) for row in self.rows],
            "spec": self.spec,
            "panel_px": self.panel_px,
        }


def data_script(name: str, data: Any) -> str:
    """Numbers for the page's program and for others. ``<``, ``>`` and ``&`` are written as JSON escapes, so that no text
    can end the element or break XML."""
    written = canonical_json(data).decode("ascii")
    for sign in "<>&":
        written = written.replace(sign, f"\\u{ord(sign):04x}")
    return element("script", written, type="application/json", id=name)
