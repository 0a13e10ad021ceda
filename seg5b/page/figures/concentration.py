"""09-11: how unequal places are."""

from __future__ import annotations

import numpy as np

from seg5b.page.facts.places import POINTS, Places, gini, lorenz, top_share
from seg5b.page.figure import Figure, rounded
from seg5b.page.frame import PLOT, Axis, plot
from seg5b.page.marks import dots, line
from seg5b.page.scales import ScaleKind, count, percent

_CLOSE = 0.99
TOP = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def concentration(facts: Places) -> tuple[Figure, ...]:
    """Figures 09 and 10 (inequality of sites, edges and merchants) and 11 (promised intensity and arrivals)."""
    return _lorenz(facts), _top(facts), _merchants(facts)


def _lorenz(facts: Places) -> Figure:
    x, y = PLOT.across(0, 1), PLOT.upward(0, 1)
    sites, edges = lorenz(facts.sites), lorenz(facts.edges)
    at = np.linspace(0, 1, sites.size)
    marks = [line(x, y, [(0, 0), (1, 1)], "rule"), line(x, y, zip(at, sites, strict=True), "a")]
    legend = [("a", f"{count(facts.sites.size)} sites")]
    if facts.edges.size:
        marks.append(line(x, y, zip(at, edges, strict=True), "b dashed"))
        legend.append(("b dashed", f"{count(facts.edges.size)} edges"))
    axes = (
        Axis(x, "share of places, least busy first", percent),
        Axis(y, "share of arrivals", percent),
    )
    return Figure(
        "09",
        f"Gini {gini(facts.sites):.3f} over sites"
        + (f", {gini(facts.edges):.3f} over edges" if facts.edges.size else ""),
        (plot(PLOT, *axes, marks, "Lorenz curves"),),
        "Lorenz curves of the sites and edges that got at least one arrival; the dashed line is perfect equality.",
        "clearly below the diagonal, and not in the corner: a few places lead, many follow.",
        {
            "sites": {"places": int(facts.sites.size), "gini": rounded(gini(facts.sites))},
            "edges": {"places": int(facts.edges.size), "gini": rounded(gini(facts.edges))},
            "lorenz_sites": [rounded(float(value)) for value in sites],
            "lorenz_edges": [rounded(float(value)) for value in edges],
        },
        tuple(legend),
    )


def _top(facts: Places) -> Figure:
    zones = facts.zone_counts()
    series = (
        ("a", "sites", facts.sites),
        ("b dashed", "edges", facts.edges),
        ("c", "merchants", facts.merchants),
        ("d dashed", "zones", zones),
    )
    x, y = PLOT.across(TOP[0], TOP[-1], ScaleKind.LOG), PLOT.upward(0, 1)
    shown = [(look, name, values) for look, name, values in series if values.size]
    found = {name: [top_share(values, part) for part in TOP] for _, name, values in shown}
    marks = [line(x, y, zip(TOP, found[name], strict=True), look) for look, name, _ in shown]
    axes = (
        Axis(x, "busiest part of all places", percent, (0.001, 0.01, 0.05, 0.1, 0.2)),
        Axis(y, "share of arrivals", percent),
    )
    largest = top_share(facts.merchants, 0.01)
    return Figure(
        "10",
        f"The busiest 1% of merchants hold {100 * largest:.1f}%",
        (plot(PLOT, *axes, marks, "top shares"),),
        "Share of arrivals of the busiest 0.1% to 20% (at least one place of each kind).",
        "merchants and zones are heavy-tailed, sites less so; nothing near 100% at the left.",
        {"parts": TOP, **{name: [rounded(value) for value in values] for name, values in found.items()}},
        tuple((look, name) for look, name, _ in shown),
    )


def _merchants(facts: Places) -> Figure:
    promised, seen = facts.promised * 1e-6, facts.seen
    both = (promised > 0) & (seen > 0)
    u, v = promised[both][:POINTS], seen[both][:POINTS]
    ends = np.concatenate([u, v]) if u.size else np.array([1.0, 10.0])
    low, high = 10.0 ** np.floor(np.log10(ends.min())), 10.0 ** np.ceil(np.log10(ends.max() * 1.01))
    x, y = PLOT.across(low, high, ScaleKind.LOG), PLOT.upward(low, high, ScaleKind.LOG)
    marks = [line(x, y, [(low, low), (high, high)], "rule"), dots(x, y, zip(u, v, strict=True), "a")]
    correlation = rounded(facts.correlation())
    note = "–" if correlation is None else f"{correlation:.6f}"
    close = correlation is not None and correlation >= _CLOSE
    finding = "Merchants get what their intensity says" if close else "Merchants stray from their intensity"
    axes = (Axis(x, "intensity summed over the horizon"), Axis(y, "arrivals of the merchant"))
    return Figure(
        "11",
        f"{finding}, r = {note}",
        (plot(PLOT, *axes, marks, "arrivals against intensity"),),
        f"{count(int(u.size))} of {count(facts.seen.size)} merchants, taken by a hash of their id; {count(int((~both).sum()))} "
        "have no arrival or no intensity and no place on a logarithmic axis. r is over all.",
        "a thin line of dots along the diagonal; small merchants scatter more.",
        {"merchants": int(facts.seen.size), "correlation": correlation},
    )
