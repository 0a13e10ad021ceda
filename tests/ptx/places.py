"""Where things lie. Imports nothing: the stand-in driver has to be loaded before numba looks for one."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
# The kernels' inputs and what digests them are plain modules, not packages.
SHARED = [str(REPOSITORY / folder) for folder in ("tests/kernels", "bench")]
sys.path[:0] = [folder for folder in SHARED if folder not in sys.path]
