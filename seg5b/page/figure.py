"""A figure: its drawings, what they show, what good looks like, and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seg5b.canonical_json import canonical_json
from seg5b.page.svg import element, text


@dataclass(frozen=True, slots=True)
class Figure:
    """``number`` names it ("07"); ``title`` states the finding; ``drawings`` are SVG; ``shows`` says what is drawn,
    ``good`` what a sound run looks like; ``legend`` is (look, label) pairs; ``data`` goes into the page as JSON;
    ``wide`` figures are rows of small panels."""

    number: str
    title: str
    drawings: tuple[str, ...]
    shows: str
    good: str
    data: Mapping[str, Any]
    legend: tuple[tuple[str, str], ...] = ()
    wide: bool = False

    def html(self, scenario_id: str) -> str:
        """The figure as a card."""
        return element(
            "figure",
            element("h3", element("span", text(self.number), class_="number"), " ", text(self.title)),
            self._legend(),
            self._drawn(),
            element("figcaption", text(self.shows), " ", element("b", "Good:"), " ", text(self.good)),
            data_script(f"data-{self.number}-{scenario_id}", self.data),
            class_="card wide" if self.wide else "card",
        )

    def _drawn(self) -> str:
        if not self.wide:
            return element("div", *self.drawings, class_="plots")
        columns = min((4, 5), key=lambda wanted: -len(self.drawings) % wanted)
        return element("div", *self.drawings, class_=f"panels in{columns}")

    def _legend(self) -> str:
        if not self.legend:
            return ""
        entries = [
            element("span", element("i", " ", class_=f"swatch {look}"), text(name), class_="entry")
            for look, name in self.legend
        ]
        return element("p", *entries, class_="legend")


def data_script(name: str, data: Any) -> str:
    """Numbers for other programs. ``<``, ``>`` and ``&`` are written as JSON escapes, so that no text can end the
    element or break XML."""
    written = canonical_json(data).decode("ascii")
    for sign in "<>&":
        written = written.replace(sign, f"\\u{ord(sign):04x}")
    return element("script", written, type="application/json", id=name)


def rounded(value: float, digits: int = 6) -> float | None:
    """A float with so many significant digits; None (null) if it is not finite."""
    return float(f"{value:.{digits}g}") if abs(value) < float("inf") else None
