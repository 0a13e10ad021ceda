"""Civil time of a scenario's arrivals: the wall clock that was written beside the one that the tzdata package gives.

Regular cells (one interval of the truth, the right offset, on one side of every window's edge) are taken whole; the
arrivals of all other cells are looked at one by one. In a sound world there are none of those.
"""

from __future__ import annotations

from seg5b.validation.views import Catalogue

HOUR_US = 3_600_000_000
_NEEDS = ("cells", "arrivals", "cache_steps", "truth_steps", "changes")


def attach_civil(catalogue: Catalogue) -> None:
    """``windows``: each change of a zone in use, with its edges; ``civil``: arrivals by zone, written and true local
    hour (hours since 1970) and error of the wall clock (null for unknown zones); ``window_hours``: arrivals of each
    window by written and true hour of the day."""
    width_us = catalogue.subject.policies.validation.civil_time_gates.dst_window_hours * HOUR_US
    catalogue.sql(
        "windows",
        f"""SELECT tzid, at_us, at_us - {width_us} AS low_us, at_us + {width_us} AS high_us
            FROM changes WHERE tzid IN (SELECT tzid_primary FROM cells)""",
        needs=_NEEDS,
    )
    catalogue.sql(
        "odd_cells",
        """SELECT DISTINCT merchant_id, bucket_index, tzid_primary, shift_us FROM cells c
           WHERE NOT EXISTS (SELECT 1 FROM truth_steps z WHERE z.tzid = c.tzid_primary AND c.first_us >= z.from_us
                             AND c.last_us < z.to_us AND c.shift_us = z.offset_min::BIGINT * 60000000)
              OR EXISTS (SELECT 1 FROM windows w WHERE w.tzid = c.tzid_primary
                         AND ((c.first_us < w.low_us AND c.last_us >= w.low_us)
                              OR (c.first_us <= w.high_us AND c.last_us > w.high_us)))""",
        needs=("windows",),
    )
    catalogue.sql("civil_source", _SOURCE, kind="VIEW", needs=("odd_cells",))
    catalogue.sql(
        "civil",
        """SELECT tzid, seen_hour, true_hour, error_us, sum(arrivals)::BIGINT AS arrivals
           FROM civil_source GROUP BY ALL""",
        needs=("civil_source",),
    )
    catalogue.sql(
        "window_hours",
        """SELECT tzid, w.at_us, seen_hour % 24 AS seen, true_hour % 24 AS true_one, sum(arrivals)::BIGINT AS arrivals
           FROM civil_source c JOIN windows w USING (tzid) WHERE c.at_us BETWEEN w.low_us AND w.high_us GROUP BY ALL""",
        needs=("civil_source",),
    )


_SOURCE = f"""
    SELECT tzid_primary AS tzid, local_hour AS seen_hour, local_hour AS true_hour, 0::BIGINT AS error_us,
           first_us AS at_us, arrivals
    FROM cells ANTI JOIN odd_cells USING (merchant_id, bucket_index, tzid_primary, shift_us)
    UNION ALL
    SELECT tzid, local_us // {HOUR_US}, (at_us + true_us) // {HOUR_US}, local_us - at_us - true_us, at_us, 1
    FROM (SELECT a.tzid_primary AS tzid, epoch_us(a.ts_utc) AS at_us, epoch_us(a.ts_local_primary) AS local_us,
                 z.offset_min::BIGINT * 60000000 AS true_us
          FROM arrivals a
          SEMI JOIN odd_cells o ON o.merchant_id = a.merchant_id AND o.bucket_index = a.bucket_index
               AND o.tzid_primary = a.tzid_primary
               AND o.shift_us = epoch_us(a.ts_local_primary) - epoch_us(a.ts_utc)
          LEFT JOIN truth_steps z ON z.tzid = a.tzid_primary AND epoch_us(a.ts_utc) >= z.from_us
               AND epoch_us(a.ts_utc) < z.to_us)"""
