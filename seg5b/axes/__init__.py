"""The two axes of everything after S1, series and buckets, and datasets with one row per cell of the two."""

from __future__ import annotations

from pathlib import Path

from seg5b.axes.series import Group, SeriesAxis, read_series_axis
from seg5b.axes.time import DAY_US, MICROSECONDS, TimeGrid, read_time_grid

__all__ = [
    "DAY_US",
    "MICROSECONDS",
    "Group",
    "SeriesAxis",
    "TimeGrid",
    "read_axes",
    "read_series_axis",
    "read_time_grid",
]


def read_axes(grid_file: Path, grouping_file: Path, *, code: str) -> tuple[TimeGrid, SeriesAxis]:
    """Both axes of a scenario from S1's outputs. Errors as `read_time_grid` and `read_series_axis`."""
    grid = read_time_grid(grid_file, code=code)
    return grid, read_series_axis(grouping_file, grid.band, code=code)
