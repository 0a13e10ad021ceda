"""The datasets beside the arrivals: what each bucket row came to, and what was unusual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from seg5b.context import ScenarioWork
from seg5b.expansion.anomalies import Anomaly
from seg5b.expansion.hybrid import VirtualCounts
from seg5b.expansion.totals import COUNTS
from seg5b.tables import Coded, RowGroupWriter, write_table
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import ARRIVAL_ANOMALIES, ARRIVAL_SUMMARY
from seg5b.tables.reading import Kind, iterate_columns, numbers


def counted_rows(
    files: Sequence[Path], bucket_count: int, *, code: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(series, bucket, count) of the rows of ``s3_bucket_counts_5B`` that have arrivals, int64 [R] each, in file order,
    piece by piece. The files' keys were checked before. Raises `InputError` ``code`` when unreadable."""
    first = 0
    for columns in iterate_columns(files, {"count_N": Kind.INTEGER}, code=code):
        count = numbers(columns, "count_N")
        used = np.flatnonzero(count)
        yield *np.divmod(first + used, bucket_count), count[used]
        first += count.size


def write_summary(work: ScenarioWork, virtual: VirtualCounts) -> tuple[int, int]:
    """``s4_arrival_summary_5B``: physical and virtual arrivals of every bucket row with arrivals, in series order.

    Returns how many rows and how many virtual arrivals there are.
    """
    axis, constants = work.axis, work.identity_columns()
    zones, channels = text_values(axis.zones), text_values(axis.channels)
    rows = virtual_total = 0
    code = work.code("DOMAIN_ALIGN_FAILED")
    files = work.files(COUNTS, code=code)
    with RowGroupWriter(work.target("s4_arrival_summary_5B"), ARRIVAL_SUMMARY, work.metadata()) as writer:
        for series, bucket, count in counted_rows(files, work.grid.bucket_count, code=code):
            of_row = virtual.of(series, bucket, count)
            columns: dict[str, Column] = {
                **constants,
                "merchant_id": axis.merchant_id[series],
                "zone_representation": Coded(axis.zone[series], zones),
                "channel_group": Coded(axis.channel[series], channels),
                "bucket_index": bucket,
                "count_N": count,
                "count_physical": count - of_row,
                "count_virtual": of_row,
            }
            writer.append(columns, series.size)
            rows += series.size
            virtual_total += int(of_row.sum())
    return rows, virtual_total


def write_anomalies(work: ScenarioWork, anomalies: list[Anomaly]) -> None:
    """``s4_arrival_anomalies_5B``, in order of code and context; without rows if nothing was unusual."""
    ordered = sorted(anomalies, key=lambda anomaly: (anomaly.code, anomaly.context_json()))
    texts: dict[str, list[str]] = {
        "anomaly_id": [f"a{number:06d}" for number in range(len(ordered))],
        "anomaly_code": [anomaly.code for anomaly in ordered],
        "severity": [anomaly.severity for anomaly in ordered],
        "context": [anomaly.context_json() for anomaly in ordered],
        "message": [anomaly.message for anomaly in ordered],
    }
    codes = np.arange(len(ordered), dtype=np.int32)
    columns: dict[str, Column] = {
        **work.identity_columns(),
        **{name: Coded(codes, text_values(values)) for name, values in texts.items()},
    }
    target = work.target("s4_arrival_anomalies_5B")
    write_table(target, ARRIVAL_ANOMALIES, columns, len(ordered), work.metadata())
