"""Which CUDA devices are here, and what stands in the way of using one."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
from typing import Any

CUDA_PACKAGES = ("numba-cuda", "cupy-cuda12x", "cupy-cuda13x", "cudf-cu12", "cudf-cu13")
_INSTALL = "pip install 'seg5b[cuda13]' (or [cuda12], as the driver wants)"


def cuda_obstacle(device: int = 0) -> str | None:
    """The first thing that keeps CUDA device number ``device`` from being used, in one line; None if nothing does."""
    if not _has_driver():
        return "this machine has no NVIDIA driver"
    for module, package in (("numba_cuda", "numba-cuda"), ("cupy", "cupy")):
        if importlib.util.find_spec(module) is None:
            return f"the package {package} is not installed: {_INSTALL}"
    from numba import config, cuda

    if config.ENABLE_CUDASIM:
        return "NUMBA_ENABLE_CUDASIM is set: kernels would run in the simulator"
    if trouble := cuda.cuda_error():
        return f"the CUDA driver cannot be used: {_one_line(trouble)}"
    try:
        count = len(cuda.gpus)
    except cuda.CudaSupportError as cause:
        return f"no CUDA device can be used: {_one_line(str(cause))}"
    if not 0 <= device < count:
        return f"there is no CUDA device {device}: the driver shows {count}"
    return None


def cuda_facts() -> dict[str, Any]:
    """For `seg5b doctor`: ``obstacle`` (None if device 0 can be used), ``packages`` (version or None), ``driver``
    (newest CUDA version it runs, or None), ``visible`` (CUDA_VISIBLE_DEVICES, or None), and ``devices`` with number,
    name, compute capability, and memory in bytes, total and free."""
    facts: dict[str, Any] = {
        "obstacle": cuda_obstacle(),
        "packages": {name: _version(name) for name in CUDA_PACKAGES},
        "driver": None,
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "devices": [],
    }
    if facts["packages"]["numba-cuda"] is not None:
        facts.update(_driver_facts())
    return facts


def _driver_facts() -> dict[str, Any]:
    from numba import config, cuda

    if config.ENABLE_CUDASIM or cuda.cuda_error():
        return {}
    from numba.cuda.cudadrv.driver import driver

    major, minor = driver.get_version()
    return {"driver": f"{major}.{minor}", "devices": [_device_facts(cuda, number) for number in range(len(cuda.gpus))]}


def _device_facts(cuda: Any, number: int) -> dict[str, Any]:
    with cuda.gpus[number]:
        context = cuda.current_context()
        memory = context.get_memory_info()
        name, capability = context.device.name, context.device.compute_capability
        return {
            "number": number,
            "name": name.decode() if isinstance(name, bytes) else name,
            "compute_capability": f"{capability[0]}.{capability[1]}",
            "memory_bytes": memory.total,
            "memory_free_bytes": memory.free,
        }


def _has_driver() -> bool:
    """Asked before anything else: without a driver it does not matter which packages are missing."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(":. ")
