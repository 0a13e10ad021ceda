"""Ranges of a world's arrivals, realised alone, as S4 sets them up from files: on a device of the reference world."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seg5b.backends.base import Backend
from seg5b.backends.cpu import CpuBackend
from seg5b.contracts import ContractSource
from seg5b.expansion import arrival_buffers
from seg5b.expansion.scenario import Expansion
from seg5b.pipeline import run_states
from seg5b.runs.root import open_root
from seg5b.states import s4_arrivals
from seg5b.world import make_world
from tests.device.run_scenario import digests
from tests.device.whole_states import TO_ARRIVALS, realise

RANGES = 7


class RangesDoneError(BaseException):
    """Ends S4 where it would begin to write, with digests of each column by range."""


def range_digests(expansion: Expansion, *_: Any) -> None:
    """Takes the place of what writes the arrivals: realises some ranges, from the first arrival to the last."""
    blocks, backend = expansion.realiser.blocks, expansion.work.backend
    total = expansion.totals.arrivals
    longest = min(1 << 20, total // RANGES)
    found = {}
    for start in np.linspace(0, total - longest, RANGES).astype(int).tolist():
        stop = min(start + longest, blocks.at(start).stop)
        out = arrival_buffers(backend, stop - start)
        expansion.realiser.realise(start, stop, out)
        found[start, stop] = digests({name: backend.download(column) for name, column in out._asdict().items()})
    raise RangesDoneError(found)


@pytest.fixture(scope="session")
def reference_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs_root = tmp_path_factory.mktemp("reference")
    make_world("reference_classic", runs_root=runs_root)
    return runs_root


@pytest.fixture
def world(on_cuda: Backend, request: pytest.FixtureRequest) -> Path:
    """Over stand-ins a world of 39,000 arrivals, on a device the reference world."""
    simulated = on_cuda.describe()["device"] == "simulator"
    found: Path = request.getfixturevalue("tiny_world" if simulated else "reference_world")
    return found


def test_a_slice_of_a_world(on_cuda: Backend, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s4_arrivals, "_write_arrivals", range_digests)
    datasets, ranges = [], []
    for number, backend in enumerate((CpuBackend("test"), on_cuda)):
        runs_root = Path(shutil.copytree(world, tmp_path / str(number)))
        datasets.append(realise(runs_root, backend, states=TO_ARRIVALS[:-1]))
        with pytest.raises(RangesDoneError) as done:
            run_states(open_root(runs_root), ContractSource.packaged(), ("S4",), backend=backend)
        ranges.append(done.value.args[0])
    assert datasets[1] == datasets[0]
    assert len(ranges[0]) == RANGES and ranges[1] == ranges[0]
