"""Which backend computes, and why (law L9)."""

from __future__ import annotations

from seg5b.backends.base import Backend
from seg5b.backends.cpu import CpuBackend
from seg5b.errors import BackendError

CHOICES = ("auto", "cpu", "cuda")


def choose_backend(choice: str = "auto", *, threads: int | None = None) -> Backend:
    """``cpu``, ``cuda``, or ``auto``: CUDA when a usable device is present, else the CPU.

    Raises `BackendError` ``5B.BACKEND.CUDA_UNAVAILABLE`` when CUDA is asked for and cannot be had.
    """
    if choice == "cpu":
        return CpuBackend("requested", threads)
    obstacle = cuda_obstacle()
    if choice == "cuda":
        raise BackendError(
            "5B.BACKEND.CUDA_UNAVAILABLE",
            obstacle,
            where="--backend cuda",
            remedy="use --backend auto or cpu",
        )
    return CpuBackend(f"auto: {obstacle}", threads)


def cuda_obstacle() -> str:
    """Why CUDA cannot be used here."""
    return "this version computes on the CPU only; its kernels compile for CUDA, the CUDA backend is not there yet"
