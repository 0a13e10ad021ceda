"""A run folder that holds a receipt and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from seg5b.runs import open_root
from seg5b.runs.root import RunRoot


@pytest.fixture
def make_root(tmp_path: Path) -> Callable[[str], RunRoot]:
    """Makes a run of this id."""

    def make(run_id: str) -> RunRoot:
        folder = tmp_path / run_id
        folder.mkdir()
        receipt = {"run_id": run_id, "seed": 1, "parameter_hash": "b" * 64, "manifest_fingerprint": "c" * 64}
        (folder / "run_receipt.json").write_text(json.dumps(receipt))
        return open_root(tmp_path, run_id)

    return make


@pytest.fixture
def root(make_root: Callable[[str], RunRoot]) -> RunRoot:
    return make_root("a" * 32)
