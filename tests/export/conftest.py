"""Exports of the tiny world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from seg5b.api import Run, open_run
from seg5b.export import Exported

ARRIVALS = "arrival_events_5B"


@pytest.fixture(scope="session")
def run(tiny_arrivals: Path) -> Run:
    return open_run(tiny_arrivals)


@pytest.fixture(scope="session")
def published(run: Run) -> pa.Table:
    """The arrivals of the first scenario, texts without dictionaries."""
    return plain(run.table(ARRIVALS, "baseline_v1"))


@pytest.fixture
def export(run: Run, tmp_path: Path) -> Callable[..., Exported]:
    """``export(name, **wanted)``: to a file or folder of that name in ``tmp_path``."""

    def exported(name: str, **wanted: Any) -> Exported:
        return run.export(tmp_path / name, **wanted)

    return exported


def plain(table: pa.Table) -> pa.Table:
    """A table in one piece, texts without dictionaries, without metadata."""
    columns = [c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for c in table.columns]
    return pa.table(dict(zip(table.column_names, columns, strict=True))).combine_chunks()
