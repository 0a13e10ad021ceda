"""S4: how many arrivals, when, and in which order (laws L7.time and L7.order)."""

from __future__ import annotations

from seg5b.run_tables.subject import FULL, Subject
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Query, RowCondition

_PK = "5B.S5.S4_PK_VIOLATION"
_KEYS = "merchant_id, arrival_seq"


def full_only(subject: Subject) -> str:
    """Needs every arrival."""
    return "" if subject.mode == FULL else "sampled mode does not look at every arrival"


def _order(subject: Subject) -> Finding:
    """Rows whose merchant or instant lies before that of the row before them, in file order."""
    broken = """SELECT merchant_id, arrival_seq, at_us, last_us FROM (
                    SELECT merchant_id, arrival_seq, epoch_us(ts_utc) AS at_us,
                           lag(merchant_id) OVER () AS last, lag(epoch_us(ts_utc)) OVER () AS last_us
                    FROM arrivals_all)
                WHERE merchant_id < last OR (merchant_id = last AND at_us < last_us)"""
    rows, wrong = subject.row(f"SELECT (SELECT count(*) FROM arrivals_all), (SELECT count(*) FROM ({broken}))")
    keys = subject.records(f"{broken} LIMIT {MOST_KEYS}") if wrong else []
    return Finding(wrong, tuple(keys), rows)


CHECKS = (
    Check(
        "s4.count_total",
        "5B.S5.COUNT_MISMATCH_S3_S4",
        "counts_match_s3",
        "structural_checks.counts_match_arrivals",
        "there are as many arrivals as the counts add up to",
        Query(
            """WITH t AS (SELECT (SELECT coalesce(sum(count_N), 0) FROM counts) AS counted,
                                 (SELECT count(*) FROM arrivals_all) AS arrivals)
               SELECT counted, arrivals FROM t WHERE counted <> arrivals""",
            "arrivals_all",
        ),
        needs=("counts", "arrivals_all"),
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
    ),
    Check(
        "s4.time_window",
        "5B.S5.TIME_WINDOW_VIOLATION",
        "time_windows_ok",
        "structural_checks.event_time_in_bucket",
        "an arrival lies in [start, end) of its bucket, and the bucket is one of the grid",
        RowCondition(
            "arrivals",
            """bucket_index < 0 OR bucket_index >= $buckets OR epoch_us(ts_utc) < $start_us
               OR (epoch_us(ts_utc) - $start_us) // $bucket_us <> bucket_index""",
            f"{_KEYS}, bucket_index, epoch_us(ts_utc) AS at_us",
        ),
        needs=("arrivals",),
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
        Query(
            """WITH doubtful AS (
                   SELECT merchant_id FROM merchant_parts GROUP BY merchant_id
                   HAVING min(first_seq) <> 1 OR max(last_seq) <> sum(arrivals)
                       OR min(least_shift + part_start) <> max(greatest_shift + part_start))
               SELECT merchant_id, arrival_seq, count(*) AS rows
               FROM arrivals_all SEMI JOIN doubtful USING (merchant_id)
               GROUP BY ALL HAVING count(*) > 1""",
            "merchant_parts",
        ),
        needs=("merchant_parts", "arrivals_all"),
    ),
    Check(
        "s4.order",
        "5B.S5.S4_ORDER_VIOLATION",
        "schema_partition_pk_ok",
        "structural_checks.sorted_output",
        "arrivals are sorted by merchant, each merchant's in chronological order, across parts in file order",
        Compute(_order),
        needs=("arrivals_all",),
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
