"""What follows from the choices of a caller."""

from __future__ import annotations

import pytest

from seg5b.options import Tuning


@pytest.mark.parametrize(("memory_gb", "parts"), [(None, 16), (0.2, 1), (0.95, 1), (1.2, 2), (2.0, 6), (64.0, 16)])
def test_parts_side_by_side_are_as_many_as_memory_has_room_for(memory_gb: float | None, parts: int) -> None:
    assert Tuning(threads=16, memory_gb=memory_gb).parts_at_once == parts


def test_queries_get_what_is_given() -> None:
    assert (Tuning().query_memory_gb, Tuning(memory_gb=2.5).query_memory_gb) == (1.0, 2.5)
