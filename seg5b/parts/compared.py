"""Parts that are made again, compared byte by byte with those that are published, and not kept (law L15)."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from seg5b.contracts import part_name
from seg5b.evidence import TraceRow
from seg5b.parts.checkpoints import FinishedPart
from seg5b.tables.comparing import TableDifference, table_difference


@dataclass(frozen=True, slots=True)
class ComparedPart(FinishedPart):
    """A part that was made again: ``size_bytes`` of it, how the ``published`` file differs, whether it is there and whether
    it says the same in ``other_bytes``; and the content of its side file."""

    published: Path = Path()
    size_bytes: int = 0
    missing: bool = False
    other_bytes: bool = False
    difference: TableDifference = field(default_factory=TableDifference)
    side: bytes = b""


class ComparedFile:
    """A file to write that is compared with a ``published`` one, piece by piece, and kept nowhere while both are equal.

    From the first byte that differs all of it is in a temporary file, since rows can be compared only then: what came
    before is copied from the published file, which has the same bytes.
    """

    def __init__(self, published: Path) -> None:
        self.published = published
        self.size_bytes = 0
        self.closed = False
        self._made: IO[bytes] | None = None
        self._published = -1
        if published.is_file():
            self._published = os.open(published, os.O_RDONLY | os.O_CLOEXEC)
        self.missing = self._published < 0

    def write(self, piece: Any) -> int:
        """Take the next bytes."""
        content = bytes(piece)
        if self._made is None and self._next(len(content)) != content:
            self._made = self._so_far()
        if self._made is not None:
            self._made.write(content)
        self.size_bytes += len(content)
        return len(content)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """What was written stays until `release`: a writer of tables closes what it was given."""

    def compare(self) -> tuple[bool, TableDifference]:
        """Whether the published file has other bytes, and what they say differently."""
        if self._made is None and (self.missing or os.fstat(self._published).st_size == self.size_bytes):
            return self.missing, TableDifference()
        made = self._made or self._so_far()
        made.flush()
        with made:
            return True, TableDifference() if self.missing else table_difference(self.published, made)

    def release(self) -> None:
        """Close the published file."""
        if self._published >= 0:
            os.close(self._published)
            self._published = -1
        self.closed = True

    def _next(self, wanted: int) -> bytes | None:
        return None if self.missing else os.pread(self._published, wanted, self.size_bytes)

    def _so_far(self) -> IO[bytes]:
        made: IO[bytes] = tempfile.TemporaryFile(prefix="seg5b_replay_")  # noqa: SIM115 - closed by `compare`
        step = 1 << 24
        for start in range(0, self.size_bytes, step):
            made.write(os.pread(self._published, min(step, self.size_bytes - start), start))
        return made


class ComparedParts:
    """The parts of one dataset, made again (`seg5b.parts.PartStore`). ``place``: where the dataset is published, ``parts``:
    how many files it has."""

    def __init__(self, place: Path, parts: int) -> None:
        self._place, self._parts = place, parts
        self._scratch: Path | None = None
        self._sides: dict[int, bytes] = {}

    @property
    def folder(self) -> Path:
        """A scratch folder that goes with this object."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="seg5b_replay_"))
            weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        return self._scratch

    def published(self, number: int) -> Path:
        """Where a part is published."""
        in_one_file = self._parts == 1 and bool(self._place.suffix)
        return self._place if in_one_file else self._place / part_name(number)

    @contextmanager
    def writing(self, number: int) -> Iterator[ComparedFile]:
        """What to write a part to."""
        written = ComparedFile(self.published(number))
        try:
            yield written
        finally:
            written.release()

    def keep(
        self, number: int, written: ComparedFile, trace: Sequence[TraceRow], sums: Mapping[str, Any], side: bytes = b""
    ) -> ComparedPart:
        """How the part differs. ``side``: content of its side file."""
        other_bytes, difference = written.compare()
        return ComparedPart(
            number,
            "",
            tuple(trace),
            dict(sums),
            written.published,
            written.size_bytes,
            written.missing,
            other_bytes and not difference,
            difference,
            side,
        )

    def take(self, part: ComparedPart) -> None:
        """Take what another process may have made."""
        self._sides[part.number] = part.side

    def side(self, number: int) -> bytes:
        """Content of a part's side file."""
        return self._sides[number]
