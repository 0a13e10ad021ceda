"""Parts that are done before all are: a run that was killed goes on with those whose digests hold (law L12).

A part is kept with a record of its digest, of what it drew, and of the virtual arrivals of its hybrid bucket rows. The
record is written last, so a part without one was not finished. Everything that arrivals depend on goes into a key; parts
of another key are of no use and are removed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from seg5b.evidence import TraceRow
from seg5b.expansion.hybrid import HybridRows
from seg5b.hashing import sha256_file
from seg5b.policy import RngPolicy


@dataclass(frozen=True, slots=True)
class FinishedPart:
    """What is known of a part besides its file: its trace, and the hybrid rows it saw."""

    trace: list[TraceRow]
    hybrid: HybridRows


@dataclass(frozen=True, slots=True)
class KeptPart(FinishedPart):
    """The same, and the SHA-256 of the file."""

    sha256_hex: str


class PartCheckpoints:
    """The finished parts of one scenario below ``folder``, which outlives the process. ``key``: digest of all that
    the parts follow from (`seg5b.finished.inputs_key`)."""

    def __init__(self, folder: Path, key: str, policy: RngPolicy) -> None:
        self._folder, self._policy = folder / key, policy
        if folder.exists():
            for other in folder.iterdir():
                if other.name != key:
                    shutil.rmtree(other)
        self._folder.mkdir(parents=True, exist_ok=True)

    def file(self, number: int) -> Path:
        """Where a part is written, and stays until all are done."""
        return self._folder / f"part-{number:06d}.parquet"

    def keep(self, number: int, part: FinishedPart) -> KeptPart:
        """Record a part whose file is complete; returns it with the SHA-256 of the file."""
        hybrid = part.hybrid.content()
        self._hybrid(number).write_bytes(hybrid)
        digest = sha256_file(self.file(number))
        record = {
            "sha256": digest,
            "hybrid_sha256": hashlib.sha256(hybrid).hexdigest(),
            "trace": [
                [row.family.family_id, f"{row.before:032x}", f"{row.after:032x}", row.events, row.draws, row.blocks]
                for row in part.trace
            ],
        }
        unfinished = self._folder / f"part-{number:06d}.writing"
        text = json.dumps(record)
        unfinished.write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}", encoding="ascii")
        unfinished.replace(self._record(number))
        return KeptPart(part.trace, part.hybrid, digest)

    def find(self, number: int) -> KeptPart | None:
        """A part that was finished and is still what it was; None otherwise."""
        try:
            seal, text = self._record(number).read_text("ascii").split("\n")
            record, hybrid = json.loads(text), self._hybrid(number).read_bytes()
            same = seal == hashlib.sha256(text.encode()).hexdigest()
            same = same and record["hybrid_sha256"] == hashlib.sha256(hybrid).hexdigest()
            if not same or sha256_file(self.file(number)) != record["sha256"]:
                return None
            families = self._policy.families
            trace = [
                TraceRow(families[family], number, int(before, 16), int(after, 16), *spent)
                for family, before, after, *spent in record["trace"]
            ]
        except (OSError, ValueError, KeyError):
            return None
        return KeptPart(trace, HybridRows.of(hybrid), record["sha256"])

    def move_to(self, folder: Path, number: int) -> Path:
        """Hand over a part's file; returns where it is."""
        return self.file(number).rename(folder / self.file(number).name)

    def _record(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.json"

    def _hybrid(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.hybrid"
