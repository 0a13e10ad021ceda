"""`seg5b warm` realises a small world with what a run would take, and leaves nothing but what was compiled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from seg5b.cli import main
from seg5b.pipeline import STATE_IDS


def test_a_small_world_is_realised_twice_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["warm", "--backend", "cpu", "--json"], catch_exceptions=False)
    told = json.loads(done.stdout)
    assert told["ok"] and told["backend"]["backend"] == "cpu"
    assert list(told["first_s"]) == list(told["second_s"]) == list(STATE_IDS)
    assert not list(tmp_path.iterdir())


def test_a_device_that_is_not_there_is_told() -> None:
    done = CliRunner().invoke(main, ["warm", "--backend", "cuda", "--json"])
    if json.loads(done.stdout)["ok"]:
        pytest.skip("this machine has a CUDA device")
    assert done.exit_code == 1 and json.loads(done.stdout)["error"]["code"] == "5B.BACKEND.CUDA_UNAVAILABLE"
