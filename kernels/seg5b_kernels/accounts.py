"""What a range of arrivals consumed of each random substream, added up where the arrivals are. Law L10.

The rows of a range are looked at in stretches, so that few threads touch the same number; then one thread for each substream
closes the account. A part of the arrivals may be several ranges: its ledger goes from one to the next, and is fetched once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seg5b_kernels.arrivals import VIRTUAL
from seg5b_kernels.philox import counter_add, counter_wraps
from seg5b_kernels.targets import cpu_loop, fetch_add, fetch_min, scalar

TIME, SITE, EDGE, TEMPER = 0, 1, 2, 3
FAMILIES = 4
STRETCH = 256
"""Rows, or arrivals, of an element."""
NOWHERE = 2**63 - 1
"""No row: larger than any."""
BEFORE, AFTER, WRAPPED = 0, 2, 4
DREW, WRAP_BLOCKS, WRAP_SERIES, WRAP_BUCKET = 0, 1, 2, 3
VIRTUAL_ARRIVALS, TEMPER_DRAWS = 0, 1


def stretches(n: int) -> int:
    """Elements that cover ``n`` rows or arrivals."""
    return -(-n // STRETCH)


class AccountInputs(NamedTuple):
    """Bucket rows of a range: ``rows``: `seg5b_kernels.segments.Rows` [R], of which ``virtual`` int32 [R] arrivals are
    virtual. ``mode`` uint8, by series. ``time``, ``site``, ``edge``, ``temper``: `seg5b_kernels.derivation.Streams` [R];
    ``families``: 3 where nothing is tempered, else 4. ``row_count``: R."""

    rows: Any
    virtual: Any
    mode: Any
    time: Any
    site: Any
    edge: Any
    temper: Any
    families: int
    row_count: int


class Places(NamedTuple):
    """By substream, int64 [4] each: ``first`` row that draws, ``last`` one with its sign turned, and ``wrap``, the first whose
    counter would wrap; `NOWHERE` before, and where there is none."""

    first: Any
    last: Any
    wrap: Any


@scalar
def counter_of(inputs, family, row):
    """(low, high) of a row's base counter for a substream."""
    if family == TIME:
        return inputs.time.counter_lo[row], inputs.time.counter_hi[row]
    if family == SITE:
        return inputs.site.counter_lo[row], inputs.site.counter_hi[row]
    if family == EDGE:
        return inputs.edge.counter_lo[row], inputs.edge.counter_hi[row]
    return inputs.temper.counter_lo[row], inputs.temper.counter_hi[row]


@scalar
def blocks_drawn(inputs, family, row):
    """Blocks that a row's stream has to give, uint64: one for each arrival that may draw. A merchant that is virtual only has
    no sites; tempering reads blocks with an arrival's place among the row's virtual ones, so that all of these count."""
    if family >= EDGE:
        return np.uint64(inputs.virtual[row])
    if family == SITE and inputs.mode[inputs.rows.series[row]] == VIRTUAL:
        return np.uint64(0)
    return np.uint64(inputs.rows.start[row + 1] - inputs.rows.start[row])


@scalar
def account_rows(i, inputs, places):
    """Element: rows of stretch ``i``. No draws."""
    stop = min((i + 1) * STRETCH, inputs.row_count)
    for family in range(inputs.families):
        first, last, wrap = np.int64(NOWHERE), np.int64(NOWHERE), np.int64(NOWHERE)
        for row in range(i * STRETCH, stop):
            blocks = blocks_drawn(inputs, family, row)
            if blocks != np.uint64(0):
                last = np.int64(row)
                first = min(first, last)
                low, high = counter_of(inputs, family, row)
                if wrap == NOWHERE and counter_wraps(low, high, blocks):
                    wrap = np.int64(row)
        if first != NOWHERE:
            fetch_min(places.first, family, first)
            fetch_min(places.last, family, -last)
        if wrap != NOWHERE:
            fetch_min(places.wrap, family, wrap)


@cpu_loop
def account_rows_cpu(start, stop, inputs, places):
    """CPU loop of `account_rows`."""
    for i in range(start, stop):
        account_rows(i, inputs, places)


class CloseInputs(NamedTuple):
    """A range of arrivals, once `account_rows` has been everywhere."""

    account: AccountInputs
    places: Places


class Ledger(NamedTuple):
    """What a part consumed so far, by substream.

    ``counter`` uint64 [4, 6], high and low words: the base counter of the first row that drew, the counter behind the last
    one's blocks, and the base counter of the first row that would wrap. ``fact`` int64 [4, 4]: 1 where a row drew; of the row
    that would wrap its blocks (0 for none), series and bucket. ``total`` int64 [2]: virtual arrivals, and arrivals that drew
    from the temper stream.
    """

    counter: Any
    fact: Any
    total: Any


@scalar
def close_account(family, inputs, ledger):
    """Element: enter the rows of one substream, behind those of earlier ranges. No draws."""
    first, last = inputs.places.first[family], -inputs.places.last[family]
    if first != NOWHERE:
        if ledger.fact[family, DREW] == 0:
            low, high = counter_of(inputs.account, family, first)
            ledger.counter[family, BEFORE] = high
            ledger.counter[family, BEFORE + 1] = low
            ledger.fact[family, DREW] = 1
        low, high = counter_of(inputs.account, family, last)
        low, high = counter_add(low, high, blocks_drawn(inputs.account, family, last))
        ledger.counter[family, AFTER] = high
        ledger.counter[family, AFTER + 1] = low
    wrap = inputs.places.wrap[family]
    if wrap != NOWHERE and ledger.fact[family, WRAP_BLOCKS] == 0:
        low, high = counter_of(inputs.account, family, wrap)
        ledger.counter[family, WRAPPED] = high
        ledger.counter[family, WRAPPED + 1] = low
        ledger.fact[family, WRAP_BLOCKS] = np.int64(blocks_drawn(inputs.account, family, wrap))
        ledger.fact[family, WRAP_SERIES] = inputs.account.rows.series[wrap]
        ledger.fact[family, WRAP_BUCKET] = inputs.account.rows.bucket[wrap]


@cpu_loop
def close_accounts_cpu(start, stop, inputs, ledger):
    """CPU loop of `close_account`."""
    for family in range(start, stop):
        close_account(family, inputs, ledger)


class TallyInputs(NamedTuple):
    """Arrivals [m]: ``is_virtual``, ``tempered`` uint8 [m]; ``arrivals``: m."""

    is_virtual: Any
    tempered: Any
    arrivals: int


@scalar
def tally_arrivals(i, inputs, ledger):
    """Element: add the arrivals of stretch ``i`` to the totals. No draws."""
    virtual, tempered = np.int64(0), np.int64(0)
    for at in range(i * STRETCH, min((i + 1) * STRETCH, inputs.arrivals)):
        virtual += np.int64(inputs.is_virtual[at])
        tempered += np.int64(inputs.tempered[at])
    if virtual != 0:
        fetch_add(ledger.total, VIRTUAL_ARRIVALS, virtual)
    if tempered != 0:
        fetch_add(ledger.total, TEMPER_DRAWS, tempered)


@cpu_loop
def tally_arrivals_cpu(start, stop, inputs, ledger):
    """CPU loop of `tally_arrivals`."""
    for i in range(start, stop):
        tally_arrivals(i, inputs, ledger)
