"""Storage hygiene: which run folders and leftovers may go, and removing them (docs/laws#storage-hygiene)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import seg5b_kernels
from seg5b_compiled import source_digest

from seg5b import part_scan
from seg5b.calibration.bodies import bodies_of, drop
from seg5b.contracts import ContractSource
from seg5b.errors import RunError
from seg5b.foreign_json import OBJECT, Form, read_json
from seg5b.realism.files import CERTIFICATION_FORM, read_report
from seg5b.runs.ledger import last_records
from seg5b.runs.lock import exclusive, writer_of
from seg5b.runs.root import RECEIPT_NAME, RunRoot, derived_from, open_root
from seg5b.runs.scratch import has_reader
from seg5b.tables import text

SENTINEL = "_FAILED.SENTINEL.json"
WORLD_REPORT = "reports/world_report.json"
"""What `seg5b world make` leaves in a run, and no other upstream does."""
_COMPILED = {"kernels": seg5b_kernels, "text-lines": text, "part-scan": part_scan}
"""Packages whose loops are kept compiled, by how the names of their folders begin."""
_RUN_NAME = re.compile(r"[0-9a-f]{32}")
_REPORTS = "reports/layer2/realism/segment=5B"
KINDS = ("failed", "superseded", "derived", "scratch")
"""What a plan looks for unless it is told; caches serve other programs too, and bodies are outputs: those are named."""
EVERY_KIND = (*KINDS, "caches", "bodies")


@dataclass(frozen=True, slots=True)
class Removable:
    """A folder or file that may go. ``kind``: ``failed`` (a run with a failure sentinel, or whose state failed last),
    ``superseded`` (what a reseal set aside), ``derived``, ``scratch`` (in a run's ``tmp``), ``caches`` (compiled by other
    releases), ``bodies`` (of S2 and S3); ``size_bytes`` is what removing all of the plan gives back for it, files that a kept
    run shares aside. ``run``: the run that it lies in, for what is no run itself."""

    path: Path
    kind: str
    size_bytes: int
    run: RunRoot | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes, and which runs stay with the reason."""

    removable: tuple[Removable, ...]
    kept: tuple[tuple[str, str], ...]

    @property
    def by_kind(self) -> dict[str, int]:
        """Bytes that each kind gives back."""
        return {
            kind: sum(item.size_bytes for item in self.removable if item.kind == kind)
            for kind in dict.fromkeys(item.kind for item in self.removable)
        }


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, and what could not be."""

    removed: tuple[Removable, ...]
    errors: tuple[tuple[str, str], ...]

    @property
    def reclaimed_mb(self) -> float:
        """Megabytes (10^6 bytes) given back."""
        return sum(item.size_bytes for item in self.removed) / 1e6


@dataclass(frozen=True, slots=True)
class _Run:
    """A run folder: ``kind`` is failed, derived or None for a base; ``base`` whom it was derived from; ``root`` None where
    its receipt is not readable."""

    path: Path
    kind: str | None
    base: str | None
    root: RunRoot | None
    why: str = ""


def plan_prune(
    runs_root: Path, *, keep: Sequence[str] = (), kinds: Sequence[str] = KINDS, caches: Path | None = None
) -> Plan:
    """Decide what may go below ``runs_root``, and in the folder ``caches`` of compiled loops; nothing is touched.

    Only direct children with names of 32 hex digits are looked at, never a symbolic link. Kept are runs that are neither
    failed nor derived, failed ones that upstream made or a kept derived run came from, those that a process writes to, those
    named in ``keep``, the best candidate of each last sweep, and the panel of a certification or witness on hold.
    """
    runs = [_looked_at(path) for path in sorted(runs_root.glob("*")) if _is_run(path)]
    kept: dict[str, str] = dict.fromkeys(keep, "named")
    for run in runs:
        kept = {**_needed_by(run.path), **kept}
        if run.root is not None and writer_of(run.root):
            kept[run.path.name] = "a process writes to it"
        elif run.kind is None:
            kept.setdefault(run.path.name, run.why or "base run")
    going = [run for run in runs if run.kind in kinds and run.path.name not in kept]
    going = _without_bases(runs, going, kept)
    items: list[tuple[Path, str, RunRoot | None]] = [(run.path, str(run.kind), run.root) for run in going]
    staying = [run for run in runs if run not in going]
    for run in staying:
        busy = kept.get(run.path.name) == "a process writes to it"
        items += [] if busy else _within(run, kinds, named=run.path.name in keep)
    if "caches" in kinds and caches is not None:
        items += [(path, "caches", None) for path in other_caches(caches)]
    sizes = reclaimable([path for path, _, _ in items])
    found = (Removable(path, kind, size, root) for (path, kind, root), size in zip(items, sizes, strict=True))
    names = (run.path.name for run in staying)
    return Plan(tuple(found), tuple(sorted((name, kept[name]) for name in names if name in kept)))


def _without_bases(runs: Sequence[_Run], going: Sequence[_Run], kept: dict[str, str]) -> list[_Run]:
    """What goes, less what a derived run that stays came from, over any number of steps."""
    going = list(going)
    while True:
        names = {run.path.name for run in going}
        needed = {run.base: run.path.name for run in runs if run.base in names and run.path.name not in names}
        if not needed:
            return going
        for base, derived in needed.items():
            kept[str(base)] = f"the derived run {derived[:8]} came from it"
        going = [run for run in going if run.path.name not in needed]


def _within(run: _Run, kinds: Sequence[str], *, named: bool) -> Iterator[tuple[Path, str, RunRoot | None]]:
    """What may go of a run that stays."""
    if "superseded" in kinds:
        for path in sorted((run.path / "superseded").glob("*")):
            if path.is_dir():
                yield path, "superseded", run.root
    if run.root is None:
        return
    contracts = ContractSource.packaged()
    if "scratch" in kinds:
        for path in _scratch(run.root, contracts):
            yield path, "scratch", run.root
    if "bodies" in kinds and not named:
        for body in bodies_of(run.root, contracts):
            yield body.place, "bodies", run.root


def _scratch(root: RunRoot, contracts: ContractSource) -> list[Path]:
    """What lies in a run's ``tmp`` and nobody works with. What is kept there stays while somebody reads the run, and finished
    parts of states that did not end do: the next process goes on with them."""
    tmp = root.path / "tmp"
    found = sorted(tmp.iterdir()) if tmp.is_dir() else []
    at_work = {path for path in found if has_reader(path)}
    loose = [path for path in found if path not in at_work and path != root.kept()]
    scans = root.kept() / "parts"
    return loose + ([scans] if scans.is_dir() and not at_work else [])


def prune(plan: Plan) -> Pruned:
    """Remove what a plan names. Each folder leaves its place by a rename first, so that a run is never half there; a run that a
    process began to write to since stays, and so does one that somebody reads."""
    removed, errors = [], []
    for item in plan.removable:
        try:
            with _held(item.run):
                _remove(item)
        except OSError as cause:
            errors.append((str(item.path), cause.strerror or str(cause)))
        except RunError as cause:
            errors.append((str(item.path), cause.what))
        else:
            removed.append(item)
    return Pruned(tuple(removed), tuple(errors))


@contextmanager
def _held(run: RunRoot | None) -> Iterator[None]:
    """The run's lock, where there is a run that can be opened."""
    if run is None:
        yield
        return
    with exclusive(run):
        if any(has_reader(path) for path in run.tmp().iterdir()):
            raise RunError("5B.RUN.BUSY", "somebody reads it", where=str(run.path), remedy="prune when they have ended")
        yield


def _remove(item: Removable) -> None:
    if item.kind == "bodies" and item.run is not None:
        for body in bodies_of(item.run, ContractSource.packaged()):
            if body.place == item.path:
                drop(item.run, body)
        return
    if item.kind == "scratch" and not item.path.exists():
        return  # whoever holds a run sweeps what nobody works with
    aside = item.path.parent / f".pruned_{item.path.name}"
    item.path.rename(aside)
    shutil.rmtree(aside)


def reclaimable(places: Iterable[Path]) -> list[int]:
    """Bytes that each folder or file gives back when all of them go: a file counts where the last of its names lies, and not
    at all while another name stays outside."""
    names: dict[tuple[int, int], list[int]] = {}
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    chosen = list(places)
    for number, place in enumerate(chosen):
        for path in place.rglob("*") if place.is_dir() else [place]:
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


def other_caches(folder: Path) -> list[Path]:
    """Folders of compiled loops in ``folder`` that this release does not use: each carries the digest of its sources."""
    own = {f"{name}-{source_digest(Path(str(package.__file__)).parent)}" for name, package in _COMPILED.items()}
    kinds = tuple(f"{name}-" for name in _COMPILED)
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in found if path.is_dir() and path.name.startswith(kinds) and path.name not in own]


def _is_run(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and _RUN_NAME.fullmatch(path.name) is not None


def _looked_at(path: Path) -> _Run:
    try:
        root: RunRoot | None = open_root(path.parent, path.name)
    except RunError:
        root = None
    try:
        base = derived_from(read_json(path / RECEIPT_NAME, OBJECT))
    except (OSError, ValueError):
        base = None
    if next(path.rglob(SENTINEL), None) is not None:
        return _Run(path, "failed", base, root)
    why = "" if root is None else _failure(root)
    if why and (base is not None or (path / WORLD_REPORT).is_file()):
        return _Run(path, "failed", base, root)
    return _Run(path, None if base is None else "derived", base, root, f"upstream's, though {why}" if why else "")


def _failure(root: RunRoot) -> str:
    """The state that failed last, in words; nothing where none did. What somebody interrupted did not fail."""
    for state, record in sorted(last_records(root).items()):
        if record["status"] == "FAIL" and not str(record.get("error_code")).endswith(".INTERRUPTED"):
            return f"{state} failed"
    return ""


def _needed_by(run: Path) -> dict[str, str]:
    """Derived runs that a base's reports still refer to."""
    needed: dict[str, str] = {}
    for name, why in (("certification", "panel of an open certification"), ("witness", "seeds of an open witness")):
        found = _report(run / _REPORTS / f"{name}.json", CERTIFICATION_FORM)
        if str(found.get("decision", "")).startswith("HOLD"):
            needed |= dict.fromkeys(map(str, found.get("runs", ())), why)
    best = _report(run / _REPORTS / "sweep.json", OBJECT).get("best", {})
    if isinstance(best, dict) and best.get("run_id"):
        needed[str(best["run_id"])] = "best candidate of the last sweep"
    return needed


def _report(path: Path, form: Form) -> dict[str, Any]:
    return read_report(path, form) if path.is_file() else {}
