"""Facts of the made world beside the calibration targets (docs/laws#world-targets): written once, printed by the command
line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg5b.errors import WorldError
from seg5b.foreign_json import OBJECT, read_json
from seg5b.world import portable
from seg5b.world.edges import WorldEdges
from seg5b.world.identity import canon
from seg5b.world.largest_places import largest_places
from seg5b.world.plan import CALIBRATED
from seg5b.world.shares import gini, sum_by, top_share
from seg5b.world.surface import Block, Surface
from seg5b.world.vocabulary import CLASSES, HYBRID_COIN
from seg5b.world.world import BuiltWorld

REPORT_PATH = "reports/world_report.json"
"""The resolved specification that a world was made from."""
_VIRTUAL_SHARE = np.array([0.0, HYBRID_COIN, 1.0])
# Shipped count law: kappa by scenario band, times the class multiplier; at least 2.
_KAPPA_BASE = {True: 30.0, False: 12.0}
_KAPPA_CLASS = {
    "always_on_local": 1.05, "bills_utilities": 1.20, "consumer_daytime": 1.0, "evening_weekend": 0.90,
    "fuel_convenience": 0.95, "low_volume_tail": 0.60, "office_hours": 1.10, "online_24h": 0.85,
    "online_bursty": 0.40, "travel_hospitality": 0.80,
}  # fmt: skip
# What the reference engine's runs measured, and what the gates ask for where they disagree.
_REFERENCE: Mapping[str, float | str] = {
    "merchants": 886,
    "country_rows": 16_528,
    "series": 13_849,
    "active_rows": 2_158,
    "tzids_with_arrivals": 139,
    "countries": 53,
    "weekly_total": 9_587_050,
    "arrivals_expected:baseline_v1": 124_724_153,
    "lambda_max:baseline_v1": "about 20000",
    "active_zero_probability:baseline_v1": 0.152,
    "residual_std:baseline_v1": "1.40 (gate T9: 1.25-1.50)",
    "top_1pct_merchants": 0.29,
    "top_5pct_merchants": 0.495,
    "top_10pct_merchants": 0.59,
    "gini_merchants": 0.668,
    "gini_sites": 0.384,
    "gini_edges": 0.605,
    "top10_tz_share": "0.75 (gate T6: <= 0.62)",
    "virtual_share": "0.0225 (gate T7: 0.05-0.12)",
    "virtual_top10_tz_share": 0.57,
    "weekend_share": 0.286,
    "peak_hour": 12,
    "active_zones_median": 2,
    "active_zones_p99": 10,
    "series_by_countries": "11883 1468 358 91 23 26",
    "role_volume_shares": "0.904 0.082 0.015",
    "sites": 23_989,
    "edges": "5000 (500 each; later law 6-58 each)",
}


class SurfaceTotals:
    """Running sums over the blocks of one scenario."""

    def __init__(self, world: BuiltWorld, scenario_id: str, is_baseline: bool) -> None:
        self.scenario_id = scenario_id
        self._kappa = np.array([max(2.0, _KAPPA_BASE[is_baseline] * _KAPPA_CLASS[name]) for name in CLASSES])
        self._shipped_law = not world.plan.document.get("dispersion")
        self._class_code = world.rows.class_code[world.channels.row]
        self._weekly = world.channels.weekly
        self._sum = self._max = self._zero = self._excess = 0.0
        self._buckets = 0

    def add(self, block: Block) -> None:
        """Take in one block."""
        active = np.flatnonzero(self._weekly[block.start : block.stop] > 0)
        values = block.lambda_[active].astype(np.float64)
        kappa = self._kappa[self._class_code[block.start : block.stop][active]]
        self._sum += float(values.sum())
        self._max = max(self._max, float(values.max(initial=0.0)))
        self._zero += float(portable.exp(-np.minimum(values, 600.0)).sum())
        self._excess += float((values / kappa[:, None]).sum())
        self._buckets += values.size

    def facts(self) -> dict[str, float]:
        """Expected arrivals, largest intensity, chance of a zero count; where the specification leaves the law of counts as
        it is shipped, also the standard deviation of count residuals."""
        count = max(1, self._buckets)
        name = self.scenario_id
        residual_std = round(float(np.sqrt(1.0 + self._excess / count)), 4)
        return {
            f"arrivals_expected:{name}": round(self._sum, 1),
            f"lambda_max:{name}": round(self._max, 1),
            f"active_zero_probability:{name}": round(self._zero / count, 4),
            **({f"residual_std:{name}": residual_std} if self._shipped_law else {}),
        }


def make_report(
    world: BuiltWorld,
    surface: Surface,
    edges: WorldEdges,
    totals: list[SurfaceTotals],
    policy_changes: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Facts of the made world and, per fact, its target; only ``reference`` and ``large`` are held to numbers. Under
    derived_v1 also what was set in policies, and why. Of the ten largest places also what public figures say."""
    made = {**_domain_facts(world), **_volume_facts(world, surface), **_route_facts(world, edges)}
    for total in totals:
        made |= total.facts()
    places = [asdict(place) for place in largest_places(world)]
    scale = {"reference": 1, "large": 10}.get(world.plan.name)
    if world.plan.law != CALIBRATED:
        asked = {"weekly_total": world.plan.weekly_total, "merchants": world.plan.merchants}
        made |= {"law": world.plan.law}
        report = {"preset": world.plan.name, "made": made, "target": asked, "policy_changes": list(policy_changes)}
        return {**report, "largest_places": places}
    return {
        "preset": world.plan.name,
        "largest_places": places,
        "made": made,
        "target": {} if scale is None else {name: _scaled(name, scale) for name in _REFERENCE},
    }


_GROWING = ("merchants", "country_rows", "series", "active_rows", "weekly_total", "sites")


def _scaled(name: str, scale: int) -> float | str:
    value = _REFERENCE[name]
    grows = name in _GROWING or name.startswith("arrivals_expected")
    return value * scale if grows and not isinstance(value, str) else value


def world_summary(run_root: Path) -> dict[str, Any]:
    """Made and target values of the world in a run folder, as ``{fact: {"target": .., "made": ..}}``.

    Raises `WorldError` ``5B.WORLD.REPORT_MISSING`` when the folder holds no world made here.
    """
    path = run_root / REPORT_PATH
    try:
        report = read_json(path, {"made": OBJECT, "target": OBJECT})
    except (OSError, ValueError) as cause:
        raise WorldError(
            "5B.WORLD.REPORT_MISSING",
            f"no readable world report: {cause}",
            where=str(path),
            remedy="make the world with `seg5b world make`",
        ) from cause
    target = report["target"]
    return {name: {"target": target.get(name), "made": value} for name, value in report["made"].items()}


def report_bytes(report: Mapping[str, Any]) -> bytes:
    """The report as canonical JSON."""
    return canon(report)


def _domain_facts(world: BuiltWorld) -> dict[str, Any]:
    rows = world.rows
    _, countries = np.unique(rows.series(), return_counts=True)
    series = np.unique(rows.series()[rows.weekly > 0])
    zones = np.bincount(series // 10_000, minlength=world.merchants.id.size)
    return {
        "merchants": int(world.merchants.id.size),
        "country_rows": len(rows),
        "series": int(countries.size),
        "series_by_countries": " ".join(map(str, np.bincount(countries)[1:])),
        "active_rows": int((rows.weekly > 0).sum()),
        "buckets": world.plan.buckets,
        "countries": int(np.unique(rows.country).size),
        "tzids_in_domain": int(np.unique(rows.zone).size),
        "tzids_with_arrivals": int(np.unique(rows.zone[rows.weekly > 0]).size),
        "active_zones_median": float(np.median(zones)),
        "active_zones_p99": float(np.percentile(zones, 99)),
        "sites": int(world.sites.row.size),
    }


def _volume_facts(world: BuiltWorld, surface: Surface) -> dict[str, Any]:
    rows, weekly = world.rows, world.merchants.weekly
    by_class = sum_by(rows.class_code, rows.weekly, len(CLASSES)) / rows.weekly.sum()
    roles = sum_by(rows.role, rows.weekly, 3) / rows.weekly.sum()
    week = np.zeros(surface.shapes.shape[:2])
    channels = world.channels
    np.add.at(week, (rows.class_code[channels.row], surface.variant), channels.weekly)
    hours = (week[:, :, None] * surface.shapes).sum(axis=(0, 1)).reshape(7, 24, -1).sum(axis=2)
    tops = {
        f"top_{percent}pct_merchants": round(top_share(weekly, max(1, round(weekly.size * percent / 100))), 4)
        for percent in (1, 5, 10)
    }
    return {
        "weekly_total": round(float(rows.weekly.sum()), 1),
        "gini_merchants": round(gini(weekly), 4),
        **tops,
        "class_volume_shares": {
            name: round(float(share), 4) for name, share in zip(CLASSES, by_class, strict=True) if share > 0
        },
        "role_volume_shares": " ".join(f"{share:.3f}" for share in roles),
        "weekend_share": round(float(hours[5:].sum() / hours.sum()), 4),
        "peak_hour": int(np.argmax(hours.sum(axis=0))),
    }


def _route_facts(world: BuiltWorld, edges: WorldEdges) -> dict[str, Any]:
    """Shares by route and zone, with each arrival in its bucket row's zone or at its edge."""
    rows, merchants = world.rows, world.merchants
    virtual = merchants.weekly * _VIRTUAL_SHARE[merchants.mode_code]
    physical = rows.weekly * (1 - _VIRTUAL_SHARE[merchants.mode_code[rows.merchant]])
    edge_volume = virtual[edges.merchant] * edges.weight
    zone_names = [world.planet.tzids.index(tzid) for tzid in world.geography.tzids]
    by_zone = np.zeros(len(world.planet.tzids))
    np.add.at(by_zone, np.array(zone_names)[rows.zone], physical)
    at_edges = sum_by(edges.zone, edge_volume, by_zone.size)
    both = by_zone + at_edges
    busiest = np.argsort(-both, kind="stable")[:10]
    return {
        "virtual_share": round(float(virtual.sum() / merchants.weekly.sum()), 4),
        "top10_tz_share": round(top_share(both, 10), 4),
        "physical_top10_tz_share": round(top_share(by_zone, 10), 4),
        "virtual_top10_tz_share": round(top_share(at_edges, 10), 4),
        "busiest_tzids": {world.planet.tzids[zone]: round(float(both[zone] / both.sum()), 4) for zone in busiest},
        "edges": int(edges.weight.size),
        "gini_edges": round(gini(edge_volume), 4),
        "gini_sites": round(gini(_site_volumes(world, physical)), 4),
    }


def _site_volumes(world: BuiltWorld, physical: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected weekly volume of each site: its (merchant, zone) volume by its share of the weights there."""
    series = world.rows.series()
    keys, place = np.unique(series, return_inverse=True)
    volume = sum_by(place, physical, keys.size)
    at = place[world.sites.row]
    weight = sum_by(at, world.sites.weight, keys.size)
    return np.asarray(volume[at] * world.sites.weight / weight[at])
