"""Copies of the demo world that tests may realise in their own way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seg5b.runs.root import RunRoot, open_root


@pytest.fixture
def fresh_world(demo_world: Path, tmp_path: Path) -> RunRoot:
    """An unrealised copy of the demo world."""
    shutil.copytree(demo_world, tmp_path / "runs")
    return open_root(tmp_path / "runs")


@pytest.fixture
def copy_of() -> Callable[[RunRoot, Path], RunRoot]:
    """Copy a realised run into a folder."""

    def copy(root: RunRoot, folder: Path) -> RunRoot:
        shutil.copytree(root.path, folder / root.path.name)
        return open_root(folder)

    return copy
