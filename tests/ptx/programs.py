"""What tests and programs of this folder share: the kernels' inputs, and how they go to a backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from seg5b.backends.base import Backend
from tests.ptx import places  # noqa: F401 - the two below are found by it

from kernel_inputs import Case, kernel_cases  # isort: skip
from run_cases import UNORDERED, digest  # isort: skip

__all__ = ["UNORDERED", "Case", "digest", "kernel_cases", "uploaded"]


def uploaded(backend: Backend, value: Any) -> Any:
    """A named tuple, nested or not, with its arrays uploaded."""
    if isinstance(value, tuple):
        return type(value)(*(uploaded(backend, each) for each in value))
    return backend.upload(value) if isinstance(value, np.ndarray) else value
