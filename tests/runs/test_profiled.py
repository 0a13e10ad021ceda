"""Ranges for NVIDIA's profilers: states, parts and lanes, where the package nvtx is there; nothing where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

import seg5b
from seg5b import timers
from tests.worlds import copy_run


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the ranges that were opened, and of those that were closed with a slash before, by a stand-in for nvtx."""
    seen = list[str]()

    @contextmanager
    def annotate(message: str, *, domain: str) -> Iterator[None]:
        assert domain == "seg5b"
        seen.append(message)
        try:
            yield
        finally:
            seen.append(f"/{message}")

    library = ModuleType("nvtx")
    library.annotate = annotate  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nvtx", library)
    timers._annotate.cache_clear()
    yield seen
    timers._annotate.cache_clear()


def test_states_parts_and_lanes_are_ranges(tiny_world: Path, tmp_path: Path, ranges: list[str]) -> None:
    seg5b.run(copy_run(tiny_world, tmp_path).path.parent, last="S2", backend="cpu")
    assert [name for name in ranges if name.strip("/") in ("S0", "S1", "S2")] == ["S0", "/S0", "S1", "/S1", "S2", "/S2"]
    of_s2 = ranges[ranges.index("S2") : ranges.index("/S2")]
    assert {"gate", "field", "encode", "S2 baseline_v1 part 0", "/S2 baseline_v1 part 0"} <= set(of_s2)
    assert sorted(name for name in ranges if name[0] != "/") == sorted(name[1:] for name in ranges if name[0] == "/")


def test_without_the_package_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in (None, ModuleType("nvtx")):
        monkeypatch.setitem(sys.modules, "nvtx", broken)
        timers._annotate.cache_clear()
        with timers.profiled("S2") as nothing:
            assert nothing is None
    timers._annotate.cache_clear()
