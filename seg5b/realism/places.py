"""T16: do payments lie where people pay, and no more at a site than it can take? (docs/laws#T16)

What the world's own weights promise its zones and countries is read in `seg5b.realism.own_weights`.
Countries are those of sites: where a virtual merchant's customers sit is another question. What a city's merchants take is
counted over sites, and every hour of every site against the ceiling of its class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seg5b.errors import InputError
from seg5b.places import SITES, site_rows
from seg5b.public_tables import card_payments
from seg5b.query import literal
from seg5b.realism.own_weights import own_weights
from seg5b.realism.public_bands import (
    COUNTRY_RANKS,
    COUNTRY_SCATTER,
    LARGEST_MERCHANT,
    LEAST_COUNTRIES,
    LEAST_IN_CITY,
    LEAST_IN_COUNTRY,
    SITE_HOUR,
)
from seg5b.realism.readings import Reading, excess_rms, finding, shortage, unstressed
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import Finding

_HOUR_US = 3_600_000_000
_NAMED = 10


@dataclass(frozen=True, slots=True)
class AtSites:
    """Arrivals of each site: ``merchant`` uint64 [n], ``country`` and ``city`` (with its zone) text [n], ``arrivals`` float64
    [n]."""

    merchant: np.ndarray
    country: np.ndarray
    city: np.ndarray
    arrivals: np.ndarray


def country_readings(sites: AtSites, public: Mapping[str, float]) -> list[Reading]:
    """Scatter of the log ratio of countries' arrivals to their ``public`` payments, without the noise that few merchants make,
    and the rank correlation of the two; of countries with a figure and enough arrivals."""
    names, place = np.unique(sites.country, return_inverse=True)
    total = np.bincount(place, sites.arrivals, len(names))
    of, held = _by_merchant(place, sites)
    # contributions of merchants are independent: the relative variance of their sum
    noise = np.bincount(of, held**2, len(names)) / np.maximum(total, 1.0) ** 2
    known = (total >= LEAST_IN_COUNTRY) & np.isin(names, sorted(public))
    weight = np.array([public.get(str(name), 1.0) for name in names])
    few = shortage(
        (f"countries of {LEAST_IN_COUNTRY:,} arrivals with a public figure", int(known.sum()), LEAST_COUNTRIES)
    )
    size = f"{int(known.sum())} countries"
    ratios = np.log(total[known] / weight[known])
    scatter = excess_rms(ratios - ratios.mean(), noise[known], np.ones(ratios.size)) if ratios.size else (math.nan, 0.0)
    rank, error = rank_correlation(total[known], weight[known])
    bands = [(band.ends, band.ends) for band in (COUNTRY_SCATTER, COUNTRY_RANKS)]
    return [
        Reading("scatter of countries about public payments (log)", *scatter, bands[0], size, few),
        Reading("rank correlation of countries with public payments", rank, error, bands[1], size, few),
    ]


def _by_merchant(place: np.ndarray, sites: AtSites) -> tuple[np.ndarray, np.ndarray]:
    """Arrivals of each merchant in each place that has any: place int64 and arrivals float64, [pairs] each."""
    merchant = np.unique(sites.merchant, return_inverse=True)[1]
    pairs, pair = np.unique(np.stack([place, merchant]), axis=1, return_inverse=True)
    return pairs[0], np.bincount(pair.ravel(), sites.arrivals, pairs.shape[1])


def rank_correlation(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Spearman's rank correlation of two float64 [n] without ties, and its standard error (1 - r^2) sqrt(1.06 / (n - 1)); not a
    number for fewer than three."""
    if first.size < 3:
        return math.nan, math.inf
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    rank = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    return rank, (1.0 - rank * rank) * math.sqrt(1.06 / (first.size - 1))


def merchant_readings(sites: AtSites) -> list[Reading]:
    """The largest share that a merchant has of a city's arrivals, for each least number of merchants."""
    cities, place = np.unique(sites.city, return_inverse=True)
    total = np.bincount(place, sites.arrivals, len(cities))
    of, held = _by_merchant(place, sites)
    merchants = np.bincount(of, minlength=len(cities))
    largest = np.zeros(len(cities))
    np.maximum.at(largest, of, held)
    readings = []
    for least, band in LARGEST_MERCHANT.items():
        busy = np.flatnonzero((merchants >= least) & (total >= LEAST_IN_CITY))
        few = shortage((f"city of {least:,} merchants and {LEAST_IN_CITY:,} arrivals", busy.size, 1))
        share, city = max(((largest[at] / total[at], at) for at in busy), default=(math.nan, -1))
        error = math.sqrt(share * (1.0 - share) / total[city]) if busy.size else 0.0
        size = f"{busy.size} cities" + (f", most in {cities[city]}" if busy.size else "")
        name = f"largest merchant of a city of {least:,}"
        readings.append(Reading(name, float(share), error, (band.ends, band.ends), size, few))
    return readings


def ceiling_reading(above: Sequence[tuple[str, int]], sites: int) -> Reading:
    """Hours of sites above the ceiling of their class, as (class, arrivals) each, among all hours of so many ``sites``."""
    return Reading(
        "hours of sites above what they can take", float(len(above)), 0.0, ((0.0, 0.0), (0.0, 0.0)), f"{sites:,} sites"
    )


def places(subject: Subject) -> Finding:
    """T16 of a scenario: readings, and as fact ``busiest_hours`` the largest hours of sites above their ceilings."""
    sites = _at_sites(subject)
    above = _hours_above(subject)
    public = [*country_readings(sites, card_payments()), *merchant_readings(sites)]
    public.append(ceiling_reading([row[:2] for row in above], sites.merchant.size))
    readings = [*own_weights(subject), *unstressed(subject, public)]
    busiest = [
        {
            "demand_class": name,
            "arrivals": arrivals,
            "merchant_id": merchant,
            "site_id": site,
            "hour_us": hour * _HOUR_US,
        }
        for name, arrivals, merchant, site, hour in above[:_NAMED]
    ]
    return finding(readings, int(sites.arrivals.sum()), {"busiest_hours": busiest})


def _at_sites(subject: Subject) -> AtSites:
    columns = subject.arrays(
        """SELECT merchant_id, site_id, s.country AS country, s.tzid AS tzid, sum(arrivals)::DOUBLE AS arrivals
           FROM site_routes JOIN sites s USING (merchant_id, site_id) GROUP BY ALL ORDER BY ALL"""
    )
    names = _cities(subject)
    zones = [str(zone) for zone in columns["tzid"]]
    keys = zip(columns["merchant_id"].tolist(), columns["site_id"].tolist(), strict=True)
    city = [f"{zone} {names.get(key, '')}".strip() for key, zone in zip(keys, zones, strict=True)]
    return AtSites(
        np.asarray(columns["merchant_id"], np.uint64),
        np.array([str(country) for country in columns["country"]]),
        np.array(city),
        np.asarray(columns["arrivals"], np.float64),
    )


def _cities(subject: Subject) -> dict[tuple[int, int], str]:
    """City of each (merchant, site); empty where upstream has no degrees, so that zones stand for cities."""
    merchant, site, city = (list(SITES).index(name) for name in ("merchant_id", "site_id", "city"))
    try:
        return {(row[merchant], row[site]): row[city] or "" for row in site_rows(subject.root, subject.contracts)}
    except InputError:
        return {}


def _hours_above(subject: Subject) -> list[tuple[str, int, int, int, int]]:
    """Class, arrivals, merchant, site and hour (since 1970) of each hour of a site above its ceiling, largest first. A site has
    no more than its merchant has in its zone in that hour, which the cells tell: arrivals are looked at only where that is
    above."""
    ceilings = ", ".join(f"({literal(name)}, {band.high})" for name, band in SITE_HOUR.items())
    return [
        (str(name), int(arrivals), int(merchant), int(site), int(hour))
        for name, arrivals, merchant, site, hour in subject.rows(
            f"""WITH ceiling(demand_class, most) AS (VALUES {ceilings}),
                series AS (SELECT merchant_id, zone_representation, channel_group, demand_class, most
                           FROM grouping JOIN ceiling USING (demand_class)),
                busy AS (
                    SELECT merchant_id, tzid_primary, demand_class, most,
                           ($start_us + bucket_index * $bucket_us) // {_HOUR_US} AS hour
                    FROM cells JOIN series USING (merchant_id, zone_representation, channel_group)
                    WHERE NOT is_virtual GROUP BY ALL HAVING sum(arrivals) > most)
                SELECT b.demand_class, count(*) AS arrivals, a.merchant_id, a.site_id, b.hour
                FROM arrivals a JOIN series s USING (merchant_id, zone_representation, channel_group)
                     JOIN busy b ON b.merchant_id = a.merchant_id AND b.tzid_primary = a.tzid_primary
                          AND b.demand_class = s.demand_class
                          AND b.hour = ($start_us + a.bucket_index * $bucket_us) // {_HOUR_US}
                WHERE NOT a.is_virtual AND a.site_id IS NOT NULL
                GROUP BY b.demand_class, b.most, a.merchant_id, a.site_id, b.hour HAVING count(*) > b.most
                ORDER BY arrivals DESC, a.merchant_id, a.site_id, b.hour"""
        )
    ]
