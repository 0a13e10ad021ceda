"""What the laws expect of a scenario's totals, and how far a lawful run is from it: one number in standard errors each.

Given S2's intensities, counts are independent with mean mu and variance mu + mu^2 / kappa, and each arrival of a series is
one of a kind (virtual, in one of some zones) with the same probability q. The number of that kind, less its share R of all,
has in a series the variance (q - R)^2 sum(mu + mu^2 / kappa) + q (1 - q) sum(mu) (docs/laws#certification). Where the coin of
hybrid merchants follows the hour, so do all arrivals of a cell, and cells of a series with the same q are added up.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from seg5b.part_scan import OFFSET_BINS
from seg5b.query import literal
from seg5b.realism.coins import cells_with_coins
from seg5b.realism.profile import attach_traits
from seg5b.run_tables.cell_kappa import cell_spread
from seg5b.run_tables.cell_tables import cell_totals
from seg5b.run_tables.subject import Subject
from seg5b.validation.checks.sentinels import TOP_ZONES, law_is_exact
from seg5b.validation.clipped_factor import expected_factor_mean
from seg5b.validation.placement import heights_by_hour
from seg5b.validation.records import Finding

LEAST_ARRIVALS = 500
LEAST_OF_A_KIND = 50
MOST_SKEWNESS = 0.25


@dataclass(frozen=True, slots=True)
class Expected:
    """A total ``value``, what the law expects of it, and its standard deviation there."""

    name: str
    value: float
    expected: float
    deviation: float

    @property
    def z(self) -> float:
        """The gap in standard deviations."""
        return (self.value - self.expected) / self.deviation


@dataclass(frozen=True, slots=True)
class SeriesTotals:
    """Per series (or part of one with the same coin): ``mean`` and ``variance`` of its arrivals, chance of a virtual one and of
    one in the busiest zones, float64 [n] each."""

    mean: np.ndarray
    variance: np.ndarray
    virtual: np.ndarray
    in_top_zones: np.ndarray


def expected_totals(subject: Subject) -> Finding:
    """Facts ``statistics``: every total that there is enough of, as `Expected` with its ``z``. Never a violation."""
    attach_traits(subject)
    zones = _busiest_zones(subject)
    series = _series(subject, zones)
    arrivals, virtual = subject.row(
        "SELECT coalesce(sum(arrivals), 0)::BIGINT, coalesce(sum(virtual_arrivals), 0)::BIGINT FROM merchant_parts"
    )
    found = _of_fields(subject)
    if arrivals >= LEAST_ARRIVALS and series.mean.size:
        found += [] if law_is_exact(subject) else _of_counts(subject, arrivals, series)
        found += share_of("virtual share (T7)", virtual, arrivals, series.virtual, series)
        if _zones_are_known(subject):
            (inside,) = subject.row(
                f"SELECT coalesce(sum(arrivals), 0)::BIGINT FROM cells WHERE tzid_primary IN ({_listed(zones)})"
            )
            found += share_of("busiest zones (T6)", inside, arrivals, series.in_top_zones, series)
        found.append(_of_offsets(subject))
    return Finding(0, (), arrivals, {"statistics": [{**asdict(each), "z": each.z} for each in found]})


def share_of(name: str, number: int, arrivals: int, chance: np.ndarray, series: SeriesTotals) -> list[Expected]:
    """The share of arrivals of a kind, ``chance`` float64 [n] by series; nothing where too few are of it or of others."""
    mean = float((chance * series.mean).sum() / series.mean.sum())
    if min(mean, 1.0 - mean) * arrivals < LEAST_OF_A_KIND:
        return []
    variance = ((chance - mean) ** 2 * series.variance + chance * (1.0 - chance) * series.mean).sum()
    deviation = math.sqrt(float(variance)) / float(series.mean.sum())
    return [Expected(name, number / arrivals, mean, deviation)] if deviation > 0.0 else []


def _zones_are_known(subject: Subject) -> bool:
    """Whether a series and an edge tell the primary zone of an arrival."""
    routing = subject.policies.routing
    return (routing.tz_group_law, routing.primary_clock, routing.on_missing_site_table) == (
        "zone_pinned_v1",
        "operational",
        "abort",
    )


def _busiest_zones(subject: Subject) -> list[str]:
    """The zones in which most arrivals are expected, and ``panel_series`` with the moments of each series; where the coin
    follows the hour, of each series and probability."""
    cells = "counts c JOIN score_traits t ON t.k = c.position // $buckets"
    if subject.policies.readings.coins_have_hours:
        cells = f"{cells_with_coins(subject, 'counts', 'mu')} t"
    subject.run(
        f"""CREATE OR REPLACE TABLE panel_series AS
           SELECT k, t.merchant_id, t.zone_representation AS tzid, p_virtual, sum(mu) AS mean,
                  sum(mu + mu * mu * {cell_spread("t.kappa", "mu")}) AS variance
           FROM {cells} WHERE mu > $zero_eps GROUP BY ALL"""
    )
    rows = subject.rows(
        f"""SELECT tzid FROM (SELECT tzid, mean * (1 - p_virtual) AS m FROM panel_series
                              UNION ALL SELECT e.tzid, mean * p_virtual * share
                              FROM panel_series JOIN edge_shares e USING (merchant_id) WHERE p_virtual > 0)
            GROUP BY tzid ORDER BY sum(m) DESC, tzid LIMIT {TOP_ZONES}"""
    )
    return [row[0] for row in rows]


def _series(subject: Subject, zones: list[str]) -> SeriesTotals:
    listed = _listed(zones)
    columns = subject.arrays(
        f"""WITH inside AS (SELECT merchant_id, sum(share) FILTER (tzid IN ({listed})) AS share
                            FROM edge_shares GROUP BY ALL)
            SELECT mean, variance, p_virtual AS virtual,
                   (1 - p_virtual) * (tzid IN ({listed}))::DOUBLE + p_virtual * coalesce(share, 0) AS in_top_zones
            FROM panel_series LEFT JOIN inside USING (merchant_id) ORDER BY k, p_virtual"""
    )
    return SeriesTotals(**{name: np.asarray(values, np.float64) for name, values in columns.items()})


def _listed(zones: list[str]) -> str:
    """Zones as SQL lists them; where there is none, one that no row has."""
    return ", ".join(map(literal, zones or [""]))


def _of_fields(subject: Subject) -> list[Expected]:
    totals = cell_totals(subject, "intensity")
    if subject.policies.lgcp.latent_model_id == "none" or not totals.rows or totals.factor_sum is None:
        return []
    law = expected_factor_mean(subject)
    if not law.standard_error or abs(law.skewness) > MOST_SKEWNESS:
        return []
    return [Expected("mean factor", totals.factor_sum / 1e9 / totals.rows, law.expected, law.standard_error)]


def _of_counts(subject: Subject, arrivals: int, series: SeriesTotals) -> list[Expected]:
    """How many there are, and how they scatter."""
    found = [Expected("arrivals", arrivals, float(series.mean.sum()), math.sqrt(float(series.variance.sum())))]
    scatter = cell_totals(subject, "counts").scatter
    if scatter.rows:
        value, expected = scatter.squares / 1e6 / scatter.rows, scatter.expected / 1e6 / scatter.rows
        deviation = 2.0 * scatter.expected_std * scatter.standard_error
        found.append(Expected("scatter of counts (T9 squared)", value, expected, deviation))
    return found


def _of_offsets(subject: Subject) -> Expected:
    rows = np.array(subject.rows("SELECT bin, arrivals FROM offset_bins ORDER BY bin"), np.float64)
    number = rows[:, 1].sum()
    mean = ((rows[:, 0] + 0.5) * rows[:, 1]).sum() / OFFSET_BINS / number
    expected, deviation = 0.5, float(1.0 / math.sqrt(12.0 * number))
    if subject.policies.readings.follows_intensity:
        expected, deviation = heights_by_hour(subject).mean_place()
    return Expected("mean place in the bucket", float(mean), expected, deviation)
