"""One demo world for the whole session, and a tiny one to make again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from seg5b.runs import RunRoot, open_root
from seg5b.world.plan import WorldPlan
from seg5b.world.presets import PRESETS
from seg5b.world.world import BuiltWorld, build_world
from tests import worlds


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> RunRoot:
    folder = worlds.make(PRESETS["demo_classic"], tmp_path_factory.mktemp("demo"), seeds=(42, 7))
    return open_root(folder.parent, folder.name)


@pytest.fixture(scope="session")
def demo_world() -> BuiltWorld:
    return build_world(PRESETS["demo_classic"], unique_keys=False)


@pytest.fixture(scope="session")
def reference_world() -> BuiltWorld:
    return build_world(PRESETS["reference_classic"], unique_keys=False)


def _table(root: RunRoot, dataset: str, part: str = "", columns: list[str] | None = None) -> dict[str, list]:
    """Columns of the Parquet files whose path holds ``/<dataset>/`` and ``part``, as Python lists."""
    paths = sorted(p for p in root.path.glob("data/**/*.parquet") if f"/{dataset}/" in str(p) and part in str(p))
    assert len(paths) == 1, paths
    return pq.ParquetFile(paths[0]).read(columns).to_pydict()


@pytest.fixture(scope="session")
def table() -> Callable[..., dict[str, list]]:
    """``table(root, dataset, part, columns)``: a dataset as lists; test modules cannot import each other."""
    return _table


@pytest.fixture(scope="session")
def tiny() -> WorldPlan:
    return worlds.TINY.preset


@pytest.fixture(scope="session")
def make() -> Callable[..., Path]:
    """``make(preset, runs_root, seeds=..., unique_keys=...)``: the run folder of a world."""
    return worlds.make
