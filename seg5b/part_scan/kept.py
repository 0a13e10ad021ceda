"""The tables of scans, remembered beside the run, so that S5, ``score`` and ``report`` decode a part once between them.

The tables lie in a folder named after everything that they follow from: the SHA-256 of each file, the code, and the
facts of the scan. They are no output: nothing vouches for them, and they may be deleted at any time. What is damaged or
missing is made again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from seg5b.errors import InputError
from seg5b.hashing import FileChangedError, remembered_sha256, sha256_file, sha256_hex
from seg5b.part_scan.tables import PartTables
from seg5b.publish import staging_folder
from seg5b.resources import code_digest
from seg5b.tables import write_table
from seg5b.tables.small import small_format

_FACTS = "part.json"


class Scan(Protocol):
    """What can be scanned and kept. ``names``: its tables. Equal bytes and equal keys give equal tables, whoever calls: a
    thread, or another process."""

    names: ClassVar[tuple[str, ...]]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files whose bytes it depends on."""

    @property
    def folder(self) -> Path:
        """Where results are kept."""

    def key(self) -> str:
        """64 hex digits that differ wherever anything else that it depends on differs."""

    def tables(self) -> PartTables:
        """Decode and walk. Raises `InputError` ``5B.S5.IO_READ_FAILED``."""


@dataclass(frozen=True, slots=True)
class PartFiles:
    """The kept tables of a scan: a Parquet file by name of the table, and the facts of `PartTables`."""

    tables: Mapping[str, Path]
    facts: Mapping[str, Any]


def part_files(scan: Scan) -> PartFiles:
    """The tables of a scan: those that are kept, else made now and kept.

    A pure function of bytes and facts, on whatever thread or process. Raises `InputError` ``5B.S5.IO_READ_FAILED`` for a
    file that cannot be read or results that cannot be kept.
    """
    try:
        place = scan.folder / f"{_prefix(scan.files)}-{scan.key()[:16]}"
        found = _read(place, scan.names)
        if found is None:
            _keep(scan.tables(), place)
            found = _read(place, scan.names)
    except (OSError, FileChangedError) as cause:
        raise _unreadable(scan.files[0], str(cause)) from cause
    if found is None:
        raise _unreadable(scan.files[0], f"its tables cannot be kept in {place.name}")
    return found


def forget_others(folder: Path, scanned: Iterable[tuple[Path, ...]]) -> None:
    """Delete what is kept in ``folder`` of other files than those that are ``scanned`` together, or by other code."""
    with suppress(OSError, FileChangedError):
        current = {_prefix(files) for files in scanned}
        for place in folder.iterdir():
            if place.name.rpartition("-")[0] not in current:
                shutil.rmtree(place, ignore_errors=True)


def _prefix(files: tuple[Path, ...]) -> str:
    digests = [remembered_sha256(file) for file in files]
    return f"{sha256_hex(''.join(digests).encode())[:32]}-{code_digest()[:16]}"


def _unreadable(file: Path, why: str) -> InputError:
    return InputError("5B.S5.IO_READ_FAILED", why, where=str(file), remedy="check the file, space and rights")


def _read(place: Path, names: Iterable[str]) -> PartFiles | None:
    """What is kept, if all of it is there as it was written."""
    try:
        stated = json.loads((place / _FACTS).read_bytes())
        files = {name: place / f"{name}.parquet" for name in names}
        whole = all(sha256_file(file) == stated["sha256"][name] for name, file in files.items())
        return PartFiles(files, stated["facts"]) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(part: PartTables, place: Path) -> None:
    """Write beside ``place``, then take it in one step; where another process was faster, its equal result stays."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with staging_folder(place.parent, ".made") as folder:
        digests = {}
        for name, table in part.tables.items():
            file = folder / f"{name}.parquet"
            write_table(file, small_format(table.kinds), table.columns, table.rows, {})
            digests[name] = sha256_file(file)
        (folder / _FACTS).write_text(json.dumps({"facts": part.facts, "sha256": digests}))
        if _read(place, part.tables) is None:
            shutil.rmtree(place, ignore_errors=True)
            with suppress(OSError):
                folder.rename(place)
