"""How a kernel's check reports: it lowers one number to the first item that is wrong."""

from __future__ import annotations

import numpy as np

from seg5b.backends.base import Array, Backend


def no_fault(backend: Backend, rows: int) -> Array:
    """What a kernel's check lowers to the first wrong row: int64 [1] holding ``rows``."""
    return backend.upload(np.array([rows], np.int64))


def first_fault(backend: Backend, fault: Array, rows: int) -> int | None:
    """The first wrong row of ``rows``, None if all are right."""
    return fault_row(backend.download(fault), rows)


def fault_row(fetched: np.ndarray, rows: int) -> int | None:
    """`first_fault` of what was fetched with other things."""
    at = int(fetched[0])
    return at if at < rows else None
