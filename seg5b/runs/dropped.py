"""Files of a run that were dropped to save space, and may be made again byte for byte (docs/laws#dropped-bodies)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seg5b.foreign_json import COUNT, SHA256, TEXT, Form, Maybe, read_json
from seg5b.runs.root import RunRoot

DROPPED = "reports/layer2/storage/segment=5B/dropped_bodies.json"
"""Where a run says what was dropped of it."""
_FORM: Form = {
    "files": [{"dataset_id": TEXT, "scenario_id": Maybe(TEXT), "path": TEXT, "size_bytes": COUNT, "sha256_hex": SHA256}]
}


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """A published file that was dropped: ``path`` relative to the run, size and SHA-256 as the bundle lists them."""

    dataset_id: str
    scenario_id: str
    path: str
    size_bytes: int
    sha256_hex: str


def dropped_files(root: RunRoot) -> list[DroppedFile]:
    """What was dropped and is not there, in order of paths; empty where nothing is said, or nothing that can be read."""
    return [each for each in _recorded(root) if not (root.path / each.path).exists()]


def dropped_datasets(root: RunRoot) -> list[str]:
    """Ids of the datasets of which something was dropped and is not there."""
    return sorted({each.dataset_id for each in dropped_files(root)})


def how_to_make_again(root: RunRoot) -> str:
    """The command, in words of a remedy."""
    return f"make it again with `seg5b run --run-id {root.identity.run_id}`"


def note_dropped(root: RunRoot, files: Sequence[DroppedFile], facts: Mapping[str, Any]) -> Path:
    """Add files to what a run says was dropped of it, with ``facts`` about when and by what. Raises `OSError`."""
    known = {each.path: each for each in (*_recorded(root), *files)}
    target = root.path / DROPPED
    content = {
        **facts,
        "make_again": f"seg5b run --run-id {root.identity.run_id}",
        "files": [asdict(known[path]) for path in sorted(known)],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        staged.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        staged.replace(target)
    finally:
        staged.unlink(missing_ok=True)
    return target


def _recorded(root: RunRoot) -> list[DroppedFile]:
    try:
        rows = read_json(root.path / DROPPED, _FORM)["files"]
    except (OSError, ValueError):
        return []
    found = [
        DroppedFile(row["dataset_id"], row.get("scenario_id") or "", row["path"], row["size_bytes"], row["sha256_hex"])
        for row in rows
    ]
    return sorted((each for each in found if ".." not in Path(each.path).parts), key=lambda each: each.path)
