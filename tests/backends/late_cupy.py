"""cupy, as far as arrays and copies need it, on a device that is as late as its streams allow.

A stream that computes runs what it was asked for only once somebody waits for it; any other stream runs at once whatever it need
not wait for. So what is copied too early, or from memory that was given back too early, shows at every run and not at one in a
thousand. Pinned memory is overwritten when it is given back.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

_JUNK = 0xEE
_STREAMS: dict[int, Stream] = {}
_CURRENT: list[Stream] = []


class Stream:
    """Work in order: callables, events that are reached, and events that are waited for. Those that block compute."""

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.asked: list[Any] = []
        self.computes, self.done, self.ptr = not non_blocking, 0, len(_STREAMS) + 1
        _STREAMS[self.ptr] = self

    def __enter__(self) -> Stream:
        _CURRENT.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _CURRENT.pop()

    def ask(self, work: Any) -> None:
        self.asked.append(work)
        while not self.computes and self.done < len(self.asked) and self._may_run(self.asked[self.done]):
            self._step()

    def record(self, event: Event) -> Event:
        event.reached_by = (self, len(self.asked) + 1)
        self.ask(None)
        return event

    def wait_event(self, event: Event) -> None:
        self.ask(event)

    def synchronize(self) -> None:
        self.run_to(len(self.asked))

    def run_to(self, stop: int) -> None:
        while self.done < stop:
            self._step()

    def _may_run(self, work: Any) -> bool:
        return not isinstance(work, Event) or work.done

    def _step(self) -> None:
        work = self.asked[self.done]
        if isinstance(work, Event):
            work.synchronize()
        elif work is not None:
            work()
        self.done += 1


class Event:
    """An event of a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
        self.reached_by: tuple[Stream, int] | None = None

    @property
    def done(self) -> bool:
        stream, place = self.reached_by or (Stream(), 0)
        return stream.done >= place

    def synchronize(self) -> None:
        stream, place = self.reached_by or (Stream(), 0)
        stream.run_to(place)


class Array:
    """An array of a device, over memory of the host."""

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.shape, self.dtype, self.size, self.nbytes = memory.shape, memory.dtype, memory.size, memory.nbytes
        self.data = SimpleNamespace(ptr=memory.ctypes.data, memset_async=self._memset)

    def __getitem__(self, index: slice | Array) -> Array:
        if isinstance(index, Array):
            found = empty(index.shape, self.dtype)
            _CURRENT[-1].ask(lambda: np.take(self.memory, index.memory, out=found.memory))
            return found
        return Array(self.memory[index])

    def _memset(self, value: int, size: int, stream: Stream) -> None:
        stream.ask(lambda: ctypes.memset(self.memory.ctypes.data, value, size))


def empty(shape: Any, dtype: Any) -> Array:
    memory = np.empty(shape, dtype)
    memory.view(np.uint8)[...] = _JUNK
    return Array(memory)


def cumsum(counts: Array, dtype: Any, out: Array) -> None:
    _CURRENT[-1].ask(lambda: np.cumsum(counts.memory, dtype=dtype, out=out.memory))


def _copy(to: int, source: int, size: int, kind: int, stream: int) -> None:
    _STREAMS[stream].ask(lambda: ctypes.memmove(to, source, size))


_ALL_PINNED: list[Any] = []  # never freed: a copy that comes too late finds junk and does not end the process


def alloc_pinned_memory(size: int) -> Any:
    room = (ctypes.c_char * size)()
    _ALL_PINNED.append(room)
    memory = type("Pinned", (ctypes.c_char * size,), {}).from_address(ctypes.addressof(room))  # type: ignore[attr-defined]
    weakref.finalize(memory, ctypes.memset, ctypes.addressof(room), _JUNK, size).atexit = False
    return memory


class _Device:
    def __init__(self, number: int) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def late_cupy() -> ModuleType:
    """The module ``cupy``."""
    made = ModuleType("cupy")
    properties: Callable[[int], dict[str, Any]] = lambda _: {  # noqa: E731
        "name": b"late",
        "major": 9,
        "minor": 0,
        "totalGlobalMem": 1 << 30,
    }
    runtime = SimpleNamespace(
        memcpyHostToDevice=1,
        memcpyDeviceToHost=2,
        memcpyAsync=_copy,
        setDevice=lambda _: None,
        getDeviceProperties=properties,
        driverGetVersion=lambda: 13000,
    )
    pool = SimpleNamespace(malloc=None, total_bytes=lambda: 0)
    cuda = SimpleNamespace(
        runtime=runtime,
        Device=_Device,
        Stream=Stream,
        Event=Event,
        alloc_pinned_memory=alloc_pinned_memory,
        get_allocator=lambda: None,
    )
    made.__dict__.update(empty=empty, cumsum=cumsum, cuda=cuda, get_default_memory_pool=lambda: pool)
    return made
