"""A stand-in for the CUDA driver: device memory is the host's, a launch runs the translated PTX of its kernel.

`load` makes a library of the name ``libcuda.so.1`` and loads it, once per process and before anything has looked for a
driver; numba-cuda, cuda.core and cuda.bindings then find it where they would find NVIDIA's. All work is done when it is
asked for, in the thread that asks: streams and events order nothing, they are counted.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tests.ptx import driver_code
from tests.ptx.driver_answers import ANSWERS, Known
from tests.ptx.driver_code import CALLS, HEADER, OFTEN, PER_FUNCTION, Function, types
from tests.ptx.elf import SLOTS, elf_file, obstacle, shared_library
from tests.ptx.translate import machine_code, programs

LAUNCHES = ("cuLaunchKernelEx", "cuLaunchKernel")
WAITS = ("cuStreamSynchronize", "cuCtxSynchronize", "cuEventSynchronize", "cuMemcpyHtoD", "cuMemcpyDtoH")
COPIES = tuple(name for name in OFTEN if name.startswith("cuMemcpy"))
_LOOK_UP = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_void_p
)
_NOT_FOUND = 500


class StandInDriver:
    """The driver that is loaded; see `load`. ``known``: what Python's answers are made from."""

    def __init__(self, capability: tuple[int, int], memory_bytes: int) -> None:
        self.known = Known(capability, memory_bytes, self._load, self._kernel)
        self.optimisation = 0  # of the kernels that are translated from now on
        self._texts: list[tuple[bytes, list[str]]] = []  # machine code that was linked, and the PTX it is made from
        self._images: list[list[str]] = []  # PTX of what was loaded
        self._kernels: dict[tuple[int, bytes], Any] = {}
        self.functions = {**OFTEN, **{name: Function(arguments) for name, (arguments, _) in ANSWERS.items()}}
        self._callbacks = {name: self._callback(name) for name in ANSWERS}
        addresses = {name: _address(each) for name, each in self._callbacks.items()}
        self._engine = machine_code(driver_code.module(self.functions, addresses))
        words = HEADER + PER_FUNCTION * len(self.functions)
        self._state = (ctypes.c_int64 * words).from_address(self._engine.get_global_value_address("state"))
        self._state[driver_code.CAPACITY] = memory_bytes
        self._state[driver_code.CONTEXT] = self.known.context
        key = ctypes.c_uint32.from_address(self._engine.get_global_value_address("key"))
        if ctypes.CDLL(None).pthread_key_create(ctypes.byref(key), None):
            raise OSError("no key for what belongs to a thread")
        self._export()
        # Libraries let go of what they hold when the process ends: for them the code has to stay, to the very end.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._engine))

    def _callback(self, name: str) -> Any:
        arguments, answer = ANSWERS[name]
        kinds = [{"i64": ctypes.c_uint64, "i32": ctypes.c_int32}[each] for each in types(arguments)]
        return ctypes.CFUNCTYPE(ctypes.c_int, *kinds)(lambda *given: answer(self.known, *given))

    def _export(self) -> None:
        """Write the library, load it, and fill its slots."""
        look_up = _LOOK_UP(self._look_up)
        names = ["cuGetProcAddress", "cuGetProcAddress_v2", *(self.functions)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "driver.so")
            path.write_bytes(shared_library("libcuda.so.1", names))
            self._library = ctypes.CDLL(str(path))
        slots = (ctypes.c_uint64 * len(names)).in_dll(self._library, SLOTS)
        slots[:] = [_address(look_up)] * 2 + [self._engine.get_function_address(name) for name in self.functions]
        self._callbacks["cuGetProcAddress"] = look_up

    def _look_up(self, name: bytes, out: int, version: int, flags: int, status: int | None) -> int:
        text = name.decode()
        # Some functions have got other arguments in a later release; those are named after it.
        versioned = f"{text}@{version}"
        found = versioned if versioned in self.functions else text
        if text == "cuGetProcAddress":
            address = _address(self._callbacks[text])
        else:
            address = self._engine.get_function_address(found) if found in self.functions else 0
        ctypes.c_uint64.from_address(out).value = address
        if status:
            ctypes.c_int.from_address(status).value = 0 if address else 1
        return 0 if address else _NOT_FOUND

    # ----------------------------------------------------------------------------------------------------- kernels

    def knows(self, machine: bytes, texts: list[str]) -> None:
        """Says from which PTX some machine code was linked; PTX itself may be loaded without being known."""
        self._texts.append((machine, texts))

    def _load(self, image: int) -> int:
        """Number of an image, from its address; the memory may be used for something else once it is loaded."""
        self._images.append(self._ptx(image))
        return len(self._images) - 1

    def _ptx(self, image: int) -> list[str]:
        if ctypes.string_at(image, 4) != b"\x7fELF":
            return [ctypes.string_at(image).decode()]
        content = elf_file(image)
        for machine, texts in self._texts:
            if machine[: len(content)] == content:
                return texts
        raise LookupError("machine code of which nobody said from which PTX it was linked")

    def _kernel(self, image: int, name: bytes) -> int:
        """Handle of a kernel of an image, 0 if it has none of this name: a record with the address of its code."""
        if (image, name) not in self._kernels:
            found = {}
            for text in self._images[image]:
                found.update(programs(text, self.optimisation))
            if name.decode() not in found:
                return 0
            program = found[name.decode()]
            record = (ctypes.c_uint64 * 2)(program.address, 0)
            self._kernels[image, name] = (record, program)
        return ctypes.addressof(self._kernels[image, name][0])

    # ---------------------------------------------------------------------------------------------- what tests ask

    def calls(self, *names: str) -> int:
        """How often the functions were called, all together."""
        order = list(self.functions)
        return sum(self._state[HEADER + PER_FUNCTION * order.index(name) + CALLS] for name in names)

    def counts(self) -> dict[str, int]:
        """Launches, waits of the host for the device, copies, bytes by direction, events recorded, contexts entered, and
        calls of all functions."""
        return {
            "launches": self.calls(*LAUNCHES),
            "synchronisations": self.calls(*WAITS),
            "copies": self.calls(*COPIES),
            "bytes_to_device": self._state[driver_code.TO_DEVICE],
            "bytes_to_host": self._state[driver_code.TO_HOST],
            "events": self.calls("cuEventRecord", "cuEventRecordWithFlags"),
            "contexts_entered": self.calls("cuCtxPushCurrent", "cuCtxSetCurrent"),
            "calls": self.calls(*self.functions),
        }

    @contextmanager
    def counting(self) -> Iterator[dict[str, int]]:
        """A dictionary that holds, at the end of the block, how much each of `counts` rose in it."""
        rose: dict[str, int] = {}
        before = self.counts()
        yield rose
        rose.update({name: count - before[name] for name, count in self.counts().items()})

    def calls_by_name(self) -> dict[str, int]:
        """Calls of every function that was called."""
        return {name: count for name in self.functions if (count := self.calls(name))}

    @contextmanager
    def launching_nothing(self) -> Iterator[None]:
        """Launches are counted and checked, and run no kernel."""
        self._state[driver_code.NO_LAUNCHES] = 1
        try:
            yield
        finally:
            self._state[driver_code.NO_LAUNCHES] = 0

    @contextmanager
    def failing(self, name: str, result: int, *, after: int = 0, lasting: bool = False) -> Iterator[None]:
        """After ``after`` more calls, function ``name`` returns ``result`` (a CUresult). ``lasting``: from then on all do
        that need a context, as after an illegal address."""
        at = HEADER + PER_FUNCTION * list(self.functions).index(name)
        self._state[at + driver_code.RESULT], self._state[at + driver_code.LASTING] = result, int(lasting)
        self._state[at + driver_code.FAILS_FROM] = self._state[at + CALLS] + after or -1
        try:
            yield
        finally:
            self._state[at + driver_code.FAILS_FROM] = self._state[driver_code.BROKEN] = 0

    @property
    def used_bytes(self) -> int:
        """Device memory that is allocated."""
        return int(self._state[driver_code.USED])

    @contextmanager
    def with_memory(self, capacity_bytes: int) -> Iterator[None]:
        """No more device memory than that, together with what is in use."""
        before = self._state[driver_code.CAPACITY]
        self._state[driver_code.CAPACITY] = capacity_bytes
        try:
            yield
        finally:
            self._state[driver_code.CAPACITY] = before


def _address(callback: Any) -> int:
    return ctypes.cast(callback, ctypes.c_void_p).value or 0


@cache
def load() -> StandInDriver:
    """The stand-in, loaded as ``libcuda.so.1``. Raises `RuntimeError` where it cannot be, with the reason, and where the
    process has a driver already, or has looked for one."""
    if why := obstacle():
        raise RuntimeError(why)
    if "numba.cuda" in sys.modules:
        raise RuntimeError("numba has looked for a driver before there was this one")
    if "libcuda.so" in Path("/proc/self/maps").read_text(encoding="utf-8"):
        raise RuntimeError("this process has loaded a CUDA driver already")
    return StandInDriver((9, 0), 80 << 30)
