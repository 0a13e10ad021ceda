"""S4's summary and anomalies agree with the arrivals."""

from __future__ import annotations

from seg5b.validation.checks.arrivals import full_only
from seg5b.validation.records import Check, Query, RowCondition, Severity

_CODE = "5B.S5.S4_SUMMARY_MISMATCH"
_FIELD = "counts_match_s3"
_BLOCK = "structural_checks.summary_matches"
_CHOSEN = """anomaly_code IN ('GROUP_WEIGHTS_ABSENT', 'GROUP_WEIGHT_NOT_COVERED', 'MADE_UP_SITE_USED',
                          'MERCHANT_WITHOUT_SITES_ON_EDGES', 'SITE_TABLE_OF_MERCHANT_USED')"""
"""What happens only where the routing policy says that it may."""
_KEY = "merchant_id, zone_representation, channel_group, bucket_index"

CHECKS = (
    Check(
        "summary.order",
        _CODE,
        "schema_partition_pk_ok",
        "structural_checks.sorted_output",
        "summary rows have unique keys in canonical order",
        Query(
            f"""SELECT {_KEY}, position FROM (
                    SELECT {_KEY}, position, lag(merchant_id) OVER () AS m, lag(zone_representation) OVER () AS z,
                           lag(channel_group) OVER () AS c, lag(bucket_index) OVER () AS b
                    FROM summary)
                WHERE merchant_id < m OR (merchant_id = m AND (zone_representation < z OR (zone_representation = z
                      AND (channel_group < c OR (channel_group = c AND bucket_index <= b)))))""",
            "summary",
        ),
        needs=("summary",),
    ),
    Check(
        "summary.adds_up",
        _CODE,
        _FIELD,
        _BLOCK,
        "physical and virtual arrivals of a bucket add up to its count, none is negative, and every row has arrivals",
        RowCondition(
            "summary",
            "count_N <> count_physical + count_virtual OR count_physical < 0 OR count_virtual < 0 OR count_N < 1",
            f"{_KEY}, count_N, count_physical, count_virtual",
        ),
        needs=("summary",),
    ),
    Check(
        "summary.matches_arrivals",
        _CODE,
        _FIELD,
        _BLOCK,
        "the summary of every bucket is the count of its arrivals, in all and virtual",
        Query(
            f"""SELECT {_KEY}, count_N, arrivals, count_virtual, virtual_arrivals
                FROM (SELECT * FROM summary WHERE count_N <> 0 OR count_virtual <> 0)
                FULL JOIN bucket_arrivals USING ({_KEY})
                WHERE count_N IS DISTINCT FROM arrivals OR count_virtual IS DISTINCT FROM virtual_arrivals""",
            "summary",
        ),
        needs=("summary", "bucket_arrivals"),
        applies=full_only,
    ),
    Check(
        "summary.totals",
        _CODE,
        _FIELD,
        _BLOCK,
        "each merchant's summary adds up to its arrivals, in all and virtual",
        Query(
            """SELECT merchant_id, counted, arrivals, counted_virtual, virtual_arrivals
               FROM (SELECT merchant_id, sum(count_N)::BIGINT AS counted, sum(count_virtual)::BIGINT AS counted_virtual
                     FROM summary WHERE count_N <> 0 GROUP BY merchant_id)
               FULL JOIN (SELECT merchant_id, sum(arrivals)::BIGINT AS arrivals,
                                 sum(virtual_arrivals)::BIGINT AS virtual_arrivals FROM merchant_parts GROUP BY merchant_id)
               USING (merchant_id)
               WHERE counted IS DISTINCT FROM arrivals OR counted_virtual IS DISTINCT FROM virtual_arrivals""",
            "summary",
        ),
        needs=("summary", "merchant_parts"),
    ),
    Check(
        "anomalies.none_severe",
        "5B.S5.S4_ANOMALY_SEVERE",
        "routing_ok",
        "failure_policy.max_warnings",
        "S4 tolerated nothing that it calls an error",
        RowCondition("anomalies", "severity = 'ERROR'", "anomaly_id, anomaly_code, message"),
        needs=("anomalies",),
        must_have_rows=False,
    ),
    Check(
        "anomalies.none_warned",
        "5B.S5.S4_ANOMALY_WARNING",
        "routing_ok",
        "failure_policy.max_warnings",
        "S4 tolerated nothing that it warns of and that no policy chose",
        RowCondition("anomalies", f"severity = 'WARN' AND NOT {_CHOSEN}", "anomaly_id, anomaly_code, message"),
        needs=("anomalies",),
        severity=Severity.WARN,
        must_have_rows=False,
    ),
    Check(
        "anomalies.none_chosen",
        "5B.S5.S4_ANOMALY_CHOSEN",
        "routing_ok",
        "failure_policy.max_warnings",
        "no arrival went another way for want of sites or group weights, as the routing policy allows",
        RowCondition("anomalies", f"severity = 'WARN' AND {_CHOSEN}", "anomaly_id, anomaly_code, context"),
        needs=("anomalies",),
        severity=Severity.ADVICE,
        must_have_rows=False,
    ),
)
