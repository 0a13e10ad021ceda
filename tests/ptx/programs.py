"""What the programs of this folder share: the kernels' inputs, and how they go to a backend."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from seg5b.backends.base import Backend

REPOSITORY = Path(__file__).parents[2]
# The kernels' inputs and what digests them are plain modules, not packages.
SHARED = [str(REPOSITORY / folder) for folder in ("tests/kernels", "bench")]
sys.path[:0] = [folder for folder in SHARED if folder not in sys.path]

from kernel_inputs import Case, kernel_cases  # noqa: E402
from run_cases import UNORDERED, digest  # noqa: E402

__all__ = ["REPOSITORY", "SHARED", "UNORDERED", "Case", "digest", "kernel_cases", "uploaded"]


def uploaded(backend: Backend, value: Any) -> Any:
    """A named tuple, nested or not, with its arrays uploaded."""
    if isinstance(value, tuple):
        return type(value)(*(uploaded(backend, each) for each in value))
    return backend.upload(value) if isinstance(value, np.ndarray) else value
