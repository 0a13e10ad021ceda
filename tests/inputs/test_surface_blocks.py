"""Blocks of the 5A surface: wherever a reader cuts its pieces, the same rows and the same error; views where possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.backends.cpu import CpuBackend
from seg5b.errors import DomainError, NumericError, Seg5bError
from seg5b.frames import FrameColumns, TextColumn
from seg5b.inputs import surface_blocks
from seg5b.inputs.surface_blocks import SurfaceBlock, UnsortedSurfaceError, iterate_blocks
from seg5b.inputs.surface_faults import Diagnosis
from seg5b.tables.reading import Kind

H = 5
COUNTRIES, ZONES, CHANNELS = ("GB", "AT", "ZA"), ("Europe/London", "Asia/Tokyo", "Etc/UTC"), ("cp", "cnp")
Rows = dict[str, np.ndarray]  # as objects, in file order
BACKEND = CpuBackend()


def world(seed: int) -> Rows:
    """Seven merchants of one to six components, components in no order."""
    rng = np.random.default_rng(seed)
    every = [(c, z, h) for c in COUNTRIES for z in ZONES for h in CHANNELS]
    keys = []
    for merchant in np.sort(rng.integers(0, 2**64, 7, np.uint64)).tolist():
        chosen = rng.permutation(len(every))[: rng.integers(1, 7)]
        keys += [(merchant, *every[k]) for k in chosen]
    merchant, country, tzid, channel = (np.repeat(column, H) for column in zip(*keys, strict=True))
    return {
        "merchant_id": merchant.astype(np.uint64),
        "legal_country_iso": country,
        "tzid": tzid,
        "channel_group": channel,
        "local_horizon_bucket_index": np.tile(np.arange(H), len(keys)),
        "lambda_local_scenario": rng.exponential(2.0, H * len(keys)),
    }


class CutFrames:
    """A reader whose pieces end at ``cuts``, each with its own numbering of texts; keeps what it handed out."""

    name = reason = "test"

    def __init__(self, rows: Rows, cuts: Sequence[int]) -> None:
        self._rows = rows
        self._cuts = [0, *cuts, rows["merchant_id"].size]
        self.handed: list[np.ndarray] = []

    def iterate(self, files: Sequence[Path], kinds: Mapping[str, Kind], *, code: str) -> Iterator[FrameColumns]:
        for start, stop in zip(self._cuts, self._cuts[1:], strict=False):
            if start < stop:
                columns = {name: self._column(self._rows[name][start:stop], kinds[name]) for name in kinds}
                self.handed.append(columns["lambda_local_scenario"])
                yield columns

    def _column(self, values: np.ndarray, kind: Kind) -> Any:
        if kind is not Kind.TEXT:
            column = values.copy()
            column.setflags(write=False)
            return column
        known = tuple(dict.fromkeys(values.tolist()[::-1]))
        codes = np.array([known.index(value) for value in values.tolist()], np.int32)
        codes.setflags(write=False)
        return TextColumn(codes, known)

    def rows(
        self, files: Sequence[Path], first: int, stop: int, kinds: Mapping[str, Kind], *, code: str
    ) -> FrameColumns:
        raise NotImplementedError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Only its column names are looked at."""
    pq.write_table(pa.table({"channel_group": pa.array([], pa.string())}), tmp_path / "surface")
    return tmp_path / "surface"


def cuts(rows: Rows, seed: int) -> list[int]:
    rng, size = np.random.default_rng(seed), rows["merchant_id"].size
    return sorted(rng.integers(1, size, rng.choice([0, 1, 2, 4, 12, size])).tolist())


def blocks(file: Path, rows: Rows, where: Sequence[int]) -> tuple[list[SurfaceBlock], CutFrames]:
    frames = CutFrames(rows, where)
    return list(iterate_blocks(frames, BACKEND, [file], H, state="S2")), frames


def by_key(found: list[SurfaceBlock]) -> list[tuple[Any, ...]]:
    """(merchant, tzid, channel, country, values) in the order handed out."""
    rows = []
    for block in found:
        keys = block.components
        for k, row in enumerate(block.row.tolist()):
            key = (int(keys.merchant_id[k]), keys.tzid[k], keys.channel[k], keys.country[k])
            rows.append((*key, tuple(block.surface[row].tolist())))
    return rows


def wanted(rows: Rows) -> list[tuple[Any, ...]]:
    names = ("merchant_id", "tzid", "channel_group", "legal_country_iso")
    heads = zip(*(rows[name][::H].tolist() for name in names), strict=True)
    values = rows["lambda_local_scenario"].reshape(-1, H).tolist()
    found = [(*key, tuple(line)) for key, line in zip(heads, values, strict=True)]
    return sorted(found, key=lambda row: (row[0], *(name.encode() for name in row[1:4])))


@pytest.mark.parametrize("seed", range(40))
def test_pieces_do_not_show(file: Path, seed: int) -> None:
    rows = world(seed)
    found, _ = blocks(file, rows, cuts(rows, seed))
    assert by_key(found) == wanted(rows)


@pytest.mark.parametrize("seed", range(40))
def test_only_a_merchant_across_pieces_is_copied(file: Path, seed: int) -> None:
    rows = world(seed)
    where = cuts(rows, seed)
    merchant = rows["merchant_id"]
    across = {int(merchant[cut]) for cut in where if merchant[cut] == merchant[cut - 1]}
    found, frames = blocks(file, rows, where)
    for block in found:
        if not any(np.shares_memory(block.surface, piece) for piece in frames.handed):
            assert len({int(each) for each in block.components.merchant_id} & across) == 1
            assert np.unique(block.components.merchant_id).size == 1
    assert len(found) <= 2 * len(frames.handed) + 1


def test_a_sound_surface_never_needs_numpy(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Diagnosis, "components", None)
    for seed in range(10):
        rows = world(seed)
        blocks(file, rows, cuts(rows, seed))


def test_rows_come_to_the_host_only_for_a_merchant_across_pieces(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface_blocks, "rows_on_host", None)
    for seed in range(10):
        rows = world(seed)
        merchant = rows["merchant_id"]
        found, _ = blocks(file, rows, (np.flatnonzero(merchant[1:] != merchant[:-1]) + 1).tolist())
        assert by_key(found) == wanted(rows)


@pytest.mark.parametrize("merchant", range(7))
@pytest.mark.parametrize("missing", [1, 2, H - 1])
def test_a_merchant_that_ends_early(file: Path, merchant: int, missing: int) -> None:
    """Its last rows are missing: no row that is there is wrong."""
    rows = world(5)
    last = int(np.flatnonzero(rows["merchant_id"] == np.unique(rows["merchant_id"])[merchant])[-1])
    damaged = _kept(rows, np.delete(np.arange(rows["tzid"].size), np.arange(last - missing + 1, last + 1)))
    for where in ([], [last - missing + 1], cuts(damaged, 1), cuts(damaged, 2)):
        with pytest.raises(DomainError) as failure:
            blocks(file, damaged, where)
        assert failure.value.code == "5B.S2.REALISED_DOMAIN_INCOMPLETE"
        assert failure.value.what == f"bucket {H - missing} is missing ({missing} of {H} are)"


def test_a_surface_without_channels(tmp_path: Path) -> None:
    pq.write_table(pa.table({"tzid": pa.array([], pa.string())}), tmp_path / "surface")
    rows = world(3)
    first = {(m, z, c) for m, z, c in zip(*(rows[n][::H].tolist() for n in ("merchant_id", "tzid", "legal_country_iso")), strict=True)}  # fmt: skip
    heads, seen = [], set()
    for at, key in enumerate(zip(*(rows[n][::H].tolist() for n in ("merchant_id", "tzid", "legal_country_iso")), strict=True)):  # fmt: skip
        if key not in seen:
            seen.add(key)
            heads.append(at)
    kept = np.concatenate([np.arange(H * at, H * at + H) for at in heads])
    plain = {name: column[kept] for name, column in rows.items() if name != "channel_group"}
    for seed in range(5):
        found, _ = blocks(tmp_path / "surface", plain, cuts(plain, seed))
        assert {(m, z, c) for m, z, _, c, _ in by_key(found)} == first
        assert {h for _, _, h, _, _ in by_key(found)} == {""}


Change = Callable[[Rows, int], Rows]


def _kept(rows: Rows, order: np.ndarray) -> Rows:
    return {name: column[order] for name, column in rows.items()}


def _without(rows: Rows, at: int) -> Rows:
    return _kept(rows, np.delete(np.arange(rows["tzid"].size), at))


def _twice(rows: Rows, at: int) -> Rows:
    return _kept(rows, np.insert(np.arange(rows["tzid"].size), at, at))


def _with(name: str, value: float) -> Change:
    def change(rows: Rows, at: int) -> Rows:
        column = rows[name].copy()
        column[at] = value
        return {**rows, name: column}

    return change


def _last_beyond(rows: Rows, at: int) -> Rows:
    return _with("local_horizon_bucket_index", H)(rows, at - at % H + H - 1)


def _component_again(rows: Rows, at: int) -> Rows:
    """The component comes once more, at the end of its merchant."""
    head = at - at % H
    end = int(np.flatnonzero(rows["merchant_id"] == rows["merchant_id"][at])[-1]) + 1
    order = np.arange(rows["tzid"].size)
    return _kept(rows, np.insert(order, end, order[head : head + H]))


def _swapped(rows: Rows, at: int) -> Rows:
    order = np.arange(rows["tzid"].size)
    head = at - at % H
    order[head], order[head + 1] = head + 1, head
    return _kept(rows, order)


def _merchant_moved(rows: Rows, at: int) -> Rows:
    """The row's merchant goes to the end, or the last one to the front."""
    mine = rows["merchant_id"] == rows["merchant_id"][at]
    if rows["merchant_id"][at] == rows["merchant_id"][-1]:
        return _kept(rows, np.concatenate([np.flatnonzero(mine), np.flatnonzero(~mine)]))
    return _kept(rows, np.concatenate([np.flatnonzero(~mine), np.flatnonzero(mine)]))


def _shuffled(rows: Rows, at: int) -> Rows:
    return _kept(rows, np.random.default_rng(at).permutation(rows["tzid"].size))


DAMAGES: dict[str, tuple[Change, type[Exception], str]] = {
    "a gap": (_without, DomainError, "REALISED_DOMAIN_INCOMPLETE"),
    "a duplicate": (_twice, DomainError, "DOMAIN_ALIGN_FAILED"),
    "an index beyond": (_last_beyond, DomainError, "BUCKET_SET_INCONSISTENT"),
    "not a number": (_with("lambda_local_scenario", np.nan), NumericError, "REALISED_NUMERIC_INVALID"),
    "infinite": (_with("lambda_local_scenario", np.inf), NumericError, "REALISED_NUMERIC_INVALID"),
    "negative": (_with("lambda_local_scenario", -1e-300), NumericError, "REALISED_NUMERIC_INVALID"),
    "a component again": (_component_again, UnsortedSurfaceError, ""),
    "buckets swapped": (_swapped, UnsortedSurfaceError, ""),
    "a merchant moved": (_merchant_moved, UnsortedSurfaceError, ""),
    "shuffled": (_shuffled, UnsortedSurfaceError, ""),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("seed", range(12))
def test_what_is_wrong_is_found_wherever_pieces_end(file: Path, name: str, seed: int) -> None:
    """The error names the damaged component; sound merchants before it have been handed out, and none of those behind."""
    change, kind, reason = DAMAGES[name]
    sound = world(seed)
    at = int(np.random.default_rng(seed).integers(0, sound["tzid"].size))
    key = [sound[column][at] for column in ("merchant_id", "legal_country_iso", "tzid")]
    rows = change(sound, at)
    handed: list[SurfaceBlock] = []
    told = set()
    # Of shuffled rows a few alone can look like a merchant with gaps; pieces of a real reader hold more.
    small = (cuts(rows, seed), cuts(rows, seed + 100), range(1, rows["tzid"].size)) if name != "shuffled" else ()
    for where in ([], [rows["tzid"].size // 2], *small):
        with pytest.raises(kind) as failure:
            for block in iterate_blocks(CutFrames(rows, where), BACKEND, [file], H, state="S2"):
                handed.append(block)
        if isinstance(failure.value, Seg5bError):
            assert failure.value.code == f"5B.S2.{reason}"
            assert failure.value.where == "merchant {}, country {}, tzid {}".format(*key)
            told.add(failure.value.what)
    assert len(told) <= 1
    assert set(by_key(handed)) <= set(wanted(sound)) or name in ("a merchant moved", "shuffled")


def test_of_two_damages_the_first_block_s_is_told(file: Path) -> None:
    """Within one block, keys before numbers."""
    rows = world(1)
    merchants = np.unique(rows["merchant_id"])
    gap = int(np.flatnonzero(rows["merchant_id"] == merchants[-2])[-1])
    damaged = _without(_with("lambda_local_scenario", -1.0)(rows, 3), gap)
    with pytest.raises(DomainError):
        blocks(file, damaged, [])
    with pytest.raises(NumericError):
        blocks(file, damaged, [int(np.flatnonzero(rows["merchant_id"] == merchants[3])[0])])
