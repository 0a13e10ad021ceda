"""Threads that cannot be started are not waited for, and those that can do the work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from seg5b import parallel
from seg5b.parallel import Pool, in_order


def begin(most: int) -> Callable[[threading.Thread], None]:
    """The first step of a thread, which only so many come to: the others die before it, as where there is no memory."""
    true, begun = threading.Thread._bootstrap, []  # type: ignore[attr-defined]

    def bootstrap(self: threading.Thread) -> None:
        begun.append(self)
        if len(begun) <= most:
            true(self)

    return bootstrap


@pytest.mark.parametrize("threads", [1, 3])
def test_a_thread_that_never_begins_is_told(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(parallel, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(parallel._Worker, "_bootstrap", begin(0))
    with pytest.raises(RuntimeError, match="can't start new thread"):
        list(in_order(range(5), str, threads))


@pytest.mark.parametrize("most", [1, 2])
def test_those_that_begin_do_the_work(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(parallel, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(parallel._Worker, "_bootstrap", begin(most))
    names = set()

    def work(item: int) -> int:
        names.add(threading.current_thread().name)
        time.sleep(0.01)
        return item

    assert [result for _, result in in_order(range(40), work, 4)] == list(range(40))
    assert len(names) == most


@pytest.mark.parametrize("way", ["result", "completed"])
def test_a_thread_that_ends_without_a_word_is_noticed(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """It has no memory left to say what happened."""
    monkeypatch.setattr(parallel, "_PULSE_S", 0.1)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Future, "set_exception", refuse)
    monkeypatch.setattr(Future, "set_result", refuse)
    pool = Pool(2, "test")
    futures = [pool.submit(str), pool.submit(str)]
    with pytest.raises(MemoryError, match="without a word"):
        _ = pool.result(futures[0]) if way == "result" else list(pool.completed(futures))
    pool.shutdown(cancel_futures=True)


def test_a_thread_that_cannot_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its work, where CPython takes it off its list."""
    monkeypatch.setattr(parallel, "_PULSE_S", 0.05)
    true, never = parallel._Worker.run, threading.Event()

    def run(self: parallel._Worker) -> None:
        true(self)
        never.wait(30)

    monkeypatch.setattr(parallel._Worker, "run", run)
    pool = Pool(1, "test")
    assert pool.result(pool.submit(str)) == ""
    began = time.monotonic()
    pool.shutdown()
    assert time.monotonic() - began < 20
    never.set()


def test_a_result_that_is_long_in_coming_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_PULSE_S", 0.01)
    pool = Pool(2, "test")

    def slow(item: int) -> int:
        time.sleep(0.05 * item)
        if item == 3:
            raise TimeoutError("its own")
        return item

    futures = [pool.submit(slow, item) for item in (3, 2, 1)]
    assert [futures.index(future) for future in pool.completed(futures)] in ([1, 0, 2], [1, 2, 0])
    assert [pool.result(future) for future in futures[1:]] == [2, 1]
    with pytest.raises(TimeoutError, match="its own"):
        pool.result(futures[0])
    pool.shutdown()


def test_the_system_refuses_the_second_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []
    true = threading.Thread.start

    def start(self: threading.Thread) -> None:
        started.append(self)
        if len(started) > 1:
            raise RuntimeError("can't start new thread")
        true(self)

    monkeypatch.setattr(parallel._Worker, "start", start)
    assert [result for _, result in in_order("abc", str.upper, 3)] == ["A", "B", "C"]
    assert len(started) == 2, "it is not asked again"


def test_what_waits_is_given_up_and_what_is_under_way_is_not() -> None:
    pool, at_work, go_on = Pool(1, "test"), threading.Event(), threading.Event()

    def first() -> str:
        at_work.set()
        go_on.wait(30)
        return "done"

    futures = [pool.submit(first), pool.submit(str), pool.submit(str)]
    at_work.wait(30)
    threading.Timer(0.1, go_on.set).start()
    pool.shutdown(cancel_futures=True)
    assert futures[0].result() == "done" and all(future.cancelled() for future in futures[1:])


def test_all_is_done_before_a_pool_ends() -> None:
    pool = Pool(3, "test")
    futures = [pool.submit(time.sleep, 0.01) for _ in range(20)]
    pool.shutdown()
    assert all(future.done() and not future.cancelled() for future in futures)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test_")]


def test_a_failure_is_the_one_that_happened() -> None:
    pool, cause = Pool(2, "test"), KeyboardInterrupt("in a thread")

    def fail() -> None:
        raise cause

    future = pool.submit(fail)
    pool.shutdown()
    assert future.exception() is cause
