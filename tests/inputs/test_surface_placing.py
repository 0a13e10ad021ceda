"""Rows of a surface in any order are put in place; what has no place, or has one twice, is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.backends.cpu import CpuBackend
from seg5b.inputs import surface_placing
from seg5b.inputs.surface_faults import UnsortedSurfaceError
from seg5b.inputs.surface_keys import KeyTable
from seg5b.inputs.surface_placing import lay_on_shelves, placed_blocks
from tests.inputs.test_surface_blocks import H, Rows, by_key, wanted, world


def _kept(rows: Rows, order: np.ndarray) -> Rows:
    return {name: column[order] for name, column in rows.items()}


def _shuffled(rows: Rows, seed: int) -> Rows:
    return _kept(rows, np.random.default_rng(seed).permutation(rows["tzid"].size))


def _place(folder: Path, rows: Rows, shelves: int, files: int = 2) -> list[tuple]:
    """What is read back, by key, of rows that lie in some files and are laid on some shelves."""
    size = rows["tzid"].size
    paths = []
    for number, part in enumerate(np.array_split(np.arange(size), files)):
        paths.append(folder / f"{number}.parquet")
        pq.write_table(pa.table({name: column[part].tolist() for name, column in rows.items()}, _SCHEMA), paths[-1])
    first = np.unique(rows["merchant_id"])[:: -(-7 // shelves)].astype(np.uint64)
    laid = folder / "laid"
    laid.mkdir()
    lay_on_shelves(paths, laid, first, H, code="X")
    return by_key(list(placed_blocks(CpuBackend(), laid, range(first.size), H)))


_SCHEMA = pa.schema(
    {
        "merchant_id": pa.uint64(),
        "legal_country_iso": pa.string(),
        "tzid": pa.string(),
        "channel_group": pa.string(),
        "local_horizon_bucket_index": pa.int16(),
        "lambda_local_scenario": pa.float64(),
    }
)


@pytest.mark.parametrize("shelves", [1, 3, 7])
@pytest.mark.parametrize("seed", range(6))
def test_every_row_comes_to_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, shelves: int) -> None:
    monkeypatch.setattr(surface_placing, "_CELLS_PER_BLOCK", 3 * H)
    monkeypatch.setattr(surface_placing, "_ROWS_AT_ONCE", 17)
    rows = world(seed)
    assert _place(tmp_path, _shuffled(rows, seed), shelves) == wanted(rows)


@pytest.mark.parametrize("looked_at", [0, 1, 1000])
def test_components_in_one_piece_come_to_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    """Whether their rows are looked up singly or together."""
    monkeypatch.setattr(surface_placing, "_LOOKED_AT", looked_at)
    rows = world(4)
    heads = np.random.default_rng(4).permutation(rows["tzid"].size // H)
    moved = _kept(rows, (heads[:, None] * H + np.arange(H)).ravel())
    assert _place(tmp_path, moved, 3) == wanted(rows)


def _with(name: str, value: float) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        column = rows[name].copy()
        column[11] = value
        return {**rows, name: column}

    return change


DAMAGES: dict[str, Callable[[Rows], Rows]] = {
    "a gap": lambda rows: _kept(rows, np.delete(np.arange(rows["tzid"].size), 11)),
    "a duplicate": lambda rows: _kept(rows, np.append(np.arange(rows["tzid"].size), 11)),
    "a gap and a duplicate": lambda rows: _kept(
        rows, np.where(np.arange(rows["tzid"].size) == 11, 12, np.arange(rows["tzid"].size))
    ),
    "another component's": lambda rows: _with("merchant_id", int(rows["merchant_id"][-1]))(rows),
    "an index beyond": _with("local_horizon_bucket_index", H),
    "an index below": _with("local_horizon_bucket_index", -1),
    "not a number": _with("lambda_local_scenario", np.nan),
    "infinite": _with("lambda_local_scenario", np.inf),
    "negative": _with("lambda_local_scenario", -1e-300),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("shelves", [1, 3])
def test_what_has_no_place_is_noticed(tmp_path: Path, name: str, shelves: int) -> None:
    rows = _shuffled(DAMAGES[name](world(2)), 5)
    with pytest.raises(UnsortedSurfaceError):
        _place(tmp_path, rows, shelves)


def test_a_surface_without_channels(tmp_path: Path) -> None:
    rows = world(3)
    one = rows["channel_group"] == "cp"
    plain = {name: column[one] for name, column in rows.items()}
    pq.write_table(
        pa.table({name: column.tolist() for name, column in _shuffled(plain, 1).items()}, _SCHEMA).drop_columns(
            ["channel_group"]
        ),
        tmp_path / "surface.parquet",
    )
    lay_on_shelves([tmp_path / "surface.parquet"], tmp_path, np.zeros(1, np.uint64), H, code="X")
    found = by_key(list(placed_blocks(CpuBackend(), tmp_path, [0], H)))
    assert found == [(m, z, "", c, values) for m, z, _, c, values in wanted(plain)]


@pytest.mark.parametrize("pairs", [1, 100, 70_000])
def test_keys_are_numbered_as_by_a_dictionary(pairs: int) -> None:
    """Also when far more come at once than the table has places for, and when they come again."""
    rng = np.random.default_rng(pairs)
    high, low = rng.integers(0, 2**64, pairs, np.uint64), rng.integers(0, 3, pairs)
    table = KeyTable()
    known: dict[tuple[int, int], int] = {}
    for _ in range(3):
        asked = rng.integers(0, pairs, 2 * pairs)
        numbers = table.numbers(high[asked], low[asked])
        for key, number in zip(
            zip(high[asked].tolist(), low[asked].tolist(), strict=True), numbers.tolist(), strict=True
        ):
            assert known.setdefault(key, number) == number
    assert sorted(known.values()) == list(range(len(table)))
    assert table.numbers(high[:0], low[:0]).size == 0
