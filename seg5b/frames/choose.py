"""Which reader of columns: Arrow, or on CUDA cudf where that is asked for or pays."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from seg5b.backends.base import Backend
from seg5b.errors import BackendError
from seg5b.frames.arrow import ArrowFrames
from seg5b.frames.base import Frames
from seg5b.frames.cudf import CudfFrames, load_cudf

if TYPE_CHECKING:
    from seg5b.backends.cuda import CudaBackend

CHOICES = ("auto", "arrow", "cudf")
CUDF_PAYS_CELLS = 1 << 26
"""Cells from which ``auto`` takes cudf. A run reads about three rows per cell: surface, intensities, counts. What cudf saves
is Arrow's decoding, 10^8 rows in one second of 16 cores; what it costs is its import, 1.2 s of one thread. Both are equal near
40 million cells, and a guess should be late rather than early. Derived from times of a CPU, not measured on a device:
``python bench/pipeline.py --backend cuda --preset reference --frames arrow,cudf`` measures it."""


def refuse_frames(choice: str, obstacle: str | None, *, needed: bool) -> None:
    """Refuse a choice that is none, and if a reader will be ``needed``, cudf where it cannot be: for ``obstacle``, why there is
    no device, or since it is not installed.

    Raises `BackendError` ``5B.BACKEND.FRAMES_UNKNOWN``, ``5B.BACKEND.CUDF_UNAVAILABLE``.
    """
    if choice not in CHOICES:
        what, remedy = f"{choice!r} is no reader of columns", f"use one of {', '.join(CHOICES)}"
        raise BackendError("5B.BACKEND.FRAMES_UNKNOWN", what, where="--frames", remedy=remedy)
    if choice == "cudf" and needed:
        if obstacle is not None:
            raise _no_cudf(f"cudf reads on a CUDA device: {obstacle}")
        if importlib.util.find_spec("cudf") is None:
            raise _no_cudf("cudf is not installed")


def frames_for(backend: Backend, choice: str = "auto", cells: Callable[[], int] = lambda: 0) -> Frames:
    """The reader for a backend, with its reason in words. All give the same values (law L8).

    ``auto``: Arrow, but cudf on CUDA if datasets with one row per cell have `CUDF_PAYS_CELLS` rows, which ``cells`` tells.
    Raises `BackendError` as `refuse_frames`.
    """
    on_host = None if backend.name == "cuda" else f"the backend is {backend.name}"
    refuse_frames(choice, None, needed=False)
    if choice == "cudf" and on_host is not None:
        raise _no_cudf(f"cudf reads on a CUDA device: {on_host}")
    if choice == "arrow" or on_host is not None:
        return ArrowFrames(backend, on_host or "requested")
    if choice == "auto" and cells() < CUDF_PAYS_CELLS:
        return ArrowFrames(
            backend, f"below {CUDF_PAYS_CELLS:,} cells the import of cudf does not pay; columns are uploaded"
        )
    there = cast("CudaBackend", backend)
    found = load_cudf(there)
    if not isinstance(found, str):
        return CudfFrames(there, f"cudf {found.__version__} reads on the device", found)
    if choice == "cudf":
        raise _no_cudf(found)
    return ArrowFrames(backend, f"{found}; columns are uploaded")


def _no_cudf(reason: str) -> BackendError:
    remedy = "use --frames auto or arrow"
    return BackendError("5B.BACKEND.CUDF_UNAVAILABLE", reason, where="--frames cudf", remedy=remedy)
