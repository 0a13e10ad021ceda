"""Coins of hybrid merchants that follow the local hour, as laws of totals and of hours expect them of cells (law L7.routing).

An arrival of a cell is virtual with the probability of the hour in which it falls, by the clock of its series' zone; so all
arrivals of a cell are virtual with one probability, that of its hours, each by its share of the cell.
"""

from __future__ import annotations

from seg5b.realism.zone_hours import weigh
from seg5b.run_tables.cell_kappa import cell_spread
from seg5b.run_tables.subject import Subject
from seg5b.validation.checks.law_routes import coin_in_sql
from seg5b.validation.placement import SHAPED


def attach_coins(subject: Subject) -> None:
    """``coin_hours``: for each ``coin`` of ``score_traits`` and each ``hour`` the probability ``p_virtual``; ``bucket_coins``:
    by coin, zone and bucket ``p0`` to ``p2``, from which and the heights a and b of a cell its probability
    p0 + p1 a + p2 b follows. Needs ``score_traits`` and ``zone_hours``."""
    subject.run(
        f"""CREATE OR REPLACE TABLE coin_hours AS
            SELECT coin, hour, CASE virtual_mode WHEN 'VIRTUAL_ONLY' THEN 1.0 WHEN 'HYBRID' THEN {coin_in_sql(subject, "hour")}
                                    ELSE 0.0 END AS p_virtual
            FROM (SELECT DISTINCT coin, virtual_mode, channel_group FROM score_traits)
            CROSS JOIN (SELECT unnest(range(24)) AS hour)"""
    )
    shaped = subject.policies.readings.follows_intensity
    parts = ("w0", "w1", "w2") if shaped else ("share", "0.0", "0.0")
    sums = ", ".join(f"sum({part} * p_virtual) AS p{place}" for place, part in enumerate(parts))
    subject.run(
        f"""CREATE OR REPLACE TABLE bucket_coins AS
            SELECT coin, tzid, bucket_index, {sums} FROM zone_hours JOIN coin_hours USING (hour)
            WHERE (coin, tzid) IN (SELECT (coin, zone_representation) FROM score_traits) GROUP BY ALL"""
    )


def cells_with_coins(subject: Subject, table: str, mu: str) -> str:
    """SQL of the cells of ``table`` (``counts`` or ``intensity``, whose column of intensities is ``mu``) with the traits of
    their series and ``p_virtual``, the probability that one of their arrivals is virtual. Needs `attach_coins`."""
    p, cells = "p0", table
    if subject.policies.readings.follows_intensity:
        own = "count_N" if table == "counts" else mu
        p, cells = "p0 + p1 * first + p2 * last", f"({SHAPED.format(columns=own, mu=mu, table=table)})"
    return f"""(SELECT c.*, t.* EXCLUDE (merchant_id), {p} AS p_virtual
                FROM {cells} c JOIN score_traits t ON t.k = c.position // $buckets
                JOIN bucket_coins b
                ON b.coin = t.coin AND b.tzid = t.zone_representation AND b.bucket_index = c.bucket_index)"""


def attach_cuts(subject: Subject) -> None:
    """``zone_cuts``: ``zone_hours``, its stretches cut wherever one of any zone begins, so that those of all zones are the
    same."""
    subject.run(
        """CREATE OR REPLACE TABLE zone_cuts AS
           WITH cuts AS (SELECT begins, lead(begins, 1, 1.0) OVER (ORDER BY begins) AS ends
                         FROM (SELECT DISTINCT begins FROM zone_hours))
           SELECT tzid, bucket_index, hour, c.begins, c.ends - c.begins AS share
           FROM zone_hours z JOIN cuts c ON c.begins >= z.begins AND c.begins < z.begins + z.share"""
    )
    if subject.policies.readings.follows_intensity:
        weigh(subject, "zone_cuts")


_PHYSICAL = """
    SELECT demand_class, z.hour, sum(lambda_realised * (1 - p_virtual) * {share}),
           sum(pow(lambda_realised * (1 - p_virtual) * {share}, 2) * {spread}), sum(lambda_realised * p_virtual * {share})
    FROM {cells} i JOIN score_traits t ON t.k = position // $buckets
    JOIN zone_hours z ON z.tzid = t.zone_representation AND z.bucket_index = i.bucket_index
    JOIN coin_hours h ON h.coin = t.coin AND h.hour = z.hour
    WHERE lambda_realised > 0 GROUP BY ALL"""
"""As T13's promise of physical arrivals, the coin being that of the hour."""

_VIRTUAL = """
    WITH cell AS (SELECT t.merchant_id, demand_class, i.bucket_index, position, z.begins,
                         lambda_realised * {share} * p_virtual AS mu, {spread} AS spread
                  FROM {cells} i JOIN score_traits t ON t.k = position // $buckets
                  JOIN zone_cuts z ON z.tzid = t.zone_representation AND z.bucket_index = i.bucket_index
                  JOIN coin_hours h ON h.coin = t.coin AND h.hour = z.hour
                  WHERE p_virtual > 0 AND lambda_realised > 0),
         whole AS (SELECT merchant_id, demand_class, bucket_index, sum(mu) AS mu, sum(mu * mu * spread) AS extra
                   FROM (SELECT merchant_id, demand_class, bucket_index, position, spread, sum(mu) AS mu FROM cell GROUP BY ALL)
                   GROUP BY ALL),
         m AS (SELECT merchant_id, demand_class, bucket_index, begins, sum(mu) AS mu FROM cell GROUP BY ALL),
         q AS (SELECT e.merchant_id, bucket_index, begins, hour, sum(e.share) AS q
               FROM edge_shares e JOIN zone_cuts z USING (tzid)
               WHERE e.merchant_id IN (SELECT merchant_id FROM whole) GROUP BY ALL),
         mean AS (SELECT merchant_id, demand_class, bucket_index, hour, sum(mu * q) AS mean
                  FROM m JOIN q USING (merchant_id, bucket_index, begins) GROUP BY ALL)
    SELECT demand_class, hour, sum(mean), sum(extra * pow(mean / mu, 2))
    FROM mean JOIN whole USING (merchant_id, demand_class, bucket_index) GROUP BY ALL"""


def promises_in_sql(subject: Subject) -> tuple[str, str]:
    """SQL of what T13 promises under coins that follow the hour. Of physical arrivals: class, local hour, mean, what the count
    law adds to the variance, and the mean of virtual ones in their series' zone; of virtual ones: class, hour on the edges'
    clocks, mean, and what is added. Needs `attach_coins` and `attach_cuts`."""
    cells, share = "intensity", "share"
    if subject.policies.readings.follows_intensity:
        shaped = SHAPED.format(columns="lambda_realised", mu="lambda_realised", table="intensity")
        cells, share = f"({shaped})", "(w0 + w1 * first + w2 * last)"
    filled = {"cells": cells, "share": share, "spread": cell_spread("kappa", "lambda_realised")}
    return _PHYSICAL.format(**filled), _VIRTUAL.format(**filled)
