"""Which reader of columns: cudf on CUDA where it is installed, else Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from seg5b.backends.base import Backend
from seg5b.frames.arrow import ArrowFrames
from seg5b.frames.base import Frames
from seg5b.frames.cudf import CudfFrames, load_cudf

if TYPE_CHECKING:
    from seg5b.backends.cuda import CudaBackend


def frames_for(backend: Backend) -> Frames:
    """The reader that suits a backend, with its reason in words. Both give the same values (law L8)."""
    if backend.name != "cuda":
        return ArrowFrames(backend, f"the backend is {backend.name}")
    on_device = cast("CudaBackend", backend)
    found = load_cudf(on_device)
    if isinstance(found, str):
        return ArrowFrames(backend, f"{found}; columns are uploaded")
    return CudfFrames(on_device, f"cudf {found.__version__} reads on the device", found)
