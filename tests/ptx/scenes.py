"""What programs do on the stand-in driver, and what they saw: JSON values, for tests to judge."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.ptx.driver import load


def whole_states(runs_root: str, states: list[str], optimisation: int, chunk_arrivals: int) -> dict[str, Any]:
    """Digests of what the states publish, and what they asked of the driver."""
    from seg5b.options import Tuning
    from tests.device.whole_states import realise
    from tests.ptx.emulated import DRIVER, backend

    DRIVER.optimisation = optimisation
    with DRIVER.counting() as rose:
        tuning = Tuning(chunk_arrivals=chunk_arrivals)
        digests = realise(Path(runs_root), backend(), states=states, tuning=tuning)
    return {"digests": digests, "counts": rose}


def kernels(capability: list[int], items: int) -> dict[str, Any]:
    """Digests of every kernel's outputs, launched as the backend does it, and how often NVVM compiled."""
    from numba.cuda.cudadrv import nvvm

    from tests.ptx.emulated import DRIVER, asking, backend
    from tests.ptx.programs import digest, kernel_cases, uploaded

    compiled, compile_ir = [], nvvm.compile_ir
    there = backend((capability[0], capability[1]))

    def counted(*arguments: Any, **options: Any) -> Any:
        compiled.extend([] if asking else [1])
        return compile_ir(*arguments, **options)

    nvvm.compile_ir = counted
    found = {}
    for case in kernel_cases(items):
        outputs = uploaded(there, case.outputs)
        there.launch(case.kernel, case.n, uploaded(there, case.inputs), outputs)
        found[case.kernel.name] = digest(type(outputs)(*map(there.download, outputs)))
    return {"digests": found, "compiled": len(compiled), "launches": DRIVER.counts()["launches"]}


def failures() -> dict[str, Any]:
    """What a backend raises when the driver fails, and whether it works again afterwards."""
    from tests.ptx.emulated import DRIVER, backend
    from tests.ptx.programs import kernel_cases, uploaded

    there = backend()
    case = kernel_cases(300)[-1]
    inputs, outputs = uploaded(there, case.inputs), uploaded(there, case.outputs)

    def launch() -> None:
        there.launch(case.kernel, case.n, inputs, outputs)

    launch()
    found: dict[str, Any] = {"sound": _raised(launch)}
    for name in ("cuLaunchKernel", "cuLaunchKernelEx"):
        with DRIVER.failing(name, 700, lasting=True):
            found[name] = [_raised(launch), _raised(lambda: there.download(outputs[0]))]
    with DRIVER.failing("cuMemcpyDtoHAsync", 214):
        found["cuMemcpyDtoHAsync"] = [_raised(lambda: there.download(outputs[0]))]
    with DRIVER.with_memory(DRIVER.used_bytes + 1000):
        found["memory"] = [_raised(lambda: there.empty(1000, np.float64))]
    found["sound again"] = _raised(launch)
    fresh = uploaded(there, case.outputs)

    def filled() -> bool:
        there.launch(case.kernel, case.n, inputs, fresh)
        return any(there.download(each).any() for each in fresh)

    with DRIVER.launching_nothing(), DRIVER.counting() as rose:
        found["filled"] = [filled()]
    found["filled"].append(filled())
    return {**found, "launches of nothing": rose["launches"]}


def _raised(action: Callable[[], Any]) -> str | None:
    """Kind and words of an error, and of what caused it."""
    try:
        action()
    except Exception as error:
        causes = []
        cause: BaseException | None = error
        while cause is not None:
            causes.append(f"{type(cause).__name__}: {getattr(cause, 'code', '')} {cause}")
            cause = cause.__cause__
        return " <- ".join(causes)
    return None


def driver() -> dict[str, Any]:
    """What the driver answers to cuda.bindings: as NVIDIA's would, as far as it goes."""
    standin = load()
    standin.known.capability = (12, 0)
    from cuda.bindings import driver as cu

    found: dict[str, Any] = {"before": cu.cuMemAlloc(64)[0].name}
    cu.cuInit(0)
    _, device = cu.cuDeviceGet(0)
    attribute = cu.CUdevice_attribute
    found["version"] = cu.cuDriverGetVersion()[1]
    found["capability"] = [
        cu.cuDeviceGetAttribute(getattr(attribute, f"CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{each}"), device)[1]
        for each in ("MAJOR", "MINOR")
    ]
    found["no such device"] = cu.cuDeviceGet(1)[0].name
    found["words"] = [cu.cuGetErrorString(cu.CUresult.CUDA_ERROR_ECC_UNCORRECTABLE)[1].decode()]
    found["words"].append(cu.cuGetErrorName(cu.CUresult.CUDA_ERROR_LAUNCH_FAILED)[1].decode())
    _, context = cu.cuDevicePrimaryCtxRetain(device)
    cu.cuCtxPushCurrent(context)
    found["elsewhere"] = _in_thread(lambda: cu.cuCtxSynchronize()[0].name)
    found["here"] = cu.cuCtxSynchronize()[0].name
    with standin.counting() as rose, standin.with_memory(1 << 20):
        found.update(_copies(cu))
    found["rose"] = rose
    found["used at the end"] = standin.used_bytes
    with standin.failing("cuCtxSynchronize", 719, after=1, lasting=True):
        found["fails"] = [cu.cuCtxSynchronize()[0].name for _ in range(3)] + [cu.cuStreamCreate(0)[0].name]
    found["works"] = cu.cuCtxSynchronize()[0].name
    found["popped"] = [int(cu.cuCtxPopCurrent()[1]) == int(context), cu.cuCtxPopCurrent()[0].name]
    try:
        cu.cuGraphCreate(0)
    except RuntimeError as error:
        found["unknown"] = str(error)
    return found


def _in_thread(action: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(action()))
    thread.start()
    thread.join()
    return found[0]


def _copies(cu: Any) -> dict[str, Any]:
    """Memory, copies, a stream and two events."""
    host = (ctypes.c_uint8 * 100)(*range(100))
    _, there = cu.cuMemAlloc(100)
    _, stream = cu.cuStreamCreate(0)
    _, first = cu.cuEventCreate(0)
    _, second = cu.cuEventCreate(0)
    back = (ctypes.c_uint8 * 100)()
    cu.cuMemcpyDtoH(ctypes.addressof(back), there, 100)
    found: dict[str, Any] = {"unwritten": sorted(set(back))}
    cu.cuEventRecord(first, stream)
    cu.cuMemcpyHtoDAsync(there, ctypes.addressof(host), 100, stream)
    cu.cuMemsetD8Async(there, 7, 10, stream)
    cu.cuMemcpyDtoHAsync(ctypes.addressof(back), there, 40, stream)
    cu.cuEventRecord(second, stream)
    cu.cuStreamSynchronize(stream)
    found["copied"] = list(back[:12])
    found["elapsed"] = cu.cuEventElapsedTime(first, second)[1] >= 0
    found["too much"] = cu.cuMemAlloc(1 << 20)[0].name
    cu.cuMemFree(there)
    return found
