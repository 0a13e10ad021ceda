"""What the bundle holds beside report and issues: copies of gate and random-number evidence, and facts of S5's own."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seg5b.canonical_json import canonical_json, plain
from seg5b.hashing import file_digest
from seg5b.run_tables.measures import run_measures
from seg5b.run_tables.outputs import dataset_path
from seg5b.run_tables.subject import Subject
from seg5b.validation.bundle.published import Published
from seg5b.validation.records import CheckResult

OWN = "evidence/s5"
PUBLISHED = f"{OWN}/published_files.json"
CORE = ("validation_report_5B", "validation_issue_table_5B")
_TOPICS = {
    "structural": ("schema.", "identity.", "s1.", "s2.", "s3.", "s4.", "summary.", "anomalies.", "outputs."),
    "routing": ("route.", "inputs."),
    "rng_accounting": ("rng.", "rederive.", "policy.readings", "law."),
    "civil_time": ("clock.", "civil."),
    "realism": ("realism.",),
    "sentinels": ("sentinel.",),
}


def stage_evidence(
    subject: Subject, folder: Path, results: Sequence[CheckResult], published: Sequence[Published]
) -> list[str]:
    """Write every member but report and issue table below ``folder``; returns what is missing or was not copied well.

    Evidence groups of the layout policy are copied from where the run keeps them: members of a required one must be there,
    others may be absent.
    """
    known = {entry.path: entry.sha256_hex for entry in published}
    problems = []
    for group in subject.policies.layout.evidence_groups:
        for member in group.members:
            if member.dataset_id in CORE:
                continue
            source = dataset_path(subject.root, subject.contracts, member.dataset_id)
            if source.exists():
                problems += _copy(subject, source, folder / member.bundle_path, known)
            elif group.required:
                problems.append(f"{member.dataset_id} is not there")
    for name, content in _own(subject, results, published).items():
        target = folder / name
        if target.exists():
            problems.append(f"{name} is taken by a member of the layout policy")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(canonical_json(plain(content)))
    return problems


def _copy(subject: Subject, source: Path, target: Path, known: dict[str, str]) -> list[str]:
    """Copy a file or folder; names the copies that do not have the digest of what was published."""
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    wrong = []
    for file in files:
        copy = target / file.relative_to(source) if source.is_dir() else target
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        name = subject.relative(file)
        if known.get(name) != file_digest(copy).sha256_hex:
            wrong.append(f"the copy of {name} differs from what was published")
    return wrong


def _own(subject: Subject, results: Sequence[CheckResult], published: Sequence[Published]) -> dict[str, dict[str, Any]]:
    identity = subject.root.identity
    head = {"manifest_fingerprint": identity.manifest_fingerprint, "parameter_hash": identity.parameter_hash}
    members: dict[str, dict[str, Any]] = {
        PUBLISHED: {**head, "seed": identity.seed, "files": [entry.as_json() for entry in published]}
    }
    for topic, prefixes in _TOPICS.items():
        own = [result for result in results if result.check_id.startswith(prefixes)]
        members[f"{OWN}/{topic}.json"] = {
            **head,
            "checks": [{**result.as_json(), "facts": result.facts} for result in own],
        }
    members[f"{OWN}/civil_time.json"]["windows"] = _windows(subject)
    members[f"{OWN}/sentinels.json"]["arrivals_by_zone"] = dict(run_measures(subject).by_zone)
    return members


def _windows(subject: Subject) -> list[dict[str, Any]]:
    return [
        {"tzid": tzid, "change_us": at_us, "arrivals": window.support, "hour_bin_mae_pp": window.gap_pp}
        for (tzid, at_us), window in sorted(run_measures(subject).windows.items())
    ]
