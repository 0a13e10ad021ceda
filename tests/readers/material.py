"""Two small worlds around a night in which clocks are set back, one of them with the largest seed there is; their arrivals as
published and exported; and the truth about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

import seg5b
from seg5b.api import Run, open_run
from seg5b.run_tables.outputs import BY_TABLE, output_files
from tests.iceberg import catalog_at
from tests.readers.truth import FIELDS, Asked, plain
from tests.worlds import OWN

SEEDS: Final = (42, 2**64 - 1)
DUSK: Final = datetime(2026, 11, 1, 0, tzinfo=UTC)
DAWN: Final = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""The night to 1 November 2026, when clocks of the United States are set back from two to one o'clock."""
CATALOG: Final = "cards"
WORLD: Final[dict[str, Any]] = {
    **OWN,
    "horizon": {"start": "2026-10-31", "days": 2},
    "volume": {"weekly_total": 3000},
    "virtual": {"only": 0.1, "hybrid": 0.06},
}


def make_material(folder: Path) -> Path:
    """Make everything below ``folder``, which is returned: a JSON file for each world says what is asked of readers."""
    for seed in SEEDS:
        place = folder / str(seed)
        runs = place / "runs"
        seg5b.World.from_mapping(WORLD).make(runs, seeds=(seed,))
        seg5b.run(runs, last="S4", backend="cpu")
        asked(open_run(runs), place).write(folder / f"{seed}.json")
    return folder


def asked(run: Run, place: Path) -> Asked:
    """Export a run's arrivals below ``place``, and say what is asked about them."""
    every: dict[str, Any] = {"scenarios": ("all",)}
    run.export(place / "folder", format="parquet", partition_by=["scenario_id", "day"], **every)
    run.export(place / "lake", format="delta", **every)
    (place / "warehouse").mkdir()
    with catalog_at(CATALOG, place / "warehouse"):
        run.export(f"iceberg://{CATALOG}/cards/arrivals", **every)
    scenario = run.scenarios[0]
    rows = tuple(plain(row) for each in run.scenarios for row in _published(run, each))
    merchant = max(row[FIELDS.index("merchant_id")] for row in rows)
    moments = sorted(row[FIELDS.index("ts_utc")] for row in rows)
    start, end = (moments[len(moments) * part // 5] for part in (2, 3))
    return Asked(
        root=str(run.path("arrival_events_5B", scenario).parents[2]),
        folder=str(place / "folder"),
        lake=str(place / "lake"),
        warehouse=str(place / "warehouse"),
        scenario=scenario,
        merchant=merchant,
        start=_instant(start),
        end=_instant(end),
        dusk=DUSK,
        dawn=DAWN,
        rows=rows,
    )


def _instant(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _published(run: Run, scenario: str) -> Iterator[Mapping[str, Any]]:
    """Rows of the files, one by one and file by file."""
    for file in output_files(run.root, run.contracts, BY_TABLE["arrivals"], scenario):
        with pq.ParquetFile(file) as opened:
            yield from opened.read(list(FIELDS)).to_pylist()
