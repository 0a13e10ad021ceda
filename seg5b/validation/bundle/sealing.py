"""Sealing: the index, the digest, the flag, and publication in one rename (law L11, docs/laws#validation-bundle)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seg5b.canonical_json import canonical_json
from seg5b.contracts import ContractSource
from seg5b.errors import EvidenceError, PublishError
from seg5b.foreign_json import TEXT, read_json
from seg5b.gate import set_aside
from seg5b.hashing import concatenated_sha256, tree_digests
from seg5b.publish import Outcome, publish
from seg5b.refusals import pass_on_refusal
from seg5b.run_tables.outputs import dataset_path
from seg5b.run_tables.subject import Subject
from seg5b.runs import RunRoot
from seg5b.validation.bundle.members import PUBLISHED

_log = logging.getLogger("seg5b")
REPORT = "validation_report_5B.json"
ISSUES = "validation_issue_table_5B.parquet"
_SEGMENT = "5B"
_FAILED_ROOT = "data/layer2/5B/validation_failed"


def bundle_digest(folder: Path, names: list[str]) -> str:
    """SHA-256 over the raw bytes of the members in ascending path order."""
    return concatenated_sha256(folder / name for name in sorted(names))


def gate_receipt(root: RunRoot, contracts: ContractSource) -> Any:
    """The gate receipt of the run. Raises `OSError`, `ValueError`."""
    return read_json(dataset_path(root, contracts, "s0_gate_receipt_5B"), {"created_utc": TEXT})


def index_head(report: Mapping[str, Any], receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of the index but its entries, as report and gate receipt determine it.

    ``generated_utc`` is the moment of the gate: a bundle that is made again is the same to the byte, and no bit of it
    is free to change unnoticed. When S5 ran is in the run record.
    """
    return {
        "manifest_fingerprint": report["manifest_fingerprint"],
        "segment_id": _SEGMENT,
        "s5_spec_version": report["spec_version"],
        "generated_utc": receipt["created_utc"],
        "status": report["status"],
        "summary": {"scenario_count": report["n_scenarios"], "issue_count": report["issue_count"]},
    }


def seal(subject: Subject, folder: Path, report: Mapping[str, Any]) -> str:
    """Write index and flag beside the staged members of a passing run; returns the bundle digest.

    Raises `EvidenceError` ``5B.S5.BUNDLE_INDEX_INVALID``, ``5B.S5.FLAG_SCHEMA_VIOLATION`` when they do not fit their
    contracts.
    """
    layout, identity = subject.policies.layout, subject.root.identity
    members = tree_digests(folder)
    index = {
        **index_head(report, gate_receipt(subject.root, subject.contracts)),
        "entries": [{"path": name, "sha256_hex": digest} for name, digest in sorted(members.items())],
    }
    _validate(subject.contracts, "validation_bundle_index_5B", index, "5B.S5.BUNDLE_INDEX_INVALID")
    digest = bundle_digest(folder, list(members))
    flag = {"bundle_digest_sha256": digest, "manifest_fingerprint": identity.manifest_fingerprint}
    _validate(subject.contracts, "validation_passed_flag_5B", flag, "5B.S5.FLAG_SCHEMA_VIOLATION")
    (folder / layout.index_file).write_bytes(canonical_json(index))
    (folder / layout.flag_file).write_bytes(canonical_json(flag))
    return digest


def _validate(contracts: ContractSource, dataset_id: str, payload: Any, code: str) -> None:
    schema_ref = contracts.dictionary("5B").entry(dataset_id).schema_ref
    contracts.validate(schema_ref, payload, code=code, where=dataset_id, error=EvidenceError)


def publish_bundle(subject: Subject, folder: Path, target: Path, digest: str) -> tuple[Outcome, str]:
    """Publish a sealed bundle with this digest (docs/laws#one-bundle); also gives the digest of the one that stands then.

    One that is there stays if it says the same (the time it was made aside), or if it comes from a full scan of the same files
    and this one from a sample. Another one that judged the same files, sampled or of another release, is set aside.

    Raises `PublishError` ``5B.S5.IO_WRITE_CONFLICT`` where it judged other files or is no sound bundle,
    ``5B.S5.IO_WRITE_FAILED``.
    """
    if target.exists():
        if _stays(subject, folder, target):
            return Outcome.UNCHANGED, _flag_digest(target / subject.policies.layout.flag_file)
        aside = set_aside(subject.root, [target], state="S5")
        _log.info("S5: the bundle of another mode or release that judged the same files was moved to %s", aside)
    return publish(folder, target, state="S5"), digest


def _stays(subject: Subject, folder: Path, target: Path) -> bool:
    """Whether the published bundle is to stay; otherwise it may be set aside. Raises as `publish_bundle`."""
    layout = subject.policies.layout
    present, new = tree_digests(target), tree_digests(folder)
    differing = sorted(name for name in present.keys() | new.keys() if present.get(name) != new.get(name))
    if differing in ([], [layout.index_file]) and _timeless(target / layout.index_file) == _timeless(
        folder / layout.index_file
    ):
        return True
    members = [name for name in present if name not in (layout.index_file, layout.flag_file)]
    sound = bundle_digest(target, members) == _flag_digest(target / layout.flag_file)
    if sound and PUBLISHED not in differing:
        return subject.mode == "sampled" and _mode(target) == "full"
    raise PublishError(
        "5B.S5.IO_WRITE_CONFLICT",
        f"a bundle with other content is published ({len(differing)} members differ, first {differing[:1]})",
        where=str(target),
        remedy="nothing was replaced. Where it was damaged, move that folder away and run S5 again: no other state need run. "
        "Where outputs changed, reseal the run (`seg5b s0 --reseal`)",
    )


def _flag_digest(flag: Path) -> str:
    """Digest that a flag states; empty if it is none."""
    try:
        return str(read_json(flag, {"bundle_digest_sha256": TEXT})["bundle_digest_sha256"])
    except (OSError, ValueError) as cause:
        pass_on_refusal(cause)
        return ""


def _mode(bundle: Path) -> str:
    """How a sound bundle came about: ``full`` or ``sampled``."""
    return str(read_json(bundle / REPORT, {"sampling": {"mode": TEXT}})["sampling"]["mode"])


def _timeless(index: Path) -> Any:
    """An index without the time it was made, entries by path; None if it is not one."""
    try:
        fields = read_json(index, {"entries": [{"path": TEXT, "sha256_hex": TEXT}]})
    except (OSError, ValueError) as cause:
        pass_on_refusal(cause)
        return None
    entries = sorted((entry["path"], entry["sha256_hex"]) for entry in fields["entries"])
    return {**{key: value for key, value in fields.items() if key != "generated_utc"}, "entries": entries}


def publish_failure(root: RunRoot, folder: Path) -> Path:
    """Publish the report and issues of a failed validation under the next free number; an equal last one is kept.

    Raises `PublishError` ``5B.S5.IO_WRITE_FAILED``.
    """
    parent = _failures_folder(root)
    parent.mkdir(parents=True, exist_ok=True)
    last = last_failure(root)
    if last is not None and tree_digests(last) == tree_digests(folder):
        return last
    target = parent / str(int(last.name) + 1 if last else 1)
    publish(folder, target, state="S5")
    return target


def last_failure(root: RunRoot) -> Path | None:
    """Folder of the last failed validation; None where there is none."""
    folder = _failures_folder(root)
    numbered = [path for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
    return max(numbered, key=lambda path: int(path.name), default=None)


def _failures_folder(root: RunRoot) -> Path:
    return root.resolve(f"{_FAILED_ROOT}/manifest_fingerprint={root.identity.manifest_fingerprint}")
