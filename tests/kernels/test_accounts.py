"""What a part consumed, added up range by range, against plain integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from arrival_mix import ragged_rows
from kernel_inputs import streams
from seg5b_kernels import registry
from seg5b_kernels.accounts import (
    AFTER,
    BEFORE,
    DREW,
    FAMILIES,
    NOWHERE,
    STRETCH,
    WRAP_BLOCKS,
    WRAPPED,
    AccountInputs,
    CloseInputs,
    Ledger,
    Places,
    TallyInputs,
    stretches,
)
from seg5b_kernels.arrivals import HYBRID, PHYSICAL, VIRTUAL
from seg5b_kernels.derivation import Streams

from seg5b.backends.cpu import CpuBackend
from seg5b.evidence.trace import counter128

MODES = np.array([PHYSICAL, HYBRID, VIRTUAL], np.uint8)
TOP = 2**64 - 1


def ledger() -> Ledger:
    return Ledger(np.zeros((FAMILIES, 6), np.uint64), np.zeros((FAMILIES, 4), np.int64), np.zeros(2, np.int64))


def account(size: int, seed: int, families: int = FAMILIES, modes: np.ndarray = MODES) -> AccountInputs:
    """``size`` bucket rows of merchants of each mode, some without a virtual arrival."""
    rng = np.random.default_rng(seed)
    rows = ragged_rows(rng.integers(1, 9, size), np.ones(size, np.int64)).table()
    rows = rows._replace(series=rng.integers(0, 3, size).astype(np.int32))
    virtual = rng.binomial(np.diff(rows.start), 0.3).astype(np.int32)
    time, site, edge, temper = (streams(size, rng) for _ in range(4))
    return AccountInputs(rows, virtual, modes, time, site, edge, temper, families, size)


def enter(cpu: CpuBackend, inputs: AccountInputs, into: Ledger) -> None:
    places = Places(*np.full((3, FAMILIES), NOWHERE, np.int64))
    cpu.launch(registry.ACCOUNT_ROWS, stretches(inputs.row_count), inputs, places)
    cpu.launch(registry.CLOSE_ACCOUNT, inputs.families, CloseInputs(inputs, places), into)


def drawn(inputs: AccountInputs, family: int) -> tuple[Streams, np.ndarray]:
    """A substream's streams, and the blocks that each row draws."""
    count = np.diff(inputs.rows.start)
    site = np.where(inputs.mode[inputs.rows.series] == VIRTUAL, 0, count)
    return (inputs.time, inputs.site, inputs.edge, inputs.temper)[family], (
        count,
        site,
        inputs.virtual,
        inputs.virtual,
    )[family]


def counter(stream: Streams, row: Any) -> int:
    return counter128(stream.counter_hi[row], stream.counter_lo[row])


@pytest.mark.parametrize("sizes", [(1,), (STRETCH,), (3 * STRETCH + 5,), (7, 900, 2), (1, 1, 1)])
def test_counters_span_from_the_first_row_that_draws_to_the_last(cpu: CpuBackend, sizes: tuple[int, ...]) -> None:
    ranges, found = [account(size, seed) for seed, size in enumerate(sizes)], ledger()
    for each in ranges:
        enter(cpu, each, found)
    for family in range(FAMILIES):
        spans = []
        for each in ranges:
            stream, blocks = drawn(each, family)
            spans += [(counter(stream, row), counter(stream, row) + int(blocks[row])) for row in np.flatnonzero(blocks)]
        assert found.fact[family, DREW] == bool(spans)
        if spans:
            assert counter128(*found.counter[family, BEFORE : BEFORE + 2]) == spans[0][0]
            assert counter128(*found.counter[family, AFTER : AFTER + 2]) == spans[-1][1] % 2**128
        assert found.fact[family, WRAP_BLOCKS] == 0


def test_where_nothing_is_tempered_nothing_is_entered_for_it(cpu: CpuBackend) -> None:
    found = ledger()
    enter(cpu, account(300, 4, families=3), found)
    assert found.fact[:3, DREW].all() and not found.fact[3].any() and not found.counter[3].any()


def test_a_substream_that_no_row_draws_from_stays_empty(cpu: CpuBackend) -> None:
    inputs, found = account(50, 5, modes=np.full(3, VIRTUAL, np.uint8)), ledger()
    enter(cpu, inputs._replace(virtual=np.zeros(50, np.int32)), found)
    assert found.fact[:, DREW].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("row", [0, 255, 256, 599])
def test_the_first_row_that_would_wrap_is_told(cpu: CpuBackend, row: int) -> None:
    """The counter behind the last block is recorded, so reaching 2^128 is a wrap too; another range's wrap comes second."""
    inputs, found = account(600, 6), ledger()
    blocks = int(np.diff(inputs.rows.start)[row])
    for at in (row, 599):
        inputs.time.counter_hi[at], inputs.time.counter_lo[at] = TOP, 2**64 - int(np.diff(inputs.rows.start)[at])
    enter(cpu, inputs, found)
    enter(cpu, inputs._replace(time=inputs.time._replace(key=inputs.time.key.copy())), found)
    series, bucket = int(inputs.rows.series[row]), int(inputs.rows.bucket[row])
    assert found.fact[0].tolist() == [1, blocks, series, bucket]
    assert counter128(*found.counter[0, WRAPPED : WRAPPED + 2]) == 2**128 - blocks
    assert not found.fact[1:, WRAP_BLOCKS].any()


@pytest.mark.parametrize("spare", [1, 2, 2**40])
def test_a_counter_that_stays_below_is_none(cpu: CpuBackend, spare: int) -> None:
    inputs, found = account(20, 7), ledger()
    inputs.time.counter_hi[:] = TOP
    inputs.time.counter_lo[:] = [2**64 - spare - int(count) for count in np.diff(inputs.rows.start)]
    enter(cpu, inputs, found)
    assert not found.fact[:, WRAP_BLOCKS].any()


@pytest.mark.parametrize("arrivals", [1, STRETCH, 5 * STRETCH - 1])
def test_totals_are_of_every_arrival_once(cpu: CpuBackend, arrivals: int) -> None:
    flags = (np.random.default_rng(8).random((2, arrivals)) < [[0.5], [0.1]]).astype(np.uint8)
    found = ledger()
    for _ in range(2):
        cpu.launch(registry.TALLY_ARRIVALS, stretches(arrivals), TallyInputs(flags[0], flags[1], arrivals), found)
    assert found.total.tolist() == [2 * int(flags[0].sum()), 2 * int(flags[1].sum())]
