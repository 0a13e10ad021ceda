"""Bundle layout policy: which evidence the validation bundle holds, and where in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.policy.reading import PolicyFile

CODE = "5B.S5.CONTRACT_INVALID"
CORE_GROUP = "core_validation"


@dataclass(frozen=True, slots=True)
class EvidenceMember:
    """One dataset of the bundle: its role, its dictionary id, and its file or folder inside the bundle."""

    role: str
    dataset_id: str
    bundle_path: str


@dataclass(frozen=True, slots=True)
class EvidenceGroup:
    """Members that are included together: ``always`` (absent is an error), ``if_present`` or ``never``."""

    group: str
    include: str
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
        file = PolicyFile.read(path, contracts, "bundle_layout_policy_5B", code=CODE)
        policy = cls(
            bundle_root=file.text("bundle_root"),
            index_file=file.text("index_file"),
            flag_file=file.text("flag_file"),
            evidence_groups=tuple(_group(group) for group in file.value("evidence_groups")),
        )
        _check_datasets(file, policy, contracts)
        _check_core(file, policy)
        _check_places(file, policy)
        return policy


def _group(declared: Mapping[str, Any]) -> EvidenceGroup:
    members = tuple(EvidenceMember(**member) for member in declared["members"])
    return EvidenceGroup(declared["group"], declared["include"], members)


def _check_datasets(file: PolicyFile, policy: BundleLayoutPolicy, contracts: ContractSource) -> None:
    dictionary = contracts.dictionary()
    root = dictionary.entry("validation_bundle_5B").path
    if policy.bundle_root != root:
        raise file.fault("bundle_root", f"is {policy.bundle_root}", f"the dictionary says {root}")
    for member in (member for group in policy.evidence_groups for member in group.members):
        if member.dataset_id not in dictionary.entries:
            raise file.fault(
                "evidence_groups", f"names the unknown dataset {member.dataset_id!r}", "use a dictionary id"
            )


def _check_core(file: PolicyFile, policy: BundleLayoutPolicy) -> None:
    names = [group.group for group in policy.evidence_groups]
    if len(set(names)) != len(names):
        raise file.fault("evidence_groups", "lists a group twice", "merge its members into one group")
    core = {group.group: group for group in policy.evidence_groups}.get(CORE_GROUP)
    datasets = {member.dataset_id for member in core.members} if core else set()
    if core is None or core.include != "always" or "validation_report_5B" not in datasets:
        raise file.fault(
            "evidence_groups",
            f"has no group {CORE_GROUP} that always includes validation_report_5B",
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
