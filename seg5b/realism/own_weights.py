"""T16 beside the world's own weights: does every zone and country get what it was promised? (docs/laws#T16)

Promised are physical arrivals. A zone is promised the realised intensity of its series, less what the coin takes to edges; a
country that of each series by the weights of the merchant's sites in the series' zone, by which sites are drawn: where a site
lies, and not where its merchant is registered, is what the arrivals tell. With M the total and V_z the variance of the count of
place z under the law of counts, the distance d = 1/2 sum of abs(n_z / N - m_z / M) of a lawful run is near its expectation and
as far from it as `chance` says; what is above the expectation is read. Intensities are given, so that scenarios of stress are
held to theirs as others are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from seg5b.realism.profile import HALF_NORMAL, attach_traits, share_spread, total_variation
from seg5b.realism.public_bands import LEAST_IN_PLACE, MOST_ERROR_OF_WEIGHTS, OWN_WEIGHTS, SURE_TO_HAVE_ANY
from seg5b.realism.readings import Reading, shortage
from seg5b.run_tables.cell_kappa import cell_spread
from seg5b.run_tables.subject import Subject

_REST = ""


@dataclass(frozen=True, slots=True)
class Promised:
    """Physical ``arrivals`` of places, and ``mean`` and ``variance`` of their number under the law: ``names`` text [n], the
    others float64 [n]."""

    names: np.ndarray
    arrivals: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    def without_small(self) -> Promised:
        """Places that expect fewer than `LEAST_IN_PLACE` taken together, since the gap of a few arrivals is not normal."""
        names, place = np.unique(np.where(self.mean < LEAST_IN_PLACE, _REST, self.names), return_inverse=True)
        sums = (np.bincount(place, each, len(names)) for each in (self.arrivals, self.mean, self.variance))
        return Promised(names, *sums)


def own_readings(kind: str, places: Promised, unknown: str = "") -> list[Reading]:
    """Distance from the promise above chance, and how many places are promised arrivals and have none; ``kind`` names the
    places (zones, countries), ``unknown`` says what it would take to know their promise, where it is not known."""
    return [_distance(kind, places, unknown), _empty(kind, places, unknown)]


def chance(mean: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Expectation and standard deviation of the total variation of perfect draws, counts of places being independent with these
    moments, float64 [n] each, some mean above 0.

    Gaps g of shares p are normal with covariance (V_a [a = b] - p_a V_b - p_b V_a + p_a p_b sum V) / M^2, as they sum to 0;
    of two with standard deviations s, t and correlation r, cov(abs g, abs h) = 2 / pi s t (r asin r + sqrt(1 - r^2) - 1).
    """
    spread, share = share_spread(mean, variance), mean / mean.sum()
    crossed = np.outer(share, variance)
    covariance = np.diag(variance) - crossed - crossed.T + np.outer(share, share) * variance.sum()
    both = np.outer(spread, spread)
    r = np.clip(covariance / mean.sum() ** 2 / np.where(both > 0.0, both, 1.0), -1.0, 1.0)
    squares = float((both * (r * np.arcsin(r) + np.sqrt(1.0 - r * r) - 1.0)).sum())
    return float(HALF_NORMAL * spread.sum() / 2.0), HALF_NORMAL * math.sqrt(max(squares, 0.0)) / 2.0


def _distance(kind: str, places: Promised, unknown: str) -> Reading:
    grouped, promised = places.without_small(), float(places.mean.sum())
    value, expected, error = math.nan, math.nan, math.inf
    if promised > 0.0:
        expected, error = chance(grouped.mean, grouped.variance)
        value = max(total_variation(grouped.arrivals, grouped.mean) - expected, 0.0)
    needed = promised * (error / MOST_ERROR_OF_WEIGHTS) ** 2 if promised > 0.0 else LEAST_IN_PLACE
    enough = int((grouped.mean >= LEAST_IN_PLACE).sum())
    few = shortage(
        ("expected arrivals", promised, math.ceil(needed)),
        (f"{kind} that expect {LEAST_IN_PLACE:g} arrivals", enough, 2),
    )
    bands = (OWN_WEIGHTS[0].ends, OWN_WEIGHTS[1].ends)
    size = f"{places.arrivals.sum():,.0f} arrivals in {places.names.size} {kind}, by chance {expected:.4f}"
    return Reading(f"distance of {kind} from their own weights", value, error, bands, size, unknown or few)


def _empty(kind: str, places: Promised, unknown: str) -> Reading:
    sure = places.mean > SURE_TO_HAVE_ANY * np.sqrt(places.variance)
    empty = float((sure & (places.arrivals == 0)).sum())
    few = shortage((f"{kind} that expect {SURE_TO_HAVE_ANY:g} of their standard deviations", int(sure.sum()), 1))
    size = f"{int(sure.sum())} {kind} that are sure to have some"
    return Reading(f"{kind} without any arrival", empty, 0.0, ((0.0, 0.0), (0.0, 0.0)), size, unknown or few)


def own_weights(subject: Subject) -> list[Reading]:
    """The readings of a scenario, of zones and of countries."""
    _promise(subject)
    return [
        *own_readings("zones", _zones(subject), _unknown(subject)),
        *own_readings("countries", _countries(subject), _unknown(subject)),
    ]


def _unknown(subject: Subject) -> str:
    """Why a series does not tell where its arrivals land, if it does not."""
    routing = subject.policies.routing
    told = (routing.tz_group_law, routing.on_missing_site_table) == ("zone_pinned_v1", "abort")
    return "" if told else "arrivals that stay in the zone of their series (zone_pinned_v1, abort)"


def _promise(subject: Subject) -> None:
    """``promised``: per series its zone, and of its physical arrivals the ``mean`` and the ``extra`` variance of the law."""
    attach_traits(subject)
    subject.run(
        f"""CREATE OR REPLACE TABLE promised AS
            SELECT t.merchant_id, t.zone_representation AS tzid, (1 - p_virtual) * sum(lambda_realised) AS mean,
                   pow(1 - p_virtual, 2) * sum(lambda_realised * lambda_realised * {cell_spread("t.kappa", "lambda_realised")})
                       AS extra
            FROM (SELECT position, lambda_realised FROM intensity WHERE lambda_realised > 0) i
                 JOIN score_traits t ON t.k = i.position // $buckets
            GROUP BY t.k, t.merchant_id, t.zone_representation, p_virtual HAVING p_virtual < 1"""
    )


def _zones(subject: Subject) -> Promised:
    return _read(
        subject,
        "SELECT tzid, mean, mean + extra AS variance FROM promised",
        "SELECT tzid_primary AS tzid, arrivals FROM site_routes",
        "tzid",
    )


def _countries(subject: Subject) -> Promised:
    """A series' arrivals are dealt out to its sites one by one, so that a country with the part q of them has the mean q m and
    the variance q m + q^2 extra."""
    return _read(
        subject,
        """SELECT country, q * mean AS mean, q * mean + q * q * extra AS variance
           FROM promised LEFT JOIN (
               SELECT merchant_id, tzid, country, sum(weight) / sum(sum(weight)) OVER (PARTITION BY merchant_id, tzid) AS q
               FROM sites WHERE weight > 0 GROUP BY merchant_id, tzid, country) USING (merchant_id, tzid)""",
        "SELECT country, arrivals FROM site_routes LEFT JOIN sites USING (merchant_id, site_id)",
        "country",
    )


def _read(subject: Subject, promise: str, seen: str, name: str) -> Promised:
    """Sums by place of both queries; a place that only one of them knows has 0 in the other."""
    columns = subject.arrays(
        f"""SELECT coalesce({name}, '?') AS name, sum(arrivals)::DOUBLE AS arrivals, sum(mean)::DOUBLE AS mean,
                   sum(variance)::DOUBLE AS variance
            FROM (SELECT {name}, 0 AS arrivals, mean, variance FROM ({promise})
                  UNION ALL SELECT {name}, arrivals, 0, 0 FROM ({seen})) GROUP BY ALL ORDER BY ALL"""
    )
    numbers = (np.asarray(columns[each], np.float64) for each in ("arrivals", "mean", "variance"))
    return Promised(np.array([str(each) for each in columns["name"]]), *numbers)
