"""What another compiler than numba's would need: the plain functions behind every kernel, and seven primitives of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from seg5b_kernels import registry, sha256, targets
from seg5b_kernels.registry import Kernel

PRIMITIVES = (
    targets.product, targets.mul_high, targets.float_bits, targets.bits_float, targets.fetch_add, targets.fetch_min,
    sha256.compress,
)  # fmt: skip


def reached(function: FunctionType, seen: set[FunctionType]) -> Iterator[Any]:
    """Everything that a plain function names, and what the compiled functions among that name in turn."""
    seen.add(function)
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, Dispatcher) and value.py_func not in seen:
            yield from reached(value.py_func, seen)
        yield value


@pytest.mark.parametrize("kernel", registry.KERNELS, ids=lambda kernel: kernel.name)
def test_a_kernel_is_plain_functions_constants_and_primitives(kernel: Kernel) -> None:
    functions: set[FunctionType] = set()
    named = list(reached(kernel.element.py_func, functions))
    assert all(isinstance(each, FunctionType) and each.__module__.startswith("seg5b_kernels.") for each in functions)
    constants = (int, float, tuple, np.generic, np.ndarray, ModuleType, type(None))
    other = [each for each in named if not isinstance(each, (Dispatcher, *constants)) and each not in PRIMITIVES]
    assert other == []


def test_cuda_has_every_primitive() -> None:
    """No more and no fewer than are registered with numba's CUDA."""
    pytest.importorskip("numba_cuda", reason="it is numba-cuda that they are registered with")
    from seg5b_kernels import cuda_primitives

    seen: list[Any] = []

    def register(primitive: Any, target: str) -> Callable[[Any], Any]:
        seen.append(primitive)
        return lambda implementation: implementation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numba.cuda.extending.overload", register)
        cuda_primitives._register()
    assert set(seen) == set(PRIMITIVES)
