"""Realise a range of the tiny scenario with `CudaBackend` in the simulator and print a digest of each column.

A program, not a test: the simulator has to be chosen before numba is imported.
NUMBA_ENABLE_CUDASIM=1 PYTHONPATH=tests/kernels python -m tests.device.run_scenario FIRST STOP
"""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
from simulated import SimulatedArrays

from seg5b.backends.cuda import CudaBackend
from tests.expansion import tiny_scenario


def digests(columns: dict[str, np.ndarray]) -> dict[str, str]:
    """SHA-256 of each column's bytes."""
    return {name: hashlib.sha256(column.tobytes()).hexdigest() for name, column in columns.items()}


if __name__ == "__main__":
    made = tiny_scenario.realiser(CudaBackend("simulated", arrays=SimulatedArrays()))
    print(json.dumps(digests(tiny_scenario.realised(made, int(sys.argv[1]), int(sys.argv[2])))))
