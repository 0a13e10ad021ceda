"""Scales and numbers of axes."""

from __future__ import annotations

import pytest

from seg5b.page.scales import Scale, ScaleKind, counted, percent, round_up, short, zone_name
from seg5b.page.svg import element, number, path


def test_ends_and_middle() -> None:
    scale = Scale(0, 10, 100, 0)
    assert [scale(value) for value in (0, 5, 10)] == [100, 50, 0]
    assert Scale(1, 100, 0, 100, ScaleKind.LOG)(10) == pytest.approx(50)
    assert Scale(0, 99, 0, 100, ScaleKind.LOG1P)(9) == pytest.approx(50)
    assert scale(11) == 0 and scale(-1) == 100
    assert Scale(3, 3, 5, 9)(3) == 5


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0, 10, 0, 1), [0, 2, 4, 6, 8, 10]),
        (Scale(0, 0.08, 0, 1), [0, 0.02, 0.04, 0.06, 0.08]),
        (Scale(1, 1000, 0, 1, ScaleKind.LOG), [1, 10, 100, 1000]),
        (Scale(2, 9, 0, 1, ScaleKind.LOG), [2, 5]),
        (Scale(0, 1000, 0, 1, ScaleKind.LOG1P), [0, 1, 10, 100, 1000]),
        (Scale(0, 0, 0, 1), [0]),
    ],
)
def test_ticks(scale: Scale, ticks: list[float]) -> None:
    assert scale.ticks() == pytest.approx(ticks)


def test_words() -> None:
    assert [short(value) for value in (0, 0.05, 999, 1500, 2e6, 3e9)] == ["0", "0.05", "999", "1.5k", "2M", "3G"]
    assert [percent(share) for share in (0.001, 0.5)] == ["0.1%", "50%"]
    assert [counted(1, "key"), counted(2000, "key"), counted(2, "series", "series")] == [
        "1 key",
        "2,000 keys",
        "2 series",
    ]
    assert zone_name("America/Argentina/ComodRivadavia") == "…/ComodRivadavia"
    assert zone_name("America/Indiana/Vevay") == "…/Indiana/Vevay"
    assert zone_name("Europe/Paris") == "Europe/Paris"


@pytest.mark.parametrize(("value", "above"), [(0, 1), (0.071, 0.08), (1, 1), (1.2, 1.5), (21, 30), (9e5, 1e6)])
def test_round_up(value: float, above: float) -> None:
    assert round_up(value) == pytest.approx(above)


def test_elements() -> None:
    assert element("text", "a", class_="b", text_anchor="end", x=1.0, y=2.25) == (
        '<text class="b" text-anchor="end" x="1" y="2.2">a</text>'
    )
    assert element("rect", width=3, title='"<&') == '<rect width="3" title=\'"&lt;&amp;\'/>'
    assert element("i", hidden=None, checked=True) == '<i checked="true"/>'
    assert path([(0, 0), (1.5, 2)]) == '<path d="M0 0L1.5 2"/>'
    assert number(-0.01) == "0"
