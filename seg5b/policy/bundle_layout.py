"""Bundle layout policy: which evidence the validation bundle holds, and where in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.policy.additions import Additions
from seg5b.policy.reading import PolicyFile

CODE = "5B.S5.CONTRACT_INVALID"
CORE_GROUP = "core_validation"
ADDITIONS = Additions(
    determined={"index_filename": "index.json", "passed_flag_filename": "_passed.flag"},
)
"""What this policy may leave out (docs/laws#policy-additions)."""


@dataclass(frozen=True, slots=True)
class EvidenceMember:
    """One dataset of the bundle: its role, its dictionary id, and its file or folder inside the bundle."""

    role: str
    dataset_id: str
    bundle_path: str


@dataclass(frozen=True, slots=True)
class EvidenceGroup:
    """Members that are included together; where they are ``required``, one that is absent is an error."""

    group: str
    required: bool
    members: tuple[EvidenceMember, ...]


@dataclass(frozen=True, slots=True)
class BundleLayoutPolicy:
    """Where the bundle lies (raw dictionary path), names of its index and flag, and its evidence groups."""

    bundle_root: str
    index_file: str
    flag_file: str
    evidence_groups: tuple[EvidenceGroup, ...]

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> BundleLayoutPolicy:
        """Read ``bundle_layout_policy_5B``. Raises `PolicyError` ``5B.S5.CONTRACT_INVALID``."""
        file = PolicyFile.read(path, contracts, "bundle_layout_policy_5B", code=CODE, additions=ADDITIONS)
        policy = cls(
            bundle_root=file.text("bundle_root_template"),
            index_file=file.text("index_filename"),
            flag_file=file.text("passed_flag_filename"),
            evidence_groups=tuple(_group(*item) for item in file.value("evidence_groups").items()),
        )
        policy = replace(policy, evidence_groups=_known(file, policy, contracts))
        _check_core(file, policy)
        _check_places(file, policy)
        return policy


def _group(name: str, declared: Mapping[str, Any]) -> EvidenceGroup:
    members = tuple(EvidenceMember(each["role"], each["dataset_id"], each["path"]) for each in declared["members"])
    return EvidenceGroup(name, declared["required"], members)


def _known(file: PolicyFile, policy: BundleLayoutPolicy, contracts: ContractSource) -> tuple[EvidenceGroup, ...]:
    """The groups with those of their members that a run can have: datasets of the dictionary with one place in a run. A
    required group has no others."""
    dictionary = contracts.dictionary()
    root = dictionary.entry("validation_bundle_5B").path
    if policy.bundle_root != root:
        raise file.fault("bundle_root_template", f"is {policy.bundle_root}", f"the dictionary says {root}")

    def can_be(dataset_id: str) -> bool:
        entry = dictionary.entries.get(dataset_id)
        return entry is not None and not {"scenario_id", "utc_day"} & set(entry.tokens)

    groups = []
    for group in policy.evidence_groups:
        lost = [member.dataset_id for member in group.members if not can_be(member.dataset_id)]
        if lost and group.required:
            what = f"requires {lost[0]!r}, which is no dataset of the contracts with one place in a run"
            raise file.fault(f"evidence_groups.{group.group}", what, "use a dictionary id, or let required be false")
        groups.append(replace(group, members=tuple(each for each in group.members if each.dataset_id not in lost)))
    return tuple(groups)


def _check_core(file: PolicyFile, policy: BundleLayoutPolicy) -> None:
    core = {group.group: group for group in policy.evidence_groups}.get(CORE_GROUP)
    datasets = {member.dataset_id for member in core.members} if core else set()
    if core is None or not core.required or "validation_report_5B" not in datasets:
        raise file.fault(
            "evidence_groups",
            f"has no required group {CORE_GROUP} with validation_report_5B",
            "restore the group from the shipped policy",
        )


def _check_places(file: PolicyFile, policy: BundleLayoutPolicy) -> None:
    taken = [PurePosixPath(policy.index_file), PurePosixPath(policy.flag_file)]
    for member in (member for group in policy.evidence_groups for member in group.members):
        place = PurePosixPath(member.bundle_path)
        clash = next((other for other in taken if place.is_relative_to(other) or other.is_relative_to(place)), None)
        if clash is not None:
            raise file.fault("evidence_groups", f"puts {place} on top of {clash}", "give each member its own place")
        taken.append(place)
