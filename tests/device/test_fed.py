"""How often a part of S4 waits for the device, and how much it copies from it: counted by the arrays that stand in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from simulated import SimulatedArrays, by_cpu

from seg5b.backends.cpu import CpuBackend
from seg5b.backends.cuda import CudaBackend
from seg5b.expansion.parts import PartMaker
from seg5b.options import Tuning
from seg5b.parts import FinishedPart
from seg5b.progress import Advance
from tests.device.whole_states import TO_ARRIVALS, realise
from tests.worlds import make_smallest

MOST_WAITS = 5
"""One for each of a part's four row groups, the last one's with what the part came to; and where the part's block has to be
arranged, one to find the windows of all its parts."""
MOST_LAUNCHES = 14
COPIED_BYTES = 60
"""Of an arrival: three ids and its place in the sequence, its instant, bucket, zones, offsets, channel and a flag."""
BYTES_OF_A_ROW = 16


class Spent(NamedTuple):
    """What a part spent: its number and arrivals; waits, launches and bytes copied to the host."""

    number: int
    arrivals: int
    waits: int
    launches: int
    fetched_bytes: int


Parts = Callable[[Tuning], list[Spent]]


@pytest.fixture
def spent_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """What each part of S4 spent. The parts are made by one thread; the first of a scenario arranges the one block that there
    is."""
    make_smallest(tmp_path, row_group=64)
    realise(tmp_path, CpuBackend("test"), states=TO_ARRIVALS[:-1])
    arrays, make = SimulatedArrays(run=by_cpu), PartMaker.make
    spent = list[Spent]()

    def counting(maker: PartMaker, number: int, advance: Advance) -> FinishedPart:
        waits, launches, fetched = arrays.waits, arrays.launches, arrays.fetched_bytes
        made = make(maker, number, advance)
        of_part = (arrays.waits - waits, arrays.launches - launches, arrays.fetched_bytes - fetched)
        spent.append(Spent(number, maker.sizes[number], *of_part))
        return made

    monkeypatch.setattr(PartMaker, "make", counting)

    def run(tuning: Tuning) -> list[Spent]:
        realise(tmp_path, CudaBackend("test", arrays=arrays), states=("S4",), tuning=tuning)
        return spent

    return run


def test_a_part_waits_once_for_each_row_group(spent_by_part: Parts) -> None:
    whole = [each for each in spent_by_part(Tuning(threads=1)) if each.arrivals == 4 * 64]
    assert len(whole) > 3
    for each in whole:
        with_block = (
            each.number == 0
        )  # finding the windows of all parts is one more wait and launch; then it is arranged
        assert each.waits == MOST_WAITS - 1 + with_block, each
        assert each.launches <= MOST_LAUNCHES + 2 * with_block, each


def test_an_arrival_is_copied_without_what_the_host_can_tell(spent_by_part: Parts) -> None:
    """Wall clocks follow from UTC and the offset; a bucket row adds a few bytes where merchants are hybrids."""
    for each in spent_by_part(Tuning(threads=1)):
        if each.number:
            assert 0 <= each.fetched_bytes - COPIED_BYTES * each.arrivals <= BYTES_OF_A_ROW * each.arrivals + 400


def test_small_chunks_wait_no_more(spent_by_part: Parts) -> None:
    """Chunks below a row group: each row group is fetched alone, its windows were found with the block's."""
    spent = spent_by_part(Tuning(threads=1, chunk_arrivals=100))
    assert max(each.launches for each in spent) > 3 * MOST_LAUNCHES
    assert all(each.waits <= MOST_WAITS for each in spent)
