"""16, 17: the latent field and the scatter of counts."""

from __future__ import annotations

import numpy as np

from seg5b.page.facts.draws import SHOWN_DAYS, DrawFacts, Field, Scatter
from seg5b.page.facts.scene import DAY_US, Scene
from seg5b.page.figure import Figure, rounded
from seg5b.page.frame import PANEL, Axis, Box, plot
from seg5b.page.marks import dots, line, whisker
from seg5b.page.scales import ScaleKind, counted, short
from seg5b.page.svg import label

_FIELD_PANEL = Box(280, 190, 40, 10, 42, 40)


def draws(facts: DrawFacts, scene: Scene) -> tuple[Figure, ...]:
    """Figures 16 (latent factors) and 17 (scatter of counts)."""
    return _fields(facts, scene), _scatter(facts)


def _fields(facts: DrawFacts, scene: Scene) -> Figure:
    per_day = max(1, DAY_US // scene.bucket_us)
    shown = SHOWN_DAYS * per_day
    everything = np.concatenate([field.factor for field in facts.fields]) if facts.fields else np.ones(1)
    low, high = min(0.5, float(everything.min())), max(2.0, float(everything.max()))
    days = min(scene.days, SHOWN_DAYS)
    return Figure(
        "16",
        f"The latent factor has mean {everything.mean():.2f} over {counted(len(facts.fields), 'group')}",
        tuple(_field(field, shown, per_day, days, low, high) for field in facts.fields),
        f"Factor on the intensity of the largest group of each leading demand class, first {counted(days, 'day')}, "
        "logarithmic; the mean is over the whole horizon.",
        "mean near 1, slow waves rather than noise or drift, nothing pinned at the clips.",
        {
            field.group_id: {
                "members": field.members,
                "mean": rounded(float(field.factor.mean())),
                "std": rounded(float(field.factor.std())),
                "lag1": rounded(field.persistence(1)),
                "lag_day": rounded(field.persistence(per_day)),
            }
            for field in facts.fields
        },
        wide=True,
    )


def _field(field: Field, shown: int, per_day: int, days: int, low: float, high: float) -> str:
    box = _FIELD_PANEL
    x, y = box.across(0, days), box.upward(low, high, ScaleKind.LOG)
    kept = field.factor[:shown]
    points = [(place / per_day, float(value)) for place, value in enumerate(kept)]
    lag1 = field.persistence(1)
    note = (
        f"{counted(field.members, 'series', 'series')} · sd {field.factor.std():.2f} · lag-1 r {lag1:.2f}"
        if np.isfinite(lag1)
        else "constant"
    )
    marks = [
        line(x, y, [(0, 1), (days, 1)], "rule"),
        line(x, y, points, "a thin"),
        label(2.0, 29.0, note, class_="tick"),
    ]
    name = f"{field.demand_class}{', virtual' if field.virtual_series else ''}"
    ticks = [value for value in (0.1, 0.2, 0.5, 1, 2, 5, 10) if low <= value <= high]
    axes = (Axis(x, "days", short, range(0, days + 1, 7)), Axis(y, f"factor, {name}", short, ticks))
    return plot(box, *axes, marks, f"latent factor of {field.group_id}")


def _scatter(facts: DrawFacts) -> Figure:
    return Figure(
        "17",
        f"Count variance is {_ratio(facts):.2f} times what the law says",
        tuple(_panel(scatter) for scatter in facts.scatter if scatter.rows.size),
        "Variance of count_N around its mean mu, by size of mu (four bins a decade with 30 keys and 30 expected "
        "arrivals or more), with two standard errors; grey: mu + mu²/kappa.",
        "dots on the grey line; on the dashed line (variance = mean) counts would be Poisson.",
        {
            scatter.demand_class: {
                "kappa": [rounded(kappa) for kappa in scatter.kappas],
                "rows": scatter.rows.tolist(),
                "mu": [rounded(value) for value in scatter.mu],
                "variance": [rounded(value) for value in scatter.variance],
                "law": [rounded(value) for value in scatter.law],
            }
            for scatter in facts.scatter
        },
        (("promise", "mu + mu²/kappa"), ("a round", "observed"), ("rule", "variance = mean")),
        wide=True,
    )


def _ratio(facts: DrawFacts) -> float:
    """Observed variance over the law's, averaged over keys."""
    weighted = sum(float((one.rows * one.variance / one.law).sum()) for one in facts.scatter)
    return weighted / max(sum(int(one.rows.sum()) for one in facts.scatter), 1)


def _panel(scatter: Scatter) -> str:
    box = PANEL
    low = 10.0 ** np.floor(np.log10(scatter.mu.min()))
    high = 10.0 ** np.ceil(np.log10(max(scatter.law.max(), scatter.variance.max(), 10 * low)))
    right = 10.0 ** np.ceil(np.log10(max(scatter.mu.max(), 10 * low)))
    x, y = box.across(low, right, ScaleKind.LOG), box.upward(low, high, ScaleKind.LOG)
    bars = [
        whisker(x(mu), y(max(value - 2 * error, low)), y(value + 2 * error), "a")
        for mu, value, error in zip(scatter.mu, scatter.variance, scatter.error, strict=True)
    ]
    marks = [
        line(x, y, [(low, low), (right, right)], "rule"),
        line(x, y, zip(scatter.mu, scatter.law, strict=True), "promise"),
        *bars,
        dots(x, y, zip(scatter.mu, np.maximum(scatter.variance, low), strict=True), "a", 2.6),
    ]
    note = "kappa " + ", ".join(f"{kappa:.3g}" for kappa in scatter.kappas) if scatter.kappas else "Poisson"
    marks.append(label(box.width - box.right, 13.0, note, class_="tick", text_anchor="end"))
    axes = (Axis(x, "mean mu", short), Axis(y, f"variance, {scatter.demand_class}", short))
    return plot(box, *axes, marks, f"variance against mean, {scatter.demand_class}")
