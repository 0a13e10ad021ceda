"""What S3 counted, checked and added up: which series have arrivals on which days, and where each merchant's begin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.segments import Census as Added
from seg5b_kernels.segments import CensusInputs

from seg5b.axes import SeriesAxis, TimeGrid
from seg5b.context import Stage
from seg5b.errors import DomainError
from seg5b.frames.base import array
from seg5b.inputs.points import first_fault, iterate_points, no_fault
from seg5b.policy import PlacementPolicy
from seg5b.tables.reading import Kind


@dataclass(frozen=True, slots=True)
class Census:
    """``by_day`` int64 [n, days]: arrivals of each series on each UTC day of the horizon; ``merchant_start`` int64
    [M + 1]: position in the scenario's output of each merchant's first arrival."""

    by_day: np.ndarray
    merchant_start: np.ndarray

    @staticmethod
    def of(by_day: np.ndarray, axis: SeriesAxis) -> Census:
        """The census of arrivals by series and day."""
        per_merchant = np.add.reduceat(by_day.sum(axis=1), axis.merchant_starts())
        return Census(by_day, np.append(0, np.cumsum(per_merchant)))

    @property
    def arrivals(self) -> int:
        """Arrivals of the scenario."""
        return int(self.merchant_start[-1])

    def active(self) -> np.ndarray:
        """Series with at least one arrival, ascending, int64."""
        return np.flatnonzero(self.by_day.any(axis=1))


def take_census(stage: Stage, file: Path, grid: TimeGrid, axis: SeriesAxis, placement: PlacementPolicy) -> Census:
    """Read ``s3_bucket_counts_5B`` once, where kernels run.

    Raises what `iterate_points` raises, and `DomainError`: ``TIME_POLICY_INVALID`` for a count outside
    0..max_arrivals_per_bucket, ``DOMAIN_ALIGN_FAILED`` where nothing was counted at all.
    """
    backend, code = stage.backend, stage.code("DOMAIN_ALIGN_FAILED")
    arrivals = backend.zeros(len(axis) * grid.days, np.int64)
    day_of = backend.upload(grid.day_of_bucket())
    most = placement.max_arrivals_per_bucket
    values = {"count_N": Kind.INTEGER}
    for block in iterate_points(stage.frames, backend, file, axis, grid.bucket_count, values, code=code):
        fault = no_fault(backend, block.rows)
        count = array(block.columns, "count_N")
        inputs = CensusInputs(count, day_of, grid.days, block.first, grid.bucket_count, most)
        backend.launch(registry.TAKE_CENSUS, block.rows, inputs, Added(arrivals, fault))
        at = first_fault(backend, fault, block.rows)
        if at is not None:
            series, bucket = divmod(block.first + at, grid.bucket_count)
            raise DomainError(
                stage.code("TIME_POLICY_INVALID"),
                f"count {int(backend.download(count)[at])} of series {axis.key(series)}, bucket {bucket}, is outside "
                f"0..{most}",
                where="s3_bucket_counts_5B",
                remedy="raise max_arrivals_per_bucket or lower the intensities",
            )
    census = Census.of(backend.download(arrivals).reshape(len(axis), grid.days), axis)
    if not census.arrivals:
        raise DomainError(code, "no bucket has an arrival", where=str(file), remedy="look at the intensities of S2")
    return census
