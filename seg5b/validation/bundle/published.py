"""Everything that 5B published for a run: the files whose digests a bundle holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from seg5b.contracts import EVENTS, ContractSource
from seg5b.hashing import file_digests
from seg5b.run_tables.outputs import OUTPUT_TABLES, dataset_path
from seg5b.runs import RunRoot
from seg5b.runs.ledger import published_digests
from seg5b.validation.records import MOST_KEYS, Check, CheckResult, Compute, Finding, Key, Severity, Status

GATE = ("s0_gate_receipt_5B", "sealed_inputs_5B", "sealed_content_5B")
LOGS = ("rng_audit_log", "rng_trace_log")


@dataclass(frozen=True, slots=True)
class Published:
    """One file: dataset, scenario (empty where it has none), path relative to the run, size in bytes, SHA-256."""

    dataset_id: str
    scenario_id: str
    path: str
    size_bytes: int
    sha256_hex: str

    def as_json(self) -> dict[str, Any]:
        """Entry of ``published_files.json``."""
        return {
            "dataset_id": self.dataset_id,
            "scenario_id": self.scenario_id or None,
            "path": self.path,
            "size_bytes": self.size_bytes,
            "sha256_hex": self.sha256_hex,
        }


def published_places(
    root: RunRoot, contracts: ContractSource, scenario_ids: Sequence[str]
) -> list[tuple[str, str, Path]]:
    """(dataset, scenario, file) of every file that 5B published, bundle and run records aside, sorted by path."""
    places: list[tuple[str, str, Path]] = []
    for output in OUTPUT_TABLES:
        for scenario_id in scenario_ids:
            place = dataset_path(root, contracts, output.dataset_id, scenario_id)
            places += [(output.dataset_id, scenario_id, file) for file in _files(place)]
    known = contracts.dictionary("5B").entries
    for dataset_id in known:
        if dataset_id in (*GATE, *LOGS) or dataset_id.startswith(EVENTS):
            place = dataset_path(root, contracts, dataset_id)
            places += [(dataset_id, "", file) for file in _files(place)]
    return sorted(places, key=lambda item: item[2].as_posix())


def published_files(
    root: RunRoot,
    contracts: ContractSource,
    scenario_ids: Sequence[str],
    *,
    threads: int | None = None,
    done: Callable[[int], None] | None = None,
) -> list[Published]:
    """Every published file with its size and digest."""
    places = published_places(root, contracts, scenario_ids)
    digests = file_digests([file for *_, file in places], threads, done)
    return [
        Published(
            dataset_id,
            scenario_id,
            file.relative_to(root.path).as_posix(),
            digest.size_bytes or 0,
            digest.sha256_hex or "",
        )
        for (dataset_id, scenario_id, file), digest in zip(places, digests, strict=True)
    ]


_AS_PUBLISHED = Check(
    "outputs.as_published",
    "5B.S5.PUBLISHED_FILE_CHANGED",
    "bundle_integrity_ok",
    "structural_checks",
    "every file of S1-S4 has the digest that its state recorded when it published it, and no other file lies there",
    Compute(lambda _: Finding()),
    per_scenario=False,
)


def judge_published(root: RunRoot, files: Sequence[Published]) -> CheckResult:
    """Compare the files of S1-S4 with the digests in the states' run records.

    What decodes need not be what was written: one bit may turn one legal value into another. Not applicable where no
    record tells, as in runs of another engine; nor are datasets of states that have none, as a derived run's shared
    ones.
    """
    recorded = published_digests(root)
    if recorded is None:
        reason = "no run record names what was published"
        return CheckResult(_AS_PUBLISHED, Status.NOT_APPLICABLE, Severity.ERROR, reason=reason)
    folders = {PurePosixPath(path).parent for path in recorded}
    made = {file.path: file.sha256_hex for file in files if PurePosixPath(file.path).parent in folders}
    wrong = sorted(path for path in made.keys() | recorded.keys() if made.get(path) != recorded.get(path))
    keys: tuple[Key, ...] = tuple({"path": path} for path in wrong[:MOST_KEYS])
    status = Status.FAIL if wrong else Status.PASS
    # Of all files, whichever records told of: a bundle must not depend on how often states ran.
    return CheckResult(_AS_PUBLISHED, status, Severity.ERROR, len(wrong), keys, len(files))


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return [path for path in place.rglob("*") if path.is_file()]
    return [place] if place.is_file() else []
