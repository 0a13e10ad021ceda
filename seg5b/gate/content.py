"""`sealed_content_5B`: file, size and SHA-256 of every file behind each sealed dataset that 5B reads (law
L2).

The sealed inputs of the reference describe data by its contract alone; this list holds the digests of the bytes, so
that a change after the gate is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seg5b.errors import InputError
from seg5b.gate.files import DamageError, file_size, hash_files
from seg5b.gate.inputs import INCOMPLETE, FoundInput
from seg5b.runs import RunIdentity
from seg5b.runs.identity import HEX64


@dataclass(frozen=True, slots=True, order=True)
class ContentEntry:
    """One file. ``path`` is relative to the run root, or to the root a policy was found in; ``scenario_id``
    is empty where the artefact is not partitioned by scenario."""

    artifact_id: str
    scenario_id: str
    path: str
    size_bytes: int
    sha256_hex: str

    def as_json(self) -> dict[str, Any]:
        """JSON form; ``scenario_id`` null where there is none."""
        return {
            "artifact_id": self.artifact_id,
            "scenario_id": self.scenario_id or None,
            "path": self.path,
            "size_bytes": self.size_bytes,
            "sha256_hex": self.sha256_hex,
        }

    @classmethod
    def from_json(cls, fields: object) -> ContentEntry:
        """Entry of one JSON item. Raises `ValueError` for anything that `as_json` would not have written."""
        item = fields if isinstance(fields, dict) else {}
        entry = cls(
            item.get("artifact_id", ""),
            item.get("scenario_id") or "",
            item.get("path", ""),
            item.get("size_bytes", -1),
            item.get("sha256_hex", ""),
        )
        texts = (entry.artifact_id, entry.scenario_id, entry.path, entry.sha256_hex)
        if not all(isinstance(text, str) for text in texts) or not HEX64.fullmatch(entry.sha256_hex):
            raise ValueError(f"lists a file in no known form: {str(fields)[:160]}")
        if type(entry.size_bytes) is not int or entry.size_bytes < 0 or entry.as_json() != item:
            raise ValueError(f"lists a file in no known form: {str(fields)[:160]}")
        return entry


def seal_content(inputs: Iterable[FoundInput], note: Callable[[str], None]) -> tuple[ContentEntry, ...]:
    """Entries for every file behind the inputs whose content counts, sorted by artefact, scenario and path.

    Raises `InputError` ``5B.S0.SEALED_INPUTS_INCOMPLETE`` for a file that cannot be read or changes
    meanwhile.
    """
    try:
        listed = [
            (item.artefact.artifact_id, place.scenario_id or "", place.name(file), file)
            for item in inputs
            if item.artefact.content
            for place in item.places
            for file in place.files()
        ]
        files = [file for *_, file in listed]
        note(f"sealing {len(files)} files, {_total(files) / 1e9:.3f} GB")
        digests = hash_files(files, note)
    except DamageError as cause:
        raise InputError(
            INCOMPLETE,
            f"sealed file {cause}",
            remedy="restore the file, keep other programs from writing to it, then run S0 again",
        ) from cause
    entries = (
        ContentEntry(artifact_id, scenario_id, name, file_size(file), digest)
        for (artifact_id, scenario_id, name, file), digest in zip(listed, digests, strict=True)
    )
    return tuple(sorted(entries))


def content_json(identity: RunIdentity, entries: Iterable[ContentEntry]) -> dict[str, Any]:
    """The whole document; free of the run id, like everything that is sealed."""
    return {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "entries": [entry.as_json() for entry in entries],
    }


def read_content(payload: object) -> Mapping[tuple[str, str], tuple[ContentEntry, ...]]:
    """Entries of a document that `content_json` made, by (artefact id, scenario id or empty).

    Raises `ValueError` for another form and for files that are listed twice.
    """
    items = payload.get("entries") if isinstance(payload, dict) else None
    if not isinstance(items, list):
        raise ValueError("has no list of entries")
    grouped: dict[tuple[str, str], dict[str, ContentEntry]] = {}
    for entry in map(ContentEntry.from_json, items):
        files = grouped.setdefault((entry.artifact_id, entry.scenario_id), {})
        if entry.path in files:
            raise ValueError(f"lists {entry.path!r} twice for {entry.artifact_id}")
        files[entry.path] = entry
    return MappingProxyType({key: tuple(files.values()) for key, files in grouped.items()})


def _total(files: Iterable[Path]) -> int:
    return sum(file_size(file) for file in files)
