"""The run folder: reading the receipt, choosing the latest run, resolving contract paths to files.

Source: law L1, docs/laws#run-layout.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from seg5b.errors import RunError, shown
from seg5b.foreign_json import TEXT, read_json
from seg5b.runs.identity import HEX32, HEX64, UINT64_MAX, RunIdentity

RUNS_ROOT_VARIABLE = "SEG5B_RUNS_ROOT"
RECEIPT_NAME = "run_receipt.json"
WORLD_SPECIFICATION = "reports/world_spec.yaml"
"""Where a run keeps what its world was made from, every default written out. No digest covers it."""
_IN_RUN = ("data", "logs", "reports")


@dataclass(frozen=True, slots=True)
class RunRoot:
    """One run folder and its identity.

    Attributes: ``path`` (the folder), ``identity``, ``receipt`` (the receipt as read, extra fields included),
    ``external_roots`` (searched, in order, for ``config/`` and ``artefacts/`` files that the run does not carry).
    """

    path: Path
    identity: RunIdentity
    receipt: Mapping[str, Any]
    external_roots: tuple[Path, ...] = field(default=())

    @property
    def derived_from(self) -> str | None:
        """Run id of the base that this run was derived from, None for a base (docs/laws#derived-runs)."""
        return derived_from(self.receipt)

    @property
    def scenarios(self) -> tuple[str, ...] | None:
        """Ids of the scenarios that the receipt of a derived run restricts it to, None for all of its world."""
        stated = self.receipt.get("scenarios") if self.derived_from else None
        return None if stated is None else tuple(stated)

    def resolve(self, rendered: str) -> Path:
        """File or folder behind a rendered contract path.

        ``data/``, ``logs/`` and ``reports/`` lie in the run, whether they exist yet or not. Everything else is
        looked up: first in ``<run>/reference/`` (not for ``artefacts/``), then in each external root.

        Raises `RunError` ``5B.RUN.PATH_ESCAPES`` for absolute paths or ``..``, ``5B.RUN.INPUT_UNRESOLVED`` when a
        looked-up file is nowhere.
        """
        pure = PurePosixPath(rendered)
        if pure.is_absolute() or ".." in pure.parts or "\\" in rendered or not pure.parts:
            raise RunError(
                "5B.RUN.PATH_ESCAPES",
                f"path {rendered!r} does not stay inside its root",
                where=str(self.path),
                remedy="use a relative path without '..' in the contract dictionary",
            )
        if pure.parts[0] in _IN_RUN:
            return self._inside(self.path / pure)
        roots = [] if pure.parts[0] == "artefacts" else [self.path / "reference"]
        roots += self.external_roots
        for root in roots:
            if (root / pure).exists():
                return root / pure
        searched = ", ".join(str(root) for root in roots) or "no root"
        raise RunError(
            "5B.RUN.INPUT_UNRESOLVED",
            f"{rendered} is in none of: {searched}",
            where=str(self.path),
            remedy="copy the file below the run's reference/ folder or name its root with --external-root",
        )

    def _inside(self, path: Path) -> Path:
        """Refuse a path that a symbolic link carries out of the run folder."""
        try:
            inside = path.resolve().is_relative_to(self.path.resolve())
        except (OSError, RuntimeError, ValueError):  # a loop of symbolic links, or no path at all
            inside = False
        if not inside:
            raise RunError(
                "5B.RUN.PATH_ESCAPES",
                f"{path} leads outside the run folder",
                where=str(self.path),
                remedy="replace the symbolic link by the files it points to",
            )
        return path

    def tmp(self) -> Path:
        """Scratch folder of the run, made on first use."""
        folder = self.path / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    def kept(self) -> Path:
        """Part of the scratch folder that is not swept when a new process takes over; made by whoever keeps something."""
        return self.path / "tmp" / "kept"


def text_path(path: Path) -> Path:
    """``path``, when its name is text: messages, queries and records hold it. Raises `RunError`
    ``5B.RUN.PATH_NOT_TEXT``."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        raise RunError(
            "5B.RUN.PATH_NOT_TEXT",
            "the name of the folder is not UTF-8",
            where=str(path),
            remedy="rename the folder, or name another with --runs-root",
        ) from None
    return path


def default_runs_root() -> Path:
    """``$SEG5B_RUNS_ROOT``, else ``./runs``."""
    return Path(os.environ.get(RUNS_ROOT_VARIABLE) or "runs")


def latest_run_id(runs_root: Path) -> str:
    """Run id of the newest receipt below ``runs_root``: largest (created_utc, mtime); a receipt without a usable
    ``created_utc`` counts as created at its mtime. Ties go to the larger folder name.

    Raises `RunError` ``5B.RUN.NO_RUN`` when there is no receipt.
    """
    candidates = [(*_created(path), path.parent.name) for path in runs_root.glob(f"*/{RECEIPT_NAME}")]
    if not candidates:
        raise RunError(
            "5B.RUN.NO_RUN",
            f"no {RECEIPT_NAME} below {runs_root}",
            where=str(runs_root),
            remedy="make a world with `seg5b world make`, or name another folder with --runs-root",
        )
    return max(candidates)[2]


def _created(receipt: Path) -> tuple[float, float]:
    mtime = receipt.stat().st_mtime
    try:
        moment = datetime.fromisoformat(read_json(receipt, {"created_utc": TEXT})["created_utc"])
    except (OSError, ValueError):
        return mtime, mtime
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), mtime


def derived_from(receipt: Mapping[str, Any]) -> str | None:
    """Run id of the base of a derived run, None where a receipt is that of a base."""
    base = receipt.get("derived_from")
    return base if isinstance(base, str) else None


def receipt_in(folder: Path) -> Any:
    """What a run folder's receipt says; None where there is none that can be read."""
    try:
        return read_json(folder / RECEIPT_NAME)
    except (OSError, ValueError):
        return None


def open_root(runs_root: Path, run_id: str | None = None, external_roots: tuple[Path, ...] = ()) -> RunRoot:
    """Open a run folder and check its identity; without ``run_id`` the newest.

    Raises `RunError`: ``5B.RUN.NO_RUN``, ``5B.RUN.RECEIPT_UNREADABLE``, ``5B.S0.RUN_IDENTITY_INVALID``, and as
    `text_path`.
    """
    folder = text_path(runs_root) / (run_id or latest_run_id(runs_root))
    receipt_path = folder / RECEIPT_NAME
    try:
        receipt = read_json(receipt_path)
    except FileNotFoundError:
        raise RunError(
            "5B.RUN.NO_RUN", f"{receipt_path} does not exist", where=str(folder), remedy="check --run-id"
        ) from None
    except (ValueError, OSError) as cause:
        raise RunError(
            "5B.RUN.RECEIPT_UNREADABLE",
            f"{receipt_path} is not readable JSON: {cause}",
            where=str(folder),
            remedy="restore the receipt from the upstream run",
        ) from cause
    return RunRoot(folder, _identity(receipt, folder), receipt, external_roots)


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _identity(receipt: object, folder: Path) -> RunIdentity:
    fields = receipt if isinstance(receipt, dict) else {}
    seed, run_id = fields.get("seed"), fields.get("run_id")
    problem = None
    if not isinstance(run_id, str) or not HEX32.fullmatch(run_id):
        problem = f"run_id {run_id!r} is not 32 lowercase hex digits"
    elif run_id != folder.name:
        problem = f"run_id {run_id} differs from the folder name {folder.name}"
    elif not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= UINT64_MAX:
        problem = f"seed {seed!r} is not an unsigned 64-bit integer"
    if problem is None and derived_from(fields) and not _are_names(fields.get("scenarios", [])):
        problem = f"scenarios {shown(fields['scenarios'])} is not a list of scenario ids"
    for name in ("parameter_hash", "manifest_fingerprint"):
        value = fields.get(name)
        if problem is None and not (isinstance(value, str) and HEX64.fullmatch(value)):
            problem = f"{name} {value!r} is not 64 lowercase hex digits"
    if problem:
        raise RunError(
            "5B.S0.RUN_IDENTITY_INVALID",
            problem,
            where=str(folder / RECEIPT_NAME),
            remedy="restore the receipt that the upstream run wrote",
        )
    return RunIdentity(fields["run_id"], fields["seed"], fields["parameter_hash"], fields["manifest_fingerprint"])
