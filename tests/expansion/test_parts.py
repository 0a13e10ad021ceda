"""Where files are cut, and how the making of parts ends when one fails or the user interrupts."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import Any, cast

import pytest

from seg5b.expansion import parts
from seg5b.expansion.parts import PartMaker, PartSpan, cut_parts, make_parts
from seg5b.expansion.scenario import Expansion


def _policy(rows: int, groups: int) -> Any:
    return SimpleNamespace(arrivals_per_row_group=rows, row_groups_per_part=groups)


@pytest.mark.parametrize("arrivals", [1, 99, 100, 399, 400, 401, 1234])
def test_parts_and_row_groups_cover_every_arrival_once(arrivals: int) -> None:
    spans = cut_parts(arrivals, _policy(100, 4))
    assert [span.number for span in spans] == list(range(len(spans)))
    groups = [group for span in spans for group in span.groups()]
    assert groups[0][0] == 0 and groups[-1][1] == arrivals
    assert all(stop == first for (_, stop), (first, _) in pairwise(groups))
    assert all(stop - first == 100 for first, stop in groups[:-1])
    assert all(span.stop - span.first == 400 for span in spans[:-1])


class Maker:
    """Takes a hundredth of a second for a part; number 1 fails if it is to."""

    def __init__(self, failing: bool) -> None:
        self.begun: list[int] = []
        self._failing, self._lock = failing, threading.Lock()

    def make(self, span: PartSpan, advance: Any) -> Any:
        with self._lock:
            self.begun.append(span.number)
        time.sleep(0.01)
        if self._failing and span.number == 1:
            raise KeyError(span.number)
        return span.number * 10


SPANS = [PartSpan(number, number, number + 1, 1) for number in range(1000)]
"""Ten seconds of work for one thread: on a busy machine too, an end is seen long before the last of them is begun."""


@pytest.mark.parametrize("threads", [1, 3])
def test_all_parts_are_made(threads: int) -> None:
    maker: Any = Maker(failing=False)
    assert make_parts(maker, SPANS[:60], threads, lambda done: None) == {number: 10 * number for number in range(60)}
    assert sorted(maker.begun) == list(range(60))


def test_a_failure_ends_the_rest() -> None:
    maker: Any = Maker(failing=True)
    with pytest.raises(KeyError):
        make_parts(maker, SPANS, 2, lambda done: None)
    assert len(maker.begun) < 900


def test_an_interrupt_ends_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parts, "wait", interrupted)
    maker: Any = Maker(failing=False)
    with pytest.raises(KeyboardInterrupt):
        make_parts(maker, SPANS, 2, lambda done: None)
    assert len(maker.begun) < 900


def test_a_part_never_waits_for_the_buffers_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may take the last free set between a look and the taking, and then fail without giving it back."""

    class TakenMeanwhile(SimpleQueue[Any]):
        def empty(self) -> bool:
            return False

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            assert not block, "it would wait for ever"
            raise Empty

    monkeypatch.setattr(parts, "arrival_buffers", lambda backend, rows: rows)
    maker = PartMaker.__new__(PartMaker)
    maker._buffers = TakenMeanwhile()
    maker._expansion = cast(
        Expansion, SimpleNamespace(totals=SimpleNamespace(arrivals=7), work=SimpleNamespace(backend=None))
    )
    assert cast(int, maker._buffer_set(PartSpan(0, 0, 7, 100))) == 7
