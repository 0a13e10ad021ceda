"""Where compiled kernels are kept between processes.

numba decides whether a cached kernel is stale from the file of the outermost function alone. A kernel here is made
of functions from many files, so the folder name carries a digest of all of them: an edited helper can never leave a
stale kernel behind.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from numba import config


def source_digest() -> str:
    """First 16 hex digits of the SHA-256 over every source file of this package, in name order."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def use_cache_of_this_source() -> None:
    """Point numba's cache at a folder of this source: below ``NUMBA_CACHE_DIR`` or ``XDG_CACHE_HOME`` if set, else
    ``~/.cache``; below the temporary folder where none of these can be written."""
    home = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "seg5b" / f"kernels-{source_digest()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / "seg5b" / folder.name
    config.CACHE_DIR = str(folder)
