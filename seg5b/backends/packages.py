"""CUDA's packages: which are here, whether they are new enough, belong together and can be imported."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from seg5b_compiled import cache_folder

from seg5b.errors import brief

SHOWN: Final = ("numba-cuda", "cuda-core", "cuda-bindings", "cupy-cuda12x", "cupy-cuda13x", "cudf-cu12", "cudf-cu13")
"""What `seg5b doctor` lists."""
FLOORS: Final = {"numba-cuda": "0.22.2", "cupy": "14.0.1"}
"""The oldest releases that work; `pyproject.toml` demands the same of whoever installs by its extras."""
INSTALL: Final = "pip install 'seg5b[cuda13]' (or [cuda12], as the driver wants)"

_CUPY: Final = ("cupy", "cupy-cuda12x", "cupy-cuda13x")  # the first is conda's
_MADE_FOR: Final = {
    "cupy-cuda12x": 12,
    "cupy-cuda13x": 13,
    "cudf-cu12": 12,
    "cudf-cu13": 13,
    "rmm-cu12": 12,
    "rmm-cu13": 13,
}
# From the bottom up: what fails first is what is broken. The last fails where numba-cuda can be imported and does not fit.
_IMPORTED: Final = (
    ("cuda.core", "cuda-core"),
    ("numba.cuda", "numba-cuda"),
    ("cupy", "cupy"),
    ("seg5b_kernels.cuda", "numba-cuda"),
)


def version(package: str) -> str | None:
    """Version of an installed package, None where it is not installed; ``cupy`` is looked for under each of its names."""
    for name in _CUPY if package == "cupy" else (package,):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def troubles(driver: tuple[int, int] | None) -> dict[str, str]:
    """Why packages that are installed cannot be used, by package; empty if they can. ``driver``: the newest CUDA that it
    runs, None where that is not known. Without trouble on paper each is imported, which takes a second."""
    found: dict[str, str] = {}
    for package, floor in FLOORS.items():
        if (have := version(package)) is not None and _numbers(have) < _numbers(floor):
            found[package] = f"{package} {have} is older than {floor}: {INSTALL.replace('install', 'install -U', 1)}"
    if trouble := _mixed() or _beyond(driver):
        found.setdefault("cuda-bindings", trouble)
    return found or _broken()


def missing() -> str | None:
    """The first package that CUDA cannot do without and that is not installed, and what to do; None if all are."""
    for module, package in (("numba_cuda", "numba-cuda"), ("cupy", "cupy")):
        if importlib.util.find_spec(module) is None:
            return f"the package {package} is not installed: {INSTALL}"
    return None


def _wheels() -> dict[int, list[str]]:
    """Installed packages by the major version of CUDA that they are made for. numba-cuda is for that of cuda-bindings."""
    found: dict[int, list[str]] = {}
    for package, major in _MADE_FOR.items():
        if have := version(package):
            found.setdefault(major, []).append(f"{package} {have}")
    if have := version("cuda-bindings"):
        found.setdefault(_numbers(have)[0], []).append(f"cuda-bindings {have}")
    return found


def _mixed() -> str | None:
    wheels = _wheels()
    if len(wheels) < 2:
        return None
    sides = " beside ".join(f"{', '.join(names)} for CUDA {major}" for major, names in sorted(wheels.items()))
    return f"packages for different versions of CUDA are installed, {sides}: uninstall one side, then {INSTALL}"


def _beyond(driver: tuple[int, int] | None) -> str | None:
    """Drivers run programs of their own major version of CUDA and of earlier ones."""
    wheels = _wheels()
    if driver is None or not wheels or max(wheels) <= driver[0]:
        return None
    newest = max(wheels)
    remedy = (
        "install 'seg5b[cuda12]' instead of [cuda13], or a newer driver"
        if driver[0] == 12
        else "install a newer driver"
    )
    runs = f"the driver runs CUDA {driver[0]}.{driver[1]} at most"
    return f"{runs}, and {', '.join(wheels[newest])} need a driver for CUDA {newest}: {remedy}"


def _broken() -> dict[str, str]:
    """The first package whose import fails. Whatever a broken package raises counts."""
    for module, package in _IMPORTED:
        if importlib.util.find_spec(module.partition(".")[0]) is None or version(package) is None:
            continue
        try:
            if module == "cupy":
                _let_cupy_keep()
            importlib.import_module(module)
        except Exception as cause:
            words = brief(f"{type(cause).__name__}: {cause}".strip(": "))
            told = f"{package} {version(package)} cannot be imported ({words})"
            return {package: f"{told}: reinstall it with what it belongs to, {INSTALL}"}
    return {}


def _let_cupy_keep() -> None:
    """cupy makes the folder of what it compiles while it is imported, and fails where it cannot: there it gets one of ours."""
    if os.environ.get("CUPY_CACHE_DIR"):
        return
    try:
        folder = Path.home() / ".cupy/kernel_cache"
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        os.environ["CUPY_CACHE_DIR"] = str(cache_folder("cupy"))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
