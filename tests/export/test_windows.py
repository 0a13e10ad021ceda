"""How many windows of time an export is read in does not show."""

from __future__ import annotations

from pathlib import Path

import pytest

import seg5b.export.exporting
from seg5b.api import Run


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl"])
def test_any_windows_give_the_same_bytes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(seg5b.export.exporting, "_BATCH_ROWS", 2048)
    monkeypatch.setattr(seg5b.export.exporting, "rows_in", lambda memory: 1 << 40)
    whole = tmp_path / f"whole.{suffix}"
    done = run.export(whole, order="time")
    assert done.rows > 3 * 2048
    for most in (700, 5000):
        monkeypatch.setattr(seg5b.export.exporting, "rows_in", lambda memory, most=most: most)
        windows = tmp_path / f"{most}.{suffix}"
        run.export(windows, order="time")
        assert windows.read_bytes() == whole.read_bytes()


def test_no_rows_have_types_too(run: Run, tmp_path: Path) -> None:
    assert run.export(tmp_path / "none.parquet", order="time", where="false").rows == 0
