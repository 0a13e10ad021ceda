"""How this room compiles, and where compiled loops are kept between processes.

numba decides whether a kept loop is stale from the file of the outermost function alone, so the folder's name carries a
digest of every file here. The setting is put back at once: others who compile choose places of their own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit

from seg5b.hashing import sha256_hex

_SOURCES = b"\0".join(path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))


# Nothing here allocates, so reference counting (atomic, for each array of a tuple) is switched off.
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def inlined(function: Callable[..., Any]) -> Any:
    """Decorate a part of a compiled loop. Always inlined: a call would pass every array of its tuples, for each row."""
    return _compile(function, forceinline=True)


def compiled(function: Callable[..., Any]) -> Any:
    """Decorate a loop: compiled on first use, kept on disk, releases the interpreter lock."""
    return _compile(function)


def _compile(function: Callable[..., Any], **options: bool) -> Any:
    before = config.CACHE_DIR
    config.CACHE_DIR = str(_folder())
    try:
        return njit(**_OPTIONS, **options)(function)
    finally:
        config.CACHE_DIR = before


def _folder() -> Path:
    home = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "seg5b" / f"part-scan-{sha256_hex(_SOURCES)[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / "seg5b" / folder.name
    return folder
