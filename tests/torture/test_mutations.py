"""The first few mutated files of every kind: each reader succeeds or raises one typed error, in bounded time (law L16).

What mutations once found is named in `test_foreign_bytes`; `make torture` tries more of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.inputs import BOMBS, INPUTS
from tests.torture.mutations import Tally
from tests.worlds import copy_run

FEW = {"JSON": 200, "Parquet": 240, "blobs and indexes": 60, "YAML": 150, "time-zone caches": 60, BOMBS: 0}


@pytest.mark.parametrize("kind", INPUTS)
def test_inputs(tiny_world: Path, tmp_path: Path, kind: str) -> None:
    tally = Tally()
    INPUTS[kind](copy_run(tiny_world, tmp_path), tmp_path, FEW[kind], tally)
    assert tally.wrong == [] and tally.inputs >= FEW[kind] and len(tally.codes) > 1
