"""T13: do arrivals come at the local hours that their intensities expect?

A cell is a demand class and a clock: physical arrivals on their site's clock, virtual ones on their edge's. Its promise
is S2's realised intensity, hour by hour: in the series' own zone for physical arrivals; spread over the zones of the
merchant's edges for virtual ones; a bucket that lies in two local hours is shared between them as the law of
placement says. The distance is total variation, half the sum of absolute gaps between the two shares
of 24 hours. Perfect draws are not at distance 0, so the expected distance is computed beside it: for Poisson counts,
and for the count law of the policy, whose extra variance mu^2 / kappa spreads hours further. In large-number form the
share of hour h has variance (V_h (1 - 2 p_h) + p_h^2 sum V) / M^2 with V_h the variance of its count and M the total;
the expected absolute gap is sqrt(2 / pi) of its root.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seg5b.explain.facts import busy_zones
from seg5b.realism.coins import attach_coins, attach_cuts, promises_in_sql
from seg5b.realism.zone_hours import attach_zone_hours
from seg5b.run_tables.cell_kappa import cell_spread
from seg5b.run_tables.part_tables import CELL_TELLS_HOUR
from seg5b.run_tables.subject import Subject
from seg5b.validation.checks.law_routes import coin_in_sql
from seg5b.validation.placement import SHAPED
from seg5b.validation.records import Finding

LEAST_ARRIVALS = 500
ALLOWED_SD = (4.0, 3.0)
ALLOWED_SHARE = (0.005, 0.002)
_HOUR_US = 3_600_000_000
LOCAL_HOURS = f"""
    SELECT merchant_id, zone_representation, channel_group, is_virtual, hour, arrivals FROM hours
    UNION ALL
    SELECT merchant_id, zone_representation, channel_group, is_virtual,
           ($start_us + bucket_index * $bucket_us + offset_min * 60000000) // {_HOUR_US} % 24, arrivals
    FROM cells WHERE {CELL_TELLS_HOUR}"""
"""Arrivals by series, route and hour of the day, in SQL: of physical ones on their site's clock, of virtual ones on their
edge's."""
HALF_NORMAL = math.sqrt(2.0 / math.pi)
"""Mean of the absolute value of a standard normal."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One class and clock. Distances are shares (0 to 1); ``allowed_b`` and ``allowed_bplus`` bound ``distance``;
    ``series_zone_distance`` compares virtual arrivals with the promise in their series' own zone, for information."""

    demand_class: str
    clock: str
    arrivals: int
    distance: float
    expected_poisson: float
    expected_law: float
    allowed_b: float
    allowed_bplus: float
    series_zone_distance: float | None
    judged: bool


def profile_cells(subject: Subject) -> Finding:
    """Cells of the scenario, as facts; a violation is a judged cell beyond what grade B allows."""
    _make_tables(subject)
    promises, spreads = _promises(subject)
    cells = []
    for (demand_class, clock), seen in sorted(_arrivals_by_hour(subject).items()):
        empty = np.zeros(24)
        key = (demand_class, clock)
        own = _share_distance(seen, promises.get((demand_class, "virtual in series zone"), empty))
        cells.append(_cell(key, seen, promises.get(key, empty), spreads.get(key, empty), own))
    wrong = [cell for cell in cells if cell.judged and not cell.distance <= cell.allowed_b]
    keys = tuple(asdict(cell) for cell in wrong[:10])
    rows = sum(cell.arrivals for cell in cells)
    return Finding(len(wrong), keys, rows, {"cells": [asdict(cell) for cell in cells]})


def total_variation(seen: np.ndarray, promised: np.ndarray) -> float:
    """Half the sum of absolute gaps between two profiles after each is divided by its sum; 1 where one is empty."""
    if not seen.sum() > 0 or not promised.sum() > 0:
        return 1.0
    return float(np.abs(seen / seen.sum() - promised / promised.sum()).sum() / 2.0)


def expected_distance(promised: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Expected total variation of perfect draws with these means and variances per hour, and its standard deviation
    (hours taken as independent)."""
    spread = share_spread(promised, variance)
    return float(HALF_NORMAL * spread.sum() / 2.0), float(math.sqrt((1.0 - 2.0 / math.pi) * (spread**2).sum()) / 2.0)


def share_spread(promised: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Standard deviation of each share of perfect draws with these means and variances of independent counts, float64 [n]
    each: sqrt(V (1 - 2 p) + p^2 sum V) / M in large-number form."""
    total = promised.sum()
    share = promised / total
    return np.asarray(np.sqrt(np.maximum(variance * (1.0 - 2.0 * share) + share**2 * variance.sum(), 0.0)) / total)


def _cell(key: tuple[str, str], seen: np.ndarray, promised: np.ndarray, spread: np.ndarray, own: float | None) -> Cell:
    arrivals = int(seen.sum())
    poisson = law = deviation = 0.0
    if promised.sum() > 0:
        poisson, _ = expected_distance(promised, promised)
        law, deviation = expected_distance(promised, promised + spread)
    allowed_b, allowed_bplus = (
        law + sds * deviation + more for sds, more in zip(ALLOWED_SD, ALLOWED_SHARE, strict=True)
    )
    return Cell(
        demand_class=key[0],
        clock=key[1],
        arrivals=arrivals,
        distance=total_variation(seen, promised),
        expected_poisson=poisson,
        expected_law=law,
        allowed_b=allowed_b,
        allowed_bplus=allowed_bplus,
        series_zone_distance=own if key[1] == "virtual" else None,
        judged=arrivals >= LEAST_ARRIVALS,
    )


def _share_distance(seen: np.ndarray, promised: np.ndarray) -> float | None:
    return total_variation(seen, promised) if promised.sum() > 0 else None


def attach_traits(subject: Subject) -> None:
    """``edge_shares``: zones of a merchant's edges; ``score_traits``: per series its class, its share of virtual arrivals
    and the dispersion of its group. Where coins follow the hour a series has a ``coin`` in the place of the share, and
    ``zone_hours`` and the tables of `attach_coins` are made too."""
    _edge_shares(subject)
    hourly = subject.policies.readings.coins_have_hours
    share = "virtual_mode, channel_group, virtual_mode || ' ' || channel_group AS coin"
    if not hourly:
        coin = coin_in_sql(subject)
        share = f"CASE virtual_mode WHEN 'VIRTUAL_ONLY' THEN 1.0 WHEN 'HYBRID' THEN {coin} ELSE 0.0 END AS p_virtual"
    subject.run(
        f"""CREATE OR REPLACE TABLE score_traits AS
            SELECT k, s.merchant_id, s.zone_representation, g.demand_class, {share},
                   kappa
            FROM series s JOIN grouping g USING (merchant_id, zone_representation, channel_group)
            JOIN modes USING (merchant_id)"""
    )
    if hourly:
        attach_zone_hours(subject)
        attach_coins(subject)


def _make_tables(subject: Subject) -> None:
    """The tables of `attach_traits`, and ``zone_hours``: into which local hours each bucket falls, with shares."""
    attach_traits(subject)
    if subject.policies.readings.coins_have_hours:
        attach_cuts(subject)
    else:
        attach_zone_hours(subject)


def _edge_shares(subject: Subject) -> None:
    """Share of each zone among a merchant's virtual arrivals; tempering moves a part of the busy zones' to the
    others'."""
    busy, temper = busy_zones(subject), subject.policies.routing.edge_temper
    redirected = temper.redirect_p if temper.enabled else 0.0
    by_merchant: dict[int, dict[str, float]] = {}
    for merchant, tzid, weight in subject.rows(
        "SELECT merchant_id, tzid, sum(weight) FROM edges GROUP BY ALL ORDER BY ALL"
    ):
        by_merchant.setdefault(merchant, {})[tzid] = weight
    rows = []
    for merchant, zones in by_merchant.items():
        total = sum(zones.values())
        plain = sum(weight for tzid, weight in zones.items() if tzid not in busy)
        moved = redirected * (total - plain) if plain > 0.0 else 0.0
        for tzid, weight in zones.items():
            share = weight * (1.0 - (redirected if plain > 0.0 else 0.0)) if tzid in busy else weight
            rows.append(
                (merchant, tzid, (share + (moved * weight / plain if tzid not in busy and plain else 0.0)) / total)
            )
    columns = {
        "merchant_id": np.array([row[0] for row in rows], np.uint64),
        "tzid": np.array([row[1] for row in rows], object),
        "share": np.array([row[2] for row in rows], np.float64),
    }
    kinds = {"merchant_id": "UBIGINT", "tzid": "VARCHAR", "share": "DOUBLE"}
    subject.database.table("edge_shares", columns, kinds)


_PHYSICAL = """
    SELECT demand_class, hour, sum(lambda_realised * (1 - p_virtual) * {share}),
           sum(pow(lambda_realised * (1 - p_virtual) * {share}, 2) * {spread}), sum(lambda_realised * p_virtual * {share})
    FROM {cells} i JOIN score_traits ON k = position // $buckets
    JOIN zone_hours z ON z.tzid = score_traits.zone_representation AND z.bucket_index = i.bucket_index
    WHERE lambda_realised > 0 GROUP BY ALL"""

_VIRTUAL = """
    WITH m AS (SELECT score_traits.merchant_id, demand_class, bucket_index, sum(lambda_realised * p_virtual) AS mu,
                      sum(pow(lambda_realised * p_virtual, 2) * {spread}) AS extra
               FROM {cells} JOIN score_traits ON k = position // $buckets
               WHERE p_virtual > 0 AND lambda_realised > 0 GROUP BY ALL),
         q AS (SELECT e.merchant_id, z.bucket_index, z.hour, sum(e.share * z.share) AS q
               FROM edge_shares e JOIN zone_hours z USING (tzid)
               WHERE e.merchant_id IN (SELECT merchant_id FROM score_traits WHERE p_virtual > 0) GROUP BY ALL)
    SELECT demand_class, hour, sum(mu * q), sum(extra * q * q) FROM m JOIN q USING (merchant_id, bucket_index) GROUP BY ALL"""

_VIRTUAL_SHAPED = """
    WITH m AS (SELECT score_traits.merchant_id, demand_class, bucket_index, sum(lambda_realised * p_virtual) AS mu,
                      sum(lambda_realised * p_virtual * first) AS a, sum(lambda_realised * p_virtual * last) AS b,
                      sum(pow(lambda_realised * p_virtual, 2) * {spread}) AS extra
               FROM {cells} JOIN score_traits ON k = position // $buckets
               WHERE p_virtual > 0 AND lambda_realised > 0 GROUP BY ALL),
         q AS (SELECT e.merchant_id, z.bucket_index, z.hour, sum(e.share * z.w0) AS q0, sum(e.share * z.w1) AS q1,
                      sum(e.share * z.w2) AS q2
               FROM edge_shares e JOIN zone_hours z USING (tzid)
               WHERE e.merchant_id IN (SELECT merchant_id FROM score_traits WHERE p_virtual > 0) GROUP BY ALL)
    SELECT demand_class, hour, sum(mu * q0 + a * q1 + b * q2), sum(extra * pow(q0 + (a * q1 + b * q2) / mu, 2))
    FROM m JOIN q USING (merchant_id, bucket_index) GROUP BY ALL"""

Profiles = dict[tuple[str, str], np.ndarray]


def _promises(subject: Subject) -> tuple[Profiles, Profiles]:
    """Expected arrivals float64 [24] by class and clock, and what the count law adds to their variance."""
    promises: Profiles = {}
    spreads: Profiles = {}
    spread = cell_spread("kappa", "lambda_realised")
    physical = _PHYSICAL.format(cells="intensity", share="share", spread=spread)
    virtual = _VIRTUAL.format(cells="intensity", spread=spread)
    if subject.policies.readings.coins_have_hours:
        physical, virtual = promises_in_sql(subject)
    elif subject.policies.readings.follows_intensity:
        shaped = SHAPED.format(columns="lambda_realised", mu="lambda_realised", table="intensity")
        physical = _PHYSICAL.format(cells=f"({shaped})", share="(w0 + w1 * first + w2 * last)", spread=spread)
        virtual = _VIRTUAL_SHAPED.format(cells=f"({shaped})", spread=spread)
    for demand_class, hour, mean, extra, in_series_zone in subject.rows(physical):
        _at(promises, (demand_class, "physical"))[hour] = mean
        _at(spreads, (demand_class, "physical"))[hour] = extra
        _at(promises, (demand_class, "virtual in series zone"))[hour] = in_series_zone
    for demand_class, hour, mean, extra in subject.rows(virtual):
        _at(promises, (demand_class, "virtual"))[hour] = mean
        _at(spreads, (demand_class, "virtual"))[hour] = extra
    return promises, spreads


def _arrivals_by_hour(subject: Subject) -> Mapping[tuple[str, str], np.ndarray]:
    """Arrivals by class, clock and local hour, int64 [24]."""
    seen: dict[tuple[str, str], Any] = {}
    rows = subject.rows(
        f"""SELECT demand_class, CASE WHEN is_virtual THEN 'virtual' ELSE 'physical' END AS clock, hour,
                   sum(arrivals)::BIGINT
            FROM ({LOCAL_HOURS}) JOIN grouping USING (merchant_id, zone_representation, channel_group) GROUP BY ALL"""
    )
    for demand_class, clock, hour, arrivals in rows:
        seen.setdefault((demand_class, clock), np.zeros(24, np.int64))[hour] = arrivals
    return seen


def _at(profiles: Profiles, key: tuple[str, str]) -> np.ndarray:
    return profiles.setdefault(key, np.zeros(24))
