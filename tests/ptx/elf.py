"""A shared library without a compiler: names that a program may call, each a jump through a slot that can be filled.

What is written is the least that the loader of glibc takes: one segment of code and tables, one of slots, a dynamic
section with a name (DT_SONAME), a symbol table and its hash table. Once such a library is loaded, ``dlopen`` of its name
finds it, whatever path it came from.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Sequence

PAGE = 1 << 16  # the largest page of the machines below
_MACHINES = {"x86_64": 62, "aarch64": 183}
_STUB_BYTES = 16
# Tags of the dynamic section.
_HASH, _STRTAB, _SYMTAB, _STRSZ, _SYMENT, _SONAME = 4, 5, 6, 10, 11, 14
SLOTS = "slots"
"""Symbol of the table of slots: one address per function, in the order of the names."""


def obstacle() -> str | None:
    """Why no such library can be written for this machine, if it cannot."""
    if platform.system() == "Linux" and platform.machine() in _MACHINES and platform.libc_ver()[0] == "glibc":
        return None
    return f"stand-in libraries are written for Linux with glibc on x86-64 and aarch64, not {platform.platform()}"


def shared_library(soname: str, functions: Sequence[str]) -> bytes:
    """The file of a library that exports ``functions``, each a jump to the address in its slot, and `SLOTS`."""
    machine = platform.machine()
    names = [soname, SLOTS, *functions]
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    at = {name: strings.index(b"\0" + name.encode() + b"\0") + 1 for name in names}
    symbols = len(functions) + 2
    symtab = 64 + 3 * 56  # after the file header and three program headers
    hashes = symtab + 24 * symbols
    strtab = hashes + 4 * (3 + symbols)
    code = _up(strtab + len(strings), 16)
    dynamic = _up(code + _STUB_BYTES * len(functions), PAGE)
    slots = dynamic + 16 * 7
    end = slots + 8 * len(functions)

    stubs = b"".join(
        _jump(machine, code + _STUB_BYTES * k, slots + 8 * k).ljust(_STUB_BYTES, b"\0") for k in range(len(functions))
    )
    # Symbols of section 0 would be undefined; 0xfff1 (absolute) would not be moved with the library.
    entries = [struct.pack("<IBBHQQ", at[SLOTS], 0x11, 0, 1, slots, 8 * len(functions))]
    entries += [
        struct.pack("<IBBHQQ", at[name], 0x12, 0, 1, code + _STUB_BYTES * k, _STUB_BYTES)
        for k, name in enumerate(functions)
    ]
    tags = {_HASH: hashes, _STRTAB: strtab, _SYMTAB: symtab, _STRSZ: len(strings), _SYMENT: 24, _SONAME: at[soname]}
    image = bytearray(end)
    for offset, content in (
        (0, _header(_MACHINES[machine])),
        (64, _segment(1, 5, 0, code + len(stubs), PAGE)),
        (64 + 56, _segment(1, 6, dynamic, end - dynamic, PAGE)),
        (64 + 112, _segment(2, 6, dynamic, slots - dynamic, 8)),
        (symtab, bytes(24) + b"".join(entries)),
        (hashes, _one_chain(symbols)),
        (strtab, strings),
        (code, stubs),
        (dynamic, b"".join(struct.pack("<QQ", *each) for each in tags.items())),
    ):
        image[offset : offset + len(content)] = content
    return bytes(image)


def elf_file(address: int) -> bytes:
    """An ELF file in memory, as far as the last of its two tables of headers."""
    header = ctypes.string_at(address, 64)
    segments, sections = struct.unpack_from("<QQ", header, 32)
    segment_bytes, segment_count, section_bytes, section_count = struct.unpack_from("<HHHH", header, 54)
    return ctypes.string_at(
        address, max(segments + segment_bytes * segment_count, sections + section_bytes * section_count)
    )


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _header(machine: int) -> bytes:
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bits, little endian
    return ident + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)


def _segment(kind: int, flags: int, start: int, size: int, align: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, start, start, start, size, size, align)


def _one_chain(symbols: int) -> bytes:
    """A hash table of one bucket: all symbols in a row."""
    chain = [0, *range(2, symbols), 0]
    return struct.pack(f"<{3 + symbols}I", 1, symbols, 1, *chain)


def _jump(machine: str, here: int, slot: int) -> bytes:
    """Code at ``here`` that goes on at the address in ``slot``; no register of the arguments changes."""
    if machine == "x86_64":
        return b"\xff\x25" + struct.pack("<i", slot - (here + 6))  # jmp *slot(%rip)
    pages = (slot >> 12) - (here >> 12)
    adrp = 0x90000010 | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5  # adrp x16, slot
    load = 0xF9400210 | (slot >> 3 & 0x1FF) << 10  # ldr x16, [x16, #slot & 0xfff]
    return struct.pack("<III", adrp, load, 0xD61F0200)  # br x16
