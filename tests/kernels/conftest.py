"""What kernel tests share: the helpers beside this file, and the bench's inputs."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
# Programs of this folder run on their own in other environments, so what they share are plain modules, not packages.
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "bench")]
