"""Are sites, edges and the coin of hybrid merchants drawn by their weights, and at random? (law L7.routing,
docs/laws#law-tests)

Given its zone an arrival's site is drawn by the weights of its merchant's sites there, whatever law chose the zone; a virtual
one's edge by the edge weights of its merchant, which tempering moves in a known way; the coin of a hybrid merchant falls on
virtual with the probability of the policy. Whatever the weights, the order of time cannot tell one site from another.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seg5b.explain.facts import busy_zones
from seg5b.query import literal
from seg5b.run_tables.subject import Subject
from seg5b.validation import tails
from seg5b.validation.checks.law_counts import BLOCK, CODE, FIELD
from seg5b.validation.checks.routing import no_physical, no_virtual
from seg5b.validation.placement import MOST_SPREAD
from seg5b.validation.records import Check, Compute, Finding
from seg5b.validation.trials import Trial, grouped, judge, of_sums

_LEAST_EXPECTED = 10.0
Columns = Mapping[str, np.ndarray]


def _coin(subject: Subject) -> Finding:
    """Virtual arrivals of hybrid merchants, each and all."""
    if subject.policies.readings.coins_have_hours:
        return _coins_of_hours(subject)
    if subject.policies.readings.virtual_shares:
        return _coins_of_channels(subject)
    rows = subject.arrays(
        """SELECT merchant_id, sum(arrivals)::BIGINT AS arrivals, sum(virtual_arrivals)::BIGINT AS virtual_arrivals
           FROM merchant_parts JOIN modes USING (merchant_id) WHERE virtual_mode = 'HYBRID' GROUP BY ALL ORDER BY ALL"""
    )
    every, virtual, p = rows["arrivals"], rows["virtual_arrivals"], subject.policies.readings.p_virtual_hybrid
    whole = np.array([every.sum()]), np.array([virtual.sum()])
    trials = [_tosses("coin of a merchant", {"merchant_id": rows["merchant_id"]}, every, virtual, p)]
    return judge(subject, [*trials, _tosses("coin of all", {}, *whole, p)])


def _coins_of_channels(subject: Subject) -> Finding:
    """The same where channels have coins of their own: of each merchant and channel, and of each channel."""
    rows = subject.arrays(
        f"""SELECT merchant_id, channel_group, any_value({coin_in_sql(subject)}) AS p, sum(arrivals)::BIGINT AS arrivals,
                   sum(virtual_arrivals)::BIGINT AS virtual_arrivals
            FROM bucket_arrivals JOIN modes USING (merchant_id)
            WHERE virtual_mode = 'HYBRID' AND channel_group IS NOT NULL GROUP BY ALL ORDER BY ALL"""
    )
    every, virtual, p = rows["arrivals"], rows["virtual_arrivals"], rows["p"]
    keys = {"merchant_id": rows["merchant_id"], "channel_group": rows["channel_group"]}
    (channels, chance), (tossed, found) = grouped([rows["channel_group"], p], [every, virtual])
    of_all = _tosses("coin of a channel", {"channel_group": channels}, tossed, found, chance)
    return judge(subject, [_tosses("coin of a merchant and channel", keys, every, virtual, p), of_all])


def _coins_of_hours(subject: Subject) -> Finding:
    """The same where coins follow the hour, by the hours of the arrivals themselves: of each merchant, channel and hour, of
    each channel and hour, and of each merchant and channel over all hours."""
    rows = subject.arrays(
        f"""WITH tossed AS ({TOSSED})
            SELECT merchant_id, channel_group, hour, any_value({coin_in_sql(subject, "hour")}) AS p,
                   sum(arrivals)::BIGINT AS arrivals, coalesce(sum(arrivals) FILTER (is_virtual), 0)::BIGINT AS virtual_arrivals
            FROM tossed WHERE channel_group IS NOT NULL GROUP BY ALL ORDER BY ALL"""
    )
    every, virtual, p = (rows[name].astype(np.float64) for name in ("arrivals", "virtual_arrivals", "p"))
    keys = {name: rows[name] for name in ("merchant_id", "channel_group", "hour")}
    (channels, hours, chance), (tossed, found) = grouped([rows["channel_group"], rows["hour"], p], [every, virtual])
    of_hour = {"channel_group": channels, "hour": hours}
    trials = [
        _tosses("coin of a merchant, channel and hour", keys, every, virtual, p),
        _tosses("coin of a channel and hour", of_hour, tossed, found, chance),
    ]
    moments = virtual - every * p, every * p * (1.0 - p), every * p * (1.0 - p) * (1.0 - 2.0 * p)
    (merchants, channels), sums = grouped([rows["merchant_id"], rows["channel_group"]], moments)
    of_merchant = {"merchant_id": merchants, "channel_group": channels}
    trials += of_sums("coin of a merchant and channel", of_merchant, *sums)
    return judge(subject, trials)


_WHOLE_HOURS = """
    SELECT tzid FROM cache_steps GROUP BY tzid
    HAVING 3600000000 % $bucket_us = 0 AND $start_us % $bucket_us = 0
       AND bool_and(offset_min % 60 = 0 AND (from_us <= $start_us OR (from_us - $start_us) % $bucket_us = 0))"""
"""Zones whose local hour a bucket tells."""
TOSSED = f"""
    WITH hybrid AS (SELECT merchant_id FROM modes WHERE virtual_mode = 'HYBRID'),
    placed AS (
        SELECT merchant_id, zone_representation, channel_group, is_virtual, arrivals,
               $start_us + bucket_index * $bucket_us AS at_us
        FROM cells WHERE merchant_id IN (FROM hybrid) AND zone_representation IN ({_WHOLE_HOURS})
        UNION ALL
        SELECT merchant_id, zone_representation, channel_group, is_virtual, 1, epoch_us(ts_utc)
        FROM arrivals WHERE merchant_id IN (FROM hybrid) AND zone_representation NOT IN ({_WHOLE_HOURS}))
    SELECT merchant_id, channel_group, is_virtual, arrivals, (at_us // 1000000 + offset_min * 60) // 3600 % 24 AS hour
    FROM placed JOIN cache_steps ON tzid = zone_representation AND at_us >= from_us AND at_us < to_us"""
"""Arrivals of hybrid merchants by the hour of the day in the zone of their series: cells where their bucket tells it, else
one by one."""


def coin_in_sql(subject: Subject, hour: str = "0") -> str:
    """SQL of the probability that an arrival of a hybrid merchant is virtual, by ``channel_group`` and, where it follows the
    hour of the day, by the SQL ``hour`` of it (0-23)."""
    read = subject.policies.readings
    coin = f"{read.p_virtual_hybrid!r}::DOUBLE"
    own = (f"WHEN {literal(channel)} THEN {_in_sql(p, hour)}" for channel, p in sorted(read.virtual_shares.items()))
    return f"CASE channel_group {' '.join(own)} ELSE {coin} END" if read.virtual_shares else coin


def _in_sql(p: tuple[float, ...], hour: str) -> str:
    if len(set(p)) == 1:
        return f"{p[0]!r}::DOUBLE"
    return f"[{', '.join(f'{each!r}::DOUBLE' for each in p)}][1 + {hour}]"


def _tosses(name: str, keys: Columns, every: np.ndarray, virtual: np.ndarray, p: float | np.ndarray) -> Trial:
    shown = {"arrivals": every, "virtual": virtual, "expected": every * p}
    return Trial(name, keys, tails.binomial(virtual, every, p), shown)


def _sites(subject: Subject) -> Finding:
    """Arrivals of each site, and the share of its weight among those of its merchant and zone."""
    rows = subject.arrays(
        """WITH used AS (SELECT merchant_id, site_id, tzid_primary AS tzid, sum(arrivals) AS n FROM site_routes
                         WHERE merchant_id IS NOT NULL GROUP BY ALL)
           SELECT merchant_id, tzid, site_id AS kind, coalesce(n, 0)::DOUBLE AS arrivals, weight
           FROM sites LEFT JOIN used USING (merchant_id, tzid, site_id)
           WHERE weight > 0 AND (merchant_id, tzid) IN (SELECT (merchant_id, tzid) FROM used) ORDER BY ALL"""
    )
    return _shares(subject, rows, [rows["merchant_id"], rows["tzid"]], rows["weight"])


def _edges(subject: Subject) -> Finding:
    """Arrivals of each edge, and the share of its weight among those of its merchant."""
    rows = subject.arrays(
        """WITH used AS (SELECT merchant_id, edge_id, sum(arrivals) AS n FROM edge_routes GROUP BY ALL)
           SELECT merchant_id, tzid, edge_id AS kind, coalesce(n, 0)::DOUBLE AS arrivals, weight
           FROM edges LEFT JOIN used USING (merchant_id, edge_id)
           WHERE weight > 0 AND merchant_id IN (SELECT merchant_id FROM used) ORDER BY merchant_id, kind"""
    )
    return _shares(subject, rows, [rows["merchant_id"]], _tempered(subject, rows))


def _tempered(subject: Subject, rows: Columns) -> np.ndarray:
    """Probability of each edge under the tempering of the policy: what falls on a busy zone's edge goes, with ``redirect_p``,
    to one of the merchant's other edges by their weights."""
    read = subject.policies.readings
    _, at = np.unique(rows["merchant_id"], return_inverse=True)
    own = rows["weight"] / np.bincount(at, rows["weight"])[at] if at.size else rows["weight"]
    if not read.temper or not at.size:
        return own
    busy = np.isin(rows["tzid"], sorted(busy_zones(subject)))
    of_busy, of_rest = np.bincount(at, own * busy)[at], np.bincount(at, own * ~busy)[at]
    moved = np.where(of_rest > 0, read.temper_p, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gained = np.where(of_rest > 0, own / of_rest * of_busy * moved, 0.0)
    return np.where(busy, own * (1.0 - moved), own + gained)


def _shares(subject: Subject, rows: Columns, unit: list[np.ndarray], weight: np.ndarray) -> Finding:
    """Each kind against its share of the unit's arrivals, and Pearson's sum over the kinds of a unit that expect at least 10
    arrivals, the others of the unit taken together."""
    codes = np.zeros(len(rows["kind"]), np.int64)
    for key in unit:
        codes = np.unique(codes * (len(codes) + 1) + np.unique(key, return_inverse=True)[1], return_inverse=True)[1]
    arrivals = rows["arrivals"]
    total, whole = np.bincount(codes, arrivals)[codes], np.bincount(codes, weight)[codes]
    share = weight / whole
    keys = {"merchant_id": rows["merchant_id"], "id": rows["kind"]}
    log_p = tails.binomial(arrivals, total, np.minimum(share, 1.0))
    trials = [Trial("share of one", keys, log_p, {"arrivals": arrivals, "expected": total * share})]
    return judge(subject, trials + _pearson(rows["merchant_id"], codes, arrivals, total, share))


def _pearson(
    merchant: np.ndarray, unit: np.ndarray, arrivals: np.ndarray, total: np.ndarray, share: np.ndarray
) -> list[Trial]:
    small = total * share < _LEAST_EXPECTED
    kind = np.where(small, -1, np.arange(unit.size))
    (units, merchants, _), (n, p) = grouped([unit, merchant, kind], [arrivals, share])
    every = np.bincount(units, n)[units] if units.size else n
    keep = every * p >= _LEAST_EXPECTED  # a remainder that is too small is left out
    units, merchants, n, p, every = (column[keep] for column in (units, merchants, n, p, every))
    square = (n - every * p) ** 2 / (every * p)
    # Terms whose sum is chi-square; each has mean 1 - p. Var = 2 (k - 1) + (sum 1/p - k^2 - 2 k + 2) / n, here at most:
    variance = 2.0 * (1.0 - p) + 1.0 / (every * p)
    (_, named), (gap, spread, free) = grouped([units, merchants], [square - (1.0 - p), variance, 1.0 - p])
    third = 8.0 * free + 22.0 * (spread - 2.0 * free)
    some = free > 1e-9
    gap, spread, third, named = gap[some], spread[some], third[some], named[some]
    if not gap.size:
        return []
    each = Trial(
        "unevenness of a merchant's zone", {"merchant_id": named}, tails.sums(gap, spread, third), {"excess": gap}
    )
    return [each, *of_sums("unevenness of all", {}, *(np.array([column.sum()]) for column in (gap, spread, third)))]


def _order(subject: Subject) -> Finding:
    """Sites of a zone, edges of a merchant, and the coin, in the order of time and within the bucket."""
    trials: list[Trial] = []
    for name, table, unit in (("site", "site_habits", "tzid_primary"), ("edge", "edge_habits", "''")):
        rows = subject.arrays(
            f"""SELECT part, merchant_id, {unit} AS tzid, kind, arrivals, rank_sum, repeats, inside_us
                FROM {table} WHERE merchant_id IS NOT NULL AND kind IS NOT NULL AND {unit} IS NOT NULL ORDER BY ALL"""
        )
        trials += _orderly(subject, name, rows)
    return judge(subject, trials + _flags(subject))


def _orderly(subject: Subject, name: str, rows: Columns) -> list[Trial]:
    n, ranks, inside = (rows[key].astype(np.float64) for key in ("arrivals", "rank_sum", "inside_us"))
    (part, merchant, tzid), (every, follow, squares, cubes, at_all) = grouped(
        [rows["part"], rows["merchant_id"], rows["tzid"]], [n, rows["repeats"], n * n, n**3, inside]
    )
    place = {key: code for code, key in enumerate(zip(part.tolist(), merchant.tolist(), tzid.tolist(), strict=True))}
    owner = [place[key] for key in zip(*(rows[key].tolist() for key in ("part", "merchant_id", "tzid")), strict=True)]
    whole = every[owner] if owner else n
    keys = {"merchant_id": rows["merchant_id"], "id": rows["kind"]}
    rank_gap, rank_variance = ranks - n * (whole + 1) / 2, n * (whole - n) * (whole + 1) / 12
    in_bucket = _in_bucket(subject, inside, n, at_all[owner] if owner else n, whole)
    trials = [
        Trial(f"{name} in the order of time", keys, tails.sums(rank_gap, rank_variance), {"arrivals": n, "of": whole}),
        Trial(f"{name} within the bucket", keys, in_bucket, {"arrivals": n}),
    ]
    return [*trials, *_repeats(name, {"merchant_id": merchant, "part": part}, every, follow, squares, cubes)]


def _in_bucket(
    subject: Subject, inside: np.ndarray, n: np.ndarray, of_all: np.ndarray, every: np.ndarray
) -> np.ndarray:
    """Microseconds since the bucket began of ``n`` arrivals, ``inside``: uniform; or, where the law of placement follows
    intensities, as of any n of the ``every`` whose microseconds are ``of_all``, within `MOST_SPREAD`; all say nothing."""
    bucket_us = float(subject.constants["bucket_us"] or 0)
    if not subject.policies.readings.follows_intensity:
        return tails.sums(inside - n * (bucket_us - 1) / 2, n * bucket_us**2 / 12)
    gap = np.where(
        every > n, inside - of_all * (n / np.maximum(every, 1.0)), 0.0
    )  # without spread rounding alone is a gap
    return tails.sums(gap, n * (every - n) / np.maximum(every - 1.0, 1.0) * bucket_us**2 * MOST_SPREAD)


def _repeats(
    name: str, keys: Columns, n: np.ndarray, follow: np.ndarray, squares: np.ndarray, cubes: np.ndarray
) -> list[Trial]:
    """Arrivals that follow one of their own kind: n less the number of runs, whose mean and variance in a random order are
    known (Mood 1940). Rare kinds make the law nearly a Poisson law, and its skewness is taken for all."""
    some = (n > 2) & (squares < n * n)
    n, follow, squares, cubes = n[some], follow[some], squares[some], cubes[some]
    expected = (squares - n) / n
    variance = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n * n * (n - 1))
    shown = {"repeats": follow, "expected": expected}
    log_p = np.where(
        follow > expected,
        tails.sums(follow - expected, variance, np.maximum(expected, variance)),
        tails.sums(follow - expected, variance),
    )
    return [Trial(f"the same {name} again", {key: values[some] for key, values in keys.items()}, log_p, shown)]


def _flags(subject: Subject) -> list[Trial]:
    """The coin of hybrid merchants in the order of time and within the bucket; of those with one coin for all arrivals, for the
    arrivals of channels come at other times."""
    rows = subject.arrays(
        f"""WITH every AS (SELECT part, merchant_id, sum(inside_us)::DOUBLE AS at_all
                          FROM (SELECT part, merchant_id, inside_us FROM site_habits
                                UNION ALL SELECT part, merchant_id, inside_us FROM edge_habits) GROUP BY ALL)
           SELECT part, f.* EXCLUDE (part), coalesce(at_all, 0) AS at_all
           FROM flags f JOIN modes USING (merchant_id) LEFT JOIN every USING (part, merchant_id)
           WHERE virtual_mode = 'HYBRID' AND arrivals > 0 {_of_one_coin(subject)} ORDER BY ALL"""
    )
    n, k, ranks, follow, inside = (
        rows[key].astype(np.float64) for key in ("arrivals", "virtual_arrivals", "rank_sum", "repeats", "inside_us")
    )
    keys = {"merchant_id": rows["merchant_id"], "part": rows["part"]}
    squares, cubes = k * k + (n - k) ** 2, k**3 + (n - k) ** 3
    in_time = tails.sums(ranks - k * (n + 1) / 2, k * (n - k) * (n + 1) / 12)
    in_bucket = _in_bucket(subject, inside, k, rows["at_all"], n)
    return [
        Trial("coin in the order of time", keys, in_time, {"virtual": k, "of": n}),
        Trial("coin within the bucket", keys, in_bucket, {"virtual": k}),
        *_repeats("side of the coin", keys, n, follow, squares, cubes),
    ]


def _of_one_coin(subject: Subject) -> str:
    """SQL that leaves out merchants whose series have different coins, or one that follows the hour."""
    read = subject.policies.readings
    if not read.virtual_shares:
        return ""
    of_hours = ", ".join(map(literal, filter(read.coin_has_hours, sorted(read.virtual_shares))))
    changing = f"OR bool_or(channel_group IN ({of_hours}))" if of_hours else ""
    return f"""AND merchant_id NOT IN (SELECT merchant_id FROM grouping
               GROUP BY merchant_id HAVING count(DISTINCT {coin_in_sql(subject)}) > 1 {changing})"""


def _no_hybrid(subject: Subject) -> str:
    hybrid = subject.row(
        "SELECT count(*) FROM merchant_parts JOIN modes USING (merchant_id) WHERE virtual_mode = 'HYBRID'"
    )
    return "" if hybrid[0] else "no merchant is hybrid"


CHECKS = (
    Check(
        "law.routes_coin",
        CODE,
        FIELD,
        BLOCK,
        "hybrid merchants have the virtual arrivals that the policy's probability gives them, each and all together",
        Compute(_coin),
        needs=("merchant_parts", "bucket_arrivals", "modes", "cells", "arrivals", "cache_steps"),
        applies=_no_hybrid,
        must_have_rows=False,
    ),
    Check(
        "law.routes_sites",
        CODE,
        FIELD,
        BLOCK,
        "sites have the arrivals that their weights give them, by merchant and zone",
        Compute(_sites),
        needs=("site_routes", "sites"),
        applies=no_physical,
        must_have_rows=False,
    ),
    Check(
        "law.routes_edges",
        CODE,
        FIELD,
        BLOCK,
        "edges have the arrivals that their weights give them, by merchant",
        Compute(_edges),
        needs=("edge_routes", "edges"),
        applies=no_virtual,
        must_have_rows=False,
    ),
    Check(
        "law.routes_order",
        CODE,
        FIELD,
        BLOCK,
        "neither the order of time nor the place in the bucket tells one site, edge or side of the coin from another",
        Compute(_order),
        needs=("site_habits", "edge_habits", "flags", "modes", "grouping"),
        must_have_rows=False,
    ),
)
