"""The datasets beside the arrivals: what each bucket row came to, and what was unusual."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from seg5b_kernels.arrivals import HYBRID, VIRTUAL

from seg5b.axes import SeriesAxis
from seg5b.context import Stage
from seg5b.expansion.anomalies import Anomaly
from seg5b.expansion.finished import HybridRows
from seg5b.expansion.realise import RowCounts
from seg5b.tables import Coded, RowGroupWriter, write_table
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import ARRIVAL_ANOMALIES, ARRIVAL_SUMMARY
from seg5b.tables.reading import Kind, iterate_columns, numbers


class VirtualCounts:
    """Virtual arrivals of each bucket row, by series and bucket.

    Only a hybrid merchant's have to be remembered; they lie in a sparse file, so that memory does not grow with rows.
    ``mode`` uint8 [n]: virtual mode by series.
    """

    def __init__(self, file: Path, mode: np.ndarray, bucket_count: int) -> None:
        self._mode, self._buckets = mode, bucket_count
        self._held = np.memmap(file, np.int32, "w+", shape=(mode.size * bucket_count,))

    def hybrid(self, rows: RowCounts) -> HybridRows:
        """Of some rows those that have to be remembered."""
        chosen = self._mode[rows.series] == HYBRID
        return HybridRows(self._at(rows.series[chosen], rows.bucket[chosen]), rows.virtual[chosen])

    def keep(self, rows: HybridRows) -> None:
        """Remember what a range of arrivals came to."""
        self._held[rows.row] = rows.virtual

    def of(self, series: np.ndarray, bucket: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Virtual arrivals of rows with ``count`` arrivals, int64."""
        mode = self._mode[series]
        virtual: np.ndarray = np.where(mode == VIRTUAL, count, 0)
        hybrid = mode == HYBRID
        virtual[hybrid] = self._held[self._at(series[hybrid], bucket[hybrid])]
        return virtual

    def _at(self, series: np.ndarray, bucket: np.ndarray) -> np.ndarray:
        row: np.ndarray = series.astype(np.int64) * self._buckets + bucket
        return row


def counted_rows(file: Path, bucket_count: int, *, code: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(series, bucket, count) of the rows of ``s3_bucket_counts_5B`` that have arrivals, int64 [R] each, in file order,
    piece by piece. The file's keys were checked before. Raises `InputError` ``code`` when unreadable."""
    first = 0
    for columns in iterate_columns([file], {"count_N": Kind.INTEGER}, code=code):
        count = numbers(columns, "count_N")
        used = np.flatnonzero(count)
        yield *np.divmod(first + used, bucket_count), count[used]
        first += count.size


def write_summary(
    stage: Stage, scenario_id: str, axis: SeriesAxis, counts_file: Path, bucket_count: int, virtual: VirtualCounts
) -> tuple[int, int]:
    """``s4_arrival_summary_5B``: physical and virtual arrivals of every bucket row with arrivals, in series order.

    Returns how many rows and how many virtual arrivals there are.
    """
    constants = stage.identity_columns(scenario_id)
    zones, channels = text_values(axis.zones), text_values(axis.channels)
    target = stage.target("s4_arrival_summary_5B", scenario_id)
    rows = virtual_total = 0
    code = stage.code("DOMAIN_ALIGN_FAILED")
    with RowGroupWriter(target, ARRIVAL_SUMMARY, stage.metadata(scenario_id=scenario_id)) as writer:
        for series, bucket, count in counted_rows(counts_file, bucket_count, code=code):
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


def write_anomalies(stage: Stage, scenario_id: str, anomalies: list[Anomaly]) -> None:
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
        **stage.identity_columns(scenario_id),
        **{name: Coded(codes, text_values(values)) for name, values in texts.items()},
    }
    target = stage.target("s4_arrival_anomalies_5B", scenario_id)
    write_table(target, ARRIVAL_ANOMALIES, columns, len(ordered), stage.metadata(scenario_id=scenario_id))
