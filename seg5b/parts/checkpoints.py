"""Parts that are done before all are: a run that was killed goes on with those whose digests hold (law L12).

A part is kept with a record of its digest, of what it drew and added up to, and with a side file of what its rows alone do
not say. The record is written last, so a part without one was not finished. Everything that a part depends on goes
into a key; parts of another key are of no use.

Files are written under names that no other writer has and renamed when they are complete: two processes may make the
same part at once, and either leaves the same bytes under the same name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seg5b.contracts import part_name
from seg5b.evidence import TraceRow
from seg5b.foreign_json import (
    COUNT,
    INTEGER,
    NUMBER,
    OBJECT,
    SHA256,
    TEXT,
    Form,
    Leaf,
    checked,
    float_texts,
    float_values,
    parse_json,
)  # fmt: skip
from seg5b.hashing import sha256_file, sha256_hex
from seg5b.policy import RngFamily
from seg5b.publish import sync

_COUNTER = re.compile("[0-9a-f]{32}")
_TRACE = Leaf("a row of the trace", lambda row: isinstance(row, list) and len(row) == 6 and _is_trace(row))
_RECORD: Form = {"sha256": SHA256, "side_sha256": SHA256, "sums": OBJECT, "trace": [_TRACE]}


def _is_trace(row: list[Any]) -> bool:
    family, *counters, events, draws, blocks = row
    return (
        TEXT.holds(family)
        and all(TEXT.holds(each) and _COUNTER.fullmatch(each) for each in counters)
        and all(map(COUNT.holds, (events, draws, blocks)))
    )


NO_SUMS: Mapping[str, int | float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FinishedPart:
    """What is known of a part besides its file: the file's SHA-256, its trace, and small sums (integers and floats) by
    name."""

    number: int
    sha256_hex: str
    trace: tuple[TraceRow, ...]
    sums: Mapping[str, Any]


class PartCheckpoints:
    """The finished parts of one scenario below ``folder``, which outlives the process. ``key``: digest of all that
    the parts follow from (`seg5b.finished.state_key`); ``families``: those that the trace may name, by id. A part counts
    as finished only if it has sums of the names of ``sums``, whole numbers where these are."""

    def __init__(
        self, folder: Path, key: str, families: Mapping[str, RngFamily], sums: Mapping[str, int | float] = NO_SUMS
    ) -> None:
        self.folder = folder / key
        self._families = families
        self._sums: Form = {name: INTEGER if isinstance(each, int) else NUMBER for name, each in sums.items()}
        self.folder.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
        """Remove parts of other keys, and files that nobody finished. For the one process that may publish."""
        for other in self.folder.parent.iterdir():
            if other != self.folder:
                shutil.rmtree(other)
        for leftover in self.folder.glob("*.writing"):
            leftover.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Leave no folder where nothing was finished."""
        if not any(self.folder.glob("part-*.json")):
            shutil.rmtree(self.folder, ignore_errors=True)
            for above in (self.folder.parent, self.folder.parent.parent, self.folder.parent.parent.parent):
                with suppress(OSError):  # it holds what others keep
                    above.rmdir()

    @contextmanager
    def writing(self, number: int) -> Iterator[Path]:
        """A new name to write a part under, until it is kept; nothing is left of one that is not."""
        written = self._new(f"part-{number:06d}")
        try:
            yield written
        finally:
            written.unlink(missing_ok=True)

    def keep(
        self, number: int, written: Path, trace: Sequence[TraceRow], sums: Mapping[str, Any], side: bytes = b""
    ) -> FinishedPart:
        """Hash a complete file and record the part, durably. ``side``: content of its side file."""
        part = FinishedPart(number, sha256_file(written), tuple(trace), dict(sums))
        sync(written)
        written.replace(self.file(number))
        self._write(self._side(number), side)
        text = json.dumps(
            {
                "sha256": part.sha256_hex,
                "side_sha256": sha256_hex(side),
                "sums": float_texts(part.sums),
                "trace": [
                    [row.family.family_id, f"{row.before:032x}", f"{row.after:032x}", row.events, row.draws, row.blocks]
                    for row in part.trace
                ],
            }
        )
        self._write(self._record(number), f"{sha256_hex(text.encode())}\n{text}".encode("ascii"))
        sync(self.folder)
        return part

    def find(self, number: int) -> FinishedPart | None:
        """A part that was finished and is still what it was; None otherwise."""
        try:
            seal, _, text = self._record(number).read_bytes().partition(b"\n")
            if seal.decode("ascii") != sha256_hex(text):
                return None
            record = checked(parse_json(text), _RECORD)
            sums = checked(float_values(record["sums"]), self._sums)
            same = record["side_sha256"] == sha256_hex(self.side(number))
            if not same or sha256_file(self.file(number)) != record["sha256"]:
                return None
            trace = [
                TraceRow(self._families[family], number, int(before, 16), int(after, 16), *spent)
                for family, before, after, *spent in record["trace"]
            ]
            return FinishedPart(number, record["sha256"], tuple(trace), sums)
        except (OSError, ValueError, KeyError):  # KeyError: a family that the policy does not know
            return None

    def file(self, number: int) -> Path:
        """Where a finished part stays until all are done."""
        return self.folder / part_name(number)

    def stage(self, number: int, place: Path) -> None:
        """Put a finished part's file where it is published from. The part stays finished: what comes after it may fail."""
        try:
            os.link(self.file(number), place)
        except OSError:  # a file system without hard links
            self.file(number).rename(place)

    def side(self, number: int) -> bytes:
        """Content of a finished part's side file."""
        return self._side(number).read_bytes()

    def _write(self, file: Path, content: bytes) -> None:
        unfinished = self._new(file.name)
        unfinished.write_bytes(content)
        sync(unfinished)
        unfinished.replace(file)

    def _new(self, name: str) -> Path:
        return self.folder / f"{name}.{uuid.uuid4().hex}.writing"

    def _record(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.json"

    def _side(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.side"
