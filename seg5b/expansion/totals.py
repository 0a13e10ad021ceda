"""What S3 counted, checked and added up: which series have arrivals on which days, and where each merchant's begin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.segments import DaySumInputs, DaySums

from seg5b.axes import SeriesAxis
from seg5b.axes.cells import iterate_cells
from seg5b.backends.faults import first_fault, no_fault
from seg5b.context import ScenarioWork
from seg5b.contracts import dataset_name
from seg5b.errors import DomainError
from seg5b.frames.base import array
from seg5b.policy import PlacementPolicy
from seg5b.tables.reading import Kind

COUNTS = "s3_bucket_counts_5B"


@dataclass(frozen=True, slots=True)
class ArrivalTotals:
    """``by_day`` int64 [n, days]: arrivals of each series on each UTC day of the horizon; ``merchant_start`` int64
    [M + 1]: position in the scenario's output of each merchant's first arrival."""

    by_day: np.ndarray
    merchant_start: np.ndarray

    @staticmethod
    def of(by_day: np.ndarray, axis: SeriesAxis) -> ArrivalTotals:
        """The totals of arrivals by series and day."""
        per_merchant = np.add.reduceat(by_day.sum(axis=1), axis.merchant_starts())
        return ArrivalTotals(by_day, np.append(0, np.cumsum(per_merchant)))

    @property
    def arrivals(self) -> int:
        """Arrivals of the scenario."""
        return int(self.merchant_start[-1])

    def active(self) -> np.ndarray:
        """Series with at least one arrival, ascending, int64."""
        return np.flatnonzero(self.by_day.any(axis=1))


def read_totals(work: ScenarioWork, placement: PlacementPolicy) -> ArrivalTotals:
    """Read ``s3_bucket_counts_5B`` once, on the backend.

    Raises what `iterate_cells` raises, and `DomainError`: ``TIME_POLICY_INVALID`` for a count outside
    0..max_arrivals_per_bucket, ``DOMAIN_ALIGN_FAILED`` where nothing was counted at all.
    """
    backend, grid, axis = work.backend, work.grid, work.axis
    code = work.code("DOMAIN_ALIGN_FAILED")
    files = work.files(COUNTS, code=code)
    arrivals = backend.zeros(len(axis) * grid.days, np.int64)
    day_of = backend.upload(grid.day_of_bucket())
    most, values = placement.max_arrivals_per_bucket, {"count_N": Kind.INTEGER}
    for block in iterate_cells(work.state.frames, backend, files, axis, grid.bucket_count, values, code=code):
        fault = no_fault(backend, block.rows)
        count = array(block.columns, "count_N")
        inputs = DaySumInputs(count, day_of, grid.days, block.first, grid.bucket_count, most)
        backend.launch(registry.SUM_BY_DAY, block.rows, inputs, DaySums(arrivals, fault))
        at = first_fault(backend, fault, block.rows)
        if at is not None:
            series, bucket = divmod(block.first + at, grid.bucket_count)
            raise DomainError(
                work.code("TIME_POLICY_INVALID"),
                f"count {int(backend.download(count)[at])} of series {axis.key(series)}, bucket {bucket}, is outside "
                f"0..{most}",
                where=COUNTS,
                remedy="raise max_arrivals_per_bucket or lower the intensities",
            )
    totals = ArrivalTotals.of(backend.download(arrivals).reshape(len(axis), grid.days), axis)
    if not totals.arrivals:
        raise DomainError(
            code, "no bucket has an arrival", where=dataset_name(files), remedy="look at the intensities of S2"
        )
    return totals
