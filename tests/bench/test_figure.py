"""The figure of the documentation: what was measured is drawn, what was not is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from figure import backends_figure, speed_figure

SVG = "{http://www.w3.org/2000/svg}"

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


def kernels_of(backend: str, floor_ns: float) -> dict[str, Any]:
    row = {"kernel": "order_bin", "ns_per_result": 4.0, "floor_ns_per_result": floor_ns}
    s4 = {"all_ns": 10.0, "all_floor_ns": 2.5, "all_arrivals_per_s": 1e8}
    return {"measured": [{"backend": {"backend": backend, "device": f"the {backend}"}, "kernels": [row], "s4": s4}]}


def test_backends_stand_beside_each_other_and_below_the_roofline() -> None:
    runs = {
        name: {"whole": {"seconds": 9.0, "state_seconds": {"S2": seconds, "S4": 3.0}}}
        for name, seconds in (("cpu", 2.0), ("cuda_arrow", 1.0), ("cuda_cudf", 1.5))
    }
    pipeline = {"runs": runs, "preset": "small", "files": "on disk", "machine": MACHINE}
    drawing = backends_figure(pipeline, [kernels_of("cpu", 2.0), kernels_of("cuda", 3.0)])
    root = ElementTree.fromstring(drawing)
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    at = texts.index("S2 on cpu")
    assert texts[at : at + 6] == ["S2 on cpu", "2.0 s", "S2 on cuda_arrow", "1.0 s", "S2 on cuda_cudf", "1.5 s"]
    at = texts.index("order_bin on cpu")
    assert texts[at : at + 4] == ["order_bin on cpu", "50%", "order_bin on cuda", "75%"]
    assert "100 M/s" in texts and texts[-1].startswith("the cpu; the cuda; A & B, 2 cores")
    (roofline,) = root.iter(f"{SVG}line")
    bars = {float(bar.get("x", 0)) + float(bar.get("width", 0)) for bar in root.iter(f"{SVG}rect")}
    assert float(roofline.get("x1", 0)) in {640.0} and 640.0 in bars, "as far as the longest bar of the other panel"
    alone = ElementTree.fromstring(backends_figure(pipeline, []))
    assert not list(alone.iter(f"{SVG}line")), "only where it was measured"


def test_the_figure_of_the_documentation_is_one() -> None:
    file = Path(__file__).parents[2] / "docs/img/speed.svg"
    assert ElementTree.parse(file).getroot().tag == "{http://www.w3.org/2000/svg}svg"
