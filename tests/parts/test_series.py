"""A dataset of one row per series and bucket in several parts: whole merchants, and the same rows as in one file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow.parquet as pq
import pytest

from seg5b.axes import SeriesAxis
from seg5b.contracts import ContractSource, dataset_files
from seg5b.digests import dataset_digests
from seg5b.parts import series
from seg5b.parts.series import cut_series
from seg5b.pipeline import run_states
from seg5b.runs.root import RunRoot
from seg5b.states.s2_latent import intensities
from seg5b.tables.whole import ArrowTable, read_dataset
from tests.worlds import copy_run

CELL_DATASETS = ("s2_realised_intensity_5B", "s3_bucket_counts_5B")
BASE = "baseline_v1"
ALL = ("S0", "S1", "S2", "S3", "S4", "S5")


@pytest.mark.parametrize("cells", [1, 10, 11, 40, 999])
def test_parts_are_whole_merchants_and_cover_every_series(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setattr(series, "CELLS_PER_PART", cells)
    merchants = np.array([3, 3, 3, 5, 8, 8, 13, 13, 13, 13], np.uint64)
    axis = cast(SeriesAxis, FakeAxis(merchants))
    spans = cut_series(axis, 10)
    assert spans[0].start == 0 and spans[-1].stop == merchants.size
    assert all(one.stop == other.start for one, other in pairwise(spans))
    for one, other in pairwise(spans):
        assert merchants[one.stop - 1] != merchants[other.start]
        assert (one.stop - one.start) * 10 >= cells
        last = merchants[one.start : one.stop] != merchants[one.stop - 1]
        assert int(last.sum()) * 10 < cells, "without its last merchant it would not be full"


class FakeAxis(SimpleNamespace):
    def __init__(self, merchants: np.ndarray) -> None:
        super().__init__(merchant_id=merchants)

    def __len__(self) -> int:
        return int(self.merchant_id.size)


def place(root: RunRoot, dataset: str) -> Path:
    entry = ContractSource.packaged().dictionary("5B").entry(dataset)
    return root.resolve(entry.render(root.identity.tokens(BASE)))


@pytest.fixture
def in_parts(tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunRoot:
    """The tiny world, unrealised; a part of S2 and S3 takes a third of it."""
    root = copy_run(tiny_world, tmp_path)
    monkeypatch.setattr(series, "CELLS_PER_PART", 10_000)
    return root


def test_a_run_in_parts_has_the_rows_of_one_in_files(in_parts: RunRoot, tiny_run: Path, tmp_path: Path) -> None:
    whole, contracts = copy_run(tiny_run, tmp_path / "whole"), ContractSource.packaged()
    result = run_states(in_parts, contracts, ALL)
    assert result.facts("S5")["status"] == "PASS"
    for dataset in CELL_DATASETS:
        found = place(in_parts, dataset)
        names = sorted(file.name for file in found.iterdir())
        assert names == [f"part-{number:06d}.parquet" for number in range(len(names))] and len(names) > 2
        assert rows(found).equals(rows(place(whole, dataset)))
    others = [dataset_digests(root, contracts) for root in (in_parts, whole)]
    assert arrivals(others[0]) == arrivals(others[1])


def rows(dataset: Path) -> ArrowTable:
    return read_dataset(dataset_files(dataset, code="test"))


def arrivals(digests: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in digests.items() if name not in CELL_DATASETS}


def test_an_unsorted_surface_gives_the_same_parts(
    in_parts: RunRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part sees its own rows only: what does not fit there is put in place first, on several shelves for each part."""
    monkeypatch.setattr(intensities, "CELLS_PER_SHELF", 3_000)
    shuffled = copy_run(in_parts.path.parent, tmp_path / "shuffled")
    surface = place(shuffled, "merchant_zone_scenario_local_5A")
    table = pq.ParquetFile(surface).read()
    pq.write_table(table.take(np.arange(table.num_rows)[::-1]), surface)
    for root in (in_parts, shuffled):
        run_states(root, ContractSource.packaged(), ALL[:3])
    files = [sorted(place(root, CELL_DATASETS[0]).iterdir()) for root in (in_parts, shuffled)]
    assert len(files[0]) > 2
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(*files, strict=True))
