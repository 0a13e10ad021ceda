"""Copies of worlds that tests may realise in their own way."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg5b.runs.root import RunRoot
from tests.worlds import copy_run


@pytest.fixture
def fresh_world(demo_world: Path, tmp_path: Path) -> RunRoot:
    """An unrealised copy of the demo world."""
    return copy_run(demo_world, tmp_path)


@pytest.fixture
def realised(tiny_arrivals: Path, tmp_path: Path) -> RunRoot:
    """A copy of the tiny world with S0-S4 done."""
    return copy_run(tiny_arrivals, tmp_path)


@pytest.fixture
def world(tiny_world: Path, tmp_path: Path) -> RunRoot:
    """An unrealised copy of the tiny world."""
    return copy_run(tiny_world, tmp_path)
