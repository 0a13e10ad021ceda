"""The page in a real browser: drawn without an error or a request, answers pointer and keyboard, accessible, printable.

Needs a chromium of the system (Debian: ``apt-get install chromium``; ``SEG5B_CHROMIUM`` names another), and Playwright's client.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.page.conftest import Page, change_arrivals, draw
from tests.page.test_asked import SPEC, keep

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright's client is not installed")
CHROMIUM = os.environ.get("SEG5B_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine: the page is not driven")
PATIENCE_MS = 120_000
WIDTHS = {"wide": 1400, "phone": 420}


@dataclass
class Shown:
    """A page that is open in the browser, and what went wrong or out meanwhile."""

    tab: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as client:
        # The sandbox needs rights that containers and root do not have.
        chromium = client.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@contextmanager
def opened(browser: Any, page: Page, width: int = 1400, **options: Any) -> Iterator[Shown]:
    """The page, drawn."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    shown = Shown(context.new_page())
    shown.tab.on("console", lambda message: shown.said.append(f"{message.type}: {message.text}"))
    shown.tab.on("pageerror", lambda error: shown.said.append(str(error)))
    shown.tab.on("request", lambda request: shown.asked.append(request.url))
    shown.tab.goto(page.written.path.as_uri())
    shown.tab.wait_for_selector("html[data-ready=yes]", state="attached", timeout=PATIENCE_MS)
    yield shown
    context.close()


@pytest.fixture(scope="module")
def shown(browser: Any, page: Page) -> Iterator[Shown]:
    """The page of the tiny run on a wide screen."""
    with opened(browser, page) as shown:
        yield shown


def test_every_figure_is_drawn_without_an_error_or_a_request(shown: Shown, page: Page) -> None:
    assert shown.said == []
    assert shown.asked == [page.written.path.as_uri()], "no request leaves the page"
    for anchor in page.titles():
        marks = shown.tab.locator(f"#{anchor} .chart svg [class*='mark-'] > *").count()
        assert marks >= 3, f"{anchor} has {marks} marks"
        assert "NaN" not in shown.tab.locator(f"#{anchor} .chart").inner_html(), anchor


def test_every_figure_answers_the_keyboard(shown: Shown, page: Page) -> None:
    for anchor in page.titles():
        shown.tab.focus(f"#{anchor} .chart")
        told = shown.tab.locator(f"#{anchor} .told")
        shown.tab.keyboard.press("ArrowRight")
        first = told.inner_text()
        assert re.match(r"1 of [\d,]+: \w+", first), (anchor, first)
        shown.tab.keyboard.press("End")
        last = told.inner_text()
        assert int(last.split(" ")[0]) == int(last.split(" ")[2].rstrip(":")) > 1, anchor
        assert shown.tab.locator(".tip").is_visible() and shown.tab.locator(".chart .here").count() == 1
        shown.tab.keyboard.press("Home")
        assert told.inner_text() == first
        shown.tab.keyboard.press("Escape")
        assert not shown.tab.locator(".tip").is_visible()


def test_every_figure_answers_the_pointer_and_a_tap(shown: Shown, page: Page) -> None:
    for anchor in page.titles():
        place = shown.tab.evaluate(
            """(anchor) => {
                 const chart = document.querySelector(`#${anchor} .chart`);
                 chart.scrollIntoView({ block: "center" });
                 const marks = [...chart.querySelectorAll("svg [class*='mark-'] > *")].filter(
                   (node) => node.__data__ && node.__data__.tooltip);
                 for (const node of marks) {
                   const box = node.getBoundingClientRect();
                   const at = [box.left + box.width / 2, box.top + box.height / 2];
                   if (document.elementFromPoint(...at) === node) return at;
                 }
                 return null;
               }""",
            anchor,
        )
        assert place, f"{anchor} has no mark that can be pointed at"
        shown.tab.mouse.move(1, 1)
        shown.tab.mouse.move(*place)
        assert shown.tab.locator(".tip").is_visible(), anchor
        assert shown.tab.locator(".tip div").count() >= 2, anchor


def test_table_and_file_hold_the_numbers_of_the_figure(shown: Shown, page: Page) -> None:
    data = page.figure("local-hours")
    numbers = shown.tab.locator("#local-hours details")
    numbers.locator("summary").click()
    shown.tab.wait_for_selector("#local-hours table")
    cells = [row.split("\t") for row in numbers.locator("table").inner_text().split("\n")]
    assert cells[0] == [name.replace("_", " ") for name in data["columns"]]
    assert [[cell.strip() for cell in row] for row in cells[1:]] == [
        [str(value) for value in row] for row in data["rows"]
    ]
    link = numbers.locator("a.csv").get_attribute("href")
    kind, _, content = link.partition(",")
    assert kind == "data:text/csv;charset=utf-8"
    lines = unquote(content).split("\r\n")
    assert lines[0] == ",".join(data["columns"]) and lines[-1] == "" and len(lines) == len(data["rows"]) + 2
    numbers.locator("summary").click()


@pytest.mark.parametrize(("theme", "width"), [("light", "wide"), ("dark", "phone")])
def test_axe_finds_no_violation_and_contrast_is_decided(browser: Any, page: Page, theme: str, width: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    with opened(browser, page, WIDTHS[width], color_scheme=theme, bypass_csp=True) as shown:
        assert shown.tab.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width], "nothing sticks out"
        # One of the tables: axe takes a minute for the thousands of cells of all.
        shown.tab.evaluate("document.querySelector('#seconds details').open = true")
        shown.tab.wait_for_selector("#seconds table", state="attached")
        found = axe.Axe().run(shown.tab).response
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
        # axe leaves texts of a single sign undecided; here every text of every chart is decided, with axe's own formula.
        undecided = [node for each in found["incomplete"] for node in each["nodes"] if each["id"] == "color-contrast"]
        assert {json.loads(json.dumps(node["any"][0]["data"]))["messageKey"] for node in undecided} <= {
            "shortTextContent"
        }
        weakest = shown.tab.evaluate(_WEAKEST)
        assert weakest["texts"] > 200 and weakest["contrast"] >= 4.5, weakest


_WEAKEST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let weakest = { contrast: 99, texts: 0 };
  for (const text of document.querySelectorAll(".chart svg text")) {
    if (!text.textContent.trim()) continue;
    const card = getComputedStyle(text.closest(".card")).backgroundColor;
    const [one, other] = [light(getComputedStyle(text).fill), light(card)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    const texts = weakest.texts + 1;
    weakest = contrast < weakest.contrast ? { contrast, texts, text: text.textContent } : { ...weakest, texts };
  }
  return weakest;
}"""


def test_the_theme_changes_colours_without_drawing_again_and_paper_is_light(browser: Any, page: Page) -> None:
    with opened(browser, page, color_scheme="dark") as shown:
        colour = "getComputedStyle(document.querySelector('#largest-zones .mark-rect path')).fill"
        dark = shown.tab.evaluate(colour)
        shown.tab.emulate_media(media="print")
        paper, ground = (
            shown.tab.evaluate(colour),
            shown.tab.evaluate("getComputedStyle(document.body).backgroundColor"),
        )
        assert dark != paper == "rgb(10, 108, 176)"
        assert ground in ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)")
        for hidden in (".contents", ".numbers", ".told"):
            assert not shown.tab.locator(hidden).first.is_visible(), "no controls on paper"
        assert shown.tab.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_what_is_broken_is_drawn_too(browser: Any, copy: Path) -> None:
    """Figures that only faulty runs have, and what was asked for, on a phone."""
    change_arrivals(copy, lambda table: table.slice(5))
    keep(copy, SPEC)
    with opened(browser, draw(copy), WIDTHS["phone"]) as shown:
        assert shown.said == []
        assert shown.tab.evaluate("document.documentElement.scrollWidth") <= WIDTHS["phone"], "nothing sticks out"
        assert shown.tab.locator("#differences .chart svg .mark-rect path").count() >= 1
