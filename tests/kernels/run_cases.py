"""Run every kernel over the synthetic inputs of ``bench/kernel_inputs.py`` and print a digest of each one's outputs.

A program, not a test: tests start it with other environments (another CPU target, the CUDA simulator) and compare.
Usage: python run_cases.py cpu|cuda ITEMS
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from kernel_inputs import Case, kernel_cases

# The order in which threads reach a bin: no output depends on it.
UNORDERED = "bin_rank"


def digest(outputs: Any) -> str:
    """SHA-256 over the output arrays, in field order."""
    sha = hashlib.sha256()
    for name, column in outputs._asdict().items():
        if name != UNORDERED:
            sha.update(name.encode() + column.dtype.str.encode() + column.tobytes())
    return sha.hexdigest()


def run(case: Case, target: str) -> None:
    """Fill the outputs of a case by its CPU loop or by a CUDA launch."""
    if target == "cpu":
        case.kernel.cpu(0, case.n, case.inputs, case.outputs)
    else:
        from simulated import simulate

        simulate(case.kernel, case.n, case.inputs, case.outputs)


def digests(target: str, items: int) -> dict[str, str]:
    """Digest by kernel name."""
    cases = kernel_cases(items)
    for case in cases:
        run(case, target)
    return {case.kernel.name: digest(case.outputs) for case in cases}


if __name__ == "__main__":
    print(json.dumps(digests(sys.argv[1], int(sys.argv[2]))))
