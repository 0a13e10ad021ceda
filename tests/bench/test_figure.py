"""The figure of the documentation: what was measured is drawn, what was not is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from figure import speed_figure

WHOLE = {
    "local": {"arrivals": 10, "seconds": 7.0, "s4_arrivals_per_s": 2_500_000, "state_seconds": {"S0": 1.0, "S4": 4}}
}
MACHINE = {"processor": "A & B", "cpus": 2, "memory_gb": 24.0, "utc": "2026-01-02T00:00:00+00:00"}


def drawn(**figures: Any) -> list[str]:
    """Texts of the drawing of a sitting with some pieces."""
    pieces = {name: {"figures": each} for name, each in figures.items()}
    sitting = {"world": "small", "machine": MACHINE, "quiet": True, "pieces": pieces}
    root = ElementTree.fromstring(speed_figure(sitting))
    return [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_what_was_measured_is_drawn() -> None:
    baselines = {"polars_7": {"arrivals_per_s": 4e6}, "pandas_7": {"skipped": "pandas is not installed"}}
    texts = drawn(whole=WHOLE, baselines=baselines, generator={"rows_per_s": 1e6}, rerun={"seconds": 0.5})
    assert {"2.50", "4.00", "1.00", "4.0 s", "0.5 s", "NumPy + polars, 7 columns"} <= set(texts)
    assert not any("pandas" in text for text in texts)
    assert texts[-1].startswith("World small; A & B, 2 cores")


def test_what_was_not_measured_is_left_out() -> None:
    assert "second run, nothing changed" not in drawn(whole=WHOLE)
    assert len(drawn(loops={})) == 1, "only where it was measured"


def test_the_figure_of_the_documentation_is_one() -> None:
    file = Path(__file__).parents[2] / "docs/img/speed.svg"
    assert ElementTree.parse(file).getroot().tag == "{http://www.w3.org/2000/svg}svg"
