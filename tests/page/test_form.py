"""The page is sound HTML, needs nothing from outside, and has all its parts."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

from tests.page.conftest import Page, draw, visible

FIGURES = ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12a", "12b", "13", "14", "15", "16", "17"]
VOID = {"meta", "input", "br", "link", "img", "hr"}
SVG = {"path", "rect", "circle", "g", "text", "title", "svg"}


class _Balance(HTMLParser):
    """Open and closed tags as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        assert tag in VOID | SVG, f"a browser does not close <{tag}/>"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_browsers_and_xml_parsers_read_the_same_tree(page: Page) -> None:
    reader = _Balance()
    reader.feed(page.text)
    assert reader.open == []
    assert page.tree().tag == "html"
    assert page.text.startswith("<!DOCTYPE html>")


def test_nothing_comes_from_outside(page: Page) -> None:
    for trace in ("http:", "https:", "//", "url(", "@import", " src=", " href=", "<link", "<img", "<iframe"):
        assert trace not in page.text, trace
    scripts = re.findall(r"<script[^>]*>", page.text)
    assert scripts and all('type="application/json"' in script for script in scripts)


def test_every_scenario_has_every_figure(page: Page) -> None:
    views = [node for node in page.tree().iter("div") if node.get("class", "").startswith("scenario ")]
    assert len(views) == 2
    for view in views:
        numbers = ["".join(node.itertext()) for node in view.iter("span") if node.get("class") == "number"]
        assert sorted(numbers) == FIGURES
    headings = ["".join(node.itertext()) for node in page.tree().iter("h2")]
    for wanted in ("Verdict", "Gates", "Time it took", "Conservation", "Clocks", "Where arrivals land"):
        assert wanted in headings


def test_every_figure_has_a_drawing_a_caption_and_data(page: Page) -> None:
    for figure in page.tree().iter("figure"):
        assert list(figure.iter("svg")) and list(figure.iter("script"))
        (caption,) = figure.iter("figcaption")
        assert "Good:" in "".join(caption.itertext())


def test_every_drawing_is_named_and_has_finite_coordinates(page: Page) -> None:
    drawings = list(page.tree().iter("svg"))
    assert len(drawings) > 2 * len(FIGURES)
    for drawing in drawings:
        assert drawing.get("role") == "img" and drawing.get("aria-label")
        width, height = (float(side) for side in drawing.get("viewBox", "").split()[2:])
        for node in drawing.iter():
            for name in ("x", "y", "cx", "cy", "width", "height", "r"):
                value = float(node.get(name, 0))
                assert -1 <= value <= max(width, height) + 1, (drawing.get("aria-label"), node.tag, name, value)
            assert not re.search("nan|inf", node.get("d", ""))


def test_labels_of_one_axis_do_not_overlap(page: Page) -> None:
    for drawing in page.tree().iter("svg"):
        placed: dict[float, list[tuple[float, float]]] = {}
        for node in drawing.iter("text"):
            if node.get("class") == "tick" and node.get("text-anchor") == "middle":
                half = 3.6 * len(node.text or "")
                at = float(node.get("x", 0))
                placed.setdefault(float(node.get("y", 0)), []).append((at - half, at + half))
        for row in placed.values():
            row.sort()
            assert all(left[1] <= right[0] for left, right in itertools.pairwise(row)), drawing.get("aria-label")


def test_no_placeholder_reaches_the_reader(page: Page) -> None:
    words = visible(page.text)
    for slip in ("None", "nan", "np.", "Traceback", "{", "}"):
        assert slip not in words, slip


def test_the_same_run_gives_the_same_bytes(page: Page, tiny_arrivals: Path, tmp_path: Path) -> None:
    again = draw(tiny_arrivals, tmp_path / "again.html", threads=1, memory_limit_gb=1.0)
    assert again.text == page.text
