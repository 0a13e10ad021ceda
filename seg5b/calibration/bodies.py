"""Bodies of S2 and S3, which a passed bundle no longer needs: finding them, and dropping them (docs/laws#dropped-bodies)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seg5b._version import __version__
from seg5b.calibration.candidates import is_sealed
from seg5b.contracts import ContractSource
from seg5b.errors import RunError
from seg5b.foreign_json import COUNT, SHA256, TEXT, Form, Leaf, read_json
from seg5b.hashing import file_digest
from seg5b.run_tables.outputs import OUTPUT_TABLES, dataset_path
from seg5b.runs.dropped import DroppedFile, note_dropped
from seg5b.runs.records import utc_text
from seg5b.runs.root import RunRoot
from seg5b.tables.formats import encoder_version
from seg5b.validation.bundle.members import PUBLISHED

DATASETS = frozenset(output.dataset_id for output in OUTPUT_TABLES if output.state in ("S2", "S3"))
_LISTED: Form = {
    "files": [
        {
            "dataset_id": TEXT,
            "scenario_id": Leaf("a text or null", lambda value: value is None or isinstance(value, str)),
            "path": TEXT,
            "size_bytes": COUNT,
            "sha256_hex": SHA256,
        }
    ]
}


@dataclass(frozen=True, slots=True)
class Body:
    """One dataset of one scenario: its file or folder, and the files in it as the bundle lists them."""

    place: Path
    files: tuple[DroppedFile, ...]


def bodies_of(root: RunRoot, contracts: ContractSource) -> list[Body]:
    """What may be dropped of a run: nothing unless S5 passed last and its bundle lists the files."""
    if not is_sealed(root, contracts):
        return []
    try:
        listed = read_json(dataset_path(root, contracts, "validation_bundle_5B") / PUBLISHED, _LISTED)["files"]
    except (OSError, ValueError):
        return []
    places: dict[Path, list[DroppedFile]] = {}
    for row in listed:
        if row["dataset_id"] in DATASETS and (root.path / row["path"]).is_file():
            place = dataset_path(root, contracts, row["dataset_id"], row["scenario_id"])
            file = DroppedFile(
                row["dataset_id"], row["scenario_id"] or "", row["path"], row["size_bytes"], row["sha256_hex"]
            )
            places.setdefault(place, []).append(file)
    return [Body(place, tuple(files)) for place, files in sorted(places.items())]


def drop(root: RunRoot, body: Body) -> None:
    """Note the files with their digests in the run, then remove them. For the process that holds the run's lock.

    Raises `RunError` ``5B.CALIBRATION.BODY_DIFFERS`` where the place does not hold the very files that the bundle lists:
    they could not be made again; `OSError`.
    """
    _require_as_sealed(root, body)
    facts = {
        "dropped_utc": utc_text(datetime.now(UTC)),
        "dropped_by": f"seg5b {__version__}",
        "encoder": encoder_version(),
    }
    note_dropped(root, body.files, facts)
    if not body.place.is_dir():
        body.place.unlink()
        return
    aside = body.place.with_name(f".dropped_{body.place.name}")
    body.place.rename(aside)
    shutil.rmtree(aside)


def _require_as_sealed(root: RunRoot, body: Body) -> None:
    inside = body.place.rglob("*") if body.place.is_dir() else [body.place]
    present = {path.relative_to(root.path).as_posix() for path in inside if path.is_file()}
    odd = sorted(present ^ {file.path for file in body.files})
    odd += [file.path for file in body.files if file_digest(root.path / file.path).sha256_hex != file.sha256_hex]
    if odd:
        raise RunError(
            "5B.CALIBRATION.BODY_DIFFERS",
            f"{odd[0]} is not what the bundle lists",
            where=str(body.place),
            remedy="see what else differs: `seg5b verify`",
        )
