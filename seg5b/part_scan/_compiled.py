"""How this room compiles: where compiled loops are kept between processes, and with which options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from seg5b_compiled import cache_folder, kept, source_digest

# Nothing here allocates, so reference counting (atomic, for each array of a tuple) is switched off.
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
_FOLDER = cache_folder(f"part-scan-{source_digest(Path(__file__).parent)}")


def inlined(function: Callable[..., Any]) -> Any:
    """Decorate a part of a compiled loop. Always inlined: a call would pass every array of its tuples, for each row."""
    return kept(njit(forceinline=True, **_OPTIONS), function, _FOLDER)


def compiled(function: Callable[..., Any]) -> Any:
    """Decorate a loop: compiled on first use, kept on disk, releases the interpreter lock."""
    return kept(njit(**_OPTIONS), function, _FOLDER)
