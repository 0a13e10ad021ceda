"""Into which local hours each bucket falls, with shares: what laws of the hour expect of intensities, zone by zone."""

from __future__ import annotations

import numpy as np

from seg5b.query import identifier
from seg5b.run_tables.subject import Subject
from seg5b.validation.placement import weights

_HOUR_US = 3_600_000_000


def attach_zone_hours(subject: Subject) -> None:
    """``zone_hours``: by zone of a series or an edge and by bucket, each stretch of a bucket in one local ``hour`` (0-23):
    where it ``begins`` and its ``share`` of the bucket, parts of it. Needs ``edge_shares``.

    Where arrivals follow intensities also ``w0`` to ``w2``, the `weights` of the stretch, from which and the heights of a cell
    its share of the cell's arrivals follows."""
    subject.run(
        f"""CREATE OR REPLACE TABLE zone_hours AS
            WITH bucket AS (SELECT unnest(range($buckets)) AS bucket_index),
            begun AS (
                SELECT tzid, bucket_index, $start_us + bucket_index * $bucket_us + offset_min::BIGINT * 60000000 AS at_us
                FROM bucket JOIN cache_steps ON $start_us + bucket_index * $bucket_us >= from_us
                                            AND $start_us + bucket_index * $bucket_us < to_us
                WHERE tzid IN (SELECT zone_representation FROM grouping UNION SELECT tzid FROM edge_shares)),
            split AS (SELECT *, least({_HOUR_US} - at_us % {_HOUR_US}, $bucket_us) / $bucket_us AS first FROM begun)
            SELECT tzid, bucket_index, at_us // {_HOUR_US} % 24 AS hour, first AS share, 0.0::DOUBLE AS begins FROM split
            UNION ALL SELECT tzid, bucket_index, (at_us // {_HOUR_US} + 1) % 24, 1 - first, first FROM split WHERE first < 1"""
    )
    if subject.policies.readings.follows_intensity:
        weigh(subject, "zone_hours")


def weigh(subject: Subject, table: str) -> None:
    """A table of stretches (``begins``, ``share``) with the `weights` ``w0`` to ``w2`` of each."""
    table = identifier(table)
    rows = subject.arrays(f"SELECT DISTINCT begins, share FROM {table}")
    begins, share = (rows[name].astype(np.float64) for name in ("begins", "share"))
    found = [upto - before for upto, before in zip(weights(begins + share), weights(begins), strict=True)]
    columns = {"begins": begins, "share": share, **{f"w{place}": each for place, each in enumerate(found)}}
    subject.database.table("stretch_weights", columns, dict.fromkeys(columns, "DOUBLE"))
    subject.run(
        f"""CREATE OR REPLACE TABLE {table} AS
           SELECT z.*, w0, w1, w2 FROM {table} z JOIN stretch_weights USING (begins, share)"""
    )
