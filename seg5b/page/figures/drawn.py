"""How S2 and S3 draw: the latent field and the scatter of counts."""

from __future__ import annotations

import numpy as np

from seg5b.page import charts
from seg5b.page.facts.draws import SHOWN_DAYS, Field
from seg5b.page.facts.scene import DAY_US
from seg5b.page.figure import Figure
from seg5b.page.measured import Measured, Views
from seg5b.page.wording import counted, each, rounded

_POINTS = 170
_KEY = [("observed", charts.A), ("law", charts.B)]
_RATIO, _LOG = "variance / mean", {"type": "log", "nice": False}


def latent(views: Views) -> Figure:
    """Paths of the latent factor of a few groups, and its mean over all."""
    rows, said = [], []
    for view in views:
        said.append((view.scenario_id, _mean(view)))
        for field in view.draws.fields:
            rows += [(view.scenario_id, *row) for row in _path(view, field)]
    groups = each(
        [(view.scenario_id, f"{len(view.draws.fields)} of {counted(view.draws.means.size, 'group')}") for view in views]
    )
    drawn = charts.layer(
        charts.rule("y", 1),
        charts.marks({"type": "line", "strokeWidth": 1.2}, _PATH),
        charts.points(_PATH, _PATH_TIPS, size=8),
        height=130,
    )
    return Figure(
        "latent-factor",
        f"The latent factor averages {each(said)}",
        f"Lines of the factor on the intensity around 1, for {groups}.",
        _told(groups, any(view.draws.own_paths for view in views)),
        "a mean of 1, slow waves rather than noise or drift, nothing pinned at the clips.",
        (
            "scenario",
            "group_id",
            "demand_class",
            "members",
            "mean",
            "std",
            "lag_1",
            "lag_day",
            "time",
            "factor",
            "panel",
        ),
        rows,
        charts.panels(drawn, (row[-1] for row in rows), "panel", 7),
        panel_px=160,
        wide=True,
    )


_PATH = {
    "x": {
        "field": "time",
        "type": "temporal",
        "title": None,
        "scale": {"type": "utc"},
        "axis": {"format": "%-d %b", "tickCount": 4},
    },
    "y": charts.number("factor", "factor", "~g", scale={"type": "log", "nice": False}, values=[0.1, 0.2, 0.5, 1, 2, 5, 10]),
}  # fmt: skip
_PATH_TIPS = [
    *charts.tips(scenario="", demand_class=""),
    {"field": "time", "type": "ordinal", "format": "%a %-d %b %H:%M", "timeUnit": "utcyearmonthdatehoursminutes"},
    *charts.tips(factor=".3f", members=",", std=".2f", lag_1=".2f"),
]


def _told(groups: str, own_paths: bool) -> str:
    """Whose factors are shown, and what the mean is of."""
    if own_paths:
        return (
            f"Factor of the first series of the largest group of each leading demand class, {groups}, on the first "
            f"{SHOWN_DAYS} days; the mean is over the first series of all groups and the whole horizon, without a standard "
            "error: series of one country or time zone share a part of their factor."
        )
    return (
        f"Factor of the largest group of each leading demand class, {groups}, on the first {SHOWN_DAYS} days; the mean is over "
        "all groups and the whole horizon, with two standard errors."
    )


def _mean(view: Measured) -> str:
    means = view.draws.means
    if means.size < 2:
        return "1 (no groups)" if not means.size else f"{means[0]:.3f}"
    if view.draws.own_paths:
        return f"{means.mean():.3f} over one series of each of {counted(int(means.size), 'group')}"
    return f"{means.mean():.3f} ± {2 * means.std(ddof=1) / np.sqrt(means.size):.3f} over {counted(int(means.size), 'group')}"


def _path(view: Measured, field: Field) -> list[tuple[str | int | float | None, ...]]:
    per_day = max(1, DAY_US // view.bucket_us)
    kept = field.factor[: SHOWN_DAYS * per_day]
    stride = max(1, -(-kept.size // _POINTS))
    name = f"{field.demand_class}{', virtual' if field.virtual_series else ''}"
    facts = (
        field.group_id,
        name,
        field.members,
        rounded(float(field.factor.mean())),
        rounded(float(field.factor.std())),
    )
    lags = (rounded(field.persistence(1)), rounded(field.persistence(per_day)))
    panel = f"{name} · {view.scenario_id}"
    found: list[tuple[str | int | float | None, ...]] = []
    for place in range(0, kept.size, stride):
        at = np.datetime64(view.start_us + place * view.bucket_us, "us").astype("datetime64[s]")
        found.append((*facts, *lags, f"{at}Z", rounded(float(kept[place]), 5), panel))
    return found


def scatter(views: Views) -> Figure:
    """Variance of counts over their mean, by size of the mean, beside S3's law."""
    rows, said = [], []
    for view in views:
        said.append((view.scenario_id, f"{_ratio(view):.2f} times"))
        for one in view.draws.scatter:
            panel = f"{one.demand_class} · {view.scenario_id}"
            kappas = " to ".join(f"{kappa:.3g}" for kappa in one.kappas) or "Poisson"
            for keys, mu, variance, error, law in zip(
                *(values.tolist() for values in (one.rows, one.mu, one.variance, one.error, one.law)), strict=True
            ):
                low, high = max(variance - 2 * error, variance / 10) / mu, (variance + 2 * error) / mu
                amounts = (rounded(variance / mu), rounded(low), rounded(high), rounded(law / mu))
                rows.append((view.scenario_id, one.demand_class, kappas, keys, rounded(mu), *amounts, panel))
    x = charts.number("mean", "expected arrivals of the key", "~g", scale={"type": "log"}, tickCount=4)
    tips = charts.tips(
        scenario="", demand_class="", kappa="", keys=",", mean=".3~g", observed=".3f", low=".3f", high=".3f", law=".3f"
    )
    drawn = charts.layer(
        charts.rule("y", 1),
        charts.marks(
            {"type": "line", "strokeDash": [6, 3]},
            {"x": x, "y": charts.number("law", _RATIO, scale=_LOG), "color": charts.named("law", _KEY)},
        ),
        charts.marks(
            "rule",
            {
                "x": x,
                "y": charts.number("low", _RATIO, scale=_LOG),
                "y2": {"field": "high"},
                "color": charts.named("observed", _KEY),
            },
        ),
        charts.points(
            {"x": x, "y": charts.number("observed", _RATIO, "~g", scale=_LOG, values=[0.2, 0.5, 1, 2, 5, 10, 20, 50])},
            tips,
        ),
        height=140,
    )
    return Figure(
        "scatter-of-counts",
        f"The variance of counts is {each(said)} what the law says",
        f"Points of variance over mean by size of the mean, with the law as a line; on average {each(said)} the law.",
        "Variance of S3's counts around their mean, over that mean, by size of it (four classes a decade with 30 keys and 30 "
        "expected arrivals or more), with two standard errors. Orange: the law, 1 + mean / kappa.",
        "points on the orange line; at the dashed line counts would be Poisson.",
        ("scenario", "demand_class", "kappa", "keys", "mean", "observed", "low", "high", "law", "panel"),
        rows,
        charts.panels(drawn, (row[-1] for row in rows), "panel", 7),
        panel_px=160,
        wide=True,
    )


def _ratio(view: Measured) -> float:
    """Observed variance over the law's, averaged over keys."""
    weighted = sum(float((one.rows * one.variance / one.law).sum()) for one in view.draws.scatter)
    return weighted / max(sum(int(one.rows.sum()) for one in view.draws.scatter), 1)
