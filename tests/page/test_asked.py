"""The page says what was asked for: the specification that the run keeps, and on which days something was."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg5b.page.facts.asked import Asked, read_asked
from seg5b.page.html import asked as asked_words
from seg5b.runs.root import WORLD_SPECIFICATION, open_root
from tests.page.conftest import Page, draw, visible

SPEC = """
law: derived_v1
name: shops
horizon: {start: "2026-03-02", days: 28}
volume: {weekly_total: 60000.0, scale: 1.0}
latent: {}
merchants: {count: 50, classes: {online_24h: 0.25}}
scenarios:
  - id: baseline_v1
    kind: baseline
    calendar: none
    overlays:
      - {name: spring sale, type: campaign, start: "2026-03-07", days: 2, factor: 2.5, clock: local, ramp_out_hours: 0}
      - {name: "</td><b>", type: outage, start: "2026-03-10T22:00", hours: 4, factor: 0.05, zones: [Europe/Berlin]}
      - {name: holidays, type: public_holiday, dates: ["2026-03-17", "2026-03-19"], factor: 0.6}
      - {name: before, type: season, start: "2026-01-01", end: "2026-02-01", factor: 0.5}
"""


def keep(runs_root: Path, text: str) -> None:
    place = open_root(runs_root).path / WORLD_SPECIFICATION
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, "utf-8")


@pytest.fixture
def asked(copy: Path) -> Page:
    keep(copy, SPEC)
    return draw(copy)


def test_sections_and_overlays(asked: Page) -> None:
    said = " ".join(visible(asked.text).split())
    assert "merchants count 50; classes online_24h 0.25" in said
    assert "volume weekly total 60,000; scale 1" in said
    assert "spring sale type campaign; start 2026-03-07; days 2; factor 2.5 " in said
    assert "latent" not in said.partition("What was asked for")[2].partition("every value")[0]


def test_days_with_something_asked_for(asked: Page) -> None:
    days = {row["day"]: row["asked_for"] for row in asked.rows("arrivals-by-day") if row["asked_for"]}
    assert days == {
        "2026-03-07": "spring sale",
        "2026-03-08": "spring sale",
        "2026-03-10": "</td><b>",
        "2026-03-11": "</td><b>",  # an outage past midnight touches two days
        "2026-03-17": "holidays",
        "2026-03-19": "holidays",
    }
    assert "asked_for" in str(asked.figure("arrivals-by-day")["spec"]["spec"]["layer"][0]["transform"])
    (figure,) = [node for node in asked.tree().iter("figure") if node.get("id") == "arrivals-by-day"]
    caption = "".join(node_text for node in figure.iter("figcaption") for node_text in node.itertext())
    assert "spring sale (7 Mar to 8 Mar), </td><b> (10 Mar to 11 Mar), holidays (17 Mar, 19 Mar)" in caption


@pytest.mark.parametrize(
    "text", ["", "[1", "scenarios: 7", "scenarios: [{kind: x}]", "scenarios: [{id: a, overlays: [7]}]"]
)
def test_a_damaged_one_counts_as_absent(copy: Path, page: Page, text: str) -> None:
    keep(copy, text)
    assert read_asked(open_root(copy)) is None
    assert "What was asked for" not in draw(copy).text + page.text


def test_of_many_overlays_the_first_are_shown() -> None:
    overlays = tuple((f"overlay {number}", "factor 2") for number in range(30))
    page = asked_words(Asked((("scenario one", ""),), {"one": overlays}, {}, ""))
    shown, _, rest = page.partition("<details>")
    assert shown.count("<li>") == 8 and rest.count("<li>") == 22 and ">22 more<" in rest
    assert "more<" not in asked_words(Asked((("scenario one", ""),), {"one": overlays[:8]}, {}, ""))
