"""Work on several threads whose results come in order."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, as_completed, wait
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

_PATIENCE_S = 10.0
"""How long a thread may take to begin."""
_PULSE_S = 5.0
"""How often threads are looked after by those who wait for them."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class _Begun(threading.Event):
    """That a thread has begun, which whoever starts it waits for, but not for ever."""

    def wait(self, timeout: float | None = None) -> bool:
        if not super().wait(_PATIENCE_S if timeout is None else timeout):
            raise RuntimeError("can't start new thread")
        return True


class _Worker(threading.Thread):
    """A thread that is not waited for if it cannot begin: where there is no memory for its first step, CPython tells nobody,
    and `Thread.start` would wait for ever (law L16)."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._work, self._started = work, _Begun()
        self.ended = False

    def run(self) -> None:
        """Work until there are no more tasks. A thread that is at the end of its memory may never get beyond this."""
        try:
            self._work()
        finally:
            self.ended = True

    def leave(self) -> None:
        """Wait for the thread to end, if it can."""
        while self.is_alive():
            ended = self.ended
            self.join(_PULSE_S)
            if ended:
                return


class Pool:
    """Up to ``threads`` threads, started as tasks come, that work in the context of whoever gave them their task: what it
    logs goes where their caller's goes. Where the system starts no more threads, those that there are do the work."""

    def __init__(self, threads: int, thread_name_prefix: str) -> None:
        self._most, self._name = threads, thread_name_prefix
        self._workers: list[_Worker] = []
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def submit(self, function: Callable[..., Result], /, *args: Any, **named: Any) -> Future[Result]:
        """The future result of a call. Raises `RuntimeError` or `MemoryError` where no thread can be started at all."""
        if len(self._workers) < self._most:
            self._start()
        future: Future[Result] = Future()
        self._tasks.put((future, partial(copy_context().run, function, *args, **named)))
        return future

    def result(self, future: Future[Result]) -> Result:
        """What a task came to, or raised. Raises `MemoryError` where a thread ended without a word: it had no memory left to
        say so."""
        while not wait((future,), _PULSE_S).done:
            self._look_after_threads()
        return future.result()

    def completed(self, futures: Iterable[Future[Result]]) -> Iterator[Future[Result]]:
        """Futures as they are done. Raises as `result`."""
        left = set(futures)
        while left:
            try:
                for future in as_completed(left, _PULSE_S):
                    left.discard(future)
                    yield future
            except TimeoutError:
                self._look_after_threads()

    def _look_after_threads(self) -> None:
        if any(worker.ended for worker in self._workers):
            raise MemoryError("a thread ended without a word")

    def shutdown(self, *, cancel_futures: bool = False) -> None:
        """End all threads when their tasks are done, and wait for that; ``cancel_futures`` gives up those that wait."""
        while cancel_futures and not self._tasks.empty():
            with suppress(Empty):
                task = self._tasks.get_nowait()
                if task is not None:
                    task[0].cancel()
        self._tasks.put(None)
        for worker in self._workers:
            worker.leave()

    def _start(self) -> None:
        worker = _Worker(self._work, f"{self._name}_{len(self._workers)}")
        try:
            worker.start()
        except (RuntimeError, MemoryError):
            if not self._workers:
                raise
            self._most = len(self._workers)
        else:
            self._workers.append(worker)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, call = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as failure:
                    future.set_exception(failure)
            del task, future, call  # whatever they hold may be large, and the next task may be long in coming
        self._tasks.put(None)  # for the others


def all_threads() -> int:
    """As many threads as cores that this process may use."""
    return len(os.sched_getaffinity(0))


def ahead(items: Iterator[Item], most: int, *, label: str = "ahead") -> Generator[Item, None, None]:
    """The items of an iterator, taken by a thread of its own that is at most ``most`` items ahead. What taking one raises is
    raised here. Raises as `Pool.submit` and `Pool.result`."""
    pool = Pool(1, f"seg5b-{label}")
    try:
        under_way = deque(pool.submit(next, items, None) for _ in range(most))
        while (item := pool.result(under_way.popleft())) is not None:
            under_way.append(pool.submit(next, items, None))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)


def in_order(
    items: Iterable[Item], work: Callable[[Item], Result], threads: int, *, label: str = "work"
) -> Iterator[tuple[Item, Result]]:
    """(item, ``work(item)``) for each item, in the order of ``items``, worked on by up to ``threads`` threads.

    Items are taken from ``items`` by the calling thread, at most ``threads`` + 1 ahead of the result that was handed
    out last, so memory is bounded. What ``work`` raises is raised here, as it was; items behind it are given up.
    """
    under_way: deque[tuple[Item, Future[Result]]] = deque()
    pool = Pool(threads, f"seg5b-{label}")
    try:
        for item in items:
            under_way.append((item, pool.submit(work, item)))
            if len(under_way) > threads:
                first, result = under_way.popleft()
                yield first, pool.result(result)
        while under_way:
            first, result = under_way.popleft()
            yield first, pool.result(result)
    finally:
        pool.shutdown(cancel_futures=True)
