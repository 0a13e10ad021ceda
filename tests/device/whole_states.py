"""Whole states on one backend, and digests of everything that they published.

As a program, in the CUDA simulator, which has to be chosen before numba is imported:
NUMBA_ENABLE_CUDASIM=1 PYTHONPATH=tests/kernels python -m tests.device.whole_states RUNS_ROOT
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from simulated import SimulatedArrays

from seg5b.backends.base import Backend
from seg5b.backends.cuda import CudaBackend
from seg5b.contracts import ContractSource
from seg5b.digests import dataset_digests
from seg5b.hashing import tree_digests
from seg5b.options import ComputeOptions, EngineOptions, Options, Tuning
from seg5b.pipeline import run_states
from seg5b.runs.root import open_root

ALL = ("S0", "S1", "S2", "S3", "S4", "S5")
TO_ARRIVALS = ALL[:-1]


def realise(
    runs_root: Path,
    backend: Backend | None,
    *,
    states: Sequence[str] = TO_ARRIVALS,
    tuning: Tuning = Tuning(),
    frames: str = "auto",
    devices: tuple[str, ...] = (),
) -> dict[str, str]:
    """Run ``states`` of the one run below ``runs_root`` on ``backend``, columns read by ``frames``, or by workers with one of
    ``devices`` each. Returns SHA-256 of every dataset by its name and of every file of trace and event logs by its path, and
    under ``S5`` what was found if that state is among them."""
    root, contracts = open_root(runs_root), ContractSource.packaged()
    engine = EngineOptions("dask", devices=devices) if devices else EngineOptions()
    options = Options(tuning=tuning, engine=engine, compute=ComputeOptions(frames=frames))
    result = run_states(root, contracts, states, backend=backend, options=options)
    logs = tree_digests(root.path / "logs/layer2/5B/rng")
    drawn = {name: digest for name, digest in logs.items() if not name.startswith("audit/")}  # that one tells the time
    digests = {**dataset_digests(root, contracts), **drawn}
    verdict = [(each.record["status"], each.record["checks"], each.record["warned"]) for each in result.states[5:]]
    return {**digests, **({"S5": json.dumps(verdict)} if verdict else {})}


if __name__ == "__main__":
    backend = CudaBackend("simulated", arrays=SimulatedArrays())
    print(json.dumps(realise(Path(sys.argv[1]), backend)))
