"""Machine code of kernels, as far as it has to be read: how many fused multiply-adds of float64 are in it.

No disassembler is needed for that. Since Volta an instruction has 16 bytes, and the low twelve bits say what it is: nine
the operation, three where its operands come from. `tests/ptx/test_machine_code.py` shows that the count is right.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from cuda.bindings import nvjitlink

from tests.ptx.kernel_text import architecture, linked

_DFMA, _OPERATION = 0x02B, 0x1FF
_CODE = 1 << 1 | 1 << 2  # sections that are loaded and executed
# Division, root and reciprocal are made of fused steps that end with the right rounding: the device's own, and the
# same in every kernel. An instruction that is none takes their place, so that all others can be counted.
_MADE_OF_FUSED = re.compile(r"\b(?:div\.rn|sqrt\.rn|rcp\.rn)\.f64\s+(%\w+), ([^,;]+)(?:, ([^;]+))?;")


def without_division(ptx: str) -> str:
    """The text with each division, root and reciprocal replaced by a minimum of its operands."""
    return _MADE_OF_FUSED.sub(lambda found: f"min.f64 {found[1]}, {found[2]}, {found[3] or found[2]};", ptx)


def assembled(ptx: str, target: str, assembler: str) -> bytes:
    """Machine code of a text by ``nvJitLink``, as at run time, or by the program ``ptxas``. Raises `OSError` with the
    program's words."""
    if assembler == "nvJitLink":
        return linked(nvjitlink.InputType.PTX, ptx.encode(), target)
    with tempfile.TemporaryDirectory() as folder:
        text, code = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        text.write_text(ptx, encoding="ascii")
        command = [ptxas(), "-O3", f"-arch={architecture(target)}", "-o", str(code), str(text)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(done.stderr)
        return code.read_bytes()


@cache
def ptxas() -> str:
    """Path of the assembler; empty where there is none."""
    wheels = find_spec("nvidia")
    places = (
        Path(each, folder) for each in (wheels and wheels.submodule_search_locations) or () for folder in _FOLDERS
    )
    found = [str(place / "ptxas") for place in places if (place / "ptxas").exists()]
    return found[0] if found else shutil.which("ptxas") or ""


_FOLDERS = ("cu13/bin", "cuda_nvcc/bin")  # of nvidia's wheels


def fused(cubin: bytes) -> int:
    """Fused multiply-adds of float64 in a piece of machine code. Raises `ValueError` where there is no code in it."""
    count = instructions = 0
    for section in _code_sections(cubin):
        for (low,) in struct.iter_unpack("<Q8x", section):
            instructions += 1
            count += low & _OPERATION == _DFMA
    if not instructions:
        raise ValueError("no section of code")
    return count


def _code_sections(cubin: bytes) -> Iterator[bytes]:
    (table,) = struct.unpack_from("<Q", cubin, 40)
    size, count = struct.unpack_from("<HH", cubin, 58)
    for k in range(count):
        kind, flags, _, offset, length = struct.unpack_from("<IQQQQ", cubin, table + k * size + 4)
        if kind == 1 and flags & _CODE == _CODE:
            yield cubin[offset : offset + length]
