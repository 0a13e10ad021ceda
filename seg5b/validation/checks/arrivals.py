"""S4: how many arrivals, when, and in which order (laws L7.time and L7.order)."""

from __future__ import annotations

from seg5b.run_tables.subject import FULL, Subject
from seg5b.validation.records import MOST_KEYS, ArrivalCondition, Check, Compute, Finding, Query

_PK = "5B.S5.S4_PK_VIOLATION"
_KEYS = "merchant_id, arrival_seq"


def full_only(subject: Subject) -> str:
    """Needs every arrival."""
    return "" if subject.mode == FULL else "sampled mode does not look at every arrival"


def _order(subject: Subject) -> Finding:
    """Rows whose merchant or instant lies before that of the row before them, in file order."""
    wrong = subject.shared["disordered"][subject.scenario_id]
    (rows,) = subject.row("SELECT coalesce(sum(rows), 0)::BIGINT FROM part_tables")
    keys = subject.records(f"FROM disorder LIMIT {MOST_KEYS}") if wrong else []
    return Finding(wrong, tuple(keys), rows)


_DOUBTFUL = """
    SELECT merchant_id FROM merchant_parts GROUP BY merchant_id
    HAVING min(first_seq) <> 1 OR max(last_seq) <> sum(arrivals)
        OR min(least_shift + part_start) <> max(greatest_shift + part_start)"""


def _unique(subject: Subject) -> Finding:
    """Repeated keys. Only merchants whose numbers do not run 1..N can have any: others are not looked at."""
    (doubtful,), (parts,) = subject.rows(
        f"SELECT count(*) FROM ({_DOUBTFUL}) UNION ALL SELECT count(*) FROM merchant_parts"
    )
    if not doubtful:
        return Finding(0, (), parts)
    repeated = f"""SELECT merchant_id, arrival_seq, count(*) AS rows FROM arrivals_all
                   WHERE merchant_id IN ({_DOUBTFUL}) GROUP BY ALL HAVING count(*) > 1"""
    (wrong,) = subject.row(f"SELECT count(*) FROM ({repeated})")
    keys = subject.records(f"FROM ({repeated}) ORDER BY ALL LIMIT {MOST_KEYS}") if wrong else []
    return Finding(wrong, tuple(keys), parts)


CHECKS = (
    Check(
        "s4.count_total",
        "5B.S5.COUNT_MISMATCH_S3_S4",
        "counts_match_s3",
        "structural_checks.counts_match_arrivals",
        "there are as many arrivals as the counts add up to",
        Query(
            """WITH t AS (SELECT (SELECT coalesce(sum(arrivals), 0) FROM count_series) AS counted,
                                 (SELECT count(*) FROM arrivals_all) AS arrivals)
               SELECT counted, arrivals FROM t WHERE counted <> arrivals""",
            "arrivals_all",
        ),
        needs=("count_series", "arrivals_all"),
        switches=("structural_checks.s4_arrival_events.require_exactly_N_events_per_bucket",),
    ),
    Check(
        "s4.count_per_bucket",
        "5B.S5.COUNT_MISMATCH_S3_S4",
        "counts_match_s3",
        "structural_checks.counts_match_arrivals",
        "every merchant, zone, channel and bucket has exactly its count of arrivals",
        Query(
            """SELECT merchant_id, zone_representation, channel_group, bucket_index, count_N, arrivals
               FROM (SELECT * FROM counts WHERE count_N <> 0)
               FULL JOIN bucket_arrivals USING (merchant_id, zone_representation, channel_group, bucket_index)
               WHERE count_N IS DISTINCT FROM arrivals""",
            "bucket_arrivals",
        ),
        needs=("counts", "bucket_arrivals"),
        applies=full_only,
        switches=("structural_checks.s4_arrival_events.require_exactly_N_events_per_bucket",),
    ),
    Check(
        "s4.time_window",
        "5B.S5.TIME_WINDOW_VIOLATION",
        "time_windows_ok",
        "structural_checks.s4_arrival_events",
        "an arrival lies in [start, end) of its bucket, and the bucket is one of the grid",
        ArrivalCondition("outside_bucket", f"{_KEYS}, bucket_index, epoch_us(ts_utc) AS at_us"),
        needs=("arrivals", "row_faults"),
        switches=(
            "structural_checks.s4_arrival_events.require_event_time_in_bucket",
            "structural_checks.s4_arrival_events.require_time_half_open",
        ),
    ),
    Check(
        "s4.sequence",
        _PK,
        "schema_partition_pk_ok",
        "structural_checks.arrival_seq_gapless",
        "arrival_seq of a merchant runs 1..N without gap or repeat, row after row across all parts",
        Query(
            """SELECT merchant_id, sum(arrivals)::BIGINT AS arrivals, min(first_seq) AS first_seq,
                      max(last_seq) AS last_seq
               FROM merchant_parts GROUP BY merchant_id
               HAVING min(first_seq) <> 1 OR max(last_seq) <> sum(arrivals)
                   OR min(least_shift + part_start) <> max(greatest_shift + part_start)""",
            "merchant_parts",
        ),
        needs=("merchant_parts",),
    ),
    Check(
        "s4.unique_key",
        _PK,
        "schema_partition_pk_ok",
        "structural_checks.primary_keys_unique",
        "no two arrivals of a scenario share merchant and arrival_seq",
        Compute(_unique),
        needs=("merchant_parts", "arrivals_all"),
    ),
    Check(
        "s4.order",
        "5B.S5.S4_ORDER_VIOLATION",
        "schema_partition_pk_ok",
        "structural_checks.sorted_output",
        "arrivals are sorted by merchant, each merchant's in chronological order, across parts in file order",
        Compute(_order),
        needs=("disorder", "part_tables"),
        switches=("structural_checks.s4_arrival_events.require_sorted_within_bucket",),
    ),
    Check(
        "s4.parts",
        "5B.S5.S4_PARTITION_OR_IDENTITY_VIOLATION",
        "schema_partition_pk_ok",
        "structural_checks.sorted_output",
        "arrival files are part-000000.parquet and upward without a gap, nothing else",
        Query(
            """SELECT part, parse_filename(part_file) AS file FROM parts
               WHERE parse_filename(part_file) <> format('part-{:06d}.parquet', part)""",
            "parts",
        ),
        needs=("parts",),
    ),
)
