"""The page is sound HTML, needs nothing from outside, and has all its parts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from tests.page.conftest import Page, draw, visible

FIGURES = [
    "arrivals-by-day", "channels", "map", "largest-zones", "largest-countries",
    "week-by-hour", "local-hours", "weekend", "daily-profiles", "inter-arrival", "bursts", "lorenz", "top-shares", "latent-factor",
    "public-hours", "public-days", "public-countries", "scatter-of-days",
    "clocks-by-zone", "merchants", "scatter-of-counts", "seconds",
]  # fmt: skip
VOID = {"meta", "input", "br", "link", "img", "hr"}
LARGEST_BYTES = 6_000_000


class _Balance(HTMLParser):
    """Open and closed tags as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        assert tag in VOID, f"a browser does not close <{tag}/>"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_browsers_and_xml_parsers_read_the_same_tree(page: Page) -> None:
    reader = _Balance()
    reader.feed(page.text)
    assert reader.open == []
    assert page.tree().tag == "html"
    assert page.text.startswith("<!DOCTYPE html>")


def test_nothing_comes_from_outside(page: Page) -> None:
    policy = [node.get("content", "") for node in page.tree().iter("meta") if node.get("http-equiv")]
    assert len(policy) == 1 and policy[0].startswith("default-src 'none';"), "the browser is told to load nothing"
    own = re.sub(r"<script>//<!\[CDATA\[.*?</script>", "", page.text, flags=re.S)
    for trace in ("http:", "https:", "//", "url(", "@import", " src=", "<link", "<img", "<iframe"):
        assert trace not in own.removeprefix("<!DOCTYPE html>"), trace
    assert all(link.get("href", "").startswith("#") for link in page.tree().iter("a"))


def test_figures_are_told_in_the_order_of_the_story(page: Page) -> None:
    assert list(page.titles()) == FIGURES
    headings = ["".join(node.itertext()) for node in page.tree().iter("h2")]
    assert headings == [
        "Verdict",
        "What was made",
        "Does it look right",
        "Beside public figures",
        "Is it lawful",
        "What it cost",
    ]
    numbers = ["".join(node.itertext()).strip() for node in page.tree().iter("span") if node.get("class") == "number"]
    assert numbers == [str(place) for place in range(1, len(FIGURES) + 1)], "each once, all scenarios in it"
    anchors = {node.get("id") for node in page.tree().iter() if node.get("id")}
    (contents,) = page.tree().iter("nav")
    links = [link.get("href", "").removeprefix("#") for link in contents.iter("a")]
    assert set(links) <= anchors and [link for link in links if link in FIGURES] == FIGURES


def test_every_figure_has_a_chart_words_and_numbers_of_every_scenario(page: Page) -> None:
    for figure in page.tree().iter("figure"):
        anchor = figure.get("id", "")
        (chart,) = [node for node in figure.iter("div") if node.get("role") == "application"]
        assert chart.get("tabindex") == "0" and len(chart.get("aria-label", "")) > 60, anchor
        (caption,) = figure.iter("figcaption")
        assert "Good:" in "".join(caption.itertext())
        data = page.figure(anchor)
        assert data["rows"] and {len(row) for row in data["rows"]} == {len(data["columns"])}, anchor
        if anchor != "seconds":
            assert {row[0] for row in data["rows"]} == {"baseline_v1", "stress_peak_online_v1"}, anchor


def test_titles_say_a_finding_with_a_number(page: Page) -> None:
    wordy = {"clocks-by-zone", "map"}  # "no", names
    assert [
        anchor for anchor, title in page.titles().items() if not re.search(r"\d", title) and anchor not in wordy
    ] == []


def test_colours_are_those_of_the_style_sheet(page: Page) -> None:
    """So that they follow the theme and the paper; what a chart names is there, in both themes."""
    style = "".join(node.text or "" for node in page.tree().iter("style"))
    light, dark = style.split("prefers-color-scheme: dark", 1)
    scripts = [node.text or "" for node in page.tree().iter("script") if node.get("type") == "application/json"]
    named = {name for script in scripts for name in re.findall(r"var\((--\w+)\)", script)}
    assert {"--a", "--ink", "--h6", "--land"} <= named
    for name in named:
        assert f"{name}:" in light and f"{name}:" in dark, name
    assert not re.search('"#[0-9a-f]{6}"', "".join(scripts))


def test_it_is_small_enough_to_send(page: Page) -> None:
    assert page.written.size_bytes == page.written.path.stat().st_size < LARGEST_BYTES


def test_no_placeholder_reaches_the_reader(page: Page) -> None:
    words = visible(page.text)
    for slip in ("None", "nan", "np.", "Traceback", "{", "}", "inf "):
        assert slip not in words, slip


def test_the_same_run_gives_the_same_bytes(page: Page, tiny_arrivals: Path, tmp_path: Path) -> None:
    again = draw(tiny_arrivals, tmp_path / "again.html", threads=1, memory_limit_gb=1.0)
    assert again.text == page.text
