"""One tiny run, realised through the interface that is tested here."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import seg5b

sys.path.insert(0, str(Path(__file__).parents[1] / "kernels"))  # the stand-in for cudf needs arrays that live there


@pytest.fixture(scope="session")
def realised(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs root with the tiny world, S0-S5 done. Read it, never write to it."""
    runs_root = Path(shutil.copytree(tiny_world, tmp_path_factory.mktemp("api") / "runs"))
    seg5b.run(runs_root, backend="cpu")
    return runs_root
