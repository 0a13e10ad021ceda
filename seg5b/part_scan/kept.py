"""The tables of scans, remembered beside the run, so that S5, ``score`` and ``report`` decode a part once between them.

The tables lie in a folder named after everything that they follow from: the SHA-256 of each file, the code, and the
facts of the scan. They are no output: nothing vouches for them, and they may be deleted at any time. What is damaged or
missing is made again; what cannot be kept is used all the same (law L16).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from seg5b.errors import InputError
from seg5b.foreign_json import OBJECT, SHA256, Form, checked, float_texts, float_values, parse_json
from seg5b.hashing import FileChangedError, remembered_sha256, sha256_file, sha256_hex
from seg5b.part_scan.tables import PartTables
from seg5b.publish import staging_folder
from seg5b.refusals import pass_on_refusal
from seg5b.resources import code_digest
from seg5b.tables import write_table
from seg5b.tables.small import small_format

_log = logging.getLogger("seg5b")
_FACTS = "part.json"


class Scan(Protocol):
    """What can be scanned and kept. ``names``: its tables; ``form``: of its facts. Equal bytes and equal keys give equal
    tables, whoever calls: a thread, or another process."""

    names: ClassVar[tuple[str, ...]]
    form: ClassVar[Form]

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
    """The tables of a scan: a Parquet file by name of the table, and the facts of `PartTables`. Where they could not be
    kept there is no file, but the tables themselves (``unkept``) and the reason: `placed` gives them files."""

    tables: Mapping[str, Path]
    facts: Mapping[str, Any]
    unkept: PartTables | None = None
    reason: str = ""


def part_files(scan: Scan) -> PartFiles:
    """The tables of a scan: those that are kept, else made now and kept, if the system allows.

    A pure function of bytes and facts, on whatever thread or process. Raises `InputError` ``5B.S5.IO_READ_FAILED`` for a
    file that is not there or not what it should be; where the system refuses to let it be read, what it said (`OSError`,
    `MemoryError`).
    """
    try:
        place = scan.folder / f"{_prefix(scan.files)}-{scan.key()[:16]}"
        found = _read(place, scan)
        if found is not None:
            return found
        made = scan.tables()
    except (OSError, FileChangedError) as cause:
        pass_on_refusal(cause)
        remedy = "run the state that writes it again"
        raise InputError("5B.S5.IO_READ_FAILED", str(cause), where=str(scan.files[0]), remedy=remedy) from cause
    reason = "what is read is not what was written"
    try:
        _keep(made, place, scan)
        found = _read(place, scan)
    except OSError as cause:
        reason = cause.strerror or str(cause)
    return found or PartFiles({}, made.facts, made, reason)


def placed(found: PartFiles, scan: Scan, scratch: Path, spare: Path) -> PartFiles:
    """The same under names of this reader's own: links in its ``scratch``, so that who deletes what is kept, to have it made
    again or to give back space, takes nothing from it. Where it could not be kept, or was deleted since and is made again,
    there is a file for each table below ``spare``, a folder of this process. The first of a folder is told in one line of the
    log. Raises `OSError` where there is no room either, and as `Scan.tables`."""
    if found.unkept is not None:
        unkept, reason = found.unkept, found.reason
    else:
        try:
            return _linked(found, scratch)
        except FileNotFoundError:
            unkept, reason = scan.tables(), "it was deleted meanwhile"
        except OSError:
            return found  # no links between these folders
    if not spare.exists():
        _log.warning("what was looked at cannot be kept (%s): it is looked at again next time", reason)
        spare.mkdir(mode=0o700, parents=True)
    return PartFiles(_write(unkept, _numbered(spare)), unkept.facts)


def _linked(found: PartFiles, scratch: Path) -> PartFiles:
    """Hard links to all files of a scan. Raises `OSError`, `FileNotFoundError` for a file that is gone."""
    folder = _numbered(scratch / "scans")
    links = {name: folder / file.name for name, file in found.tables.items()}
    for name, file in found.tables.items():
        os.link(file, links[name])
    return PartFiles(links, found.facts)


def _numbered(above: Path) -> Path:
    """A new folder. Raises `OSError`."""
    above.mkdir(parents=True, exist_ok=True)
    folder = above / f"{sum(1 for _ in above.iterdir()):06d}"
    folder.mkdir()
    return folder


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


def _read(place: Path, scan: Scan) -> PartFiles | None:
    """What is kept, if all of it is there as it was written."""
    try:
        seal, _, text = (place / _FACTS).read_bytes().partition(b"\n")
        if seal.decode("ascii") != sha256_hex(text):
            return None
        stated = checked(parse_json(text), {"sha256": dict.fromkeys(scan.names, SHA256), "facts": OBJECT})
        facts = checked(float_values(stated["facts"]), scan.form)
        files = {name: place / f"{name}.parquet" for name in scan.names}
        whole = all(sha256_file(file) == stated["sha256"][name] for name, file in files.items())
        return PartFiles(files, facts) if whole else None
    except (OSError, ValueError):
        return None


def _keep(part: PartTables, place: Path, scan: Scan) -> None:
    """Write beside ``place``, then take it in one step; where another process was faster, its equal result stays. Raises
    `OSError`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with staging_folder(place.parent, ".made") as folder:
        digests = {name: sha256_file(file) for name, file in _write(part, folder).items()}
        text = json.dumps({"facts": float_texts(part.facts), "sha256": digests}).encode("ascii")
        (folder / _FACTS).write_bytes(sha256_hex(text).encode("ascii") + b"\n" + text)
        if _read(place, scan) is None:
            shutil.rmtree(place, ignore_errors=True)
            with suppress(OSError):
                folder.rename(place)


def _write(part: PartTables, folder: Path) -> dict[str, Path]:
    """A file for each table. Raises `OSError`."""
    files = {name: folder / f"{name}.parquet" for name in part.tables}
    for name, table in part.tables.items():
        write_table(files[name], small_format(table.kinds), table.columns, table.rows, {})
    return files
