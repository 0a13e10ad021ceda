"""What a run costs by what is in it: bytes, seconds and memory, measured.

A cell is a series in a bucket of a scenario; it is idle where nothing is expected. Bytes and memory were measured on worlds
of 60 to 350,000 merchants and on the presets, on two cores that others used too: within a factor of two. Seconds are set
above the 57 and 611 of the reference and the large preset in README, 1.7 and 1.4 times; another machine has its own speed.
"""

from __future__ import annotations

from typing import Final

_BYTES: Final = 1.5e6
_BYTES_PER_BUCKET: Final = 30.0
_BYTES_PER_SERIES: Final = 20.0
_BYTES_PER_CELL: Final = 33.0
_BYTES_PER_IDLE_CELL: Final = 9.0
_BYTES_PER_ARRIVAL: Final = 20.5
_SHARE_OF_INTENSITIES: Final = 0.64
"""Of the bytes of cells, those of S2; the rest are of S3."""
_SECONDS: Final = 8.0
_SECONDS_PER_CELL: Final = 1.0e-6
_SECONDS_PER_ARRIVAL: Final = 4.5e-7
_MEMORY: Final = 0.5e9
_MEMORY_PER_CELL: Final = 300.0
_MOST_MEMORY_OF_CELLS: Final = 1.5e9
_MEMORY_PER_SERIES: Final = 2_000.0


def bytes_of_axes(buckets: float, series: float) -> tuple[float, float]:
    """Bytes on disk of the grid and of the groups of S1."""
    return _BYTES_PER_BUCKET * buckets, _BYTES_PER_SERIES * series


def bytes_of_cells(cells: float, idle: float) -> tuple[float, float]:
    """Bytes on disk of S2 and of S3 for so many ``cells``, ``idle`` ones among them."""
    both = _BYTES_PER_CELL * (cells - idle) + _BYTES_PER_IDLE_CELL * idle
    return _SHARE_OF_INTENSITIES * both, (1 - _SHARE_OF_INTENSITIES) * both


def bytes_of_arrivals(arrivals: float) -> float:
    """Bytes on disk of S4."""
    return _BYTES_PER_ARRIVAL * arrivals


def run_bytes(cells: float, idle: float, arrivals: float) -> float:
    """Bytes on disk of everything that S0-S5 write."""
    return _BYTES + sum(bytes_of_cells(cells, idle)) + bytes_of_arrivals(arrivals)


def run_seconds(cells: float, arrivals: float) -> float:
    """Seconds of S0-S5 on two cores."""
    return _SECONDS + _SECONDS_PER_CELL * cells + _SECONDS_PER_ARRIVAL * arrivals


def run_memory(cells: float, series: float) -> float:
    """Bytes of memory at most, of the world that is made and of its run."""
    return _MEMORY + min(_MEMORY_PER_CELL * cells, _MOST_MEMORY_OF_CELLS) + _MEMORY_PER_SERIES * series
