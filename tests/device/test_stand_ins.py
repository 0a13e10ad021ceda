"""The arrays that stand in for a device's are as strict as a device's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from seg5b_kernels import registry
from seg5b_kernels.arrivals import BinInputs, Ordered
from seg5b_kernels.cuda import words_of
from simulated import UNWRITTEN, DeviceArray, Functions, SimulatedArrays

from seg5b.backends.cuda import CudaBackend

MIXES: dict[str, Callable[[Any, Any], Any]] = {
    "conversion": lambda there, here: np.asarray(there),
    "comparison": lambda there, here: there == here,
    "comparison, turned round": lambda there, here: here == there,
    "sum": lambda there, here: here + there,
    "a function of numpy": lambda there, here: np.cumsum(there),
    "a host array as index": lambda there, here: there[here],
    "a device array as index": lambda there, here: here[there],
    "rows one by one": lambda there, here: list(there),
    "an upload of what is there": lambda there, here: SimulatedArrays().upload(there),
    "a download of what is here": lambda there, here: SimulatedArrays().downloads([here], None),
    "a launch": lambda there, here: words_of(Ordered(here)),
}


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_host_and_device_do_not_mix(mix: Callable[[DeviceArray, np.ndarray], Any]) -> None:
    with pytest.raises((TypeError, IndexError)):
        mix(Functions().own(np.arange(3)), np.arange(3))


def test_a_host_array_in_a_launch_is_refused(hosted: CudaBackend) -> None:
    start = hosted.upload(np.zeros(2, np.int32))
    with pytest.raises(TypeError, match="upload it first"):
        hosted.launch(registry.ORDER_BIN, 1, BinInputs(start), Ordered(np.zeros(1, np.uint64)))


def test_memory_counts_from_the_first_reference_to_the_last() -> None:
    functions = Functions(capacity=100)
    array = functions.empty(10, np.float64)
    assert (array.memory == UNWRITTEN).all()
    view = array[2:4]
    with pytest.raises(MemoryError):
        functions.zeros(3, np.float64)
    del array
    assert functions.used == 80, "a view keeps its array"
    del view
    assert functions.used == 0 and functions.peak == 80
    assert functions.zeros(12, np.float64).size == 12


def test_an_upload_is_a_copy() -> None:
    here = np.arange(3)
    there = SimulatedArrays().upload(here)
    here[:] = 9
    assert there.memory.tolist() == [0, 1, 2]
