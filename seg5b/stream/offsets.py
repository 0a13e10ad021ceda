"""How far a stream got: a number in the order of its arrivals, and a small file that remembers it.

An offset means something in one order only, so the file says of which: the run, the scenario, and a digest of what else
decides.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seg5b.canonical_json import canonical_json
from seg5b.errors import InputError
from seg5b.export.targets import check_place
from seg5b.foreign_json import COUNT, SHA256, TEXT, ForeignJsonError, read_json
from seg5b.hashing import sha256_hex
from seg5b.publish import put_in_place

_TAIL: Final = 1 << 16
"""The last bytes of a Parquet file hold its description: rows, sizes and places of all columns, seed, hashes, versions."""
_FORM: Final = {"run_id": TEXT, "scenario_id": TEXT, "order_sha256": SHA256, "offset": COUNT}


@dataclass(frozen=True, slots=True)
class Order:
    """Which order of arrivals an offset counts in. ``sha256``: digest of the selection and of the arrival files."""

    run_id: str
    scenario_id: str
    sha256: str


def order_of(
    run_id: str, scenario_id: str, merchants: Sequence[int], where: str | None, files: Sequence[Path]
) -> Order:
    """The order that a selection of arrivals has. Raises `OSError`."""
    ends = [[file.stat().st_size, sha256_hex(_last_bytes(file))] for file in files]
    decided = [run_id, scenario_id, sorted(set(merchants)), where, ends]
    return Order(run_id, scenario_id, sha256_hex(canonical_json(decided)))


def _last_bytes(file: Path) -> bytes:
    with file.open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL))
        return stream.read(_TAIL)


class OffsetFile:
    """A file that holds the offset of one order. Raises `PublishError` ``5B.EXPORT.*`` where none may lie there."""

    def __init__(self, path: Path, order: Order) -> None:
        check_place(path, overwrite=True, folder=False)
        self._path, self._order = path, order

    def read(self) -> int | None:
        """The offset, None where there is no file yet. Raises `InputError` ``5B.STREAM.OFFSETS_UNREADABLE``,
        ``5B.STREAM.OFFSETS_OF_ANOTHER``."""
        if not self._path.exists():
            return None
        try:
            held = read_json(self._path, _FORM)
        except (ForeignJsonError, OSError) as cause:
            remedy = "name another file, or delete this one and give --from"
            raise InputError(
                "5B.STREAM.OFFSETS_UNREADABLE", str(cause), where=str(self._path), remedy=remedy
            ) from cause
        if (held["run_id"], held["scenario_id"], held["order_sha256"]) != self._named():
            what = f"the offset is one of run {held['run_id']}, scenario {held['scenario_id']}"
            if self._named()[:2] == (held["run_id"], held["scenario_id"]):
                what += ", of other merchants, another condition or other arrivals than these"
            remedy = "choose what it belongs to, or name another file"
            raise InputError("5B.STREAM.OFFSETS_OF_ANOTHER", what, where=str(self._path), remedy=remedy)
        return int(held["offset"])

    def write(self, offset: int) -> None:
        """Remember an offset: the file holds the old one or the new one, whatever happens. Raises `OSError`."""
        held = dict(zip(("run_id", "scenario_id", "order_sha256"), self._named(), strict=True))
        staged = self._path.with_name(f".{self._path.name[:80]}.{uuid.uuid4().hex}.partial")
        try:
            staged.write_bytes(canonical_json({**held, "offset": offset}) + b"\n")
            put_in_place(staged, self._path, replace=True)
        finally:
            staged.unlink(missing_ok=True)

    def _named(self) -> tuple[str, str, str]:
        return self._order.run_id, self._order.scenario_id, self._order.sha256
