"""What is packaged with the page: the drawing library, the land, and colours that can be told apart."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from importlib.resources import files

import pytest

from seg5b.page.charts import STEPS

PAGE = files("seg5b.page")
STYLE = PAGE.joinpath("report.css").read_text("utf-8")


def test_the_drawing_library_is_the_one_that_the_readme_names() -> None:
    said = PAGE.joinpath("data/README.md").read_text("utf-8")
    library = PAGE.joinpath("data/vega.js").read_bytes()
    assert hashlib.sha256(library).hexdigest() in said
    convert = pytest.importorskip("vl_convert")
    release = re.search(r"vl-convert-python ([\d.]+)", said)
    assert release
    if not convert.__version__.startswith(release[1]):
        pytest.skip(f"vega.js is from vl-convert-python {release[1]}, {convert.__version__} is installed")
    assert convert.javascript_bundle().encode() == library


def test_the_land_is_closed_rings_in_degrees() -> None:
    text = PAGE.joinpath("data/land.json").read_text("utf-8")
    assert len(text) < 120_000
    polygons = json.loads(text)["coordinates"]
    for (ring,) in polygons:
        assert len(ring) >= 4 and ring[0] == ring[-1]
        assert all(-180 <= east <= 180 and -60 <= north <= 90 for east, north in ring)
    assert sum(_area(ring) for (ring,) in polygons) < 0, "outer rings run clockwise, as d3 wants them"


def _area(ring: list[list[float]]) -> float:
    return sum(x * v - u * y for (x, y), (u, v) in itertools.pairwise(ring)) / 2


def palette(theme: str) -> dict[str, str]:
    """Colours of the style sheet by name, ``light`` or ``dark``."""
    found = re.findall(r":root \{(.*?)\}", STYLE, re.S)[["light", "dark"].index(theme)]
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", found))


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2."""
    lights = sorted((_luminance(one), _luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_marks_stand_out(theme: str) -> None:
    """Text 4.5 : 1, marks 3 : 1 (WCAG 2 AA). Steps of an amount begin near the paper by design; each differs from the last."""
    colours = palette(theme)
    for name in ("ink", "soft", "good", "bad", "warn", "a"):
        assert min(contrast(colours[name], colours[ground]) for ground in ("card", "paper")) >= 4.5, name
    for name in "abcd":
        assert min(contrast(colours[name], colours[ground]) for ground in ("card", "land")) >= 3, name
    steps = [colours[step.removeprefix("var(--").removesuffix(")")] for step in STEPS]
    against = [contrast(step, colours["card"]) for step in steps]
    assert against == sorted(against) and against[-1] >= 7, "more is further from the paper, in the dark too"
    assert all(later / earlier > 1.08 for earlier, later in itertools.pairwise(against))
