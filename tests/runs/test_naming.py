"""Runs by the beginning of their ids."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seg5b.errors import RunError
from seg5b.runs.naming import find_run_id

RUNS = ("ab12" + 28 * "0", "ab12" + 27 * "0" + "1", "cd" + 30 * "3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, run_id in enumerate(RUNS):
        (tmp_path / run_id).mkdir()
        receipt = {"run_id": run_id, "created_utc": f"2026-01-0{place + 1}T00:00:00Z"}
        (tmp_path / run_id / "run_receipt.json").write_text(json.dumps(receipt))
    return tmp_path


@pytest.mark.parametrize(
    ("named", "run_id"),
    [
        (None, RUNS[2]),
        ("latest", RUNS[2]),
        (RUNS[0], RUNS[0]),
        ("cd33", RUNS[2]),
        ("CD33", RUNS[2]),
        (RUNS[1], RUNS[1]),
        (32 * "f", 32 * "f"),
    ],
)
def test_one_run(folder: Path, named: str | None, run_id: str) -> None:
    assert find_run_id(folder, named) == run_id


@pytest.mark.parametrize(
    ("named", "code", "says"),
    [
        ("ab12", "5B.RUN.RUN_ID_AMBIGUOUS", "beginning of 2 runs"),
        ("cd3", "5B.RUN.NO_RUN", "choose among ab12"),
        ("beef", "5B.RUN.NO_RUN", "choose among ab12"),
        ("../up", "5B.RUN.NO_RUN", "choose among"),
        ("", "5B.RUN.NO_RUN", "choose among"),
    ],
)
def test_none_or_several(folder: Path, named: str, code: str, says: str) -> None:
    with pytest.raises(RunError) as caught:
        find_run_id(folder, named)
    assert caught.value.code == code and says in str(caught.value)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="seg5b world make"):
        find_run_id(tmp_path, "abcd")
