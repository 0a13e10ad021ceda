"""How the work of threads ends: with all of it, or with the first failure."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from seg5b import parallel
from seg5b.engines import LocalEngine

NUMBERS = range(1000)
"""Ten seconds of work for one thread: on a busy machine too, an end is seen long before the last of them is begun."""


class Work:
    """Takes a hundredth of a second for a number; number 1 fails if it is to."""

    def __init__(self, failing: bool) -> None:
        self.begun: list[int] = []
        self._failing, self._lock = failing, threading.Lock()

    def __call__(self, number: int) -> int:
        with self._lock:
            self.begun.append(number)
        time.sleep(0.01)
        if self._failing and number == 1:
            raise KeyError(number)
        return number * 10


@pytest.mark.parametrize("threads", [1, 3])
def test_everything_is_done(threads: int) -> None:
    work = Work(failing=False)
    assert dict(LocalEngine(threads).run(work, NUMBERS[:60])) == {number: 10 * number for number in range(60)}
    assert sorted(work.begun) == list(range(60))


def test_a_failure_ends_the_rest() -> None:
    work = Work(failing=True)
    with pytest.raises(KeyError):
        list(LocalEngine(2).run(work, NUMBERS))
    assert len(work.begun) < 900


def test_an_interrupt_ends_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "as_completed", interrupted)
    work = Work(failing=False)
    with pytest.raises(KeyboardInterrupt):
        list(LocalEngine(2).run(work, NUMBERS))
    assert len(work.begun) < 900
