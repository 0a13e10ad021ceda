"""Where files are cut, and what parts share."""

from __future__ import annotations

from itertools import pairwise
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import Any, cast

import pytest

from seg5b.expansion import parts
from seg5b.expansion.parts import PartMaker, PartSpan, cut_parts
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
    maker._buffers, maker._step, maker._spans = TakenMeanwhile(), 1000, [PartSpan(0, 0, 7, 100)]
    maker._expansion = cast(
        Expansion, SimpleNamespace(totals=SimpleNamespace(arrivals=7), work=SimpleNamespace(backend=None))
    )
    assert cast(int, maker._buffer_set()) == 7
