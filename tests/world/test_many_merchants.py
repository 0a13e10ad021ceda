"""What is done for all merchants at once gives what it would give for each alone; limits and blocks."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg5b.canonical_json import canonical_json
from seg5b.contracts import load_json
from seg5b.foreign_json import MOST_BYTES
from seg5b.resources import resource_root
from seg5b.world.alias import EncodedSlice, encode_blob, encode_slice
from seg5b.world.group_weights import GroupWeights, group_weight_blocks, make_group_weights
from seg5b.world.row_digests import quoted, row_digests
from seg5b.world.segments_1b_to_3a import _index_row
from seg5b.world.shares import apportion, apportion_each, pick, pick_each, pick_short, sums_of_runs, unique_keys
from seg5b.world.spec.planning import MOST_MERCHANTS
from seg5b.world.spec.source import SCHEMA_PATH
from seg5b.world.tables import FLOAT64, INT64, TableWriter, write_blocks
from seg5b.world.world import BuiltWorld

WEIGHTS = st.lists(st.floats(0, 1e6), min_size=1, max_size=60).filter(any)
UNIFORM = st.floats(2.0**-54, 1 - 2.0**-53)


def spread(generator: np.random.Generator, count: int) -> np.ndarray:
    """Positive weights of very different sizes."""
    return np.exp(6 * generator.standard_normal(count))


@given(WEIGHTS, UNIFORM)
def test_a_pick_is_the_same_from_arrays_lists_and_for_several(weights: list[float], uniform: float) -> None:
    chosen = pick(np.array(weights), uniform)
    assert weights[chosen] > 0
    assert pick_short(weights, uniform) == chosen
    assert pick_each(np.array(weights), np.array([uniform, uniform])).tolist() == [chosen, chosen]


@given(st.integers(1, 17), st.integers(0, 2**32 - 1))
def test_quotas_of_many_are_those_of_each(size: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    weights = np.stack([spread(generator, size) for _ in range(20)])
    totals = generator.integers(0, 500, 20)
    made = apportion_each(totals, weights)
    assert made.tolist() == [apportion(int(total), row).tolist() for total, row in zip(totals, weights, strict=True)]


@given(st.lists(st.integers(0, 200), max_size=30), st.integers(0, 2**32 - 1))
def test_a_run_is_added_up_as_if_it_were_alone(counts: list[int], seed: int) -> None:
    values = spread(np.random.default_rng(seed), sum(counts))
    ends = np.cumsum(counts)
    alone = [values[end - count : end].sum() for end, count in zip(ends, counts, strict=True)]
    assert sums_of_runs(values, np.array(counts, np.int64)).tolist() == alone


def test_distinct_keys_are_those_of_numpy() -> None:
    generator = np.random.default_rng(1)
    columns = [generator.integers(0, most, 3_000) for most in (7, 1, 30, 4)]
    found, place = unique_keys(*columns)
    expected, at = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    assert np.array_equal(np.stack(found, axis=1), expected) and np.array_equal(place, at.ravel())


def test_slices_encoded_together_are_those_of_each() -> None:
    generator = np.random.default_rng(2)
    weights = [spread(generator, int(size)) for size in generator.choice([1, 2, 3, 8, 47, 48, 49, 90], 300)]
    weights = [each / each.sum() for each in weights]
    blob, slices = encode_blob(weights)
    assert blob == b"".join(encode_slice(each) for each in weights)
    ends = [blob[each.offset : each.offset + each.length] for each in slices]
    assert [each.checksum for each in slices] == [hashlib.sha256(payload).hexdigest() for payload in ends]


@pytest.mark.parametrize("most_rows", [100, 1_000, 10**6])
def test_group_weights_in_blocks_are_the_same(demo_world: BuiltWorld, most_rows: int) -> None:
    rows, days = demo_world.rows, 5
    whole = make_group_weights(rows, days, demo_world.draws, 42)
    blocks = list(group_weight_blocks(rows, days, demo_world.draws, 42, most_rows))
    assert all(block.day.size == most_rows for block in blocks[:-1]) and 0 < blocks[-1].day.size <= most_rows
    for name in (field.name for field in fields(GroupWeights)):
        together = np.concatenate([getattr(block, name) for block in blocks])
        assert np.array_equal(together, getattr(whole, name)), name


def test_digests_of_rows_are_those_of_their_canonical_json() -> None:
    names, numbers, floats = ['a"b', "100%", "Zürich"], [0, 2**64 - 1, 7], [0.1, -1e-300, 1e22]
    constant = {"seed": 3, "none": None, "text": "50% of"}
    columns = {"name": quoted(names), "number": map(str, numbers), "%": map(repr, floats)}
    rows = [
        {**constant, "name": name, "number": number, "%": value}
        for name, number, value in zip(names, numbers, floats, strict=True)
    ]
    assert row_digests(constant, columns) == [hashlib.sha256(canonical_json(row)).hexdigest() for row in rows]


def test_blocks_are_written_in_order_to_every_writer(tmp_path: Path) -> None:
    blocks = [{"n": np.arange(start, start + 1000), "x": np.full(1000, 0.5)} for start in range(0, 5000, 1000)]
    names = {"n": INT64}, {"x": FLOAT64, "n": INT64}
    with TableWriter(tmp_path / "0", names[0]) as first, TableWriter(tmp_path / "1", names[1]) as second:
        write_blocks([first, second], iter(blocks))
    for place in range(2):
        file = pq.ParquetFile(tmp_path / str(place))
        assert file.num_row_groups == 5 and file.read()["n"].to_pylist() == list(range(5000))


def test_a_block_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocks = ({"n": column} for column in (np.arange(3), ["three"], np.arange(3)))
    with TableWriter(tmp_path / "0", {"n": INT64}) as writer, pytest.raises(pa.ArrowInvalid):
        write_blocks([writer], blocks)


def test_the_index_of_the_most_merchants_can_be_read() -> None:
    schema = load_json(resource_root() / SCHEMA_PATH)
    stated = schema["properties"]["merchants"]["properties"]["count"]["maximum"]
    longest = _index_row(2**64 - 1, EncodedSlice(10**9 - 1, 10**9 - 1, 10**8 - 1, "f" * 64))
    head = 1 << 10
    assert stated == MOST_MERCHANTS
    assert (len(canonical_json(longest)) + 1) * MOST_MERCHANTS + head <= MOST_BYTES
