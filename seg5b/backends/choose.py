"""Which backend computes, and why (law L9)."""

from __future__ import annotations

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.arrivals import BinInputs, Ordered

from seg5b.backends.base import Backend
from seg5b.backends.cpu import CpuBackend
from seg5b.backends.devices import cuda_facts, cuda_obstacle
from seg5b.backends.failures import device_failure
from seg5b.errors import BackendError, brief

__all__ = ["CHOICES", "choose_backend", "cuda_facts", "cuda_obstacle", "first_failure"]

CHOICES = ("auto", "cpu", "cuda")


def choose_backend(choice: str = "auto", *, device: int = 0) -> Backend:
    """``cpu``, ``cuda``, or ``auto``: CUDA when device number ``device`` can be used, else the CPU.

    A device can be used when everything it needs is installed and a small trial on it gives the right numbers. Raises
    `BackendError`: ``5B.BACKEND.CUDA_UNAVAILABLE`` when CUDA is asked for and cannot be had, ``5B.BACKEND.UNKNOWN``
    for another choice.
    """
    if choice not in CHOICES:
        raise BackendError("5B.BACKEND.UNKNOWN", f"{choice!r} is no backend", remedy=f"use one of {', '.join(CHOICES)}")
    if choice == "cpu":
        return CpuBackend("requested")
    found = _cuda("requested" if choice == "cuda" else "auto: a CUDA device can be used", device)
    if not isinstance(found, str):
        return found
    if choice == "cuda":
        raise BackendError(
            "5B.BACKEND.CUDA_UNAVAILABLE", found, where="--backend cuda", remedy="use --backend auto or cpu"
        )
    return CpuBackend(f"auto: {found}")


def _cuda(reason: str, device: int) -> Backend | str:
    """The CUDA backend, or why there is none."""
    obstacle = cuda_obstacle(device)
    if obstacle is not None:
        return obstacle
    # Packages, driver and device can each be sound and not fit together, which shows in many ways: any error counts.
    try:
        from seg5b.backends.cuda import CudaBackend

        backend = CudaBackend(reason, device)
        failure = first_failure(backend)
    except Exception as cause:
        typed = device_failure(cause, "a trial", f"device {device}")
        failure = f"{typed.what} -> {typed.remedy}" if typed else brief(f"{type(cause).__name__}: {cause}")
    return backend if failure is None else f"a trial on CUDA device {device} failed: {failure}"


def first_failure(backend: Backend) -> str | None:
    """What a small trial of every kind of operation gets wrong; None if nothing."""
    bin_start = backend.exclusive_sum(backend.upload(np.array([3, 0, 0], np.int32)), backend.empty(4, np.int32))
    if backend.download(bin_start).tolist() != [0, 3, 3, 3]:
        return "prefix sums"
    if backend.download(backend.take(bin_start, backend.upload(np.array([1, 0])))).tolist() != [3, 0]:
        return "picking elements"
    packed = backend.upload(np.array([7, 5, 6], np.uint64))
    backend.launch(registry.ORDER_BIN, 3, BinInputs(bin_start), Ordered(packed))
    if backend.download(packed).tolist() != [5, 6, 7]:
        return "a kernel"
    return None
