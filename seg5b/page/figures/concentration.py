"""How unequal places are."""

from __future__ import annotations

import numpy as np

from seg5b.page import charts
from seg5b.page.facts.places import gini, lorenz, top_share
from seg5b.page.figure import Figure
from seg5b.page.measured import Measured, Views, names
from seg5b.page.wording import count, each, percent, rounded

TOP = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_KINDS = (("merchants", charts.C), ("zones", charts.D), ("sites", charts.A), ("edges", charts.B))
_POINTS = 50


def concentration(views: Views) -> tuple[Figure, ...]:
    """Lorenz curves of sites and edges, and shares of the busiest places."""
    return _lorenz(views), _top(views)


def _sizes(view: Measured) -> dict[str, np.ndarray]:
    places = view.places
    every = {"merchants": places.merchants, "zones": places.zone_counts(), "sites": places.sites, "edges": places.edges}
    return {name: sizes for name, sizes in every.items() if sizes.size}


def _lorenz(views: Views) -> Figure:
    rows, said = [], []
    for view in views:
        words = []
        for name, sizes in _sizes(view).items():
            if name in ("sites", "edges"):
                words.append(f"{gini(sizes):.2f} over {count(int(sizes.size))} {name}")
                for place, share in enumerate(lorenz(sizes, _POINTS).tolist()):
                    rows.append(
                        (view.scenario_id, name, place / _POINTS, rounded(share), int(sizes.size), rounded(gini(sizes)))
                    )
        said.append((view.scenario_id, ", ".join(words) or "none"))
    encoding = {
        "x": charts.number("places", "share of places, least busy first", "%"),
        "y": charts.number("share", "share of arrivals", "%"),
        "color": charts.colours("kind", [("sites", charts.A), ("edges", charts.B)]),
    }
    equal = [{"places": 0, "share": 0}, {"places": 1, "share": 1}]
    diagonal = {"x": {"field": "places", "type": "quantitative"}, "y": {"field": "share", "type": "quantitative"}}
    guide = charts.marks({"type": "line", "color": charts.SOFT, "strokeWidth": 1.2, "strokeDash": [4, 4]}, diagonal)
    tips = charts.tips(scenario="", kind="", places=".0%", share=".2%", gini=".3f")
    drawn = charts.layer(
        {**guide, "data": {"values": equal}}, charts.marks("line", encoding), charts.points(encoding, tips, size=16)
    )
    return Figure(
        "lorenz",
        f"Gini coefficient {each(said)}",
        f"Lorenz curves of sites and edges below the diagonal; Gini coefficient {each(said)}.",
        "Sites and edges that got at least one arrival; the dashed line is perfect equality.",
        "clearly below the diagonal, and not in the corner: a few places lead, many follow.",
        ("scenario", "kind", "places", "share", "number_of_places", "gini"),
        rows,
        charts.panels(drawn, names(views)),
    )


def _top(views: Views) -> Figure:
    rows = []
    for view in views:
        for name, sizes in _sizes(view).items():
            for part in TOP:
                if part * sizes.size >= 1:  # below that the largest one stands for a smaller part than it is
                    rows.append((view.scenario_id, name, part, rounded(top_share(sizes, part)), int(sizes.size)))
    said = [(view.scenario_id, percent(top_share(view.places.merchants, 0.01))) for view in views]
    encoding = {
        "x": charts.number(
            "busiest", "busiest part of all", "~%", scale={"type": "log"}, values=[0.001, 0.01, 0.1, 0.2]
        ),
        "y": charts.number("share", "share of arrivals", "%", scale={"zero": True}),
        "color": charts.colours("kind", list(_KINDS)),
    }
    tips = charts.tips(scenario="", kind="", busiest=".1%", share=".2%")
    drawn = charts.layer(charts.marks("line", encoding), charts.points(encoding, tips))
    return Figure(
        "top-shares",
        f"The busiest 1% of merchants hold {each(said)} of arrivals",
        f"Lines of the share of arrivals of the busiest merchants, zones, sites and edges; 1% of merchants: {each(said)}.",
        "Share of arrivals of the busiest 0.1% to 20%, where that is at least one place.",
        "merchants and zones are heavy-tailed, sites less so; nothing near 100% at the left.",
        ("scenario", "kind", "busiest", "share", "number"),
        rows,
        charts.panels(drawn, names(views)),
    )
