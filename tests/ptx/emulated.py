"""`CudaBackend` without a device: everything as it is on one, but the driver and cupy, which stand in.

numba-cuda's typing, NVVM, the linker, the cache of kernels, the packing of arguments and the launch are the real ones.
The linker's machine code cannot run here, so the stand-in driver is told from which PTX each piece was assembled. Where
numba-cuda links with optimisation, as it does by default, that is what the linker makes of NVVM's code, not NVVM's own PTX.

Importing this loads the driver for the whole process, so it is for programs of their own (`tests.ptx.on_standin`).
"""

from __future__ import annotations

from typing import Any

from tests.ptx.driver import load

DRIVER = load()

from numba.cuda import codegen  # noqa: E402

from seg5b.backends.cuda import CudaBackend  # noqa: E402
from tests.ptx import cupy_standin  # noqa: E402

_link = codegen.CUDACodeLibrary.get_cubin
asking: list[Any] = []
"""Libraries of kernels that are asked for their PTX just now: what is compiled for that, a device would not need."""


def _get_cubin(library: Any, cc: Any = None) -> Any:
    cubin = _link(library, cc)
    asking.append(library)
    try:
        linked = library.get_lto_ptx(cc=cc).rstrip("\0") if library._lto else library.get_asm_str(cc=cc)
    finally:
        asking.pop()
    DRIVER.knows(bytes(getattr(cubin, "code", cubin)), [linked])
    return cubin


codegen.CUDACodeLibrary.get_cubin = _get_cubin


def backend(capability: tuple[int, int] = (9, 0)) -> CudaBackend:
    """A backend on the stand-in device; numba asks for its capability once."""
    DRIVER.known.capability = capability
    with cupy_standin.installed():
        return CudaBackend("emulated")
