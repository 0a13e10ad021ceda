"""Storage hygiene: which run folders and leftovers may go, and removing them (docs/laws#storage-hygiene)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg5b.foreign_json import OBJECT, Form, read_json
from seg5b.realism.files import CERTIFICATION_FORM, read_report
from seg5b.runs.root import RECEIPT_NAME, derived_from

SENTINEL = "_FAILED.SENTINEL.json"
_RUN_NAME = re.compile(r"[0-9a-f]{32}")
_REPORTS = "reports/layer2/realism/segment=5B"
KINDS = ("failed", "superseded", "derived")


@dataclass(frozen=True, slots=True)
class Removable:
    """A folder that may go: ``kind`` is ``failed`` (a run with a failure sentinel), ``superseded`` (what a reseal set
    aside) or ``derived``; ``size_bytes`` is what removing all of the plan gives back for it, files that a kept run
    shares aside."""

    path: Path
    kind: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes, and which runs stay with the reason."""

    removable: tuple[Removable, ...]
    kept: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, and what could not be."""

    removed: tuple[Removable, ...]
    errors: tuple[tuple[str, str], ...]

    @property
    def reclaimed_mb(self) -> float:
        """Megabytes (10^6 bytes) given back."""
        return sum(item.size_bytes for item in self.removed) / 1e6


def plan_prune(runs_root: Path, *, keep: Sequence[str] = (), kinds: Sequence[str] = KINDS) -> Plan:
    """Decide what may go below ``runs_root``; nothing is touched.

    Only direct children with names of 32 hex digits are looked at, never a symbolic link. Kept are runs that are
    neither failed nor derived, those named in ``keep``, the best candidate of each last sweep, and the panel of a
    certification that is on hold.
    """
    runs = [path for path in sorted(runs_root.glob("*")) if _is_run(path)]
    kept: dict[str, str] = dict.fromkeys(keep, "named")
    for run in runs:
        kept = {**_needed_by(run), **kept}
    folders: list[tuple[Path, str]] = []
    for run in runs:
        kind = _kind(run)
        if kind in kinds and run.name not in kept:
            folders.append((run, str(kind)))
            continue
        if kind is None:
            kept[run.name] = "base run"
        if "superseded" in kinds:
            folders += [(path, "superseded") for path in sorted((run / "superseded").glob("*")) if path.is_dir()]
    sizes = reclaimable([path for path, _ in folders])
    removable = tuple(Removable(path, kind, size) for (path, kind), size in zip(folders, sizes, strict=True))
    present = {run.name for run in runs} - {item.path.name for item in removable}
    return Plan(removable, tuple(sorted((name, why) for name, why in kept.items() if name in present)))


def prune(plan: Plan) -> Pruned:
    """Remove what a plan names. Each folder leaves its place by a rename first, so that a run is never half there."""
    removed, errors = [], []
    for item in plan.removable:
        aside = item.path.parent / f".pruned_{item.path.name}"
        try:
            item.path.rename(aside)
            shutil.rmtree(aside)
        except OSError as cause:
            errors.append((str(item.path), cause.strerror or str(cause)))
        else:
            removed.append(item)
    return Pruned(tuple(removed), tuple(errors))


def reclaimable(folders: Iterable[Path]) -> list[int]:
    """Bytes that each folder gives back when all of them go: a file counts where the last of its names lies, and not at
    all while another name stays outside."""
    names: dict[tuple[int, int], list[int]] = {}
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    chosen = list(folders)
    for number, folder in enumerate(chosen):
        for path in folder.rglob("*"):
            if path.is_symlink() or not path.is_file():
                continue
            stat = path.stat()
            names.setdefault((stat.st_dev, stat.st_ino), []).append(number)
            sizes[stat.st_dev, stat.st_ino] = (stat.st_nlink, stat.st_size)
    freed = [0] * len(chosen)
    for file, owners in names.items():
        links, size = sizes[file]
        if len(owners) >= links:
            freed[owners[-1]] += size
    return freed


def _is_run(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and _RUN_NAME.fullmatch(path.name) is not None


def _kind(run: Path) -> str | None:
    """``failed``, ``derived`` or None for a base run."""
    if next(run.rglob(SENTINEL), None) is not None:
        return "failed"
    try:
        receipt = read_json(run / RECEIPT_NAME, OBJECT)
    except (OSError, ValueError):
        return None
    return "derived" if derived_from(receipt) else None


def _needed_by(run: Path) -> dict[str, str]:
    """Derived runs that a base's reports still refer to."""
    needed: dict[str, str] = {}
    certification = _report(run / _REPORTS / "certification.json", CERTIFICATION_FORM)
    if str(certification.get("decision", "")).startswith("HOLD"):
        needed |= dict.fromkeys(map(str, certification.get("runs", ())), "panel of an open certification")
    witness = _report(run / _REPORTS / "witness.json", CERTIFICATION_FORM)
    if str(witness.get("decision", "")).startswith("HOLD"):
        needed |= dict.fromkeys(map(str, witness.get("runs", ())), "seeds of an open witness")
    best = _report(run / _REPORTS / "sweep.json", OBJECT).get("best", {})
    if isinstance(best, dict) and best.get("run_id"):
        needed[str(best["run_id"])] = "best candidate of the last sweep"
    return needed


def _report(path: Path, form: Form) -> dict[str, Any]:
    return read_report(path, form) if path.is_file() else {}
