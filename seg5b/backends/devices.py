"""Which CUDA devices are here, and what stands in the way of using one."""

from __future__ import annotations

import os
from typing import Any

from seg5b.backends import driver, packages


def cuda_obstacle(device: int = 0) -> str | None:
    """The first thing that keeps CUDA device number ``device`` from being used, in one line; None if nothing does."""
    if not _has_driver():
        return "this machine has no NVIDIA driver"
    if reason := packages.missing() or next(iter(packages.troubles(_driver_version()).values()), None):
        return reason
    from numba import config

    if config.ENABLE_CUDASIM:
        return "NUMBA_ENABLE_CUDASIM is set: kernels would run in the simulator"
    try:
        count = len(driver.devices())
    except driver.DriverRefusal as cause:
        return f"the CUDA driver cannot be used: {_one_line(str(cause))}"
    if not 0 <= device < count:
        return f"there is no CUDA device {device}: the driver shows {count}"
    return None


def cuda_facts(device: int = 0) -> dict[str, Any]:
    """For `seg5b doctor`: ``obstacle`` (None if device number ``device`` can be used), ``packages`` (version or None),
    ``troubles`` (why a package that is installed cannot be used, by package), ``driver`` (newest CUDA version it runs, or
    None), ``visible`` (CUDA_VISIBLE_DEVICES, or None), and ``devices`` with number, name, compute capability, and memory in
    bytes. No context is made on any device."""
    runs = _driver_version()
    return {
        "obstacle": cuda_obstacle(device),
        "packages": {name: packages.version(name) for name in packages.SHOWN},
        "troubles": packages.troubles(runs),
        "driver": None if runs is None else f"{runs[0]}.{runs[1]}",
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "devices": _devices(),
    }


def _devices() -> list[dict[str, Any]]:
    try:
        return [found._asdict() for found in driver.devices()] if _has_driver() else []
    except driver.DriverRefusal:
        return []  # what it said is the obstacle


def _driver_version() -> tuple[int, int] | None:
    try:
        return driver.version() if _has_driver() else None
    except driver.DriverRefusal:
        return None


def _has_driver() -> bool:
    """Asked before anything else: without a driver it does not matter which packages are missing."""
    try:
        driver.library()
    except OSError:
        return False
    return True


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(":. ")
