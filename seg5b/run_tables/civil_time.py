"""Civil time of a scenario's arrivals: the wall clock that was written, compared with the one that the tzdata package
gives.

Arrivals are taken bucket by bucket where that is exact: the bucket lies in one interval of the package with the offset
that was written, on one side of every window's edge, and its local hour is known because offsets are whole hours. The
arrivals of all other buckets are looked at one by one; in a sound world there are none. Windows are half-open, so that
they begin and end with buckets: the reference's closed window has one microsecond more.
"""

from __future__ import annotations

from seg5b.run_tables.subject import Subject
from seg5b.run_tables.views import Catalogue

HOUR_US = 3_600_000_000
_BUCKET_US = "$start_us + bucket_index * $bucket_us"


def recount_civil(subject: Subject) -> None:
    """Count again with the arrivals one by one whose wall clock is not UTC plus the offset beside it. For runs
    in which ``clock.primary_wall`` does not hold; in others no such arrival exists."""
    subject.run(f"INSERT INTO inexact_clocks {_BROKEN}")
    for name, select in (("civil", _CIVIL), ("window_hours", _WINDOW_HOURS)):
        subject.run(f"CREATE OR REPLACE TABLE {name} AS {select}")


def attach_civil(catalogue: Catalogue) -> None:
    """``clocks``: arrivals by primary zone, offset, bucket and local hour; ``windows``: each change of a zone in use,
    with its edges; ``civil``: arrivals by zone, written and true local hour (hours since 1970) and error of the wall
    clock (null for unknown zones); ``window_hours``: arrivals of each window by written and true hour of the day."""
    width_us = catalogue.subject.policies.validation.civil_time_gates.dst_window_hours * HOUR_US
    catalogue.sql("clocks", _CLOCKS, needs=("cells", "quarters"))
    catalogue.sql(
        "windows",
        f"""SELECT tzid, at_us, at_us - {width_us} AS low_us, at_us + {width_us} AS high_us
            FROM changes WHERE tzid IN (SELECT tzid_primary FROM clocks)""",
        needs=("clocks", "changes"),
    )
    catalogue.sql("inexact_clocks", _INEXACT, needs=("windows", "truth_steps", "arrivals"))
    catalogue.sql("civil_source", _SOURCE, kind="VIEW", needs=("inexact_clocks",))
    catalogue.sql("civil", _CIVIL, needs=("civil_source",))
    catalogue.sql("window_hours", _WINDOW_HOURS, needs=("civil_source",))


_CLOCKS = f"""
    SELECT tzid_primary, offset_min, bucket_index,
           ({_BUCKET_US} + offset_min::BIGINT * 60000000) // {HOUR_US} AS local_hour, sum(arrivals)::BIGINT AS arrivals
    FROM cells WHERE offset_min % 60 = 0 GROUP BY ALL
    UNION ALL
    SELECT tzid_primary, offset_min, bucket_index, local_hour, sum(arrivals)::BIGINT
    FROM quarters WHERE offset_min % 60 <> 0 GROUP BY ALL"""

_INEXACT = f"""
    WITH c AS (SELECT DISTINCT tzid_primary, offset_min, bucket_index, {_BUCKET_US} AS first_us,
                      {_BUCKET_US} + $bucket_us - 1 AS last_us FROM clocks)
    SELECT tzid_primary, offset_min, bucket_index
    FROM c ANTI JOIN truth_steps z ON z.tzid = c.tzid_primary AND z.offset_min = c.offset_min
         AND c.first_us >= z.from_us AND c.last_us < z.to_us
    UNION
    SELECT tzid_primary, offset_min, bucket_index
    FROM c SEMI JOIN (SELECT tzid, low_us AS edge_us FROM windows UNION ALL SELECT tzid, high_us FROM windows) w
         ON w.tzid = c.tzid_primary AND c.first_us < w.edge_us AND c.last_us >= w.edge_us"""

_CIVIL = """
    SELECT tzid, written_hour, true_hour, error_us, sum(arrivals)::BIGINT AS arrivals FROM civil_source GROUP BY ALL"""

_WINDOW_HOURS = """
    SELECT tzid, w.at_us, written_hour % 24 AS written_of_day, true_hour % 24 AS true_of_day, sum(arrivals)::BIGINT AS arrivals
    FROM civil_source c JOIN windows w USING (tzid) WHERE c.at_us >= w.low_us AND c.at_us < w.high_us GROUP BY ALL"""

_BROKEN = """
    SELECT DISTINCT tzid_primary, offset_min, bucket_index FROM quarters WHERE error_us <> 0 EXCEPT FROM inexact_clocks"""

_SOURCE = f"""
    SELECT tzid_primary AS tzid, local_hour AS written_hour, local_hour AS true_hour, 0::BIGINT AS error_us,
           {_BUCKET_US} AS at_us, arrivals
    FROM clocks ANTI JOIN inexact_clocks USING (tzid_primary, offset_min, bucket_index)
    UNION ALL
    SELECT tzid, local_us // {HOUR_US}, (at_us + true_us) // {HOUR_US}, local_us - at_us - true_us, at_us, 1
    FROM (SELECT a.tzid_primary AS tzid, epoch_us(a.ts_utc) AS at_us, epoch_us(a.ts_local_primary) AS local_us,
                 z.offset_min::BIGINT * 60000000 AS true_us
          FROM arrivals a
          SEMI JOIN inexact_clocks o ON o.bucket_index = a.bucket_index AND o.tzid_primary = a.tzid_primary
               AND o.offset_min = a.utc_offset_min_primary
          LEFT JOIN truth_steps z ON z.tzid = a.tzid_primary AND epoch_us(a.ts_utc) >= z.from_us
               AND epoch_us(a.ts_utc) < z.to_us)"""
